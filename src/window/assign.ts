/** Tumbling windows aligned to the epoch: [start, end) with start a multiple of the size. Times in ms. */

/** Start of the window that holds `time`. */
export function windowStart(time: number, size: number): number {
  return Math.floor(time / size) * size
}

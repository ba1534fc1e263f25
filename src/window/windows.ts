/**
 * Which slice of event time an event belongs to, which windows that slice is in, and when those are due, closed or too late to change.
 * Whoever needs to know asks here, and nobody else calculates with the length of a window.
 *
 *   slice    what a pane counts, [start, end): the longest span that no window's edge cuts. Main knows it by its end.
 *   window   what rows are of, [start, end): whole slices. A tumbling window is one slice, and no two of them overlap.
 *
 * Three things happen to a slice, each by a watermark W:
 *
 *   due      W ≥ end                of its window: the rows are written
 *   purged   W ≥ end + lateness     of its last window: it takes no more events, and its memory goes
 *   late     largest event time before it in the event's own partition - out-of-orderness ≥ end + lateness
 *
 * Example, windows of 10 s, lateness 5 s, out-of-orderness 2 s: an event of 00:00:13 goes into the slice that ends at 00:00:20. It is due
 * at the watermark 00:00:20 and purged at 00:00:25. An event of it is late once its partition has had an event of 00:00:27.
 *
 * All times are ms since the epoch, whole numbers. Objects hold no state but rules: every thread makes its own from them (`windowsOf`).
 */
import type { Config } from '../config/schema.ts'
import { formatDuration } from '../config/units.ts'

/** What windows are made from, ms; plain data, so that it can go to another thread. */
export interface WindowRules {
  readonly windowSize: number
  readonly outOfOrderness: number
  readonly allowedLateness: number
}

/** How windows look from outside, as manifests keep it. Times in ms. */
interface WindowShape {
  readonly windowType: string
  readonly windowSize: number
}

/** Windows of one length, end to end from the epoch on. */
class TumblingWindows {
  readonly #size: number
  readonly #outOfOrderness: number
  readonly #latenessMs: number

  constructor({ windowSize, outOfOrderness, allowedLateness }: WindowRules) {
    this.#size = windowSize
    this.#outOfOrderness = outOfOrderness
    this.#latenessMs = allowedLateness
  }

  /** Start of the slice that holds `time`. */
  sliceStart(time: number): number {
    return Math.floor(time / this.#size) * this.#size
  }

  /** End of the slice that begins at `start`. */
  sliceEnd(start: number): number {
    return start + this.#size
  }

  /** Start of the slice that ends at `end`, and so of the one window it is in. */
  startOf(end: number): number {
    return end - this.#size
  }

  /** The largest event time before it in its own partition from which on an event of the slice is late. */
  lateAt(end: number): number {
    return end + this.#latenessMs + this.#outOfOrderness
  }

  /** Whether rows of the slice are due at a watermark, or by the clock when no watermark will come. */
  isDue(end: number, time: number): boolean {
    return end <= time
  }

  /** Slices that end at or before this are purged at the watermark; all later ones are open. */
  purgedUpTo(watermark: number): number {
    return watermark - this.#latenessMs
  }

  /** The watermark that the largest event time of a partition stands for. */
  watermarkOf(maxEventTime: number): number {
    return maxEventTime - this.#outOfOrderness
  }

  /** Whether any slice can become due or purged when the watermark goes from `before` to `after`. Nothing happens in between. */
  isStep(before: number, after: number): boolean {
    if (!(after > before)) return false
    return (
      this.sliceStart(after) !== this.sliceStart(before) ||
      this.sliceStart(this.purgedUpTo(after)) !== this.sliceStart(this.purgedUpTo(before))
    )
  }
}

/** Windows of whichever kind; another kind is one more in this union and in `windowsOf`. */
export type Windows = TumblingWindows

/** The windows that the rules say. */
export function windowsOf(rules: WindowRules): Windows {
  return new TumblingWindows(rules)
}

/** The rules that the configuration says. */
export function windowRules({ window, time }: Pick<Config, 'window' | 'time'>): WindowRules {
  return { windowSize: window.size, outOfOrderness: time.outOfOrderness, allowedLateness: time.allowedLateness }
}

/** In which way panes of `kept` windows are of no use for those of `now`; undefined when they are the same. Rules of time may differ. */
export function windowDifference(kept: WindowShape, now: WindowShape): string | undefined {
  if (kept.windowType !== now.windowType) return `window.type ${kept.windowType}, now ${now.windowType}`
  if (kept.windowSize !== now.windowSize) return `window.size ${kept.windowSize} ms, now ${now.windowSize} ms`
  return undefined
}

/** For people: "tumbling windows of 10s". */
export function describeWindows({ windowType, windowSize }: WindowShape): string {
  return `${windowType} windows of ${formatDuration(windowSize)}`
}

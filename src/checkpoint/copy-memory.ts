/**
 * Memory for a checkpoint's copies, used again: the checkpoint thread sends back what it has written. Fresh megabytes for each checkpoint
 * are zeroed pages each time, and leave the C library's heap in pieces: with a million products 606 MiB after two minutes, 575 without.
 *
 * What comes back and finds no use in the next checkpoint is let go, so no more is kept than a checkpoint takes.
 */
type Copied = Int32Array | Uint32Array | Float64Array | Uint8Array

/** So much larger than what is needed memory may be. */
const SLACK_MAX = 4
const STEP_MIN_BYTES = 4096

export class CopyMemory {
  #free: ArrayBuffer[] = []

  /** Copies will be made in these, until the next call. */
  refill(buffers: ArrayBuffer[]): void {
    this.#free = buffers
  }

  /** A copy of the first `length` elements, at the start of memory that may be longer. */
  copy<T extends Copied>(source: T, length: number): T {
    const make = source.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => T
    const copied = new make(this.#take(length * source.BYTES_PER_ELEMENT), 0, length)
    copied.set(source.subarray(0, length))
    return copied
  }

  /** The smallest that fits, or new memory with some room for more: what grows a little must not be new every time. */
  #take(bytes: number): ArrayBuffer {
    let best: ArrayBuffer | undefined
    for (const free of this.#free) {
      if (free.byteLength < bytes || free.byteLength > Math.max(bytes * SLACK_MAX, STEP_MIN_BYTES)) continue
      if (best === undefined || free.byteLength < best.byteLength) best = free
    }
    if (best !== undefined) {
      this.#free.splice(this.#free.indexOf(best), 1)
      return best
    }
    const step = Math.max(STEP_MIN_BYTES, 2 ** Math.floor(Math.log2(bytes + 1)) / 4)
    return new ArrayBuffer(Math.max(1, Math.ceil(bytes / step)) * step)
  }
}

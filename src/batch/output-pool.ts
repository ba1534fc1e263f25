/**
 * Memory that batches are decompressed to. A buffer per batch would be hundreds of megabytes a second for the collector to count and free;
 * so whoever has read a batch gives its buffer back for the next one. One that is not given back is simply collected.
 */

/** Behind every output there is room for so many more bytes, for copies that move words. */
const SLACK_BYTES = 16
const SIZE_MIN_BYTES = 64 * 1024
const FREE_MAX = 4

export class OutputPool {
  readonly #free: Buffer[] = []
  readonly #own = new WeakSet<ArrayBufferLike>()

  /** A buffer with room for at least `size` bytes and the slack; what it holds is not defined. */
  take(size: number): Buffer {
    const found = this.#free.findLastIndex((buffer) => buffer.length >= size + SLACK_BYTES)
    const [reused] = found < 0 ? [] : this.#free.splice(found, 1)
    if (reused !== undefined) return reused
    let capacity = SIZE_MIN_BYTES
    while (capacity < size + SLACK_BYTES) capacity *= 2
    const buffer = Buffer.allocUnsafeSlow(capacity)
    this.#own.add(buffer.buffer)
    return buffer
  }

  /** Takes back the buffer that `bytes` lies in, if it came from here. Of too many free ones the smallest goes. */
  giveBack(bytes: Uint8Array): void {
    if (!this.#own.has(bytes.buffer)) return
    this.#free.push(Buffer.from(bytes.buffer))
    if (this.#free.length <= FREE_MAX) return
    let smallest = 0
    this.#free.forEach((other, at) => {
      if (other.length < (this.#free[smallest]?.length ?? 0)) smallest = at
    })
    this.#free.splice(smallest, 1)
  }
}

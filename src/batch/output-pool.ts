/**
 * Memory that batches are decompressed to. A buffer per batch would be hundreds of megabytes a second for the collector to count and free;
 * so whoever has read a batch gives its buffer back for the next one. One that is not given back is simply collected.
 *
 * At most FREE_MAX buffers of up to KEPT_MAX_BYTES are kept. A larger one is lent again while the collector has not taken it, and otherwise
 * gone: one large batch costs its memory once, not for ever.
 */

/** Behind every output there is room for so many more bytes, for copies that move words. */
const SLACK_BYTES = 16
const SIZE_MIN_BYTES = 64 * 1024
const FREE_MAX = 4
/** Larger buffers are not kept, and are made no larger than they must be. */
export const KEPT_MAX_BYTES = 4 * 1024 * 1024

export class OutputPool {
  readonly #free: Buffer[] = []
  readonly #own = new WeakSet<ArrayBufferLike>()
  #large: WeakRef<Buffer> | undefined

  /** A buffer with room for at least `size` bytes and the slack; what it holds is not defined. */
  take(size: number): Buffer {
    const needed = size + SLACK_BYTES
    if (needed > KEPT_MAX_BYTES) return this.#takeLarge(needed)
    const found = this.#free.findLastIndex((buffer) => buffer.length >= needed)
    const [reused] = found < 0 ? [] : this.#free.splice(found, 1)
    if (reused !== undefined) return reused
    let capacity = SIZE_MIN_BYTES
    while (capacity < needed) capacity *= 2
    return this.#make(capacity)
  }

  /** Takes back the buffer that `bytes` lies in, if it came from here. Of too many free ones the smallest goes. */
  giveBack(bytes: Uint8Array): void {
    if (!this.#own.has(bytes.buffer)) return
    const buffer = Buffer.from(bytes.buffer)
    if (buffer.length > KEPT_MAX_BYTES) {
      this.#large = new WeakRef(buffer)
      return
    }
    this.#free.push(buffer)
    if (this.#free.length <= FREE_MAX) return
    let smallest = 0
    this.#free.forEach((other, at) => {
      if (other.length < (this.#free[smallest]?.length ?? 0)) smallest = at
    })
    this.#free.splice(smallest, 1)
  }

  /** Bytes that are kept for the next batches. */
  get keptBytes(): number {
    return this.#free.reduce((sum, { length }) => sum + length, 0)
  }

  #takeLarge(needed: number): Buffer {
    const last = this.#large?.deref()
    this.#large = undefined
    return last !== undefined && last.length >= needed ? last : this.#make(needed)
  }

  #make(capacity: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(capacity)
    this.#own.add(buffer.buffer)
    return buffer
  }
}

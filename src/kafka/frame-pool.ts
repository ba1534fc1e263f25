/**
 * Memory for response frames. A frame of the size of a fetch response is read straight from the socket into one of these buffers, its
 * record batches are read in place, and the buffer is used again for the next response: the same few megabytes stay in the cache.
 *
 * Ownership is counted: whoever takes a frame holds it once, whoever lends its bytes on retains it, and at zero the buffer may be given to
 * the next response. A frame that nobody releases is simply collected. `generation` grows at every return, so that someone who kept a
 * reference too long can tell.
 */
import { assert } from '../assert.ts'
import { LIMITS } from '../config/limits.ts'

const FRAME_MIN_BYTES = 64 * 1024
const FREE_MAX_FRAMES = 4

/** One response, length prefix included, in bytes[0, size). */
export class Frame {
  readonly bytes: Buffer
  size = 0
  generation = 0
  #holders = 0
  readonly #pool: FramePool

  constructor(pool: FramePool, capacity: number) {
    this.#pool = pool
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  retain(): void {
    this.#holders++
  }

  release(): void {
    assert(this.#holders > 0, 'a frame is released once per holder')
    this.#holders--
    if (this.#holders > 0) return
    this.generation++
    this.#pool.giveBack(this)
  }
}

/** The frames of one Kafka client. Small frames are not pooled: they aren't worth the counting. */
export class FramePool {
  readonly #free: Frame[] = []
  readonly #owner = new WeakMap<ArrayBufferLike, Frame>()

  /** A frame with room for `size` bytes, held once; undefined when it is too small to be pooled. */
  take(size: number): Frame | undefined {
    if (size < FRAME_MIN_BYTES) return undefined
    const found = this.#free.findLastIndex((frame) => frame.bytes.length >= size)
    const [reused] = found < 0 ? [] : this.#free.splice(found, 1)
    const frame = reused ?? this.#allocate(size)
    frame.size = size
    frame.retain()
    return frame
  }

  /** The frame that these bytes lie in. */
  frameOf(bytes: Uint8Array): Frame | undefined {
    return this.#owner.get(bytes.buffer)
  }

  /** Called by Frame.release. Frames that only an unusual batch needed are not kept. Of too many free frames the smallest goes. */
  giveBack(frame: Frame): void {
    if (frame.bytes.length > LIMITS.frameKeptMaxBytes) return
    this.#free.push(frame)
    if (this.#free.length <= FREE_MAX_FRAMES) return
    let smallest = 0
    this.#free.forEach((other, at) => {
      if (other.bytes.length < (this.#free[smallest]?.bytes.length ?? 0)) smallest = at
    })
    this.#free.splice(smallest, 1)
  }

  #allocate(size: number): Frame {
    let capacity = FRAME_MIN_BYTES
    while (capacity < size) capacity *= 2
    const frame = new Frame(this, capacity)
    this.#owner.set(frame.bytes.buffer, frame)
    return frame
  }
}

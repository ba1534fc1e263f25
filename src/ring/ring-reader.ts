/**
 * The reading side of a ring. One thread only. `next` moves to the following block; the memory of the blocks read is given back
 * by `release`, once per run of blocks, so that the shared cursor is written seldom.
 */
import {
  AUX,
  BLOCK,
  BLOCK_HEADER_WORDS,
  BYTES,
  COUNT,
  HEAD_WORD,
  KIND,
  LENGTH,
  READER_SLEEPS_WORD,
  RING_HEADER_BYTES,
  TAIL_WORD,
  TASK,
  TIME_DOUBLE,
  WRITER_SLEEPS_WORD,
} from './layout.ts'

export class RingReader {
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
  /** The current block's header, and the word index of its payload. Valid until the next call of `next`. */
  kind = -1
  task = 0
  count = 0
  aux = 0
  byteLength = 0
  time = 0
  payload = 0

  readonly #control: Int32Array
  readonly #mask: number
  #head: number
  #tail: number
  #freed: number

  constructor(ring: SharedArrayBuffer) {
    this.#control = new Int32Array(ring, 0, RING_HEADER_BYTES / 4)
    this.words = new Int32Array(ring, RING_HEADER_BYTES)
    this.doubles = new Float64Array(ring, RING_HEADER_BYTES)
    this.bytes = new Uint8Array(ring, RING_HEADER_BYTES)
    this.#mask = this.words.length - 1
    this.#head = Atomics.load(this.#control, HEAD_WORD)
    this.#tail = Atomics.load(this.#control, TAIL_WORD)
    this.#freed = this.#tail
  }

  /** Moves to the next block; false when none is published. Blocks read earlier keep their memory until `release`. */
  next(): boolean {
    for (;;) {
      if (this.#tail === this.#head) {
        this.#head = Atomics.load(this.#control, HEAD_WORD)
        if (this.#tail === this.#head) return false
      }
      const words = this.words
      const at = this.#tail & this.#mask
      this.#tail = (this.#tail + words[at + LENGTH]!) | 0
      const kind = words[at + KIND]!
      if (kind === BLOCK.pad) continue
      this.kind = kind
      this.task = words[at + TASK]!
      this.count = words[at + COUNT]!
      this.aux = words[at + AUX]!
      this.byteLength = words[at + BYTES]!
      this.time = this.doubles[(at >> 1) + TIME_DOUBLE]!
      this.payload = at + BLOCK_HEADER_WORDS
      return true
    }
  }

  /** Gives the memory of all blocks read so far back to the writer, the current one included. */
  release(): void {
    if (this.#freed === this.#tail) return
    this.#freed = this.#tail
    Atomics.store(this.#control, TAIL_WORD, this.#tail)
    if (Atomics.load(this.#control, WRITER_SLEEPS_WORD) !== 0) {
      Atomics.store(this.#control, WRITER_SLEEPS_WORD, 0)
      Atomics.notify(this.#control, TAIL_WORD)
    }
  }

  /** Words read since the last release; lets a reader give memory back before it has read all there is. */
  get held(): number {
    return (this.#tail - this.#freed) | 0
  }

  /** Blocks the thread until something is published, at most `timeoutMs`. Call after `release`. */
  wait(timeoutMs: number): void {
    Atomics.store(this.#control, READER_SLEEPS_WORD, 1)
    if (Atomics.load(this.#control, HEAD_WORD) === this.#tail) Atomics.wait(this.#control, HEAD_WORD, this.#tail, timeoutMs)
  }

  /** As wait, without blocking the thread. */
  async waitAsync(timeoutMs: number): Promise<void> {
    Atomics.store(this.#control, READER_SLEEPS_WORD, 1)
    const wait = Atomics.waitAsync(this.#control, HEAD_WORD, this.#tail, timeoutMs)
    if (wait.async) await wait.value
  }
}

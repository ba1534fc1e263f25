/**
 * The reading side of a ring. One thread only. `next` moves to the following block; the memory of the blocks read is given back
 * by `release`, once per run of blocks, so that the shared cursor is written seldom.
 *
 * Every block is looked at once before anybody acts on it: it lies within what is published, its kind is known, and its payload holds
 * what its header says. Anything else is a bug of the writing side, or of both sides' layout, and ends the thread.
 */
import { assert } from '../assert.ts'
import {
  BLOCK,
  BLOCK_ALIGN_WORDS,
  BLOCK_HEADER_WORDS,
  HEAD_WORD,
  HEADER_AUX,
  HEADER_BYTES,
  HEADER_COUNT,
  HEADER_KIND,
  HEADER_LENGTH,
  HEADER_TASK,
  HEADER_TIME_DOUBLE,
  holds,
  READER_SLEEPS_WORD,
  READER_TAKEN_WORD,
  RING_HEADER_BYTES,
  TAIL_WORD,
  takeSide,
  WRITER_SLEEPS_WORD,
} from './layout.ts'

export class RingReader {
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
  /** What the current block is, and of which task. Valid, like all that follows, until the next call of `next`. */
  kind = -1
  task = 0
  /** The rest of its header, and the word index of its payload: for the typed reads of blocks.ts and row-blocks.ts only. */
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
    takeSide(this.#control, READER_TAKEN_WORD)
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
      const length = words[at + HEADER_LENGTH]!
      const kind = words[at + HEADER_KIND]!
      const count = words[at + HEADER_COUNT]!
      const bytes = words[at + HEADER_BYTES]!
      if (!this.#lies(at, length) || !(kind === BLOCK.pad || holds(kind, count, bytes, length - BLOCK_HEADER_WORDS))) this.#refuse(at)
      this.#tail = (this.#tail + length) | 0
      if (kind === BLOCK.pad) continue
      this.kind = kind
      this.task = words[at + HEADER_TASK]!
      this.count = count
      this.aux = words[at + HEADER_AUX]!
      this.byteLength = bytes
      this.time = this.doubles[(at >> 1) + HEADER_TIME_DOUBLE]!
      this.payload = at + BLOCK_HEADER_WORDS
      return true
    }
  }

  /** Whether a block of `length` words at `at` is one, contiguous, and published as a whole. */
  #lies(at: number, length: number): boolean {
    if (length < BLOCK_HEADER_WORDS || (length & (BLOCK_ALIGN_WORDS - 1)) !== 0) return false
    return length <= ((this.#head - this.#tail) | 0) && at + length <= this.words.length
  }

  #refuse(at: number): never {
    const { words } = this
    const header = {
      length: words[at + HEADER_LENGTH],
      kind: words[at + HEADER_KIND],
      count: words[at + HEADER_COUNT],
      bytes: words[at + HEADER_BYTES],
    }
    const published = (this.#head - this.#tail) | 0
    assert(false, 'a block lies within what is published and holds what its header says', { ...header, at, published, ring: words.length })
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

/**
 * The writing side of a ring. One thread only. "Full" is a return value; how to wait for room is the caller's choice.
 *
 * A block is opened with the most it may need, filled in place, and closed with what it took; nothing is visible before close.
 * At most one block is open. The reader's position is cached and read again only when the cached one says "full".
 *
 * Every put of this folder returns true when the block is in, and false when a ring is full: then nothing was put. Callers outside of it
 * use the typed puts of blocks.ts and row-blocks.ts; `tryOpen`, `close` and `tryPut` are for those.
 */
import { assert } from '../assert.ts'
import {
  BLOCK,
  BLOCK_ALIGN_WORDS,
  BLOCK_HEADER_WORDS,
  type BlockKind,
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
  RING_HEADER_BYTES,
  TAIL_WORD,
  takeSide,
  WRITER_SLEEPS_WORD,
  WRITER_TAKEN_WORD,
} from './layout.ts'

export class RingWriter {
  /** The data area, three views of it. */
  readonly words: Int32Array
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
  /** Word index of the open block's payload. */
  payload = 0

  readonly #control: Int32Array
  readonly #capacity: number
  #head: number
  #tail: number
  #open = -1
  /** Words of payload that the open block may take. */
  #roomWords = 0

  constructor(ring: SharedArrayBuffer) {
    this.#control = new Int32Array(ring, 0, RING_HEADER_BYTES / 4)
    this.words = new Int32Array(ring, RING_HEADER_BYTES)
    this.doubles = new Float64Array(ring, RING_HEADER_BYTES)
    this.bytes = new Uint8Array(ring, RING_HEADER_BYTES)
    this.#capacity = this.words.length
    assert((this.#capacity & (this.#capacity - 1)) === 0, 'ring capacity is a power of two', { words: this.#capacity })
    takeSide(this.#control, WRITER_TAKEN_WORD)
    this.#head = Atomics.load(this.#control, HEAD_WORD)
    this.#tail = Atomics.load(this.#control, TAIL_WORD)
  }

  /** The largest payload, in words, that any block may ask for: half the ring, so that padding can never make a block impossible. */
  get payloadMaxWords(): number {
    return this.#capacity / 2 - BLOCK_HEADER_WORDS
  }

  /** Whether so many words are free, blocks' headers and the pad at the end of the data area among them. */
  hasRoom(words: number): boolean {
    if (this.#capacity - ((this.#head - this.#tail) | 0) >= words) return true
    this.#tail = Atomics.load(this.#control, TAIL_WORD)
    return this.#capacity - ((this.#head - this.#tail) | 0) >= words
  }

  /** Reserves a block with room for `payloadWords`; false when the ring is too full now. */
  tryOpen(kind: BlockKind, task: number, payloadWords: number): boolean {
    assert(this.#open < 0, 'one block open at a time')
    if (!(payloadWords >= 0 && payloadWords <= this.payloadMaxWords)) this.#refuseSize(payloadWords)
    const need = align(BLOCK_HEADER_WORDS + payloadWords)
    const index = this.#head & (this.#capacity - 1)
    const untilEnd = this.#capacity - index
    const claim = need <= untilEnd ? need : untilEnd + need
    if (this.#capacity - ((this.#head - this.#tail) | 0) < claim) {
      this.#tail = Atomics.load(this.#control, TAIL_WORD)
      if (this.#capacity - ((this.#head - this.#tail) | 0) < claim) return false
    }
    let at = index
    if (need > untilEnd) {
      this.words[index + HEADER_LENGTH] = untilEnd
      this.words[index + HEADER_KIND] = BLOCK.pad
      this.#head = (this.#head + untilEnd) | 0
      at = 0
    }
    const words = this.words
    words[at + HEADER_KIND] = kind
    words[at + HEADER_TASK] = task
    words[at + HEADER_COUNT] = 0
    words[at + HEADER_AUX] = 0
    words[at + HEADER_BYTES] = 0
    this.#open = at
    this.#roomWords = payloadWords
    this.payload = at + BLOCK_HEADER_WORDS
    return true
  }

  /**
   * Publishes the open block. `count`, `aux`, `bytes` and `time` go to its header. Waking a sleeping reader is a system call; a writer that
   * has more to publish soon passes wake = false and calls `wake` when it is through.
   */
  close(payloadWords: number, count = 0, aux = 0, bytes = 0, time = 0, wake = true): void {
    const at = this.#open
    assert(at >= 0, 'close follows open')
    const length = align(BLOCK_HEADER_WORDS + payloadWords)
    const words = this.words
    const kind = words[at + HEADER_KIND]!
    if (!(this.#fits(payloadWords) && holds(kind, count, bytes, payloadWords))) this.#refuse(kind, payloadWords, count, bytes)
    words[at + HEADER_LENGTH] = length
    words[at + HEADER_COUNT] = count
    words[at + HEADER_AUX] = aux
    words[at + HEADER_BYTES] = bytes
    this.doubles[(at >> 1) + HEADER_TIME_DOUBLE] = time
    this.#open = -1
    this.#head = (this.#head + length) | 0
    Atomics.store(this.#control, HEAD_WORD, this.#head)
    if (wake) this.wake()
  }

  #fits(payloadWords: number): boolean {
    return payloadWords >= 0 && payloadWords <= this.#roomWords
  }

  #refuse(kind: number, payloadWords: number, count: number, bytes: number): never {
    const values = { kind, payloadWords, count, bytes, roomWords: this.#roomWords }
    assert(false, 'a block takes no more than it was opened with, and holds what its header says', values)
  }

  #refuseSize(payloadWords: number): never {
    assert(false, 'a block fits half the ring', { payloadWords, max: this.payloadMaxWords })
  }

  /** Wakes the reader if it sleeps. */
  wake(): void {
    if (Atomics.load(this.#control, READER_SLEEPS_WORD) === 0) return
    Atomics.store(this.#control, READER_SLEEPS_WORD, 0)
    Atomics.notify(this.#control, HEAD_WORD)
  }

  /** Wakes the reader if it sleeps while a quarter of the ring waits for it; with less, whoever has news for it will wake it. */
  wakeWhenFilled(): void {
    this.#tail = Atomics.load(this.#control, TAIL_WORD)
    if (((this.#head - this.#tail) | 0) * 4 >= this.#capacity) this.wake()
  }

  /** Drops the open block, as if it had never been opened. */
  abandon(): void {
    assert(this.#open >= 0, 'abandon follows open')
    this.#open = -1
  }

  /** A block without payload; false when full. */
  tryPut(kind: BlockKind, task: number, aux = 0, time = 0): boolean {
    if (!this.tryOpen(kind, task, 0)) return false
    this.close(0, 0, aux, 0, time)
    return true
  }

  /** Blocks the thread until the reader frees something, at most `timeoutMs`. For worker threads. */
  waitRoom(timeoutMs: number): void {
    const seen = this.#tail
    Atomics.store(this.#control, WRITER_SLEEPS_WORD, 1)
    if (Atomics.load(this.#control, TAIL_WORD) === seen) Atomics.wait(this.#control, TAIL_WORD, seen, timeoutMs)
  }

  /** As waitRoom, without blocking the thread. For main. */
  async waitRoomAsync(timeoutMs: number): Promise<void> {
    const seen = this.#tail
    Atomics.store(this.#control, WRITER_SLEEPS_WORD, 1)
    const wait = Atomics.waitAsync(this.#control, TAIL_WORD, seen, timeoutMs)
    if (wait.async) await wait.value
  }
}

function align(words: number): number {
  return (words + BLOCK_ALIGN_WORDS - 1) & -BLOCK_ALIGN_WORDS
}

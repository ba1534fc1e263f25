/**
 * Layout of a ring: one SharedArrayBuffer, one writing thread, one reading thread, blocks of small integers.
 *
 *   byte 0        128       256        384        512                              512 + capacity
 *        | head    | tail    | reader    | writer    | data ...                          |
 *        | (writer)| (reader)| sleeps    | sleeps    | power of two bytes                |
 *
 * The four words lie 128 bytes apart: neither two cores' writes nor the adjacent-line prefetcher share a line. The two words behind head
 * and tail say that the ring's writer or reader exists: each side is taken once, so no second thread can ever act on it.
 * Positions count 32-bit words, only grow and wrap at 2^32; index = position & (capacity - 1).
 *
 * A block is contiguous (PAD fills the tail of the data area when the next one would not fit) and a multiple of 32 bytes long:
 *
 *   word 0       1      2      3       4      5       6..7            8 ...
 *        | length | kind | task | count | aux  | bytes | time (double) | payload |
 *          words           meaning of count, aux, bytes, time and payload by kind: see BLOCK
 *
 * blocks.ts and row-blocks.ts write and read them, kind by kind. Nobody outside this folder knows which word holds what.
 *
 * Protocol: the writer fills a block beyond head with plain stores, then publishes it by Atomics.store(head). The reader sees head by
 * Atomics.load, reads blocks with plain loads, then frees them by Atomics.store(tail). A side that finds nothing to do stores 1 in its
 * sleep word, looks once more, and waits on the other's position; the other side notifies only when that word is set.
 */
import { assert } from '../assert.ts'
import { CELL_WORDS, EVENT_WORDS } from '../window/measures.ts'

export const HEAD_WORD = 0
export const TAIL_WORD = 32
export const READER_SLEEPS_WORD = 64
export const WRITER_SLEEPS_WORD = 96
/** 1 once the writer exists. */
export const WRITER_TAKEN_WORD = HEAD_WORD + 1
/** 1 once the reader exists. */
export const READER_TAKEN_WORD = TAIL_WORD + 1
export const RING_HEADER_BYTES = 512
const APART_WORDS = 32
const RING_MIN_BYTES = 4096

export const BLOCK_HEADER_WORDS = 8
export const BLOCK_ALIGN_WORDS = 8

export const HEADER_LENGTH = 0
export const HEADER_KIND = 1
export const HEADER_TASK = 2
export const HEADER_COUNT = 3
export const HEADER_AUX = 4
export const HEADER_BYTES = 5
/** Index of the header's double counted in doubles from the block's start. */
export const HEADER_TIME_DOUBLE = 3

/** Kinds of blocks, and what the header's fields mean in each. */
export const BLOCK = {
  /** Fills the data area's tail; no payload. */
  pad: 0,
  /** count events of one task; time = base (ms); payload = events as window/measures.ts has them. */
  events: 1,
  /** A product appears: aux = id, bytes = length of the UTF-8 product id in the payload. */
  product: 2,
  /** A product disappears: aux = id. No open pane holds it. */
  forget: 3,
  /** time = the task's watermark (ms). */
  watermark: 4,
  /** The task is quiet: emit, without purging, windows that end at or before time (wall clock, ms). */
  quiet: 5,
  /** Emit again what late events changed. */
  tick: 6,
  /** aux = the barrier's number. */
  barrier: 7,
  /** The task has left this process: forget its panes and products. */
  drop: 8,
  /**
   * No more input, and no block follows. aux = 1 after a bounded run: everything not yet emitted is. aux = 0 at a drain: windows still open
   * stay unemitted, for the next start goes on with them. In a row ring it only says that no rows follow.
   */
  end: 9,
  /** count rows of one task and window, RowBinary, bytes in all; aux = 1 for the window's first emission; time = window end. */
  rows: 10,
  /** A barrier, number aux, at which the workers copy their share of count tasks first; payload = the tasks' numbers. */
  checkpoint: 11,
  /**
   * count cells of a pane as a checkpoint had them; time = the pane's start, aux = PANE_DIRTY | PANE_EMITTED; payload = cells as
   * window/measures.ts has them.
   */
  restore: 12,
  /** count codes of corrections in the slice that begins at time; aux = how many of its windows each has missed (window/windows.ts). */
  corrections: 13,
  /** As restore, of corrections: time = the slice's start, aux = how many windows each has missed. */
  restoreCorrections: 14,
  /** Windows of a restored task that end at time or before were written; behind its cells. */
  emitted: 15,
} as const

/** The pane changed since it was last emitted. */
export const PANE_DIRTY = 1
/** The pane was emitted before. */
export const PANE_EMITTED = 2

/** The value of a block's kind word. */
export type BlockKind = (typeof BLOCK)[keyof typeof BLOCK]

/** By kind: the words that each of a block's `count` items takes; 0 where the payload is bytes, or nothing. */
const ITEM_WORDS = new Uint8Array(Object.keys(BLOCK).length)
ITEM_WORDS[BLOCK.events] = EVENT_WORDS
ITEM_WORDS[BLOCK.checkpoint] = 1
ITEM_WORDS[BLOCK.restore] = CELL_WORDS
ITEM_WORDS[BLOCK.corrections] = 1
ITEM_WORDS[BLOCK.restoreCorrections] = CELL_WORDS

assertLayout()

/** What the writer and the reader take for granted. */
function assertLayout(): void {
  const shared = [HEAD_WORD, TAIL_WORD, READER_SLEEPS_WORD, WRITER_SLEEPS_WORD]
  assert(
    shared.every((word, i) => word === i * APART_WORDS),
    'words that both threads write share no pair of cache lines',
    { shared },
  )
  assert(RING_HEADER_BYTES === shared.length * APART_WORDS * 4, "a ring's header ends behind its last word's lines", { RING_HEADER_BYTES })
  const fields = [
    HEADER_LENGTH,
    HEADER_KIND,
    HEADER_TASK,
    HEADER_COUNT,
    HEADER_AUX,
    HEADER_BYTES,
    HEADER_TIME_DOUBLE * 2,
    HEADER_TIME_DOUBLE * 2 + 1,
  ]
  assert(fields.every((word, i) => word === i) && fields.length === BLOCK_HEADER_WORDS, "a block's header is its fields, side by side", {
    fields,
  })
  assert(isPowerOfTwo(BLOCK_ALIGN_WORDS), 'lengths are rounded up by a mask', { BLOCK_ALIGN_WORDS })
  assert(BLOCK_HEADER_WORDS % BLOCK_ALIGN_WORDS === 0, 'what is left at the end of the data area holds a header', { BLOCK_HEADER_WORDS })
  assert(BLOCK_HEADER_WORDS % 2 === 0 && CELL_WORDS % 2 === 0, 'doubles of a payload lie at multiples of 8 bytes', { CELL_WORDS })
  assert(isPowerOfTwo(RING_MIN_BYTES), 'positions wrap by a mask', { RING_MIN_BYTES })
  const least = (RING_MIN_BYTES / 4 / 2 - BLOCK_HEADER_WORDS) as number
  assert(least >= Math.max(...ITEM_WORDS), 'half of the smallest ring holds an item of every kind', { least })
  const kinds = Object.values(BLOCK)
  assert(
    kinds.toSorted((a, b) => a - b).every((kind, i) => kind === i),
    'kinds are numbered without a gap',
    { kinds },
  )
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0
}

/** A ring's memory. `bytes` is rounded up to a power of two, at least 4 KiB. */
export function createRing(bytes: number): SharedArrayBuffer {
  let capacity = RING_MIN_BYTES
  while (capacity < bytes) capacity *= 2
  return new SharedArrayBuffer(RING_HEADER_BYTES + capacity)
}

/** How full a ring is, 0 to 1; any thread may ask. */
export function ringFill(ring: SharedArrayBuffer): number {
  const control = new Int32Array(ring, 0, RING_HEADER_BYTES / 4)
  const used = (Atomics.load(control, HEAD_WORD) - Atomics.load(control, TAIL_WORD)) | 0
  return (used * 4) / (ring.byteLength - RING_HEADER_BYTES)
}

/** Takes a side of a ring, by its word; nobody can have it again. */
export function takeSide(control: Int32Array, word: typeof WRITER_TAKEN_WORD | typeof READER_TAKEN_WORD): void {
  const taken = Atomics.exchange(control, word, 1)
  assert(taken === 0, 'each side of a ring is taken once, by one thread', { side: word === WRITER_TAKEN_WORD ? 'writer' : 'reader' })
}

/** Whether a kind is known, and so many words of payload hold what the header says of them. */
export function holds(kind: number, count: number, bytes: number, payloadWords: number): boolean {
  if (kind < 0 || kind >= ITEM_WORDS.length || count < 0 || bytes < 0) return false
  return count * ITEM_WORDS[kind]! <= payloadWords && bytes <= payloadWords * 4
}

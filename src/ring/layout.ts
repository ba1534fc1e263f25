/**
 * Layout of a ring: one SharedArrayBuffer, one writing thread, one reading thread, blocks of small integers.
 *
 *   byte 0        128       256        384        512                              512 + capacity
 *        | head    | tail    | reader    | writer    | data ...                          |
 *        | (writer)| (reader)| sleeps    | sleeps    | power of two bytes                |
 *
 * The four words lie 128 bytes apart: neither two cores' writes nor the adjacent-line prefetcher share a line.
 * Positions count 32-bit words, only grow and wrap at 2^32; index = position & (capacity - 1).
 *
 * A block is contiguous (PAD fills the tail of the data area when the next one would not fit) and a multiple of 32 bytes long:
 *
 *   word 0       1      2      3       4      5       6..7            8 ...
 *        | length | kind | task | count | aux  | bytes | time (double) | payload |
 *          words           meaning of count, aux, bytes, time and payload by kind: see BLOCK
 *
 * Protocol: the writer fills a block beyond head with plain stores, then publishes it by Atomics.store(head). The reader sees head by
 * Atomics.load, reads blocks with plain loads, then frees them by Atomics.store(tail). A side that finds nothing to do stores 1 in its
 * sleep word, looks once more, and waits on the other's position; the other side notifies only when that word is set.
 */

export const HEAD_WORD = 0
export const TAIL_WORD = 32
export const READER_SLEEPS_WORD = 64
export const WRITER_SLEEPS_WORD = 96
export const RING_HEADER_BYTES = 512

export const BLOCK_HEADER_WORDS = 8
export const BLOCK_ALIGN_WORDS = 8

export const LENGTH = 0
export const KIND = 1
export const TASK = 2
export const COUNT = 3
export const AUX = 4
export const BYTES = 5
/** Index of the header's double counted in doubles from the block's start. */
export const TIME_DOUBLE = 3

/** Kinds of blocks, and what the header's fields mean in each. */
export const BLOCK = {
  /** Fills the data area's tail; no payload. */
  pad: 0,
  /** count events of one task; aux = partition; time = base (ms); payload = events as window/measures.ts has them. */
  events: 1,
  /** A product appears: aux = id, bytes = length of the UTF-8 product id in the payload. */
  product: 2,
  /** count products disappear: payload = ids. No open pane holds them. */
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
  /** No more input: emit everything. Nothing follows. */
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
} as const

/** The pane changed since it was last emitted. */
export const PANE_DIRTY = 1
/** The pane was emitted before. */
export const PANE_EMITTED = 2

/** The value of a block's kind word. */
export type BlockKind = (typeof BLOCK)[keyof typeof BLOCK]

/** A ring's memory. `bytes` is rounded up to a power of two, at least 4 KiB. */
export function createRing(bytes: number): SharedArrayBuffer {
  let capacity = 4096
  while (capacity < bytes) capacity *= 2
  return new SharedArrayBuffer(RING_HEADER_BYTES + capacity)
}

/** How full a ring is, 0 to 1; any thread may ask. */
export function ringFill(ring: SharedArrayBuffer): number {
  const control = new Int32Array(ring, 0, RING_HEADER_BYTES / 4)
  const used = (Atomics.load(control, HEAD_WORD) - Atomics.load(control, TAIL_WORD)) | 0
  return (used * 4) / (ring.byteLength - RING_HEADER_BYTES)
}

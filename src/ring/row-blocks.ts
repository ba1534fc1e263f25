/**
 * What a worker tells the sink through its row ring: rows, barriers passed on behind the rows before them, the end. As in blocks.ts, there
 * is one put and one read for each kind, and a put returns false when the ring is full.
 */
import { BLOCK } from './layout.ts'
import type { RingReader } from './ring-reader.ts'
import type { RingWriter } from './ring-writer.ts'

const BLOCK_WORDS = 8192

/** `count` rows of one window as RowBinary: bytes[start, end). */
export interface RowsBlock {
  bytes: Uint8Array
  start: number
  end: number
  count: number
  task: number
  /** ms */
  windowEnd: number
  /** It is the window's first emission. */
  first: boolean
}

const rowsBlock: RowsBlock = { bytes: new Uint8Array(0), start: 0, end: 0, count: 0, task: 0, windowEnd: 0, first: false }

/** The most bytes of a block in this ring. */
export function rowBytesMaxOf(writer: RingWriter): number {
  return Math.min(BLOCK_WORDS, writer.payloadMaxWords) * 4
}

/** Opens a block of at most `bytesMax` bytes of a task's rows; the first goes to writer.bytes[rowsStart(writer)]. */
export function beginRows(writer: RingWriter, task: number, bytesMax: number): boolean {
  return writer.tryOpen(BLOCK.rows, task, (bytesMax + 3) >> 2)
}

/** Where the open block's first row goes. */
export function rowsStart(writer: RingWriter): number {
  return writer.payload * 4
}

/** Publishes the open block with what it holds. Of no rows it is as if it had never been opened. */
export function publishRows(writer: RingWriter, count: number, bytes: number, windowEnd: number, first: boolean): void {
  if (count === 0) writer.abandon()
  else writer.close((bytes + 3) >> 2, count, first ? 1 : 0, bytes, windowEnd)
}

/** Valid until the next call. */
export function readRows(reader: RingReader): RowsBlock {
  const start = reader.payload * 4
  rowsBlock.bytes = reader.bytes
  rowsBlock.start = start
  rowsBlock.end = start + reader.byteLength
  rowsBlock.count = reader.count
  rowsBlock.task = reader.task
  rowsBlock.windowEnd = reader.time
  rowsBlock.first = reader.aux === 1
  return rowsBlock
}

/** A barrier goes on to the sink; readBarrier of blocks.ts reads it. */
export function passBarrier(writer: RingWriter, number: number): boolean {
  return writer.tryPut(BLOCK.barrier, 0, number)
}

/** The worker has ended; there is nothing to read in it. */
export function passEnd(writer: RingWriter): boolean {
  return writer.tryPut(BLOCK.end, 0)
}

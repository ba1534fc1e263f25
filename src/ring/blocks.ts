/**
 * What main tells the workers: for each kind of block one put, and one read by which it comes out again. Nobody else knows where in a
 * block something lies.
 *
 * A put returns true when the block is in, and false when a ring is full: then nothing was put. Events and cells are filled in place,
 * between a begin and a publish. A read is of the reader's current block. The objects that reads return are used again by the next read of
 * their kind, whichever reader that is of: nothing is allocated per block.
 */
import { CELL_WORDS, EVENT_WORDS, writeCell } from '../window/measures.ts'
import { BLOCK, BLOCK_ALIGN_WORDS, BLOCK_HEADER_WORDS, PANE_DIRTY, PANE_EMITTED } from './layout.ts'
import type { RingReader } from './ring-reader.ts'
import type { RingWriter } from './ring-writer.ts'
import type { Rings } from './rings.ts'

const NO_WORDS = new Int32Array(0)
const NO_DOUBLES = new Float64Array(0)
const NO_BYTES = new Uint8Array(0)

/** `count` pairs of code and time since `base` (ms), from words[at]. */
export interface EventsBlock {
  words: Int32Array
  at: number
  count: number
  base: number
}

const eventsBlock: EventsBlock = { words: NO_WORDS, at: 0, count: 0, base: 0 }

/** The most events of a block in this ring. */
export function eventsMaxOf(writer: RingWriter): number {
  return Math.floor(writer.payloadMaxWords / EVENT_WORDS)
}

/** Words that `events` events and corrections may take in blocks of `blockEvents` at most, however they are cut into them. */
export function eventsWordsMax(events: number, blockEvents: number): number {
  const one = BLOCK_HEADER_WORDS + BLOCK_ALIGN_WORDS
  // The last block is opened as a whole, behind a pad that is shorter than it.
  return events * one + 2 * (BLOCK_HEADER_WORDS + blockEvents * EVENT_WORDS + BLOCK_ALIGN_WORDS)
}

/** Opens a block of at most `eventsMax` events of a task; the first pair goes to writer.words[writer.payload]. */
export function beginEvents(writer: RingWriter, task: number, eventsMax: number): boolean {
  return writer.tryOpen(BLOCK.events, task, eventsMax * EVENT_WORDS)
}

/** Publishes it with what it holds, without waking the worker. Of no events it is as if it had never been opened. */
export function publishEvents(writer: RingWriter, count: number, base: number): void {
  if (count === 0) writer.abandon()
  else writer.close(count * EVENT_WORDS, count, 0, 0, base, false)
}

/** Valid until the next call. */
export function readEvents(reader: RingReader): EventsBlock {
  eventsBlock.words = reader.words
  eventsBlock.at = reader.payload
  eventsBlock.count = reader.count
  eventsBlock.base = reader.time
  return eventsBlock
}

/** `count` codes from words[at], of events that count in all windows of the slice from `start` (ms) on but the first `missed`. */
export interface CorrectionsBlock {
  words: Int32Array
  at: number
  count: number
  start: number
  missed: number
}

const correctionsBlock: CorrectionsBlock = { words: NO_WORDS, at: 0, count: 0, start: 0, missed: 0 }

/** One correction of a task, to its product's worker, which is not woken. */
export function putCorrection(writer: RingWriter, task: number, code: number, start: number, missed: number): boolean {
  if (!writer.tryOpen(BLOCK.corrections, task, 1)) return false
  writer.words[writer.payload] = code
  writer.close(1, 1, missed, 0, start, false)
  return true
}

/** Valid until the next call. */
export function readCorrections(reader: RingReader): CorrectionsBlock {
  correctionsBlock.words = reader.words
  correctionsBlock.at = reader.payload
  correctionsBlock.count = reader.count
  correctionsBlock.start = reader.time
  correctionsBlock.missed = reader.aux
  return correctionsBlock
}

/** A product's number in its worker, and its UTF-8 id: bytes[start, end). */
export interface ProductBlock {
  id: number
  bytes: Uint8Array
  start: number
  end: number
}

const productBlock: ProductBlock = { id: 0, bytes: NO_BYTES, start: 0, end: 0 }

/** A product of a task, source[start, end), appears under `id` in one worker, which is not woken. */
export function putProduct(writer: RingWriter, task: number, id: number, source: Uint8Array, start: number, end: number): boolean {
  const length = end - start
  const words = (length + 3) >> 2
  if (!writer.tryOpen(BLOCK.product, task, words)) return false
  const to = writer.payload * 4
  const bytes = writer.bytes
  for (let i = 0; i < length; i++) bytes[to + i] = source[start + i]!
  writer.close(words, 0, id, length, 0, false)
  return true
}

/** Valid until the next call. */
export function readProduct(reader: RingReader): ProductBlock {
  const start = reader.payload * 4
  productBlock.id = reader.aux
  productBlock.bytes = reader.bytes
  productBlock.start = start
  productBlock.end = start + reader.byteLength
  return productBlock
}

/** A product of a task disappears in one worker: no open pane holds it. */
export function putForget(writer: RingWriter, task: number, id: number): boolean {
  return writer.tryPut(BLOCK.forget, task, id)
}

/** The product's number. */
export function readForget(reader: RingReader): number {
  return reader.aux
}

/** The watermark (ms) of a task, to all workers. */
export function putWatermark(rings: Rings, task: number, watermark: number): boolean {
  return rings.putAll(BLOCK.watermark, task, 0, watermark)
}

/** ms */
export function readWatermark(reader: RingReader): number {
  return reader.time
}

/** Nothing comes for a task: its windows that end at or before `wallTime` (ms) are emitted. To all workers. */
export function putQuiet(rings: Rings, task: number, wallTime: number): boolean {
  return rings.putAll(BLOCK.quiet, task, 0, wallTime)
}

/** The wall time, ms. */
export function readQuiet(reader: RingReader): number {
  return reader.time
}

/** All tasks emit again what late events changed. To all workers; there is nothing to read in it. */
export function putTick(rings: Rings): boolean {
  return rings.putAll(BLOCK.tick, 0, 0, 0)
}

/** A task has left this process. To all workers; there is nothing to read in it. */
export function putDrop(rings: Rings, task: number): boolean {
  return rings.putAll(BLOCK.drop, task, 0, 0)
}

/** A barrier, to all workers; numbers ascend. */
export function putBarrier(rings: Rings, number: number): boolean {
  return rings.putBarrier(BLOCK.barrier, number, [])
}

/** Its number; also of one that a worker has passed on. */
export function readBarrier(reader: RingReader): number {
  return reader.aux
}

/** A barrier at which the workers copy their share of `tasks` first; to all workers. */
export function putCheckpoint(rings: Rings, number: number, tasks: readonly number[]): boolean {
  return rings.putBarrier(BLOCK.checkpoint, number, tasks)
}

/** The barrier's number, and the tasks in the ring's memory. */
export function readCheckpoint(reader: RingReader): { readonly number: number; readonly tasks: Int32Array } {
  return { number: reader.aux, tasks: reader.words.subarray(reader.payload, reader.payload + reader.count) }
}

/** No more input, to all workers. With `emitAll` they emit everything; else what is open stays for the next start. */
export function putEnd(rings: Rings, emitAll: boolean): boolean {
  return rings.putAll(BLOCK.end, 0, emitAll ? 1 : 0, 0)
}

/** Whether everything is to be emitted. */
export function readEnd(reader: RingReader): boolean {
  return reader.aux === 1
}

/** `count` cells of the pane that begins at `start` (ms), CELL_WORDS words each from words[at]; `doubles` is the same memory. */
export interface CellsBlock {
  words: Int32Array
  doubles: Float64Array
  at: number
  count: number
  start: number
  dirty: boolean
  emitted: boolean
}

const cellsBlock: CellsBlock = { words: NO_WORDS, doubles: NO_DOUBLES, at: 0, count: 0, start: 0, dirty: false, emitted: false }

/** The most cells of a block in this ring. */
export function cellsMaxOf(writer: RingWriter): number {
  return Math.floor(writer.payloadMaxWords / CELL_WORDS)
}

/** Opens a block of `cells` cells of a task's pane, or of its corrections; each of them is then put by putCell. */
export function beginCells(writer: RingWriter, task: number, cells: number, corrections = false): boolean {
  return writer.tryOpen(corrections ? BLOCK.restoreCorrections : BLOCK.restore, task, cells * CELL_WORDS)
}

/** Cell number `cell` of the open block. */
export function putCell(writer: RingWriter, cell: number, id: number, impressions: number, clicks: number): void {
  writeCell(writer.words, writer.doubles, writer.payload + cell * CELL_WORDS, id, impressions, clicks)
}

/** Publishes the open block as `cells` cells of a pane. */
export function publishCells(writer: RingWriter, cells: number, pane: { start: number; dirty: boolean; emitted: boolean }): void {
  const flags = (pane.dirty ? PANE_DIRTY : 0) | (pane.emitted ? PANE_EMITTED : 0)
  writer.close(cells * CELL_WORDS, cells, flags, 0, pane.start)
}

/** Publishes the open block as `cells` cells of corrections in the slice that begins at `start`, ms. */
export function publishCorrectionCells(writer: RingWriter, cells: number, start: number, missed: number): void {
  writer.close(cells * CELL_WORDS, cells, missed, 0, start)
}

/** How many windows the corrections in a block of cells have missed. */
export function missedByCells(reader: RingReader): number {
  return reader.aux
}

/** Windows of a restored task that end at `upTo` (ms) or before were written, by all workers. */
export function putEmitted(writer: RingWriter, task: number, upTo: number): boolean {
  return writer.tryPut(BLOCK.emitted, task, 0, upTo)
}

/** ms */
export function readEmitted(reader: RingReader): number {
  return reader.time
}

/** Valid until the next call. */
export function readCells(reader: RingReader): CellsBlock {
  cellsBlock.words = reader.words
  cellsBlock.doubles = reader.doubles
  cellsBlock.at = reader.payload
  cellsBlock.count = reader.count
  cellsBlock.start = reader.time
  cellsBlock.dirty = (reader.aux & PANE_DIRTY) !== 0
  cellsBlock.emitted = (reader.aux & PANE_EMITTED) !== 0
  return cellsBlock
}

/** The product that cell number `cell` counts. */
export function idOfCell({ words, at }: CellsBlock, cell: number): number {
  return words[at + cell * CELL_WORDS]!
}

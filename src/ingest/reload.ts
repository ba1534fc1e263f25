/**
 * A task as a checkpoint had it, back into the dictionary and the rings: products are announced anew, since workers and hash seed may be
 * others than those that wrote it, and the cells of its open panes follow as restore blocks.
 *
 * Nobody else may put anything of the task into the rings until this has resolved. Between blocks it waits for room.
 */
import type { DecodedPane, DecodedTask } from '../checkpoint/task-object-reader.ts'
import { hashProduct } from '../format/hash.ts'
import { BLOCK, PANE_DIRTY, PANE_EMITTED } from '../ring/layout.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import { CELL_WORDS, idOfCode, writeCell } from '../window/measures.ts'
import type { TaskInput } from './cursor.ts'
import { announceTo } from './event-blocks.ts'

const CELLS_PER_BLOCK = 512

/**
 * Only panes that end at one of `open` (ms) are put back: the others were purged since the object was written. `room` waits for a worker's
 * ring; false gives up, for the run is over.
 */
export async function reload(
  state: DecodedTask,
  { time, dictionary }: TaskInput,
  writers: readonly RingWriter[],
  open: ReadonlySet<number>,
  room: (worker: number) => Promise<boolean>,
): Promise<void> {
  const { bytes, starts, count } = state.products
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries = new Int32Array(count)
  for (let product = 0; product < count; product++) {
    const start = starts[product]!
    const end = starts[product + 1]!
    const hash = hashProduct(bytes, start, end)
    let entry = dictionary.find(hash, bytes, view, start, end)
    if (entry < 0) {
      const worker = dictionary.workerFor(hash)
      while (!announceTo(writers[worker]!, time.task, dictionary.nextIdOf(worker), bytes, start, end)) if (!(await room(worker))) return
      entry = dictionary.insert(hash, bytes, start, end)
    }
    entries[product] = entry
  }
  for (const pane of state.panes) {
    if (!open.has(pane.end)) continue
    for (const product of pane.products) dictionary.touch(entries[product]!, pane.end)
    for (let worker = 0; worker < writers.length; worker++) {
      const cells = cellsOf(worker, pane, entries, dictionary)
      for (let at = 0; at < cells.length; ) {
        const put = tryPut(writers[worker]!, time.task, pane, cells, at, entries, dictionary)
        if (put === 0 && !(await room(worker))) return
        at += put
      }
    }
  }
}

/** Which cells of the pane belong to a worker now. */
function cellsOf(worker: number, pane: DecodedPane, entries: Int32Array, dictionary: TaskInput['dictionary']): Uint32Array {
  const cells = new Uint32Array(pane.products.length)
  let count = 0
  for (let cell = 0; cell < cells.length; cell++) {
    if (dictionary.workerOf(entries[pane.products[cell]!]!) === worker) cells[count++] = cell
  }
  return cells.subarray(0, count)
}

/** Puts cells[at] and some after it; returns how many, 0 when the ring is full. */
function tryPut(
  writer: RingWriter,
  task: number,
  pane: DecodedPane,
  cells: Uint32Array,
  at: number,
  entries: Int32Array,
  dictionary: TaskInput['dictionary'],
): number {
  const most = Math.floor(writer.payloadMaxWords / CELL_WORDS)
  const count = Math.min(CELLS_PER_BLOCK, most, cells.length - at)
  if (!writer.tryOpen(BLOCK.restore, task, count * CELL_WORDS)) return 0
  const { words, doubles } = writer
  let word = writer.payload
  for (let i = at; i < at + count; i++, word += CELL_WORDS) {
    const cell = cells[i]!
    const id = idOfCode(dictionary.codeOf(entries[pane.products[cell]!]!))
    writeCell(words, doubles, word, id, pane.impressions[cell]!, pane.clicks[cell]!)
  }
  const flags = (pane.dirty ? PANE_DIRTY : 0) | (pane.emitted ? PANE_EMITTED : 0)
  writer.close(count * CELL_WORDS, count, flags, 0, pane.start)
  return count
}

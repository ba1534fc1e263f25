/**
 * A task as a checkpoint had it, back into the dictionary and the rings: products are announced anew, since workers and hash seed may be
 * others than those that wrote it, and the cells of its open panes follow as restore blocks.
 *
 * Nobody else may put anything of the task into the rings until this has resolved. Between blocks it waits for room.
 */
import { assert } from '../assert.ts'
import type { DecodedPane, DecodedTask } from '../checkpoint/task-object-reader.ts'
import { hashProduct } from '../format/hash.ts'
import { beginCells, cellsMaxOf, publishCells, putCell, putProduct } from '../ring/blocks.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import { idOfCode } from '../window/measures.ts'
import type { TaskInput } from './cursor.ts'

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
  const begun = { task: time.task, partitions: time.partitions.length, products: dictionary.size }
  assert(begun.partitions === 0 && begun.products === 0, 'a task is put back before anything of it is read', begun)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries = new Int32Array(count)
  for (let product = 0; product < count; product++) {
    const start = starts[product]!
    const end = starts[product + 1]!
    const hash = hashProduct(bytes, start, end)
    let entry = dictionary.find(hash, bytes, view, start, end)
    if (entry < 0) {
      const worker = dictionary.workerFor(hash)
      while (!putProduct(writers[worker]!, time.task, dictionary.nextIdOf(worker), bytes, start, end)) if (!(await room(worker))) return
      entry = dictionary.insert(hash, bytes, start, end)
    }
    entries[product] = entry
  }
  for (const pane of state.panes) {
    if (!open.has(pane.end)) continue
    for (const product of pane.products) {
      assert(product < count, 'a kept cell counts a product that is kept with it', { task: time.task, start: pane.start, product, count })
      dictionary.touch(entries[product]!, pane.end)
    }
    for (let worker = 0; worker < writers.length; worker++) {
      const cells = cellsOf(worker, pane, entries, dictionary)
      const writer = writers[worker]!
      const most = Math.min(CELLS_PER_BLOCK, cellsMaxOf(writer))
      for (let at = 0; at < cells.length; at += most) {
        const some = cells.subarray(at, at + most)
        while (!putCells(writer, time.task, pane, some, entries, dictionary)) if (!(await room(worker))) return
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

/** Puts some cells of the pane; false when the ring is full. */
function putCells(
  writer: RingWriter,
  task: number,
  pane: DecodedPane,
  cells: Uint32Array,
  entries: Int32Array,
  dictionary: TaskInput['dictionary'],
): boolean {
  if (!beginCells(writer, task, cells.length)) return false
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!
    const id = idOfCode(dictionary.codeOf(entries[pane.products[cell]!]!))
    putCell(writer, i, id, pane.impressions[cell]!, pane.clicks[cell]!)
  }
  publishCells(writer, cells.length, pane)
  return true
}

/**
 * A task as a checkpoint had it, back into the dictionary and the rings: products are announced anew, since workers and hash seed may be
 * others than those that wrote it, and the cells of its open panes follow as restore blocks.
 *
 * Nobody else may put anything of the task into the rings until this has resolved. Between blocks it waits for room.
 */
import { assert } from '../assert.ts'
import type { DecodedCells, DecodedCorrections, DecodedPane, DecodedTask } from '../checkpoint/task-object-reader.ts'
import { hashProduct } from '../format/hash.ts'
import { beginCells, cellsMaxOf, publishCells, publishCorrectionCells, putCell, putEmitted, putProduct } from '../ring/blocks.ts'
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
    for (const cells of [pane, ...(pane.corrections ?? [])]) {
      for (const product of cells.products) {
        assert(product < count, 'a kept cell counts a product that is kept with it', { task: time.task, start: pane.start, product, count })
        dictionary.touch(entries[product]!, pane.end)
      }
      if (!(await putAllCells({ time, dictionary }, writers, pane, cells, entries, room))) return
    }
  }
  if (state.emittedUpTo === undefined) return
  for (let worker = 0; worker < writers.length; worker++)
    while (!putEmitted(writers[worker]!, time.task, state.emittedUpTo)) if (!(await room(worker))) return
}

/** Cells of the pane, or of corrections in it, to the workers that have their products now; false when the run is over. */
async function putAllCells(
  { time, dictionary }: TaskInput,
  writers: readonly RingWriter[],
  pane: DecodedPane,
  cells: DecodedCells,
  entries: Int32Array,
  room: (worker: number) => Promise<boolean>,
): Promise<boolean> {
  const entryOf = (cell: number) => entries[cells.products[cell]!]!
  for (let worker = 0; worker < writers.length; worker++) {
    const own = Uint32Array.from(cells.products.keys()).filter((cell) => dictionary.workerOf(entryOf(cell)) === worker)
    const writer = writers[worker]!
    const most = Math.min(CELLS_PER_BLOCK, cellsMaxOf(writer))
    for (let at = 0; at < own.length; at += most) {
      const some = own.subarray(at, at + most)
      while (!beginCells(writer, time.task, some.length, cells !== pane)) if (!(await room(worker))) return false
      for (let i = 0; i < some.length; i++) {
        const cell = some[i]!
        putCell(writer, i, idOfCode(dictionary.codeOf(entryOf(cell))), cells.impressions[cell]!, cells.clicks[cell]!)
      }
      if (cells === pane) publishCells(writer, some.length, pane)
      else publishCorrectionCells(writer, some.length, pane.start, (cells as DecodedCorrections).missed)
    }
  }
  return true
}

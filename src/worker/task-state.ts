/**
 * What one worker holds of one task, and when its windows are emitted (window/windows.ts says when they are due and purged):
 *
 *   due by the watermark          first emission
 *   tick, after a late change     again
 *   purged by the watermark       a last time if it changed
 *   quiet                         whatever changed and is due by the wall clock, without purging
 *   end of a bounded run          whatever changed
 */
import { assert } from '../assert.ts'
import type { CopyMemory } from '../checkpoint/copy-memory.ts'
import type { ShardCopy } from '../checkpoint/snapshot.ts'
import { Products } from '../products/product-names.ts'
import { directoryLength, PAGE_COUNTS } from '../window/cells.ts'
import { type Pane, Panes } from '../window/pane.ts'
import type { Windows } from '../window/windows.ts'

/** Writes the products of a pane whose totals changed since the last emission. */
export type Emit = (state: TaskState, pane: Pane) => void

export class TaskState {
  readonly task: number
  readonly panes: Panes
  readonly products = new Products()
  /** The last one that came, ms. */
  watermark = Number.NEGATIVE_INFINITY
  readonly #windows: Windows

  constructor(task: number, windows: Windows) {
    this.task = task
    this.panes = new Panes(windows)
    this.#windows = windows
  }

  /** Bytes of its open panes. */
  get sizeBytes(): number {
    return this.panes.sizeBytes
  }

  addProduct(id: number, source: Uint8Array, start: number, end: number): void {
    this.products.add(id, source, start, end)
    this.panes.reserve(this.products.limit)
  }

  removeProduct(id: number): void {
    assert(!this.panes.holds(id), 'a forgotten product has no open pane', { id })
    this.products.remove(id)
  }

  /** What a checkpoint holds of it, in memory that nobody else uses. A task without open panes is empty, whatever products it knows. */
  copy(memory: CopyMemory): ShardCopy {
    const { panes, products, task } = this
    if (panes.open.length === 0) return { task, limit: 0, places: new Int32Array(0), arena: new Uint8Array(0), panes: [] }
    const { limit } = products
    const length = directoryLength(limit)
    const copies = panes.open.map((pane) => {
      const { start, end, total, dirty, emitted } = pane
      const directory = memory.copy(pane.directory, length)
      return {
        start,
        end,
        total,
        dirty,
        emitted: emitted !== undefined,
        directory,
        counts: memory.copy(pane.counts, pane.pages * PAGE_COUNTS),
      }
    })
    return { task, limit, ...products.copy(memory), panes: copies }
  }

  onWatermark(watermark: number, emit: Emit): void {
    assert(watermark >= this.watermark, "a task's watermark never falls", { task: this.task, watermark, last: this.watermark })
    this.watermark = watermark
    const purgedUpTo = this.#windows.purgedUpTo(watermark)
    for (const pane of this.panes.open.slice()) {
      const purge = pane.end <= purgedUpTo
      if (pane.dirty && (purge || (this.#windows.isDue(pane.end, watermark) && pane.emitted === undefined))) emit(this, pane)
      if (purge) this.panes.purge(pane)
    }
  }

  onTick(emit: Emit): void {
    for (const pane of this.panes.open) if (pane.dirty && pane.emitted !== undefined) emit(this, pane)
  }

  onQuiet(wallTime: number, emit: Emit): void {
    for (const pane of this.panes.open) if (pane.dirty && this.#windows.isDue(pane.end, wallTime)) emit(this, pane)
  }

  onEnd(emit: Emit): void {
    for (const pane of this.panes.open) if (pane.dirty) emit(this, pane)
  }
}

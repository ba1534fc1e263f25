/**
 * Panes to rows: every product whose total changed since the pane was last emitted becomes one RowBinary row in the worker's row ring.
 * A full row ring blocks the worker until the sink has taken something; that is the backpressure from ClickHouse.
 *
 * Checked at every emission: the cells of the pane add up to the events it was given. A cell counted twice or lost ends the process.
 */
import { assert } from '../assert.ts'
import { encodeTenant } from '../products/key.ts'
import type { Products } from '../products/product-names.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import { beginRows, passBarrier, passEnd, publishRows, rowBytesMaxOf, rowsStart } from '../ring/row-blocks.ts'
import { encodeName, type RowFrame, rowFrame, rowMaxBytes, writeRow } from '../sink/row-binary.ts'
import { cellOf, PAGE_COUNTS, PAGE_IDS } from '../window/cells.ts'
import { CLICKS, eventsOf, totalAt } from '../window/measures.ts'
import type { Pane } from '../window/pane.ts'
import { type RevisionRule, revisionOf } from '../window/revision.ts'
import type { OverlappingState } from './overlapping-state.ts'
import type { TaskState } from './task-state.ts'
import { countCtr, STATS_ROWS } from './worker-stats.ts'

const WAIT_MS = 1000

export class Emission {
  readonly #writer: RingWriter
  readonly #view: DataView
  readonly #tenant: Uint8Array
  readonly #name: Uint8Array<ArrayBuffer>
  readonly #rowMax: number
  readonly #rule: RevisionRule
  readonly #stats: Float64Array
  /** Of the window that is begun, and of the open block of its rows. */
  #frame: RowFrame | undefined
  #products: Products | undefined
  #task = 0
  #end = 0
  #first = false
  #opened = false
  #count = 0
  #at = 0
  #stop = 0

  /** `name`: of the windows; empty when they have none. */
  constructor(writer: RingWriter, tenant: string, rule: RevisionRule, stats: Float64Array, name = '') {
    this.#writer = writer
    this.#view = new DataView(writer.bytes.buffer, writer.bytes.byteOffset, writer.bytes.byteLength)
    this.#tenant = encodeTenant(tenant)
    this.#name = encodeName(name)
    this.#rowMax = rowMaxBytes(this.#tenant, this.#name)
    this.#rule = rule
    this.#stats = stats
  }

  emit(state: TaskState, pane: Pane, now: number): void {
    const { counts, directory } = pane
    const { products } = state
    const out = this.#writer.bytes
    const view = this.#view
    const tenant = this.#tenant
    const frame = rowFrame(pane.start, pane.end, state.task, revisionOf(this.#rule, pane.start), now)
    const ids = products.limit
    const first = pane.emitted === undefined
    const emitted = pane.startEmitting()
    let sum = 0
    let id = 0
    while (id < ids) {
      this.#open(state.task)
      const from = rowsStart(this.#writer)
      const stop = from + rowBytesMaxOf(this.#writer) - this.#rowMax
      let at = from
      let rows = 0
      for (; id < ids && at <= stop; id++) {
        const cell = cellOf(directory, id)
        if (cell < PAGE_COUNTS) {
          id |= PAGE_IDS - 1 // none of this page was counted
          continue
        }
        const impressions = counts[cell]!
        const clicks = counts[cell + CLICKS]!
        const total = eventsOf(impressions, clicks)
        const before = emitted[totalAt(cell)]!
        sum += total
        if (total === before) continue
        assert(total > before, 'counts of a window only grow', { id, total, before })
        emitted[totalAt(cell)] = total
        const name = products.startOf(id)
        at = writeRow(out, view, at, tenant, products.bytes, name, products.lengthOf(id), frame, impressions, clicks)
        if (first) countCtr(this.#stats, impressions, clicks)
        rows++
      }
      publishRows(this.#writer, rows, at - from, pane.end, first)
      this.#stats[STATS_ROWS]! += rows
    }
    assert(sum === pane.total, 'a pane holds the events it was given', { start: pane.start, sum, total: pane.total })
    pane.dirty = false
  }

  /** Begins the rows of the window [start, end) of a task whose windows overlap; `first` when it wasn't written before. */
  beginWindow(state: OverlappingState, start: number, end: number, first: boolean, now: number): void {
    this.#frame = rowFrame(start, end, state.task, revisionOf(this.#rule, start), now, this.#name)
    this.#products = state.products
    this.#task = state.task
    this.#end = end
    this.#first = first
    this.#opened = false
    this.#stop = -1
    this.#at = 0
  }

  /** The counts of one product in it. */
  row(id: number, impressions: number, clicks: number): void {
    if (this.#at > this.#stop) {
      this.endWindow()
      this.#openBlock()
    }
    const products = this.#products!
    const out = this.#writer.bytes
    const [start, length] = [products.startOf(id), products.lengthOf(id)]
    this.#at = writeRow(out, this.#view, this.#at, this.#tenant, products.bytes, start, length, this.#frame!, impressions, clicks)
    if (this.#first) countCtr(this.#stats, impressions, clicks)
    this.#count++
  }

  /** No more rows of it. */
  endWindow(): void {
    if (!this.#opened) return
    publishRows(this.#writer, this.#count, this.#at - rowsStart(this.#writer), this.#end, this.#first)
    this.#stats[STATS_ROWS]! += this.#count
  }

  #openBlock(): void {
    this.#open(this.#task)
    this.#opened = true
    this.#count = 0
    this.#at = rowsStart(this.#writer)
    this.#stop = this.#at + rowBytesMaxOf(this.#writer) - this.#rowMax
  }

  /** Passes a barrier on, behind the rows before it. */
  passBarrier(number: number): void {
    while (!passBarrier(this.#writer, number)) this.#writer.waitRoom(WAIT_MS)
  }

  /** Passes the end on, behind all rows. */
  passEnd(): void {
    while (!passEnd(this.#writer)) this.#writer.waitRoom(WAIT_MS)
  }

  #open(task: number): void {
    while (!beginRows(this.#writer, task, rowBytesMaxOf(this.#writer))) this.#writer.waitRoom(WAIT_MS)
  }
}

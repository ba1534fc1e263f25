/**
 * Panes to rows: every product whose total changed since the pane was last emitted becomes one RowBinary row in the worker's row ring.
 * A full row ring blocks the worker until the sink has taken something; that is the backpressure from ClickHouse.
 *
 * Checked at every emission: the cells of the pane add up to the events it was given. A cell counted twice or lost ends the process.
 */
import { assert } from '../assert.ts'
import { encodeTenant } from '../products/key.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import { beginRows, passBarrier, passEnd, publishRows, rowBytesMaxOf, rowsStart } from '../ring/row-blocks.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../sink/row-binary.ts'
import { cellOf, PAGE_COUNTS, PAGE_IDS } from '../window/cells.ts'
import { CLICKS, eventsOf, totalAt } from '../window/measures.ts'
import type { Pane } from '../window/pane.ts'
import type { TaskState } from './task-state.ts'
import { countCtr, STATS_ROWS } from './worker-stats.ts'

const WAIT_MS = 1000

export class Emission {
  readonly #writer: RingWriter
  readonly #view: DataView
  readonly #tenant: Uint8Array
  readonly #rowMax: number
  readonly #revision: number
  readonly #stats: Float64Array

  constructor(writer: RingWriter, tenant: string, revision: number, stats: Float64Array) {
    this.#writer = writer
    this.#view = new DataView(writer.bytes.buffer, writer.bytes.byteOffset, writer.bytes.byteLength)
    this.#tenant = encodeTenant(tenant)
    this.#rowMax = rowMaxBytes(this.#tenant)
    this.#revision = revision
    this.#stats = stats
  }

  emit(state: TaskState, pane: Pane, now: number): void {
    const { counts, directory } = pane
    const { products } = state
    const out = this.#writer.bytes
    const view = this.#view
    const tenant = this.#tenant
    const frame = rowFrame(pane.start, pane.end, state.task, this.#revision, now)
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

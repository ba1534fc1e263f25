/**
 * Panes to rows: every product whose total changed since the pane was last emitted becomes one RowBinary row in the worker's row ring.
 * A full row ring blocks the worker until the sink has taken something; that is the backpressure from ClickHouse.
 *
 * Checked at every emission: the cells of the pane add up to the events it was given. A cell counted twice or lost ends the process.
 */
import { assert } from '../assert.ts'
import { encodeTenant } from '../products/key.ts'
import { BLOCK } from '../ring/layout.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../sink/row-binary.ts'
import { cellOf, PAGE_COUNTS, PAGE_IDS } from '../window/cells.ts'
import { CLICKS, eventsOf, totalAt } from '../window/measures.ts'
import type { Pane } from '../window/pane.ts'
import type { TaskState } from './task-state.ts'
import { countCtr, ROWS } from './worker-stats.ts'

const BLOCK_WORDS = 8192
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
      const from = this.#writer.payload * 4
      const stop = from + Math.min(BLOCK_WORDS, this.#writer.payloadMaxWords) * 4 - this.#rowMax
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
      this.#close(rows, at - from, pane.end, first)
    }
    assert(sum === pane.total, 'a pane holds the events it was given', { start: pane.start, sum, total: pane.total })
    pane.dirty = false
  }

  /** Passes a barrier or the end on, behind the rows before it. */
  pass(kind: typeof BLOCK.barrier | typeof BLOCK.end, number: number): void {
    while (!this.#writer.tryPut(kind, 0, number)) this.#writer.waitRoom(WAIT_MS)
  }

  #open(task: number): void {
    const words = Math.min(BLOCK_WORDS, this.#writer.payloadMaxWords)
    while (!this.#writer.tryOpen(BLOCK.rows, task, words)) this.#writer.waitRoom(WAIT_MS)
  }

  #close(rows: number, bytes: number, windowEnd: number, first: boolean): void {
    if (rows === 0) {
      this.#writer.abandon()
      return
    }
    this.#writer.close((bytes + 3) >> 2, rows, first ? 1 : 0, bytes, windowEnd)
    this.#stats[ROWS]! += rows
  }
}

/**
 * What one worker holds of one task whose windows overlap, and when their rows are written. A pane is a slice, and a window is due, closed
 * and purged as window/windows.ts says:
 *
 *   due by the watermark          first emission, from the running totals (window/running.ts)
 *   tick, after a late change     products that changed in slices of windows that were written: summed up anew from the slices
 *   closed by the watermark       those a last time
 *   quiet                         all that is due by the wall clock, without purging
 *   end of a bounded run          all
 *
 *      slices   | 1 | 2 | 3 | 4 | 5 | 6 | 7 | ...          size 4 slices, slide 1
 *      window   |   | x   x   x   x |                      was written last; it ends at `emittedUpTo`
 *      running          | x   x   x |                      what it and the next window have in common
 *      next             | x   x   x   x |                  slice 6 is added, rows are written, slice 3 is taken away
 *
 * An event that comes into a slice of the running totals goes into both. One that comes into a slice of a written window is noted as a
 * change: a bit of its product in the slice.
 */
import { assert } from '../assert.ts'
import type { CopyMemory } from '../checkpoint/copy-memory.ts'
import type { PaneCopy, ShardCopy } from '../checkpoint/snapshot.ts'
import { Products } from '../products/product-names.ts'
import type { CellsBlock, CorrectionsBlock } from '../ring/blocks.ts'
import { cellOf, directoryLength, PAGE_COUNTS } from '../window/cells.ts'
import { Corrections } from '../window/corrections.ts'
import { CELL_WORDS, CLICKS, clicksAt, EVENT_WORDS, idOfCode, impressionsAt, MEASURE_BITS } from '../window/measures.ts'
import { type Pane, Panes } from '../window/pane.ts'
import { Running } from '../window/running.ts'
import type { Windows } from '../window/windows.ts'

/** Takes the rows of one window after the other: `begin`, then `row` by product, then `end`. */
export interface WindowRows {
  begin(state: OverlappingState, start: number, end: number, first: boolean): void
  row(id: number, impressions: number, clicks: number): void
  end(): void
}

/** What a slice has beside its pane. */
interface Extra {
  corrections: Corrections | undefined
  /** A bit for each product that changed in windows which were written, since they were written again; undefined without any. */
  changed: Int32Array<ArrayBuffer> | undefined
  /** Of those windows the last one's end. */
  changedUpTo: number
}

export class OverlappingState {
  readonly task: number
  readonly panes: Panes
  readonly products = new Products()
  /** The last one that came, ms. */
  watermark = Number.NEGATIVE_INFINITY
  /** Windows that end at this time or before have been written, ms. */
  emittedUpTo = Number.NEGATIVE_INFINITY
  readonly #windows: Windows
  readonly #rows: WindowRows
  readonly #running = new Running()
  readonly #extras = new Map<Pane, Extra>()
  readonly #sum = new Float64Array(1 << MEASURE_BITS)
  #ids = new Int32Array(1)

  constructor(task: number, windows: Windows, rows: WindowRows) {
    this.task = task
    this.panes = new Panes(windows)
    this.panes.onCounted = (pane, words, from, to) => this.#onCounted(pane, words, from, to)
    this.#windows = windows
    this.#rows = rows
  }

  addProduct(id: number, source: Uint8Array, start: number, end: number): void {
    this.products.add(id, source, start, end)
    this.panes.reserve(this.products.limit)
  }

  removeProduct(id: number): void {
    const held = this.panes.holds(id) || [...this.#extras.values()].some(({ corrections }) => corrections?.holds(id))
    assert(!held, 'a forgotten product has no open pane', { id })
    this.products.remove(id)
  }

  /** Bytes of its open slices and totals. */
  get sizeBytes(): number {
    let bytes = this.panes.sizeBytes + this.#running.sizeBytes
    for (const { corrections, changed } of this.#extras.values()) bytes += (corrections?.sizeBytes ?? 0) + (changed?.byteLength ?? 0)
    return bytes
  }

  /** Events that are too late for the first windows of their slice. */
  correct({ words, at, count, start, missed }: CorrectionsBlock): void {
    const pane = this.panes.at(start)
    const corrections = this.#correctionsOf(pane)
    for (let i = at; i < at + count; i++) corrections.count(words[i]!, missed)
    // Windows that were written have them already when those they have missed were.
    if (!(pane.end <= this.emittedUpTo)) return
    const first = this.#windows.firstEnd(pane.end) + missed * this.#windows.slide
    if (first > this.emittedUpTo) return
    for (let i = at; i < at + count; i++) this.#change(pane, words[i]!)
  }

  /** Corrections that a checkpoint had. */
  restoreCorrections({ words, doubles, at, count, start }: CellsBlock, missed: number): void {
    const corrections = this.#correctionsOf(this.panes.at(start))
    for (let i = 0, cell = at; i < count; i++, cell += CELL_WORDS)
      corrections.restore(words[cell]!, missed, impressionsAt(doubles, cell), clicksAt(doubles, cell))
  }

  /** Windows that end at `upTo` or before were written before the checkpoint; its cells are all back. */
  restoreEmitted(upTo: number): void {
    assert(this.emittedUpTo === Number.NEGATIVE_INFINITY, 'windows are written after a task is back', { task: this.task, upTo })
    this.emittedUpTo = upTo
    for (const pane of this.panes.open) {
      if (pane.end > upTo || this.#windows.lastEnd(pane.end) <= upTo) continue
      this.#running.addPane(pane, 1)
      this.#addCorrections(pane, this.#missedBefore(pane, upTo), 1)
    }
  }

  /** As TaskState.copy. */
  copy(memory: CopyMemory): ShardCopy {
    const { panes, products, task } = this
    const none = Number.NEGATIVE_INFINITY
    if (panes.open.length === 0)
      return { task, limit: 0, places: new Int32Array(0), arena: new Uint8Array(0), panes: [], emittedUpTo: none }
    const { limit } = products
    const windows = this.#windows
    let { emittedUpTo } = this
    const copies = panes.open.map((pane): PaneCopy => {
      const { start, end, total } = pane
      const extra = this.#extras.get(pane)
      // What changed since is written again by whoever goes on from here.
      if (extra?.changed !== undefined) emittedUpTo = Math.min(emittedUpTo, windows.firstEnd(end) - windows.slide)
      const directory = memory.copy(pane.directory, directoryLength(limit))
      const counts = memory.copy(pane.counts, pane.pages * PAGE_COUNTS)
      const corrections = extra?.corrections && copyOf(extra.corrections, memory)
      return { start, end, total, dirty: extra?.changed !== undefined, emitted: false, directory, counts, corrections }
    })
    // Of a window that is closed some slices may be gone already.
    const closed = windows.lastEndUpTo(windows.closedUpTo(this.watermark))
    return { task, limit, ...products.copy(memory), panes: copies, emittedUpTo: Math.max(emittedUpTo, closed) }
  }

  onWatermark(watermark: number): void {
    assert(watermark >= this.watermark, "a task's watermark never falls", { task: this.task, watermark, last: this.watermark })
    const windows = this.#windows
    const closed = windows.closedUpTo(watermark)
    this.#emitChanged(closed)
    this.watermark = watermark
    this.#emitDue(watermark)
    // Whatever comes into an earlier window from now on is a change, also of one in which nothing was.
    if (Number.isFinite(watermark)) this.emittedUpTo = Math.max(this.emittedUpTo, windows.lastEndUpTo(watermark))
    const purged = windows.purgedUpTo(watermark)
    for (const pane of this.panes.open.slice()) {
      if (pane.end > purged) continue
      assert(
        windows.lastEnd(pane.end) <= this.emittedUpTo || watermark === Number.POSITIVE_INFINITY,
        'a slice goes after its last window',
        {
          start: pane.start,
        },
      )
      pane.dirty = false
      this.panes.purge(pane)
      this.#extras.delete(pane)
    }
  }

  onTick(): void {
    this.#emitChanged(Number.POSITIVE_INFINITY)
    for (const extra of this.#extras.values()) extra.changed = undefined
  }

  onQuiet(wallTime: number): void {
    this.onTick()
    this.#emitDue(wallTime)
  }

  onEnd(): void {
    this.onTick()
    this.#emitDue(Number.POSITIVE_INFINITY)
  }

  /** Words from `from` up to `to` have been counted in the pane. */
  #onCounted(pane: Pane, words: Int32Array, from: number, to: number): void {
    if (pane.end > this.emittedUpTo) return
    for (let i = from; i < to; i += EVENT_WORDS) this.#change(pane, words[i]!)
  }

  /** An event has come into a slice of which a window was written. */
  #change(pane: Pane, code: number): void {
    if (this.#windows.lastEnd(pane.end) > this.emittedUpTo) this.#running.add(code, 1)
    const extra = this.#extraOf(pane)
    const id = idOfCode(code)
    if (extra.changed === undefined || extra.changed.length <= id >> 5) extra.changed = longer(extra.changed, this.products.limit)
    extra.changed[id >> 5]! |= 1 << (id & 31)
    extra.changedUpTo = this.emittedUpTo
  }

  /** Writes the windows that end at `time` or before and were not written yet. */
  #emitDue(time: number): void {
    for (let end = this.#nextEnd(); end <= time && end < Number.POSITIVE_INFINITY; end = this.#nextEnd()) {
      this.#enter(end)
      this.#rows.begin(this, end - this.#windows.size, end, true)
      this.#running.each(this.products.limit, this.#row)
      this.#rows.end()
      this.emittedUpTo = end
      this.#leave(end)
    }
  }

  readonly #row = (id: number, impressions: number, clicks: number) => this.#rows.row(id, impressions, clicks)

  /** End of the next window that has a slice; Infinity when none has. */
  #nextEnd(): number {
    const { emittedUpTo } = this
    let first = Number.POSITIVE_INFINITY
    for (const { end } of this.panes.open) {
      if (end <= emittedUpTo && this.#windows.lastEnd(end) > emittedUpTo) return emittedUpTo + this.#windows.slide
      if (end > emittedUpTo) first = Math.min(first, this.#windows.firstEnd(end))
    }
    return first
  }

  /** Slices and corrections that the window ending at `end` is the first to have. */
  #enter(end: number): void {
    for (const pane of this.panes.open) {
      if (pane.end > end || this.#windows.lastEnd(pane.end) < end) continue
      if (pane.end > this.emittedUpTo) this.#running.addPane(pane, 1)
      else this.#addCorrectionsOf(pane, this.#missedBefore(pane, end), 1)
    }
  }

  /** Slices that it is the last to have. */
  #leave(end: number): void {
    for (const pane of this.panes.open) {
      if (this.#windows.lastEnd(pane.end) !== end) continue
      this.#running.addPane(pane, -1)
      this.#addCorrections(pane, this.#missedBefore(pane, end), -1)
    }
  }

  /** How many windows of a slice end before the one that ends at `end`. */
  #missedBefore(pane: Pane, end: number): number {
    return Math.floor((end - this.#windows.firstEnd(pane.end)) / this.#windows.slide)
  }

  #addCorrections(pane: Pane, missedMax: number, sign: 1 | -1): void {
    for (let missed = 1; missed <= missedMax; missed++) this.#addCorrectionsOf(pane, missed, sign)
  }

  #addCorrectionsOf(pane: Pane, missed: number, sign: 1 | -1): void {
    const corrections = this.#extras.get(pane)?.corrections
    if (corrections === undefined) return
    for (let entry = corrections.firstOf(missed); entry >= 0; entry = corrections.nextOf(entry))
      this.#running.addCorrection(corrections, entry, sign)
  }

  /** Writes changed products again, in windows that were written, are not closed and end at `upTo` or before. */
  #emitChanged(upTo: number): void {
    const windows = this.#windows
    const closed = windows.closedUpTo(this.watermark)
    const ends = new Set<number>()
    for (const [{ end: slice }, { changed, changedUpTo }] of this.#extras) {
      if (changed === undefined) continue
      const last = Math.min(upTo, changedUpTo, windows.lastEnd(slice))
      for (let end = windows.firstEnd(slice); end <= last; end += windows.slide) if (end > closed) ends.add(end)
    }
    for (const end of [...ends].sort((a, b) => a - b)) this.#emitAgain(end)
  }

  #emitAgain(end: number): void {
    const start = end - this.#windows.size
    const panes = this.panes.open.filter((pane) => pane.start >= start && pane.end <= end)
    if (this.#ids.length <= this.products.limit >> 5) this.#ids = longer(undefined, this.products.limit)
    const ids = this.#ids.fill(0)
    for (const pane of panes) {
      const { changed, changedUpTo } = this.#extras.get(pane) ?? NO_EXTRA
      if (changed === undefined || changedUpTo < end) continue
      for (let i = 0; i < changed.length; i++) ids[i]! |= changed[i]!
    }
    this.#rows.begin(this, start, end, false)
    for (let i = 0; i < ids.length; i++) {
      for (let bits = ids[i]!; bits !== 0; bits &= bits - 1) this.#emitSum(i * 32 + 31 - Math.clz32(bits & -bits), panes, end)
    }
    this.#rows.end()
  }

  /** A product whose only events count in later windows of the slice has no row. */
  #emitSum(id: number, panes: readonly Pane[], end: number): void {
    const sum = this.#sum.fill(0)
    for (const pane of panes) {
      const cell = cellOf(pane.directory, id)
      sum[0]! += pane.counts[cell]!
      sum[CLICKS]! += pane.counts[cell + CLICKS]!
      this.#extras.get(pane)?.corrections?.addTo(sum, id, this.#missedBefore(pane, end))
    }
    if (sum[0] !== 0 || sum[CLICKS] !== 0) this.#rows.row(id, sum[0]!, sum[CLICKS]!)
  }

  #correctionsOf(pane: Pane): Corrections {
    const extra = this.#extraOf(pane)
    extra.corrections ??= new Corrections()
    return extra.corrections
  }

  #extraOf(pane: Pane): Extra {
    let extra = this.#extras.get(pane)
    if (extra === undefined) {
      extra = { ...NO_EXTRA }
      this.#extras.set(pane, extra)
    }
    return extra
  }
}

const NO_EXTRA: Readonly<Extra> = { corrections: undefined, changed: undefined, changedUpTo: Number.NEGATIVE_INFINITY }

function copyOf({ ids, missed, counts, size }: Corrections, memory: CopyMemory) {
  return { ids: memory.copy(ids, size), missed: memory.copy(missed, size), counts: memory.copy(counts, size << MEASURE_BITS) }
}

/** Room for a bit of each id below `limit`. */
function longer(bits: Int32Array | undefined, limit: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(Math.max((limit >> 5) + 1, (bits?.length ?? 0) * 2))
  if (bits !== undefined) grown.set(bits)
  return grown
}

/**
 * One slice of one task in one worker, which mostly is a window: a cell a product, in the pages of cells.ts.
 *
 *   counts    pages of PAGE_COUNTS counts
 *   emitted   the same pages, with one total a product, as last emitted; only after the first emission
 *
 * Counts are 32 bits wide until the window holds WIDEN_AT events; then they become doubles, exact to 2^53.
 */
import { assert } from '../assert.ts'
import { cellOf, directoryLength, PAGE_COUNTS, PAGE_COUNTS_SHIFT, PAGE_SHIFT } from './cells.ts'
import {
  CELL_WORDS,
  CLICKS,
  clicksAt,
  EVENT_TIME,
  EVENT_WORDS,
  eventsOf,
  impressionsAt,
  isCounted,
  MEASURE_BITS,
  totalAt,
} from './measures.ts'
import type { Windows } from './windows.ts'

type Counts = Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/** No single count can pass this before the pane is widened. */
const WIDEN_AT = 0xffff_0000
/** A burst of windows must not be remembered for ever. */
const SPARE_MAX = 4
/** Nor one of products: memory of which a pane used less than this share is not kept. */
const SPARE_USED_MIN = 1 / 8
const FIRST_PAGES = 2

/** What a pane is made of: whole pages, the first one zero; and, of an earlier pane, room for totals. */
interface PaneMemory {
  readonly counts: Uint32Array<ArrayBuffer>
  readonly totals?: Uint32Array<ArrayBuffer> | undefined
}

export class Pane {
  readonly start: number
  readonly end: number
  directory: Int32Array<ArrayBuffer>
  counts: Counts
  emitted: Counts | undefined
  /** Memory of an earlier pane for `emitted`. */
  readonly #totals: Uint32Array<ArrayBuffer> | undefined
  /** Pages in use, page 0 included. */
  pages = 1
  /** Events counted in this pane. */
  total = 0
  /** It changed since it was last emitted. */
  dirty = false

  constructor(start: number, end: number, directory: Int32Array<ArrayBuffer>, { counts, totals }: PaneMemory) {
    this.start = start
    this.end = end
    this.directory = directory
    this.counts = counts
    this.#totals = totals
  }

  /** Makes a page at `place` of the directory, which has none. `counts` and `emitted` may be other arrays afterwards. */
  addPage(place: number): number {
    const page = this.pages++
    const from = page << PAGE_COUNTS_SHIFT
    if (from < this.counts.length) {
      this.counts.fill(0, from, from + PAGE_COUNTS)
    } else {
      this.counts = grown(this.counts)
      if (this.emitted !== undefined) this.emitted = grown(this.emitted)
    }
    this.directory[place] = page
    return page
  }

  /** Totals as last emitted, none before the first time: that is now. */
  startEmitting(): Counts {
    if (this.emitted !== undefined) return this.emitted
    const length = this.counts.length >> MEASURE_BITS
    if (this.counts instanceof Float64Array) this.emitted = new Float64Array(length)
    else if (this.#totals?.length === length) this.emitted = this.#totals.fill(0)
    else this.emitted = new Uint32Array(length)
    return this.emitted
  }
}

/** The open panes of one task. A window's pane is made when its first event arrives and lives until it is purged. */
export class Panes {
  readonly open: Pane[] = []
  /** Told of events that were counted in a pane, words[from] up to words[to]. */
  onCounted: ((pane: Pane, words: Int32Array, from: number, to: number) => void) | undefined
  readonly #windows: Windows
  readonly #widenAt: number
  /** Of a directory. */
  #length = 1
  readonly #spare: PaneMemory[] = []

  constructor(windows: Windows, widenAt = WIDEN_AT) {
    this.#windows = windows
    this.#widenAt = widenAt
  }

  /** Makes room for products with ids below `products`. */
  reserve(products: number): void {
    if (directoryLength(products) <= this.#length) return
    while (this.#length < directoryLength(products)) this.#length *= 2
    for (const pane of this.open) {
      const directory = new Int32Array(this.#length)
      directory.set(pane.directory)
      pane.directory = directory
    }
  }

  /**
   * Counts `count` events from words[at] on, as a ring carries them; `base`: ms. Near a window's end events of two windows take turns, so
   * the pane before the present one is kept at hand.
   */
  add(words: Int32Array, at: number, count: number, base: number): void {
    // As locals: an imported constant is a load at every use, which this loop shows.
    const stride = EVENT_WORDS
    const toTime = EVENT_TIME
    const shift = PAGE_COUNTS_SHIFT
    const mask = PAGE_COUNTS - 1
    const end = at + count * stride
    let low = 0
    let high = 0
    let directory: Int32Array = EMPTY_DIRECTORY
    let counts: Counts = EMPTY
    let pane: Pane | undefined
    let other: Pane | undefined
    let from = at
    for (let i = at; i < end; i += stride) {
      const relative = words[i + toTime]!
      if (relative < low || relative >= high) {
        if (pane) this.#counted(pane, words, from, i)
        from = i
        const left = pane
        const time = base + relative
        pane = other !== undefined && time >= other.start && time < other.end ? other : this.#paneAt(time, count)
        other = left
        low = pane.start - base
        high = pane.end - base
        directory = pane.directory
        counts = pane.counts
      }
      const code = words[i]!
      let page = directory[code >> shift]!
      if (page === 0) {
        page = pane!.addPage(code >> shift)
        counts = pane!.counts
      }
      counts[(page << shift) | (code & mask)]! += 1
    }
    if (pane) this.#counted(pane, words, from, end)
  }

  #counted(pane: Pane, words: Int32Array, from: number, to: number): void {
    pane.total += (to - from) / EVENT_WORDS
    this.onCounted?.(pane, words, from, to)
  }

  /** Puts `count` cells back that a checkpoint had: words[at] on, as a ring carries them. A clean pane's rows are known to be safe. */
  restore(start: number, words: Int32Array, doubles: Float64Array, at: number, count: number, dirty: boolean, emitted: boolean): void {
    let sum = 0
    for (let i = 0, cell = at; i < count; i++, cell += CELL_WORDS) sum += eventsOf(impressionsAt(doubles, cell), clicksAt(doubles, cell))
    const pane = this.#paneAt(start, sum)
    if (emitted) pane.startEmitting()
    for (let i = 0, cell = at; i < count; i++, cell += CELL_WORDS) {
      const id = words[cell]!
      const impressions = impressionsAt(doubles, cell)
      const clicks = clicksAt(doubles, cell)
      if (pane.directory[id >> PAGE_SHIFT] === 0) pane.addPage(id >> PAGE_SHIFT)
      const into = cellOf(pane.directory, id)
      pane.counts[into]! += impressions
      pane.counts[into + CLICKS]! += clicks
      if (emitted && !dirty) pane.emitted![totalAt(into)]! += eventsOf(impressions, clicks)
    }
    pane.total += sum
    pane.dirty = dirty
  }

  /** The pane of the slice that begins at `start`, made when there is none. */
  at(start: number): Pane {
    return this.#paneAt(start, 0)
  }

  /** Bytes that the open panes hold. */
  get sizeBytes(): number {
    let bytes = 0
    for (const { counts, emitted, directory } of this.open) bytes += counts.byteLength + (emitted?.byteLength ?? 0) + directory.byteLength
    return bytes
  }

  /** Takes a pane out; its memory serves the next one. */
  purge(pane: Pane): void {
    const at = this.open.indexOf(pane)
    assert(at >= 0 && !pane.dirty, 'only an open, emitted pane is purged', { start: pane.start, dirty: pane.dirty })
    this.open.splice(at, 1)
    const { counts, emitted, pages } = pane
    if (!(counts instanceof Uint32Array) || this.#spare.length === SPARE_MAX) return
    if (counts.length > FIRST_PAGES * PAGE_COUNTS && pages * PAGE_COUNTS < counts.length * SPARE_USED_MIN) return
    this.#spare.push({ counts, totals: emitted instanceof Uint32Array ? emitted : undefined })
  }

  /** Whether any open pane has counted the product. */
  holds(id: number): boolean {
    return this.open.some(({ directory, counts }) => isCounted(counts, cellOf(directory, id)))
  }

  #paneAt(time: number, coming: number): Pane {
    const start = this.#windows.sliceStart(time)
    let pane: Pane | undefined
    for (const candidate of this.open) if (candidate.start === start) pane = candidate
    if (pane === undefined) {
      const memory = this.#spare.shift() ?? { counts: new Uint32Array(FIRST_PAGES * PAGE_COUNTS) }
      pane = new Pane(start, this.#windows.sliceEnd(start), new Int32Array(this.#length), memory)
      this.open.push(pane)
    }
    if (pane.total + coming > this.#widenAt && pane.counts instanceof Uint32Array) {
      pane.counts = Float64Array.from(pane.counts)
      if (pane.emitted) pane.emitted = Float64Array.from(pane.emitted)
    }
    pane.dirty = true
    return pane
  }
}

const EMPTY = new Uint32Array(0)
const EMPTY_DIRECTORY = new Int32Array(0)

function grown(counts: Counts): Counts {
  const larger = counts instanceof Uint32Array ? new Uint32Array(counts.length * 2) : new Float64Array(counts.length * 2)
  larger.set(counts)
  return larger
}

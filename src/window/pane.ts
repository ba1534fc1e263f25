/**
 * One window of one task in one worker: two counts a product, side by side in one typed array.
 *
 *   counts   | impressions of id 0 | clicks of id 0 | impressions of id 1 | ...      index = id << 1 | click
 *   emitted  | total of id 0 when last emitted | ...                                   only after the first emission
 *
 * Counts are 32 bits wide until the window holds WIDEN_AT events; then they become doubles, exact to 2^53.
 */
import { assert } from '../assert.ts'
import { CELL_WORDS } from '../ring/layout.ts'

type Counts = Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/** No single count can pass this before the pane is widened. */
const WIDEN_AT = 0xffff_0000
/** A burst of windows must not be remembered for ever. */
const SPARE_MAX = 4

export class Pane {
  readonly start: number
  readonly end: number
  counts: Counts
  emitted: Counts | undefined
  /** Events counted in this pane. */
  total = 0
  /** It changed since it was last emitted. */
  dirty = false

  constructor(start: number, end: number, counts: Counts) {
    this.start = start
    this.end = end
    this.counts = counts
  }
}

/** The open panes of one task. A window's pane is made when its first event arrives and lives until it is purged. */
export class Panes {
  readonly open: Pane[] = []
  readonly #size: number
  readonly #widenAt: number
  /** Products there is room for. */
  #capacity = 64
  #spare: Uint32Array<ArrayBuffer>[] = []

  constructor(windowSize: number, widenAt = WIDEN_AT) {
    this.#size = windowSize
    this.#widenAt = widenAt
  }

  /** Makes room for products with ids below `products`. */
  reserve(products: number): void {
    if (products <= this.#capacity) return
    while (this.#capacity < products) this.#capacity *= 2
    this.#spare = []
    for (const pane of this.open) {
      pane.counts = grown(pane.counts, this.#capacity * 2)
      if (pane.emitted) pane.emitted = grown(pane.emitted, this.#capacity)
    }
  }

  /** Counts `count` events, pairs (id << 1 | click, time - base) from words[at]. Near a window's end events of two windows take turns. */
  add(words: Int32Array, at: number, count: number, base: number): void {
    const end = at + count * 2
    let low = 0
    let high = 0
    let counts: Counts = EMPTY
    let pane: Pane | undefined
    let other: Pane | undefined
    let from = at
    for (let i = at; i < end; i += 2) {
      const relative = words[i + 1]!
      if (relative < low || relative >= high) {
        if (pane) pane.total += (i - from) >> 1
        from = i
        const left = pane
        const time = base + relative
        pane = other !== undefined && time >= other.start && time < other.end ? other : this.#paneAt(time, count)
        other = left
        low = pane.start - base
        high = pane.end - base
        counts = pane.counts
      }
      counts[words[i]!]! += 1
    }
    if (pane) pane.total += (end - from) >> 1
  }

  /** Puts `count` cells back that a checkpoint had: words[at] on, see BLOCK.restore. A clean pane's rows are known to be safe. */
  restore(start: number, words: Int32Array, doubles: Float64Array, at: number, count: number, dirty: boolean, emitted: boolean): void {
    let sum = 0
    for (let i = 0, cell = at; i < count; i++, cell += CELL_WORDS) sum += doubles[(cell >> 1) + 1]! + doubles[(cell >> 1) + 2]!
    const pane = this.#paneAt(start, sum)
    const { counts } = pane
    if (emitted) pane.emitted ??= counts instanceof Uint32Array ? new Uint32Array(counts.length / 2) : new Float64Array(counts.length / 2)
    for (let i = 0, cell = at; i < count; i++, cell += CELL_WORDS) {
      const id = words[cell]!
      const impressions = doubles[(cell >> 1) + 1]!
      const clicks = doubles[(cell >> 1) + 2]!
      counts[id * 2]! += impressions
      counts[id * 2 + 1]! += clicks
      if (emitted && !dirty) pane.emitted![id]! += impressions + clicks
    }
    pane.total += sum
    pane.dirty = dirty
  }

  /** Takes a pane out; its memory serves the next one. */
  purge(pane: Pane): void {
    const at = this.open.indexOf(pane)
    assert(at >= 0 && !pane.dirty, 'only an open, emitted pane is purged', { start: pane.start, dirty: pane.dirty })
    this.open.splice(at, 1)
    if (pane.counts instanceof Uint32Array && this.#spare.length < SPARE_MAX) this.#spare.push(pane.counts)
  }

  /** Whether any open pane has counted the product. */
  holds(id: number): boolean {
    return this.open.some((pane) => pane.counts[id * 2] !== 0 || pane.counts[id * 2 + 1] !== 0)
  }

  #paneAt(time: number, coming: number): Pane {
    const start = Math.floor(time / this.#size) * this.#size
    let pane: Pane | undefined
    for (const candidate of this.open) if (candidate.start === start) pane = candidate
    if (pane === undefined) {
      pane = new Pane(start, start + this.#size, this.#takeCounts())
      this.open.push(pane)
    }
    if (pane.total + coming > this.#widenAt && pane.counts instanceof Uint32Array) {
      pane.counts = Float64Array.from(pane.counts)
      if (pane.emitted) pane.emitted = Float64Array.from(pane.emitted)
    }
    pane.dirty = true
    return pane
  }

  #takeCounts(): Uint32Array<ArrayBuffer> {
    const spare = this.#spare.pop()
    if (spare === undefined) return new Uint32Array(this.#capacity * 2)
    spare.fill(0)
    return spare
  }
}

const EMPTY = new Uint32Array(0)

function grown(counts: Counts, length: number): Counts {
  const larger = counts instanceof Uint32Array ? new Uint32Array(length) : new Float64Array(length)
  larger.set(counts)
  return larger
}

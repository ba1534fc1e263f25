/**
 * Running totals of overlapping windows: for each product what the slices add up to that are in the next window already. A slice is added
 * when the first of its windows is written, and taken away behind the last one. So what a window's rows cost depends on the slices that
 * enter and leave, not on how many it has.
 *
 * Cells lie in pages as those of panes do (cells.ts), as doubles, for a window may hold more events than one of its slices can. A page
 * whose counts have all gone is used again.
 */
import { assert } from '../assert.ts'
import { cellOf, PAGE_COUNTS, PAGE_COUNTS_SHIFT, PAGE_IDS, PAGE_SHIFT } from './cells.ts'
import type { Corrections } from './corrections.ts'
import { CLICKS, codeOfId, eventsOf, MEASURE_BITS } from './measures.ts'
import type { Pane } from './pane.ts'

const FIRST_PAGES = 2

/** Takes a product's counts in a window; they are above 0. */
export type TakeCounts = (id: number, impressions: number, clicks: number) => void

export class Running {
  /** Events in it. */
  total = 0
  #directory = new Int32Array(1)
  #counts = new Float64Array(FIRST_PAGES * PAGE_COUNTS)
  #pages = 1
  #free: number[] = []

  /** Adds, or with -1 takes away, the cells of a pane; without its corrections. */
  addPane({ start, total, directory, counts }: Pane, sign: 1 | -1): void {
    let sum = 0
    for (let place = 0; place < directory.length; place++) {
      const from = directory[place]! << PAGE_COUNTS_SHIFT
      if (from === 0) continue
      const to = this.#pageAt(place) << PAGE_COUNTS_SHIFT
      const into = this.#counts
      for (let i = 0; i < PAGE_COUNTS; i++) {
        const count = counts[from + i]!
        if (count === 0) continue
        into[to + i]! += sign * count
        sum += count
      }
    }
    assert(sum === total, 'a pane holds the events it was given', { start, sum, total })
    this.total += sign * sum
  }

  /** Adds, or takes away, one entry of corrections. */
  addCorrection({ ids, counts }: Corrections, entry: number, sign: 1 | -1): void {
    const id = ids[entry]!
    const at = entry << MEASURE_BITS
    this.add(codeOfId(id), sign * counts[at]!)
    this.add(codeOfId(id) + CLICKS, sign * counts[at + CLICKS]!)
  }

  /** Adds events of one code. */
  add(code: number, events: number): void {
    const place = code >> PAGE_COUNTS_SHIFT
    const page = this.#pageAt(place)
    this.#counts[(page << PAGE_COUNTS_SHIFT) | (code & (PAGE_COUNTS - 1))]! += events
    this.total += events
  }

  /** Gives all products that have counts, by id. */
  each(limit: number, take: TakeCounts): void {
    let sum = 0
    for (let place = 0; place < this.#directory.length; place++) {
      if (this.#directory[place] === 0) continue
      const events = this.#eachOfPage(place << PAGE_SHIFT, limit, take)
      sum += events
      if (events > 0) continue
      this.#free.push(this.#directory[place]!)
      this.#directory[place] = 0
    }
    assert(sum === this.total, 'what is in a window adds up to what was added and taken away', { sum, total: this.total })
  }

  #eachOfPage(from: number, limit: number, take: TakeCounts): number {
    const counts = this.#counts
    const first = cellOf(this.#directory, from)
    let sum = 0
    for (let i = 0; i < PAGE_IDS; i++) {
      const impressions = counts[first + (i << MEASURE_BITS)]!
      const clicks = counts[first + (i << MEASURE_BITS) + CLICKS]!
      if (impressions === 0 && clicks === 0) continue
      assert(impressions >= 0 && clicks >= 0 && from + i < limit, 'no slice takes away more than it has added', {
        id: from + i,
        impressions,
        clicks,
      })
      sum += eventsOf(impressions, clicks)
      take(from + i, impressions, clicks)
    }
    return sum
  }

  get sizeBytes(): number {
    return this.#directory.byteLength + this.#counts.byteLength
  }

  #pageAt(place: number): number {
    if (place >= this.#directory.length) this.#directory = longer(this.#directory, place + 1)
    const known = this.#directory[place]!
    if (known !== 0) return known
    const page = this.#free.pop() ?? this.#pages++
    if ((page + 1) << PAGE_COUNTS_SHIFT > this.#counts.length) this.#counts = longer(this.#counts, (page + 1) << PAGE_COUNTS_SHIFT)
    this.#directory[place] = page
    return page
  }
}

function longer<T extends Int32Array | Float64Array>(array: T, least: number): T {
  const grown = new (array.constructor as new (length: number) => T)(Math.max(least, array.length * 2))
  grown.set(array)
  return grown
}

/**
 * Corrections of one slice in one worker: events that count in all windows of the slice but the first ones (windows.ts). They are few, so
 * there is an entry for each product and number of windows missed, found by the product; not a page of cells.
 *
 *   ids, missed, counts   of entry i the product's id, the windows missed, and the counts from counts[2 i] on
 *   slots                 entry + 1, or 0; open addressing by the hash of the id, so all entries of a product lie in one run of slots
 *   first, next           entries of one number of windows missed, as a list; entry + 1, or 0
 */
import { CLICKS, eventsOf, idOfCode, MEASURE_BITS } from './measures.ts'

const FIRST_ENTRIES = 16
/** Slots for each entry, at least. */
const SLOTS = 2

export class Corrections {
  size = 0
  ids = new Int32Array(FIRST_ENTRIES)
  missed = new Int32Array(FIRST_ENTRIES)
  counts = new Float64Array(FIRST_ENTRIES << MEASURE_BITS)
  readonly #first: number[] = []
  #next = new Int32Array(FIRST_ENTRIES)
  #slots = new Int32Array(FIRST_ENTRIES * SLOTS)

  /** Counts an event. */
  count(code: number, missed: number): void {
    const entry = this.#entryOf(idOfCode(code), missed)
    this.counts[(entry << MEASURE_BITS) | (code & CLICKS)]! += 1
  }

  /** Adds what a checkpoint had. */
  restore(id: number, missed: number, impressions: number, clicks: number): void {
    const at = this.#entryOf(id, missed) << MEASURE_BITS
    this.counts[at]! += impressions
    this.counts[at + CLICKS]! += clicks
  }

  /** Adds to `into`, impressions first, those of a product that have missed so many windows or fewer. */
  addTo(into: Float64Array, id: number, missedMax: number): void {
    const { ids, missed, counts } = this
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hashOf(id) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1
      if (ids[entry] !== id || missed[entry]! > missedMax) continue
      into[0]! += counts[entry << MEASURE_BITS]!
      into[CLICKS]! += counts[(entry << MEASURE_BITS) + CLICKS]!
    }
  }

  /** The first entry that has missed so many windows; -1 without any. */
  firstOf(missed: number): number {
    return (this.#first[missed] ?? 0) - 1
  }

  /** The one behind it that has missed as many; -1 without any. */
  nextOf(entry: number): number {
    return this.#next[entry]! - 1
  }

  /** Whether it has any of a product. */
  holds(id: number): boolean {
    return this.ids.subarray(0, this.size).includes(id)
  }

  /** Events in it. */
  get total(): number {
    let total = 0
    for (let at = 0; at < this.size << MEASURE_BITS; at += 1 << MEASURE_BITS) total += eventsOf(this.counts[at]!, this.counts[at + CLICKS]!)
    return total
  }

  get sizeBytes(): number {
    const { ids, missed, counts } = this
    return ids.byteLength + missed.byteLength + counts.byteLength + this.#next.byteLength + this.#slots.byteLength
  }

  #entryOf(id: number, missed: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = hashOf(id) & mask
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1
      if (this.ids[entry] === id && this.missed[entry] === missed) return entry
    }
    if (this.size === this.ids.length) {
      this.#grow()
      return this.#entryOf(id, missed)
    }
    const entry = this.size++
    slots[slot] = entry + 1
    this.ids[entry] = id
    this.missed[entry] = missed
    while (this.#first.length <= missed) this.#first.push(0)
    this.#next[entry] = this.#first[missed]!
    this.#first[missed] = entry + 1
    return entry
  }

  #grow(): void {
    const { ids, missed, counts } = this
    const length = ids.length * 2
    this.ids = new Int32Array(length)
    this.ids.set(ids)
    this.missed = new Int32Array(length)
    this.missed.set(missed)
    this.counts = new Float64Array(length << MEASURE_BITS)
    this.counts.set(counts)
    const next = this.#next
    this.#next = new Int32Array(length)
    this.#next.set(next)
    const slots = new Int32Array(length * SLOTS)
    const mask = slots.length - 1
    for (let entry = 0; entry < this.size; entry++) {
      let slot = hashOf(this.ids[entry]!) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = entry + 1
    }
    this.#slots = slots
  }
}

/** Ids that come one after the other must not lie in one run of slots. */
function hashOf(id: number): number {
  return Math.imul(id, 0x9e37_79b1) >>> 7
}

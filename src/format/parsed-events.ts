/**
 * A few hundred parsed events of one delivery, between the parsers, which fill it, and ingest, which counts them. Parsing many and then
 * finding the products of all of them lets the processor wait for several entries of a large dictionary at once.
 *
 *   row   8 words:  | record's place | length << 2 | older << 1 | measure | hash | product's place | key 16 bytes |
 *
 * The measure is what an event's code has of it (window/measures.ts). The key is the product's bytes, those missing zero; of a product that
 * is longer it isn't used. `older`: the record's timestamp lies below its batch's first one. Times are ms since the epoch. The product's
 * place is where its bytes begin in the record; of a product that is not written there, as numbers in binary formats are not, it is that in
 * `made`, with all its bits turned.
 *
 * Records between the events are ignored, or refused; see refusals.ts.
 */
import { CLICKS } from '../window/measures.ts'
import { Refusals } from './refusals.ts'
import { type EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from './slot.ts'

/** Small enough to stay in the first-level cache with the bytes it is read from. */
export const PARSED_MAX = 256

/** Words of a row. */
export const ROW_WORDS = 8
export const ROW_RECORD = 0
export const ROW_BITS = 1
export const ROW_HASH = 2
export const ROW_START = 3
export const ROW_KEY = 4
/** Longest product that lies in a row, and in an entry of the dictionary. */
export const KEY_BYTES = 16

/** Longest product that may lie in `made`: the digits of 64 bits and a sign, or a short word. */
export const MADE_BYTES = 24

export const OLDER_BIT = 2
export const LENGTH_SHIFT = 2

/** Records of a batch, decompressed, back to back; the next one to read is at `recordAt`. */
export interface RecordsAt {
  readonly records: Uint8Array
  /** The same memory as `records`, for reading words. */
  readonly view: DataView
  readonly recordAt: number
  readonly recordsEnd: number
}

export class ParsedEvents {
  count = 0
  /** Records among them that were ignored, and how many of these come before each event. */
  ignored = 0
  readonly ignoredBefore: Int32Array
  readonly refusals: Refusals
  /** Where the record behind the last event begins. */
  next = 0
  readonly rows: Int32Array
  readonly times: Float64Array
  /** Products that don't lie in the records, by event; of longer words than one may be read. */
  readonly made: Uint8Array
  /** The same memory as `made`. */
  readonly madeView: DataView
  /** Entries of the dictionary; see Dictionary.findAll. */
  readonly entries: Int32Array

  /** With room for so many events. */
  constructor(room = PARSED_MAX) {
    this.ignoredBefore = new Int32Array(room)
    this.refusals = new Refusals(room)
    this.rows = new Int32Array(room * ROW_WORDS)
    this.times = new Float64Array(room)
    this.made = new Uint8Array((room + 1) * MADE_BYTES)
    this.madeView = new DataView(this.made.buffer)
    this.entries = new Int32Array(room)
  }

  /** Forgets all; the next record begins at `next`. */
  begin(next: number): void {
    this.count = 0
    this.ignored = 0
    this.refusals.begin()
    this.next = next
  }

  /** Records before the event at `i`, when the refusals before it are settled. */
  recordsBefore(i: number): number {
    return i + (i < this.count ? this.ignoredBefore[i]! : this.ignored) + this.refusals.settled
  }

  /** One more record is refused, which begins at `record`. */
  refuse(record: number, reason: number, time: number, next: number): void {
    const { refusals } = this
    const i = refusals.count++
    refusals.eventsBefore[i] = this.count
    refusals.ignoredBefore[i] = this.ignored
    refusals.records[i] = record
    refusals.reasons[i] = reason
    refusals.times[i] = time
    this.next = next
  }

  /** One more record is ignored. */
  ignore(next: number): void {
    this.ignored++
    this.next = next
  }

  /** Takes over what a parser left in the slot; the product is in `bytes`. */
  add(slot: EventSlot, bytes: Uint8Array, record: number, older: boolean, next: number): void {
    const { ints } = slot
    const start = ints[SLOT_PRODUCT_START]!
    const length = ints[SLOT_PRODUCT_END]! - start
    const row = this.count * ROW_WORDS
    const rows = this.rows
    rows[row + ROW_RECORD] = record
    rows[row + ROW_BITS] = (length << LENGTH_SHIFT) | (older ? OLDER_BIT : 0) | (ints[SLOT_CLICK] === 1 ? CLICKS : 0)
    rows[row + ROW_HASH] = ints[SLOT_PRODUCT_HASH]!
    rows[row + ROW_START] = start
    putKey(rows, row + ROW_KEY, bytes, start, Math.min(length, KEY_BYTES))
    this.times[this.count] = slot.time[0]!
    this.ignoredBefore[this.count] = this.ignored
    this.count++
    this.next = next
  }
}

/** Writes bytes[start, start + length) to the four words from `at` on. */
export function putKey(words: Int32Array, at: number, bytes: Uint8Array, start: number, length: number): void {
  words.fill(0, at, at + KEY_BYTES / 4)
  for (let i = 0; i < length; i++) words[at + (i >> 2)]! |= bytes[start + i]! << ((i & 3) * 8)
}

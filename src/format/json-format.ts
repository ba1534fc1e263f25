/**
 * JSON, one object a record (format.ts says what a format is). Records are parsed by the shape seen last, else by another known one, else
 * by the plain scanner, from whose event a new shape is learned. At a record that none of them is sure of, `parse` stops.
 */
import { isOlder, locateRecord, RecordPlace } from '../batch/record-batch.ts'
import { exact } from './json-exact.ts'
import { scan } from './json-scan.ts'
import { learnShape, type Shape } from './json-shape.ts'
import type { ParsedEvents, RecordsAt } from './parsed-events.ts'
import { EventSlot } from './slot.ts'

/** Topics are often written by several producers, each in its own way. */
const SHAPES_MAX = 4
/** Learning compiles code, so it doubles its price each time: events whose keys come in random order must not be learned one by one. */
const STRANGERS_MAX = 1 << 20

export class JsonFormat {
  readonly #slot = new EventSlot()
  readonly #place = new RecordPlace()
  /** The shape seen last, and those known, newest first. */
  #shape: Shape = () => {}
  readonly #shapes: Shape[] = []
  /** Events of no known shape since the last one was learned, and how many it takes to learn another. */
  #strangers = 0
  #strangersWanted = 1

  /** Puts up to `limit` records from `recordAt` on into `parsed`; false when it stopped at one that it isn't sure of. */
  parse({ records: bytes, view, recordAt, recordsEnd: end }: RecordsAt, parsed: ParsedEvents, limit: number): boolean {
    parsed.count = 0
    parsed.next = recordAt
    for (;;) {
      this.#shape(bytes, view, end, parsed, limit)
      if (parsed.count >= limit) return true
      if (!this.#parseOther(bytes, view, end, parsed, limit)) return false
    }
  }

  /** The reason why one value, bytes[start, end), is not an event, or VALID with the event in `slot`. Always sure. */
  exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
    return exact(bytes, start, end, slot)
  }

  /** The next record is not of the shape seen last. */
  #parseOther(bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number): boolean {
    const before = parsed.count
    for (const shape of this.#shapes) {
      shape(bytes, view, end, parsed, limit)
      if (parsed.count === before) continue
      this.#shape = shape
      return true
    }
    const place = this.#place
    const record = parsed.next
    if (!locateRecord(bytes, record, end, place) || !scan(bytes, place.value, place.valueEnd, this.#slot)) return false
    parsed.add(this.#slot, bytes, record, isOlder(bytes, place.timestampAt), place.next)
    if (++this.#strangers >= this.#strangersWanted) this.#learn(bytes, place.value, place.valueEnd)
    return true
  }

  #learn(bytes: Uint8Array, start: number, end: number): void {
    const shape = learnShape(bytes, start, end)
    this.#strangers = 0
    this.#strangersWanted = Math.min(this.#strangersWanted * 2, STRANGERS_MAX)
    if (shape === undefined) return
    this.#shape = shape
    this.#shapes.unshift(shape)
    if (this.#shapes.length > SHAPES_MAX) this.#shapes.pop()
  }
}

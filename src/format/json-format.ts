/**
 * JSON, one object a record (format.ts says what a format is), framed or not: what a frame names is not needed to read it. Records are
 * parsed by the shape seen last, else by another known one, else by the reader, from whose event a new shape is learned. A record that is
 * no event is refused, if one of them is sure of it; else `parse` stops there.
 */
import { isOlder, locateRecord, RecordPlace } from '../batch/record-batch.ts'
import type { EventRules } from './event-rules.ts'
import { FRAME, type Framing, frameCode, inflateValue, ValueFrame } from './frames.ts'
import { ExactJson } from './json-exact.ts'
import { JsonReader } from './json-read.ts'
import {
  type LearnedEvent,
  learnIgnored,
  learnRefused,
  learnShape,
  mayHaveRefusedShape,
  type RefusedShape,
  type Shape,
} from './json-shape.ts'
import { isCutOff } from './json-skip.ts'
import { Learned } from './learned.ts'
import type { ParsedEvents, RecordsAt } from './parsed-events.ts'
import { IGNORED, REASON, UNSURE } from './reasons.ts'
import { EventSlot } from './slot.ts'

/** Shapes of invalid events: as many as one producer has ways to go wrong. */
const REFUSED_MAX = 8
/** Lengths that are told apart, a power of two. */
const LENGTHS = 256

/** A shape of invalid events, and what is to be said of them. */
interface Refused {
  readonly fits: RefusedShape
  readonly reason: number
  readonly time: number
}

export class JsonFormat {
  readonly #rules: EventRules
  readonly #reader: JsonReader
  readonly #exact: ExactJson
  readonly #frame: ValueFrame | undefined
  readonly #slot = new EventSlot()
  readonly #place = new RecordPlace()
  /** The shape seen last. */
  #shape: Shape = () => {}
  readonly #shapes = new Learned<Shape>()
  /** Of invalid events. */
  readonly #refusedShapes = new Learned<Refused>(REFUSED_MAX)
  /** Which of them has fitted the last value of a length: what goes wrong in one way is mostly as long. */
  readonly #likely: (Refused | undefined)[] = Array.from({ length: LENGTHS }, () => undefined)
  /** The last stranger was refused: where one producer's events are invalid, the next one is too. */
  #refusing = false

  /** A record is one event at most. */
  readonly several = false
  /** Events have no times of their own; see fillRecordTimes. */
  readonly timeOfRecord: boolean

  /** Without `framing` values have no frames. */
  constructor(rules: EventRules, framing?: Framing) {
    this.#frame = framing && new ValueFrame(framing, true)
    this.timeOfRecord = rules.timeOfRecord
    this.#rules = rules
    this.#reader = new JsonReader(rules)
    this.#exact = new ExactJson(rules)
  }

  /** Puts up to `limit` records from `recordAt` on into `parsed`; false when it stopped at one that it isn't sure of. */
  parse({ records: bytes, view, recordAt, recordsEnd: end }: RecordsAt, parsed: ParsedEvents, limit: number): boolean {
    const { refusals } = parsed
    parsed.begin(recordAt)
    for (;;) {
      const room = limit - refusals.count
      this.#shape(bytes, view, end, parsed, room)
      if (parsed.count + parsed.ignored >= room) return true
      if (!this.#parseOther(bytes, view, end, parsed, room)) return false
    }
  }

  /** The reason why one value, bytes[start, end), is not an event, or IGNORED, or VALID with the event in `slot`. Always sure. */
  exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot, recordEnd = end): number {
    const frame = this.#frame
    if (frame !== undefined && end > start) {
      frame.read(bytes, start, end, recordEnd)
      if (frame.kind === FRAME.notFramed) return REASON.FRAME
      if (frame.kind === FRAME.glueZlib) return this.#inflated(bytes.subarray(frame.start, end), slot)
      if (frame.start === end) return REASON.NOT_JSON
    }
    const value = frame === undefined || end === start ? start : frame.start
    return this.#exact.parse(bytes, value, end, slot)
  }

  /** The next record is not of the shape seen last. */
  #parseOther(bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number): boolean {
    const record = parsed.next
    const place = this.#place
    if (!locateRecord(bytes, record, end, place) || !this.#stepOverFrame(bytes)) return false
    if (!isCutOff(bytes, place.value, place.valueEnd)) {
      if (this.#refusing && this.#isRefused(bytes, view, end, parsed, limit)) return true
      if (this.#isOfOther(bytes, view, end, parsed, limit)) return true
      if (!this.#refusing && this.#isRefused(bytes, view, end, parsed, limit)) return true
    }
    const verdict = this.#reader.read(bytes, place.value, place.valueEnd, this.#slot)
    this.#refusing = verdict > REASON.VALID
    if (verdict === UNSURE) return false
    if (verdict > REASON.VALID) {
      parsed.refuse(record, verdict, this.#slot.time[0]!, place.next)
      this.#learnRefused(bytes, verdict)
      return true
    }
    if (verdict === IGNORED) parsed.ignore(place.next)
    else parsed.add(this.#slot, bytes, record, isOlder(bytes, place.timestampAt), place.next)
    if (place.valueEnd > place.value) this.#learn(bytes, verdict)
    return true
  }

  /** Whether records from `parsed.next` on are of another known shape, and parsed by that. */
  #isOfOther(bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number): boolean {
    const record = parsed.next
    for (const shape of this.#shapes.known) {
      if (shape === this.#shape) continue
      shape(bytes, view, end, parsed, limit)
      if (parsed.next === record) continue
      this.#shape = shape
      return true
    }
    return false
  }

  /** A shape of the record that was read last, if it is time for one. */
  #learn(bytes: Uint8Array, verdict: number): void {
    const event = this.#learned(bytes)
    const isWhole = verdict === REASON.VALID || this.#reader.readRest(bytes, this.#slot) === REASON.VALID
    const shape = this.#shapes.meet(() => (isWhole ? learnShape(event) : learnIgnored(event)))
    if (shape !== undefined) this.#shape = shape
  }

  /** Whether the record at `parsed.next`, which `#place` has located, is of an invalid shape that is known, and refused. */
  #isRefused(bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number): boolean {
    const { value, valueEnd, next } = this.#place
    const length = (valueEnd - value) & (LENGTHS - 1)
    const likely = this.#likely[length]
    let found = likely?.fits(bytes, view, end, parsed, limit) === true ? likely : undefined
    for (const other of this.#refusedShapes.known) {
      if (found !== undefined) break
      if (other !== likely && other.fits(bytes, view, end, parsed, limit)) found = other
    }
    if (found === undefined) return false
    this.#likely[length] = found
    parsed.refuse(parsed.next, found.reason, found.time, next)
    return true
  }

  /** What the reader has just read. */
  #learned(bytes: Uint8Array): LearnedEvent {
    const lead = this.#frame === undefined ? '' : frameCode(this.#frame, bytes, true)
    return { bytes, start: this.#place.value, end: this.#place.valueEnd, reader: this.#reader, rules: this.#rules, lead }
  }

  /** The value that `#place` has is what follows its frame; false when only the exact parser can tell. */
  #stepOverFrame(bytes: Uint8Array): boolean {
    const frame = this.#frame
    const place = this.#place
    if (frame === undefined || place.value === place.valueEnd) return true
    frame.read(bytes, place.value, place.valueEnd, place.next)
    if (frame.kind === FRAME.notFramed || frame.kind === FRAME.glueZlib || frame.start === place.valueEnd) return false
    place.value = frame.start
    return true
  }

  #inflated(packed: Uint8Array, slot: EventSlot): number {
    const bytes = inflateValue(packed)
    return bytes === undefined ? REASON.FRAME : this.#exact.parse(bytes, 0, bytes.length, slot)
  }

  /** A shape of the record that was read last, and is invalid, if it is time for one. */
  #learnRefused(bytes: Uint8Array, reason: number): void {
    const event = this.#learned(bytes)
    if (!mayHaveRefusedShape(event.reader, reason)) return
    this.#refusedShapes.meet(() => {
      const fits = learnRefused(event, reason)
      return fits && { fits, reason, time: this.#slot.time[0]! }
    })
  }
}

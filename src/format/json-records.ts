/**
 * JSON of which a record may be several events (record-events.ts): one for each element of an array, and two of an impression that was
 * clicked. What lies outside the array is read once, and what is wrong with it is wrong with the record; each element is judged for itself.
 *
 *   {"event_name":"view_item_list","time":1732800000,"items":[{"item_id":"a"},{"item_id":7,"clicked":1},{"item":"b"}]}
 *
 * is an impression of a, an impression and a click of 7, and an element that is invalid: it has no product. As of other records there are
 * two readers with one meaning: the fast one answers what the exact one answers, or is not sure, and then that one reads the record.
 */
import { LIMITS } from '../config/limits.ts'
import { FieldChecks } from './event-check.ts'
import { type EventRules, FIELD_ARRAY, FIELD_CLICK, FIELD_TIME, FIELD_TYPE } from './event-rules.ts'
import { fieldTree, NO_RANK } from './field-tree.ts'
import { readExactly } from './json-exact.ts'
import { JsonReader } from './json-read.ts'
import { learnRecordShape, mayHaveShape, type RecordShape } from './json-record-shape.ts'
import { isSpace, skipSpace, skipValue } from './json-skip.ts'
import { type FieldValue, JsonValues } from './json-values.ts'
import { Learned } from './learned.ts'
import { IGNORED, REASON, UNSURE } from './reasons.ts'
import { type ElementPlace, NO_ELEMENT, type RecordBytes, type RecordEvents } from './record-events.ts'
import type { EventSlot } from './slot.ts'

const OPENING_BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const COMMA = 0x2c
const LETTER_N = 0x6e
const NO_TREE = fieldTree([])

export class JsonRecords {
  /** A record may be several events. */
  readonly several = true
  /** See JsonFormat. */
  readonly timeOfRecord: boolean
  readonly elementsMax: number
  /** All events of a record have its time. */
  readonly sharesTime: boolean
  readonly #rules: EventRules
  /** Fields that are checked once a record, and those of each element. */
  readonly #outer: readonly number[]
  readonly #inner: readonly number[]
  readonly #fields: FieldChecks
  readonly #record: JsonValues
  readonly #element: JsonValues
  readonly #reader: JsonReader
  readonly #elements: JsonReader
  readonly #wholes: readonly number[]
  readonly #mayHaveShape: boolean
  readonly #shapes = new Learned<RecordShape>()
  readonly #place: ElementPlace = { element: NO_ELEMENT, start: 0, end: 0 }

  constructor(rules: EventRules) {
    const all = Array.from({ length: FIELD_CLICK + 1 }, (_, field) => field)
    const isWithin = (field: number) => rules.elementPlaces?.[field]?.some((place) => place !== undefined) ?? false
    // Whether an element is an impression says whether its flag is looked at.
    const isInner = (field: number) => isWithin(field) || (field === FIELD_CLICK && isWithin(FIELD_TYPE))
    const tree = rules.elementPlaces === undefined ? NO_TREE : fieldTree(rules.elementPlaces)
    this.#rules = rules
    this.timeOfRecord = rules.timeOfRecord
    this.elementsMax = rules.elementsMax
    this.#outer = all.filter((field) => !isInner(field))
    this.#inner = all.filter(isInner)
    this.sharesTime = this.#outer.includes(FIELD_TIME)
    this.#fields = new FieldChecks(rules)
    this.#record = new JsonValues(fieldTree(rules.places, rules.emptyAt))
    this.#element = new JsonValues(tree)
    this.#reader = new JsonReader(rules)
    this.#elements = new JsonReader(rules, tree)
    this.#wholes = tree.wholes
    this.#mayHaveShape = mayHaveShape(rules)
  }

  /**
   * VALID with the record's events, of which there may be none, in `events`; IGNORED, or why the record as a whole is none. What was
   * tolerated, and the time, are in the slot.
   */
  read(record: RecordBytes, events: RecordEvents, slot: EventSlot): number {
    const shaped = this.readByShape(record, events, slot)
    if (shaped !== UNSURE) return shaped
    const sure = this.readFast(record, events, slot)
    if (sure === UNSURE) return this.readExact(record, events, slot)
    if (sure === REASON.VALID && this.#mayHaveShape && events.bad + events.ignoredElements === 0) this.#learn(record)
    return sure
  }

  /** The same as shapes that are known have it, or UNSURE. */
  readByShape(record: RecordBytes, events: RecordEvents, slot: EventSlot): number {
    const { known } = this.#shapes
    if (known.length === 0 || record.end - record.start > LIMITS.eventMaxBytes) return UNSURE
    events.beginRecord(false)
    events.sharesTime = this.sharesTime
    slot.ints.fill(0)
    for (const shape of known) {
      const verdict = shape(record, events, this.elementsMax)
      if (verdict !== UNSURE) return verdict
    }
    return UNSURE
  }

  /** A shape of the record that the fast reader has just read, if it is time for one. */
  #learn({ bytes, start, end }: RecordBytes): void {
    const [reader, rules] = [this.#reader, this.#rules]
    this.#shapes.meet(() => {
      const record = { bytes, start, end, reader, rules }
      if (rules.elementPlaces === undefined) return learnRecordShape(record, undefined)
      const first = skipSpace(bytes, reader.valueAt[FIELD_ARRAY]! + 1)
      if (bytes[first] !== OPENING_BRACE) return undefined
      const behind = this.#elements.scanObject(bytes, first, end)
      return learnRecordShape(record, { bytes, start: first, end: behind, reader: this.#elements, rules })
    })
  }

  /** The same, or UNSURE. */
  readFast(record: RecordBytes, events: RecordEvents, slot: EventSlot): number {
    const { bytes, start, end } = record
    const reader = this.#reader
    events.beginRecord(false)
    events.sharesTime = this.sharesTime
    slot.ints.fill(0)
    const scanned = reader.scan(bytes, start, end)
    if (scanned !== REASON.VALID) return scanned
    if (reader.isIllFormed) return UNSURE
    for (const field of this.#outer) {
      const at = reader.rank[field] === NO_RANK ? -1 : reader.valueAt[field]!
      const verdict = reader.check(field, bytes, at, reader.valueEnd[field]!, slot)
      if (verdict !== REASON.VALID) return verdict
    }
    if (this.#rules.elementPlaces === undefined) return this.#addWhole(record, events, slot)
    const array = reader.valueAt[FIELD_ARRAY]!
    if (reader.rank[FIELD_ARRAY] === NO_RANK || bytes[array] !== OPENING_BRACKET) return REASON.PRODUCT
    let at = skipSpace(bytes, array + 1)
    if (bytes[at] === CLOSING_BRACKET) return IGNORED
    // The record's structure is known to be right.
    for (let element = 0; ; element++) {
      const isObject = bytes[at] === OPENING_BRACE
      if (!isObject) this.#elements.clear()
      const behind = isObject ? this.#elements.scanObject(bytes, at, end) : skipValue(bytes, at, end, 0)
      if (behind < 0 || this.#elements.isIllFormed) return UNSURE
      if (element >= this.elementsMax) return REASON.TOO_MANY
      if (!this.#addFast(record, events, slot, this.#placeOf(element, at, behind))) return UNSURE
      at = isSpace(bytes[behind]!) ? skipSpace(bytes, behind) : behind
      if (bytes[at] !== COMMA) return REASON.VALID
      at = skipSpace(bytes, at + 1)
    }
  }

  /** The element, which `#elements` has scanned; false for not sure. */
  #addFast(record: RecordBytes, events: RecordEvents, slot: EventSlot, place: ElementPlace): boolean {
    const { bytes, older } = record
    const own = this.#elements
    const outer = this.#reader
    const isNull = bytes[place.start] === LETTER_N
    const isObject = bytes[place.start] === OPENING_BRACE
    for (const field of this.#inner) {
      const whole = isNull || isObject ? NO_RANK : this.#wholes[field]!
      const rank = Math.min(whole, own.rank[field]!)
      let at = whole <= own.rank[field]! ? place.start : own.valueAt[field]!
      let end = whole <= own.rank[field]! ? place.end : own.valueEnd[field]!
      if (outer.rank[field]! < rank) {
        at = outer.valueAt[field]!
        end = outer.valueEnd[field]!
      } else if (rank === NO_RANK) at = -1
      // An object that is a field's value itself is none.
      if (isObject && this.#wholes[field]! < rank && this.#wholes[field]! < outer.rank[field]!) return false
      const verdict = own.check(field, bytes, at, end, slot)
      if (verdict === UNSURE) return false
      if (verdict === REASON.VALID) continue
      events.addBad(verdict, slot.time[0]!, place)
      return true
    }
    events.addElement(slot, bytes, record.record, older, place)
    return true
  }

  /** The same by the plain reading, which is always sure. */
  readExact(record: RecordBytes, events: RecordEvents, slot: EventSlot): number {
    const { bytes, start, end } = record
    const json = this.#record
    events.beginRecord(true)
    events.sharesTime = this.sharesTime
    slot.ints.fill(0)
    const verdict = readExactly(json, this.#rules, bytes, start, end, slot)
    if (verdict !== REASON.VALID) return verdict
    for (const field of this.#outer) {
      const reason = this.#fields.check(field, json.values[field], slot)
      if (reason !== REASON.VALID) return reason
    }
    if (this.#rules.elementPlaces === undefined) return this.#addWhole(record, events, slot)
    if (json.values[FIELD_ARRAY]?.kind !== 'array') return REASON.PRODUCT
    const places = json.elements(json.starts[FIELD_ARRAY]!)
    if (places.length === 0) return IGNORED
    if (places.length / 2 > this.elementsMax) return REASON.TOO_MANY
    for (let i = 0; i < places.length; i += 2) {
      this.#addExactly(record, events, slot, this.#placeOf(i / 2, start + places[i]!, start + places[i + 1]!))
    }
    return REASON.VALID
  }

  #addExactly(record: RecordBytes, events: RecordEvents, slot: EventSlot, place: ElementPlace): void {
    const { bytes, older } = record
    const [outer, own] = [this.#record, this.#element]
    own.read(bytes, place.start, place.end)
    const valueAt = (field: number): FieldValue | undefined =>
      outer.ranks[field]! < own.ranks[field]! ? outer.values[field] : own.values[field]
    for (const field of this.#inner) {
      const verdict = this.#fields.check(field, valueAt(field), slot)
      if (verdict === REASON.VALID) continue
      events.addBad(verdict, slot.time[0]!, place)
      return
    }
    events.addElement(slot, bytes, record.record, older, place)
  }

  #addWhole({ bytes, record, start, end, older }: RecordBytes, events: RecordEvents, slot: EventSlot): number {
    events.addElement(slot, bytes, record, older, this.#placeOf(NO_ELEMENT, start, end))
    return REASON.VALID
  }

  #placeOf(element: number, start: number, end: number): ElementPlace {
    const place = this.#place
    place.element = element
    place.start = start
    place.end = end
    return place
  }
}

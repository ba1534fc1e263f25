/**
 * Speculation on how the producer writes its events: the same keys, spelling, order and white space as before. A shape is what is
 * between the values of such an event:
 *
 *   {"event_id":"  …  ","user_id":"  …  ","product_id":"  …  ","event_type":"  …  ","timestamp":  …  ,"session_id":"  …  "}
 *   literal 0    v0   literal 1    v1   literal 2                                                                     last literal
 *
 * An event fits when every literal is there and every value is of its kind. What fits is the same JSON as the event the shape was learned
 * from, with other values, so it needs no more checks than the values themselves. What doesn't fit goes to JsonReader. Literals hold only
 * bytes that the reader was sure of, so a shape can't accept what the reader would refuse. Objects within an event belong to the literals,
 * so a path costs nothing; of arrays, which differ in length, any will do.
 *
 * A shape is compiled to a function of straight-line code with the literals as numbers in it: interpreting a table of literals and kinds
 * takes twice the time. The source of that function is made of numbers and the fixed texts of json-shape-code.ts, never of input. It reads
 * record after record, since a call for each would cost as much as a value. Literals are compared eight bytes at a time as doubles: ASCII
 * never spells a NaN or a zero, so equal doubles are equal bytes.
 */

import { varint, varintSize } from '../batch/record-batch.ts'
import { copyOf } from '../bytes.ts'
import { LIMITS } from '../config/limits.ts'
import { type EventRules, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER } from './event-rules.ts'
import type { TreeKey, TreeNode } from './field-tree.ts'
import { schemaHeader } from './frames.ts'
import { hashProduct, mixHash } from './hash.ts'
import type { JsonReader } from './json-read.ts'
import { literalCode, RECORD_CODE, type ShapeValue, type ValueKind, valueCode } from './json-shape-code.ts'
import { plainTail, skipSpace, skipString, skipUnescaped, skipValue } from './json-skip.ts'
import { JsonTimes } from './json-time.ts'
import { LENGTH_SHIFT, type ParsedEvents, putKey, ROW_BITS, ROW_RECORD, ROW_WORDS } from './parsed-events.ts'
import { REASON } from './reasons.ts'
import { EventSlot } from './slot.ts'

/**
 * Parses record after record, from `parsed.next` on, until `parsed` holds `limit` events, those ignored among them, or a record doesn't
 * fit, or isn't whole before `end`; `parsed.next` is that record then. `view` spans the same memory as `bytes`.
 */
export type Shape = (bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number) => void

/**
 * Whether the record at `parsed.next` fits, of which all that do are invalid for one reason. `parsed`, which has room for an event, is left
 * as it is.
 */
export type RefusedShape = (bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number) => boolean

/** What a value on the way is: what it is read as, or a part of a literal. */
export type ShapePart = ValueKind | 'literal'

/** What is between the values of an object, and the values. */
export interface ShapeParts {
  readonly values: readonly ShapeValue[]
  /** One more than values. */
  readonly literals: readonly Uint8Array[]
}

/** More keys than this and events are left to the reader. */
const VALUES_MAX = 32
/** The field that such a reason is about. */
const FIELD_OF_REASON: ReadonlyMap<number, number> = new Map([
  [REASON.TYPE, FIELD_TYPE],
  [REASON.PRODUCT, FIELD_PRODUCT],
  [REASON.USER, FIELD_USER],
  [REASON.TIME, FIELD_TIME],
  [REASON.TIME_RANGE, FIELD_TIME],
])
const QUOTE = 0x22
/** Behind all fields. */
const NO_FIELD = FIELD_TIME + 1

const ACCEPT_CODE = `next = recordEnd
      if (click < 0) {
        ignored++
        continue
      }
      rows[row + ${ROW_RECORD}] = record
      rows[row + ${ROW_BITS}] = (productLength << ${LENGTH_SHIFT}) | older | click
      times[count] = time
      ignoredBefore[count] = ignored
      count++`
const IGNORE_CODE = `if (click >= 0) break
      next = recordEnd
      ignored++`

/** An event as a reader has just read it. */
export interface LearnedEvent {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly reader: JsonReader
  readonly rules: EventRules
  /** Source text that steps over what stands before it in a record. */
  readonly lead?: string
}

/**
 * The shape of a valid event; undefined when it has too many keys or too much between its values, or when code may not be made at run
 * time. Events that are alike but for another type, which is ignored, fit as well.
 */
export function learnShape(event: LearnedEvent): Shape | undefined {
  const parts = partsOf(event, (field, isFirst, isBetter, first) => {
    if (field === FIELD_USER && !event.rules.userRequired) return anyOf(first)
    if (isFirst) return kindOf(field, first)
    return isBetter ? 'literal' : anyOf(first)
  })
  return parts && compile(parts, event, ACCEPT_CODE)
}

/** The shape of an event that is ignored for its type, and of which other fields are not read. */
export function learnIgnored(event: LearnedEvent): Shape | undefined {
  const parts = partsOf(event, (field, isFirst, isBetter, first) => {
    if (field !== FIELD_TYPE) return anyOf(first)
    if (isFirst) return 'type'
    return isBetter ? 'literal' : anyOf(first)
  })
  return parts && compile(parts, event, IGNORE_CODE)
}

/**
 * The shape of an event that is invalid, if the reason is about one field: that field's value is a part of a literal, or is not UTF-8, or
 * its key is in none of them; those that are checked before it are right; those behind it may be anything. An object in an array has a
 * shape, too.
 */
export function learnRefused(event: LearnedEvent, reason: number): RefusedShape | undefined {
  if (!mayHaveRefusedShape(event.reader, reason)) return undefined
  const wrong = wrongField(event.reader, reason)
  const parts = partsOf(event, (field, isFirst, isBetter, first) => {
    if (field > wrong || (field === FIELD_USER && !event.rules.userRequired)) return anyOf(first)
    if (isFirst && field === wrong) return reason === REASON.NOT_UTF8 ? 'ill-formed' : 'literal'
    if (isFirst) return field === FIELD_PRODUCT && first === QUOTE ? 'plain' : kindOf(field, first)
    return isBetter ? 'literal' : anyOf(first)
  })
  return parts && compile(parts, event, 'if (click >= 0) return true\n break')
}

/** Whether events that are alike can have the same reason. */
export function mayHaveRefusedShape({ isWhole }: JsonReader, reason: number): boolean {
  return reason === REASON.NOT_OBJECT || (isWhole && (FIELD_OF_REASON.has(reason) || reason === REASON.NOT_UTF8))
}

/** Of an array no field is read. */
function wrongField(reader: JsonReader, reason: number): number {
  if (reason === REASON.NOT_UTF8) return reader.isIllFormedAt(FIELD_TYPE) ? FIELD_TYPE : FIELD_PRODUCT
  return FIELD_OF_REASON.get(reason) ?? NO_FIELD
}

/** A value that nobody reads. */
export const anyOf = (first: number): ShapePart => (first === 0x22 ? 'string' : 'any')

/** The value of a field; `first` is its first byte. */
export function kindOf(field: number, first: number): ShapePart {
  if (field === FIELD_TYPE) return first === 0x22 ? 'type' : 'literal'
  if (field === FIELD_PRODUCT) return first === 0x22 ? 'product' : 'number'
  return field === FIELD_USER ? 'user' : 'time'
}

/**
 * What a value on the way to a field is: `isFirst` when it is the field's value, `isBetter` when it would be, were it not null. `first` is
 * the value's first byte.
 */
export type Judge = (field: number, isFirst: boolean, isBetter: boolean, first: number) => ShapePart

/** What an object is made of, or one that is alone in an array; in that there are no fields. */
export function partsOf({ bytes, start, end, reader }: LearnedEvent, judge: Judge): ShapeParts | undefined {
  const values: ShapeValue[] = []
  const literals: Uint8Array[] = []
  let at = skipSpace(bytes, start) + 1
  const isArray = bytes[at - 1] === 0x5b
  if (isArray) at = skipSpace(bytes, at) + 1
  if (bytes[at - 1] !== 0x7b) return undefined
  const nodes: (TreeNode | undefined)[] = [isArray ? undefined : reader.root]
  let room = LIMITS.shapeLiteralsMaxBytes
  let literalStart = start
  while (values.length < VALUES_MAX) {
    const text = skipSpace(bytes, at) + 1
    if (bytes[text - 1] !== 0x22) return undefined
    at = skipString(bytes, text, end)
    const key = nodes.at(-1)?.find(bytes, text, at - 1 - text)
    at = skipSpace(bytes, skipSpace(bytes, at) + 1)
    const isFilled = bytes[at] === 0x7b && bytes[skipSpace(bytes, at + 1)] === 0x22
    const part = key === undefined ? anyOf(bytes[at]!) : partAt(reader, key, at, bytes[at]!, isFilled, judge)
    if (isFilled && part !== 'literal') {
      nodes.push(key?.inside)
      at++
      continue
    }
    // The value's first and last byte are its own, not the literals' quotes.
    const isWhole =
      part !== 'string' && part !== 'user' && part !== 'product' && part !== 'type' && part !== 'plain' && part !== 'ill-formed'
    const first = isWhole ? at : at + 1
    at = part === 'ill-formed' ? skipUnescaped(bytes, at + 1, end) : skipValue(bytes, at, end, 0)
    if (at < 0) return undefined
    if (part !== 'literal') {
      const last = isWhole ? at : at - 1
      room -= first - literalStart
      if (room < 0) return undefined
      literals.push(copyOf(bytes, literalStart, first))
      literalStart = last
      values.push({ kind: part, bytes: copyOf(bytes, first, last), after: bytes[last]! })
    }
    for (at = skipSpace(bytes, at); bytes[at] === 0x7d; at = skipSpace(bytes, at + 1)) {
      nodes.pop()
      if (nodes.length > 0) continue
      if (end - literalStart > room || (isArray && bytes[skipSpace(bytes, at + 1)] !== 0x5d)) return undefined
      literals.push(copyOf(bytes, literalStart, end))
      return { values, literals }
    }
    at++ // the comma
  }
  return undefined
}

/** Of a key on the way, whose value is an object that is not empty if `isFilled`. */
function partAt({ valueAt, rank }: JsonReader, key: TreeKey, at: number, first: number, isFilled: boolean, judge: Judge): ShapePart {
  const { field, inside, isEmpty } = key
  // Where fields might be in an object, and are not, they must not be again.
  if (inside !== undefined || isEmpty) return isFilled ? 'any' : 'literal'
  return judge(field, valueAt[field] === at && rank[field] === key.rank, key.rank < rank[field]!, first)
}

const HELPERS = { hashProduct, mixHash, plainTail, putKey, schemaHeader, skipString, skipUnescaped, skipValue, varint, varintSize }

/** `fits` is done with a record that fits. */
function compile({ values, literals }: ShapeParts, { rules, lead = '' }: LearnedEvent, fits: string): RefusedShape | undefined {
  const steps = literals.map((literal, i) => {
    const value = values[i]
    return literalCode(literal) + (value === undefined ? '' : valueCode(value, rules))
  })
  const isTyped = values.some(({ kind }) => kind === 'type')
  const body = `return function shape(bytes, view, end, parsed, limit) {
    const rows = parsed.rows
    const times = parsed.times
    const ignoredBefore = parsed.ignoredBefore
    const size = view.byteLength
    let count = parsed.count
    let ignored = parsed.ignored
    let next = parsed.next
    records: while (count + ignored < limit) {
      const row = count * ${ROW_WORDS}
      const record = next
      let at = next
      let click = ${isTyped ? 0 : Math.max(0, rules.click)}
      let time = 0
      ${RECORD_CODE}
      ${lead}
      ${steps.join('\n')}
      if (at !== valueEnd) break
      ${fits}
    }
    parsed.count = count
    parsed.ignored = ignored
    parsed.next = next
    return false
  }`
  return functionOf(body, rules)
}

/** The function that a text returns; undefined where no code may be made at run time. */
export function functionOf<F>(body: string, rules: EventRules): F | undefined {
  try {
    const helpers = {
      ...HELPERS,
      types: rules.types,
      jsonTimes: new JsonTimes(rules.time),
      slot: new EventSlot(),
      known: new Float64Array(4).fill(Number.NaN),
    }
    return new Function(...Object.keys(helpers), body)(...Object.values(helpers)) as F
  } catch (error) {
    if (error instanceof EvalError) return undefined // --disallow-code-generation-from-strings
    throw error
  }
}

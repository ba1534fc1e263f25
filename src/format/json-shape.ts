/**
 * Speculation on how the producer writes its events: the same keys, spelling, order and white space as before. A shape is what is
 * between the values of such an event:
 *
 *   {"event_id":"  …  ","user_id":"  …  ","product_id":"  …  ","event_type":"  …  ","timestamp":  …  ,"session_id":"  …  "}
 *   literal 0    v0   literal 1    v1   literal 2                                                                     last literal
 *
 * An event fits when every literal is there and every value is of its kind. What fits is the same JSON as the event the shape was learned
 * from, with other values, so it needs no more checks than the values themselves. What doesn't fit goes to `scan`. Literals hold only
 * bytes that the strict parser accepted, so a shape can't accept what `scan` would refuse.
 *
 * A shape is compiled to a function of straight-line code with the literals as numbers in it: interpreting a table of literals and kinds
 * takes twice the time. The source of that function is made of numbers and the fixed texts of json-shape-code.ts, never of input. It reads
 * record after record, since a call for each would cost as much as a value. Literals are compared eight bytes at a time as doubles: ASCII
 * never spells a NaN or a zero, so equal doubles are equal bytes.
 */

import { varint, varintSize } from '../batch/record-batch.ts'
import { mixHash } from './hash.ts'
import { FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER, fieldOf, scanTime, scanType } from './json-scan.ts'
import { literalCode, RECORD_CODE, VALUE_CODE, type ValueKind } from './json-shape-code.ts'
import { plainTail, skipSpace, skipString, skipValue } from './json-skip.ts'
import { LENGTH_SHIFT, type ParsedEvents, ROW_BITS, ROW_RECORD, ROW_WORDS } from './parsed-events.ts'
import { EventSlot } from './slot.ts'

/**
 * Parses record after record, from `parsed.next` on, until `parsed` holds `limit` events or a record doesn't fit, or isn't whole before
 * `end`; `parsed.next` is that record then. `view` spans the same memory as `bytes`.
 */
export type Shape = (bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number) => void

interface Value {
  readonly kind: ValueKind
  /** Bytes of the learned event's value, without quotes. */
  readonly length: number
}

/** More keys than this and events are left to `scan`. */
const VALUES_MAX = 32

/**
 * The shape of an event that `scan` has accepted; undefined when it has too many keys, or when code may not be made at run time. Objects
 * within it belong to the literals; of arrays, which differ in length, any will do.
 */
export function learnShape(bytes: Uint8Array, start: number, end: number): Shape | undefined {
  const values: Value[] = []
  const literals: Uint8Array[] = []
  let depth = 1
  let literalStart = start
  let at = skipSpace(bytes, start) + 1
  while (values.length < VALUES_MAX) {
    const key = skipSpace(bytes, at) + 1
    at = skipString(bytes, key, end)
    const field = depth === 1 ? fieldOf(bytes, key, at - 1 - key) : 0
    at = skipSpace(bytes, skipSpace(bytes, at) + 1)
    if (bytes[at] === 0x7b && bytes[skipSpace(bytes, at + 1)] === 0x22) {
      depth++
      at++
      continue
    }
    const kind = kindOf(field, bytes[at] === 0x22)
    const whole = kind === 'any' || kind === 'time' // the value's first and last byte are its own, not the literals' quotes
    const first = whole ? at : at + 1
    literals.push(bytes.slice(literalStart, first))
    at = skipValue(bytes, at, end, 0)
    literalStart = whole ? at : at - 1
    values.push({ kind, length: literalStart - first })
    for (at = skipSpace(bytes, at); bytes[at] === 0x7d; at = skipSpace(bytes, at + 1)) {
      if (--depth > 0) continue
      literals.push(bytes.slice(literalStart, end))
      return compile(values, literals)
    }
    at++ // the comma
  }
  return undefined
}

function kindOf(field: number, quoted: boolean): ValueKind {
  if (field === FIELD_PRODUCT) return 'product'
  if (field === FIELD_USER) return 'user'
  if (field === FIELD_TYPE) return 'type'
  if (field === FIELD_TIME) return 'time'
  return quoted ? 'string' : 'any'
}

const HELPERS = { mixHash, plainTail, scanTime, scanType, skipString, skipValue, varint, varintSize }

function compile(values: readonly Value[], literals: readonly Uint8Array[]): Shape | undefined {
  const steps = literals.map((literal, i) => {
    const value = values[i]
    return literalCode(literal) + (value === undefined ? '' : VALUE_CODE[value.kind](value.length, literals[i + 1]?.[0] ?? 0))
  })
  const body = `return function shape(bytes, view, end, parsed, limit) {
    const rows = parsed.rows
    const times = parsed.times
    const size = view.byteLength
    let count = parsed.count
    let next = parsed.next
    records: while (count < limit) {
      const row = count * ${ROW_WORDS}
      let at = next
      let click = 0
      let time = 0
      ${RECORD_CODE}
      ${steps.join('\n')}
      if (at !== valueEnd) break
      rows[row + ${ROW_RECORD}] = next
      rows[row + ${ROW_BITS}] = (productLength << ${LENGTH_SHIFT}) | older | click
      times[count] = time
      next = recordEnd
      count++
    }
    parsed.count = count
    parsed.next = next
  }`
  try {
    const values = { ...HELPERS, slot: new EventSlot(), known: new Float64Array(2).fill(Number.NaN) }
    return new Function(...Object.keys(values), body)(...Object.values(values)) as Shape
  } catch (error) {
    if (error instanceof EvalError) return undefined // --disallow-code-generation-from-strings
    throw error
  }
}

/**
 * Shapes (json-shape.ts) of records that may be several events: one of what lies around the array, and one of its elements, which is tried
 * on each of them. A record fits when all of its elements do; what doesn't fit goes to the reader.
 */
import { CLICKS } from '../window/measures.ts'
import { type EventRules, FIELD_ARRAY, FIELD_CLICK, FIELD_USER } from './event-rules.ts'
import { anyOf, functionOf, type Judge, kindOf, type LearnedEvent, partsOf, type ShapeParts } from './json-shape.ts'
import { literalCode, valueCode } from './json-shape-code.ts'
import { LENGTH_SHIFT, OLDER_BIT, ROW_BITS, ROW_RECORD, ROW_WORDS } from './parsed-events.ts'
import { IGNORED, REASON, UNSURE } from './reasons.ts'
import { NO_ELEMENT, type RecordBytes, type RecordEvents } from './record-events.ts'

/** VALID with the events of the record, IGNORED, or UNSURE when it does not fit. */
export type RecordShape = (record: RecordBytes, events: RecordEvents, elementsMax: number) => number

/** t, f, 0 and 1, by which a flag begins. */
const FLAG_BYTES: readonly number[] = [0x74, 0x66, 0x30, 0x31]

/** Whether a shape can be made of such records: a field is in the elements or outside, and a flag where the products are. */
export function mayHaveShape({ places, elementPlaces }: EventRules): boolean {
  if (elementPlaces === undefined) return true
  const isThere = (all: EventRules['places'], field: number) => all[field]?.some((place) => place !== undefined) ?? false
  return !elementPlaces.some((_, field) => isThere(places, field) && isThere(elementPlaces, field)) && !isThere(places, FIELD_CLICK)
}

/** The shape of a record that was just read, of which all elements are events; `element` is the first of them, if it has elements. */
export function learnRecordShape(record: LearnedEvent, element: LearnedEvent | undefined): RecordShape | undefined {
  const outer = flagOf(record) ? partsOf(record, judge(record.rules)) : undefined
  if (outer === undefined) return undefined
  if (element === undefined) return compile(outer, undefined, record.rules)
  const inner = flagOf(element) ? partsOf(element, judge(record.rules)) : undefined
  return inner && compile(outer, inner, record.rules)
}

/** Whether its flag, if it has one, is of those that shapes read. */
function flagOf({ bytes, reader }: LearnedEvent): boolean {
  return !reader.has(FIELD_CLICK) || FLAG_BYTES.includes(bytes[reader.valueAt[FIELD_CLICK]!]!)
}

function judge({ userRequired }: EventRules): Judge {
  return (field, isFirst, isBetter, first) => {
    if (field === FIELD_USER && !userRequired) return anyOf(first)
    if (!isFirst) return isBetter ? 'literal' : anyOf(first)
    if (field === FIELD_ARRAY) return 'array'
    return field === FIELD_CLICK ? 'flag' : kindOf(field, first)
  }
}

function compile(outer: ShapeParts, inner: ShapeParts | undefined, rules: EventRules): RecordShape | undefined {
  const isTyped = (parts: ShapeParts) => parts.values.some(({ kind }) => kind === 'type')
  const hasTime = inner?.values.some(({ kind }) => kind === 'time') ?? false
  const click = Math.max(0, rules.click)
  const elements = inner && elementsCode(inner, isTyped(inner) ? 'let click = 0' : '', hasTime ? 'let time = 0' : '', rules)
  const accept = inner === undefined ? acceptCode(String(NO_ELEMENT), 'start', 'click') : ''
  const body = `return function shape({ bytes, view, record, start, end: valueEnd, older: isOlder }, events, elementsMax) {
    const { rows, times, elements, starts, ends } = events
    const size = view.byteLength
    const older = isOlder ? ${OLDER_BIT} : 0
    let at = start
    let count = 0
    let click = ${isTyped(outer) ? 0 : click}
    let time = 0
    let clicked = 0
    let anyClicked = 0
    records: for (;;) {
      const row = 0
      ${stepsCode(outer, rules, elements)}
      if (at !== valueEnd) break
      if (click < 0) return ${IGNORED}
      ${accept}
      ${inner === undefined ? '' : finishCode(isTyped(inner), hasTime)}
      events.count = count
      return ${REASON.VALID}
    }
    return ${UNSURE}
  }`
  return functionOf<RecordShape>(body, rules)
}

function stepsCode({ literals, values }: ShapeParts, rules: EventRules, elements?: string): string {
  const steps = literals.map((literal, i) => {
    const value = values[i]
    const code = value === undefined ? '' : value.kind === 'array' ? elements : valueCode(value, rules)
    return literalCode(literal) + code
  })
  return steps.join('\n')
}

/** An array of elements of one shape, at least one. What is outside may come behind it. */
function elementsCode(inner: ShapeParts, click: string, time: string, rules: EventRules): string {
  return `if (bytes[at] !== 0x5b) break
      at = (at + 1) | 0
      let isClosed = false
      for (let element = 0; element < elementsMax; element++) {
        const row = count * ${ROW_WORDS}
        const elementStart = at
        let clicked = 0
        ${click}
        ${time}
        ${stepsCode(inner, rules)}
        ${click === '' ? '' : 'if (click < 0) break'}
        ${acceptCode('element', 'elementStart', click === '' ? '0' : 'click')}
        const behind = bytes[at]
        at = (at + 1) | 0
        if (behind === 0x5d) {
          isClosed = true
          break
        }
        if (behind !== 0x2c) break
        if (bytes[at] === 0x20) at = (at + 1) | 0
      }
      if (!isClosed) break\n`
}

/** Takes over an event, and a click besides when its flag says so. */
function acceptCode(element: string, start: string, click: string): string {
  const put = `times[count] = time
        elements[count] = ${element}
        starts[count] = ${start}
        ends[count] = at
        count = (count + 1) | 0`
  return `rows[row + ${ROW_RECORD}] = record
        rows[row + ${ROW_BITS}] = (productLength << ${LENGTH_SHIFT}) | older | ${click}
        ${put}
        if (clicked === 1 && ${click} === 0) {
          anyClicked = 1
          rows.copyWithin(row + ${ROW_WORDS}, row, row + ${ROW_WORDS})
          rows[row + ${ROW_WORDS + ROW_BITS}] |= ${CLICKS}
          ${put}
        }\n`
}

/** What lies outside goes to all events. A click is none of an impression's. */
function finishCode(isTyped: boolean, hasTime: boolean): string {
  const type = `if (click === 1) {
        if (anyClicked === 1) break
        for (let i = 0; i < count; i++) rows[i * ${ROW_WORDS} + ${ROW_BITS}] |= ${CLICKS}
      }\n`
  const time = 'for (let i = 0; i < count; i++) times[i] = time\n'
  return (isTyped ? '' : type) + (hasTime ? '' : time)
}

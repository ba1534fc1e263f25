/**
 * The source text around and within compiled readers of binary formats: the loop over records, and what becomes of the values that a
 * reader has found in one. A reader is straight-line code made for one schema, as a shape is for JSON (json-shape.ts): it takes record
 * after record and stops at one that is no event, or of which it isn't sure; the exact parser decides that one. Its source is made of
 * numbers and the fixed texts of these files, never of input.
 *
 * In a record the code of a format sets these, beside `at`:
 *
 *   click           0 or 1; OTHER_TYPE; below that, not sure, as it begins
 *   productLength   0, as it begins, for not sure; else the product is in the row
 *   time            ms; 0, as it begins unless it is the record's own, for not sure
 *   user            1 for one that is there; begins so where none is required
 *   empty           1 for a record that is as one without a value
 */
import { varint, varintSize } from '../batch/record-batch.ts'
import { type EventRules, FIELDS } from './event-rules.ts'
import { OTHER_TYPE } from './event-types.ts'
import { schemaHeader, schemaHeaderEnd } from './frames.ts'
import { RECORD_CODE } from './json-shape-code.ts'
import { LENGTH_SHIFT, type ParsedEvents, ROW_BITS, ROW_RECORD, ROW_WORDS } from './parsed-events.ts'
import { IGNORED } from './reasons.ts'
import { TIME_MAX_MS, TIME_MIN_MS } from './slot.ts'
import { UNITS } from './typed-columns.ts'

/**
 * Reads record after record, from `parsed.next` on, until `parsed` holds `limit` events, those ignored among them, or one comes that it
 * leaves to others; `parsed.next` is that record then. `view` spans the same memory as `bytes`.
 */
export type CompiledReader = (bytes: Uint8Array, view: DataView, end: number, parsed: ParsedEvents, limit: number) => void

/** Of a type that isn't known. */
export const NO_TYPE = -3
/** Above all places of a field. */
const NO_RANK = 99

/** The code of a format. `value` reads what lies in [at, valueEnd) and leaves the loop, by `break records`, where it isn't sure. */
export interface ReaderSource {
  readonly functions: string
  readonly value: string
  /** By field, how many places its value may come from. */
  readonly sites: readonly number[]
  /** What the code names. */
  readonly names: { readonly [name: string]: unknown }
}

/** The reader of values that stand behind what `frame` steps over; undefined where code may not be made at run time. */
export function compileReader(
  { functions, value, sites, names }: ReaderSource,
  frame: string,
  rules: EventRules,
): CompiledReader | undefined {
  const ranks = FIELDS.map((_, field) => (sites[field]! > 1 ? `let rank${field} = ${NO_RANK}\n` : '')).join('')
  const ignore = `next = recordEnd
      ignored++
      continue`
  const body = `${functions}
  return function reader(bytes, view, end, parsed, limit) {
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
      ${RECORD_CODE}
      ${frame}
      let click = ${rules.click < 0 ? NO_TYPE : rules.click}
      let productLength = 0
      let time = ${rules.timeOfRecord ? TIME_MIN_MS + 1 : 0}
      let user = ${rules.userRequired ? 0 : 1}
      let empty = 0
      ${ranks}
      ${value}
      if (at !== valueEnd) break
      if (empty !== 0) { ${rules.empty === IGNORED ? ignore : 'break'} }
      if (click === ${OTHER_TYPE}) { ${rules.otherType === IGNORED ? ignore : 'break'} }
      if (click < 0 || productLength === 0 || user === 0 || !(time > ${TIME_MIN_MS} && time < ${TIME_MAX_MS})) break
      next = recordEnd
      rows[row + ${ROW_RECORD}] = record
      rows[row + ${ROW_BITS}] = (productLength << ${LENGTH_SHIFT}) | older | click
      times[count] = time
      ignoredBefore[count] = ignored
      count++
    }
    parsed.count = count
    parsed.ignored = ignored
    parsed.next = next
  }`
  try {
    const all = { varint, varintSize, schemaHeader, schemaHeaderEnd, ...names }
    return new Function(...Object.keys(all), body)(...Object.values(all)) as CompiledReader
  } catch (error) {
    if (error instanceof EvalError) return undefined // --disallow-code-generation-from-strings
    throw error
  }
}

/** Whether the bytes at `at` are those of a text; as many must be there. */
export function spellsCode(text: Uint8Array): string {
  const checks: string[] = []
  const view = new DataView(text.buffer, text.byteOffset, text.length)
  if (text.length < 4) text.forEach((byte, i) => void checks.push(`bytes[(at + ${i}) | 0] === ${byte}`))
  for (let at = 0; text.length >= 4 && at < text.length; at += 4) {
    const offset = Math.min(at, text.length - 4)
    checks.push(`view.getInt32((at + ${offset}) | 0, true) === ${view.getInt32(offset, true)}`)
  }
  return checks.length === 0 ? 'true' : checks.join(' && ')
}

/** So many spellings of types are looked for one by one. */
const TYPES_MAX = 12

/** Sets `click` by the text of `length` bytes at `at`, which is there as a whole. */
export function typeTextCode({ types }: EventRules, length: string): string {
  const words = types.words.filter((word) => /^[\x20-\x5b\x5d-\x7e]{1,64}$/.test(word)).slice(0, TYPES_MAX)
  const known = words.map((word) => {
    const bytes = new Uint8Array(Buffer.from(word, 'latin1'))
    return `if (${length} === ${bytes.length} && ${spellsCode(bytes)}) click = ${types.clickOf(word)}\n else `
  })
  return `${known.join('')}click = ${length} === 0 ? ${NO_TYPE} : types.clickAt(bytes, at, (at + ${length}) | 0)\n`
}

/** Longer texts are no times. */
const TIME_TEXT_MAX = 64

/** Sets `time` by the text of `length` bytes at `at`, which is there as a whole. */
export function timeTextCode(length: string): string {
  return `time = 0
      if (${length} <= ${TIME_TEXT_MAX} && jsonTimes.readText(bytes, at, (at + ${length}) | 0, slot, true) === 0) time = slot.time[0]\n`
}

/** Sets `time` by a varint, and steps over it; in ms it takes six bytes from 1987 on, of which four are looked at at once. */
export function varintTimeCode(unit: number, slow: string, isZigzag: boolean): string {
  const seconds = unit === UNITS.auto ? 'if (time < 1e11) time *= 1000\n' : ''
  const [positive, worth, rest] = isZigzag ? ['(bytes[at] & 1) === 0 && ', 2 ** 27, 'low >>> 1'] : ['', 2 ** 28, 'low']
  return `if (((at + 6) | 0) <= size && (view.getInt32(at, true) & ${HIGH_BITS}) === ${HIGH_BITS} &&
        ${positive}bytes[(at + 4) | 0] > 127 && bytes[(at + 5) | 0] < 128) {
      const w = view.getInt32(at, true)
      const low = (w & 0x7f) | ((w >>> 1) & 0x3f80) | ((w >>> 2) & 0x1fc000) | ((w >>> 3) & 0xfe00000)
      time = ((bytes[(at + 4) | 0] & 127) | (bytes[(at + 5) | 0] << 7)) * ${worth} + (${rest})
      ${seconds}at = (at + 6) | 0
    } else {
      ${slow}
    }\n`
}

const HIGH_BITS = 0x80808080 | 0

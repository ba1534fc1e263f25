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
 * takes twice the time (119 against 58 ns for an event of 154 bytes). The source of that function is made of numbers and the fixed texts
 * below, never of input. Literals are compared eight bytes at a time as doubles: ASCII never spells a NaN or a zero, so equal doubles are
 * equal bytes. Strings are read four bytes at a time: a byte of `odd` has its high bit set when that byte of the word is a quote, a
 * backslash, a control character or not ASCII.
 */
import { CLICK, type EventSlot, HASH_SEED, mixHash, PRODUCT_END, PRODUCT_HASH, PRODUCT_MAX_BYTES, PRODUCT_START } from './event.ts'
import { FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER, fieldOf, scanTime, scanType } from './scan.ts'
import { plainTail, skipSpace, skipString, skipValue } from './skip.ts'

/** Parses bytes[start, end) if it fits; false means "not sure". `view` spans the same memory as `bytes`. */
export type Shape = (bytes: Uint8Array, view: DataView, start: number, end: number, slot: EventSlot) => boolean

type Kind = 'string' | 'user' | 'product' | 'type' | 'time' | 'any'

/** More keys than this and events are left to `scan`. */
const VALUES_MAX = 32

/** The shape of an event that `scan` has accepted; undefined when it has too many keys, or when code may not be made at run time. */
export function learnShape(bytes: Uint8Array, start: number, end: number): Shape | undefined {
  const kinds: Kind[] = []
  const literals: Uint8Array[] = []
  let literalStart = start
  let at = skipSpace(bytes, start) + 1
  while (kinds.length < VALUES_MAX) {
    const key = skipSpace(bytes, at) + 1
    at = skipString(bytes, key, end)
    const field = fieldOf(bytes, key, at - 1 - key)
    at = skipSpace(bytes, skipSpace(bytes, at) + 1)
    const kind = kindOf(field, bytes[at] === 0x22)
    const whole = kind === 'any' || kind === 'time' // the value's first and last byte are its own, not the literals' quotes
    literals.push(bytes.slice(literalStart, whole ? at : at + 1))
    kinds.push(kind)
    at = skipValue(bytes, at, end, 0)
    literalStart = whole ? at : at - 1
    at = skipSpace(bytes, at)
    if (bytes[at++] === 0x2c) continue
    literals.push(bytes.slice(literalStart, end))
    return compile(kinds, literals)
  }
  return undefined
}

function kindOf(field: number, quoted: boolean): Kind {
  if (field === FIELD_PRODUCT) return 'product'
  if (field === FIELD_USER) return 'user'
  if (field === FIELD_TYPE) return 'type'
  if (field === FIELD_TIME) return 'time'
  return quoted ? 'string' : 'any'
}

const HELPERS = { mixHash, plainTail, scanTime, scanType, skipString, skipValue }

function compile(kinds: readonly Kind[], literals: readonly Uint8Array[]): Shape | undefined {
  const steps = literals.map((literal, i) => literalCode(literal) + (kinds[i] === undefined ? '' : VALUE_CODE[kinds[i]]))
  const body = `return function shape(bytes, view, start, end, slot) {
    let at = start
    ${steps.join('\n')}
    return at === end
  }`
  try {
    return new Function(...Object.keys(HELPERS), body)(...Object.values(HELPERS)) as Shape
  } catch (error) {
    if (error instanceof EvalError) return undefined // --disallow-code-generation-from-strings
    throw error
  }
}

function literalCode(literal: Uint8Array): string {
  const view = new DataView(literal.buffer, literal.byteOffset, literal.length)
  const checks = [`at + ${literal.length} > end`]
  if (literal.length < 8) literal.forEach((byte, i) => void checks.push(`bytes[at + ${i}] !== ${byte}`))
  for (let at = 0; literal.length >= 8 && at < literal.length; at += 8) {
    const offset = Math.min(at, literal.length - 8)
    checks.push(`view.getFloat64(at + ${offset}, true) !== ${view.getFloat64(offset, true)}`)
  }
  return `if (${checks.join(' || ')}) return false
    at += ${literal.length}\n`
}

/** Moves `at` to the string's first byte that is not plain; `onWord` and `onRest` see the plain words and the last, shorter one. */
function stringCode(onWord: string, onRest: string): string {
  return `for (;;) {
      if (at + 4 > end) { ${onRest === '' ? 'at = plainTail(bytes, at, end); break' : 'return false'} }
      const word = view.getInt32(at, true)
      const quote = word ^ 0x22222222
      const slash = word ^ 0x5c5c5c5c
      const odd = (((quote - 0x01010101) & ~quote) | ((slash - 0x01010101) & ~slash) | (word - 0x20202020) | word) & 0x80808080
      if (odd !== 0) {
        const plain = (31 - Math.clz32(odd & -odd)) >>> 3
        ${onRest}
        at += plain
        break
      }
      ${onWord}
      at += 4
    }\n`
}

const SKIP_CODE = `${stringCode('', '')}
    if (bytes[at] !== 0x22) {
      at = skipString(bytes, at, end) - 1
      if (at < 0) return false
    }\n`

const PRODUCT_CODE = `{
      const first = at
      let hash = ${HASH_SEED}
      ${stringCode('hash = mixHash(hash, word)', 'if (plain > 0) hash = mixHash(hash, word & ((1 << (plain * 8)) - 1))')}
      if (bytes[at] !== 0x22 || at === first || at - first > ${PRODUCT_MAX_BYTES}) return false
      const ints = slot.ints
      ints[${PRODUCT_START}] = first
      ints[${PRODUCT_END}] = at
      ints[${PRODUCT_HASH}] = hash
    }\n`

/** `impression"` and `click"` as words; other types as `scan` reads them. */
const TYPE_CODE = `if (at + 11 <= end && view.getInt32(at, true) === 0x72706d69 && view.getInt32(at + 4, true) === 0x69737365 &&
        view.getInt32(at + 7, true) === 0x226e6f69) {
      slot.ints[${CLICK}] = 0
      at += 10
    } else if (at + 6 <= end && view.getInt32(at, true) === 0x63696c63 && bytes[at + 4] === 0x6b && bytes[at + 5] === 0x22) {
      slot.ints[${CLICK}] = 1
      at += 5
    } else {
      at = scanType(bytes, at - 1, slot) - 1
      if (at < 0) return false
    }\n`

const fourDigits = (word: string, out: string) => `const ${out}Ones = ${word} & 0x0f0f0f0f
      const ${out}Pairs = ${out}Ones * 10 + (${out}Ones >>> 8)
      const ${out} = (${out}Pairs & 0xff) * 100 + ((${out}Pairs >>> 16) & 0xff)`

/** A number of 13 digits, which is any time from 2001 to 2286, four digits at a step; other times as `scan` reads them. */
const TIME_CODE = `fast: {
      if (at + 14 <= end) {
        const a = view.getInt32(at, true)
        const b = view.getInt32(at + 4, true)
        const c = view.getInt32(at + 8, true)
        const last = bytes[at + 12] - 0x30
        const after = bytes[at + 13]
        const above = (a + 0x46464646) | (b + 0x46464646) | (c + 0x46464646)
        const below = (a - 0x30303030) | (b - 0x30303030) | (c - 0x30303030)
        const bad = (above | below) & 0x80808080
        if (bad === 0 && last >= 0 && last <= 9 && (after === 0x2c || after === 0x7d) && (a & 0xff) !== 0x30) {
          ${fourDigits('a', 'high')}
          ${fourDigits('b', 'middle')}
          ${fourDigits('c', 'low')}
          slot.time[0] = (high * 10000 + middle) * 100000 + (low * 10 + last)
          at += 13
          break fast
        }
      }
      at = scanTime(bytes, at, slot)
      if (at < 0) return false
    }\n`

const VALUE_CODE: { readonly [kind in Kind]: string } = {
  string: SKIP_CODE,
  user: `if (bytes[at] === 0x22) return false\n${SKIP_CODE}`,
  product: PRODUCT_CODE,
  type: TYPE_CODE,
  time: TIME_CODE,
  any: 'at = skipValue(bytes, at, end, 0)\nif (at < 0) return false\n',
}

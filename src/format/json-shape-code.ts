/**
 * The source text of a shape (json-shape.ts), piece by piece: what reads a record's frame, a literal, and a value of each kind. Each piece
 * moves `at` and leaves the loop over the records where the event doesn't fit. The variables it uses are those of `compile`.
 *
 * Strings are read four bytes at a time. A byte of `odd` has its high bit set when that byte of the word is a quote, a backslash, a control
 * character or not ASCII; the subtractions borrow only from bytes above an odd one, so the lowest odd byte is always the true first one.
 * Ids mostly have one length: when there is a quote where the learned event had it, and nothing odd before it, that is the string.
 */
import { LIMITS } from '../config/limits.ts'
import type { EventRules } from './event-rules.ts'
import type { TimeUnit } from './event-time.ts'
import { OTHER_TYPE } from './event-types.ts'
import { HASH_SEED } from './hash.ts'
import { ILL_FORMED_CODE, PLAIN_CODE } from './json-refused-code.ts'
import { KEY_BYTES, OLDER_BIT, ROW_HASH, ROW_KEY, ROW_START } from './parsed-events.ts'
import { IGNORED } from './reasons.ts'
import { PRODUCT_MAX_BYTES } from './slot.ts'

/**
 * What a value is read as. `user` must not be empty; `string` and `any` are JSON that nobody reads, `any` is what is no string. Of invalid
 * events `plain` is a product of plain bytes, and `ill-formed` a text that is not UTF-8. An `array`
 * is read by code of json-record-shape.ts.
 */
export type ValueKind = 'string' | 'user' | 'product' | 'number' | 'type' | 'time' | 'flag' | 'array' | 'any' | 'plain' | 'ill-formed'

/** A value between two literals. */
export interface ShapeValue {
  readonly kind: ValueKind
  /** The learned event's, without quotes. */
  readonly bytes: Uint8Array
  /** The byte that followed it. */
  readonly after: number
}

/** A string longer than this is read without a guess of where it ends. */
const GUESS_MAX_BYTES = 64
/** So many spellings of types are looked for one by one. */
const TYPES_MAX = 6

/** Declares `name`, the zigzag varint at `at`, and steps over it. */
const varintCode = (name: string) => `let ${name} = bytes[at]
      if (${name} < 128) {
        ${name} = (${name} >>> 1) ^ -(${name} & 1)
        at = (at + 1) | 0
      } else if (bytes[at + 1] < 128) {
        ${name} = (${name} & 127) | (bytes[at + 1] << 7)
        ${name} = (${name} >>> 1) ^ -(${name} & 1)
        at = (at + 2) | 0
      } else {
        ${name} = varint(bytes, at)
        at = (at + varintSize(bytes, at)) | 0
      }\n`

/** The record's frame, up to its value: [at, valueEnd). */
export const RECORD_CODE = `${varintCode('length')}
      const recordEnd = (at + length) | 0
      at = (at + 1) | 0 // attributes
      const older = (bytes[at] & 1) * ${OLDER_BIT}
      at = bytes[at] < 128 ? (at + 1) | 0 : (at + varintSize(bytes, at)) | 0 // timestamp delta
      at = bytes[at] < 128 ? (at + 1) | 0 : (at + varintSize(bytes, at)) | 0 // offset delta
      ${varintCode('keyLength')}
      at = (at + (keyLength & ~(keyLength >> 31))) | 0
      ${varintCode('valueLength')}
      const valueEnd = (at + valueLength) | 0
      if (!(length > 0 && recordEnd <= end && valueLength > 0 && valueLength <= ${LIMITS.eventMaxBytes} && valueEnd <= recordEnd)) break\n`

/** Breaks when the literal is not there, else steps over it. */
export function literalCode(literal: Uint8Array): string {
  const view = new DataView(literal.buffer, literal.byteOffset, literal.length)
  const checks = [`((at + ${literal.length}) | 0) > valueEnd`]
  if (literal.length < 8) literal.forEach((byte, i) => void checks.push(`bytes[(at + ${i}) | 0] !== ${byte}`))
  for (let at = 0; literal.length >= 8 && at < literal.length; at += 8) {
    const offset = Math.min(at, literal.length - 8)
    checks.push(`view.getFloat64((at + ${offset}) | 0, true) !== ${view.getFloat64(offset, true)}`)
  }
  return `if (${checks.join(' || ')}) break
      at = (at + ${literal.length}) | 0\n`
}

/**
 * What a word must not have in any of its high bits, if all its bytes are to be plain. The first term has a byte's high bit set below 0x20,
 * at 0x22, and for most from 0xa0 on, 0xdc among them; the second at 0x5c, and for all from 0x80 on but 0xdc.
 */
const odd = (word: string) => `((${word} ^ 0x02020202) - 0x21212121) | ((${word} ^ 0x5c5c5c5c) - 0x01010101)`

/**
 * Moves `at` to the string's first byte that is not plain, which may lie behind the value: the next literal is looked for within it.
 * `onWord` and `onRest` see the plain words and the last, shorter one.
 */
function stringCode(onWord: string, onRest: string): string {
  return `for (;;) {
        if (((at + 4) | 0) > size) { ${onRest === '' ? 'at = plainTail(bytes, at, valueEnd); break' : 'break records'} }
        const word = view.getInt32(at, true)
        const odd = (${odd('word')}) & 0x80808080
        if (odd !== 0) {
          const plain = (31 - Math.clz32(odd & -odd)) >>> 3
          ${onRest}
          at = (at + plain) | 0
          break
        }
        ${onWord}
        at = (at + 4) | 0
      }\n`
}

/** As stringCode for a string of `length` bytes, or else at once to `otherwise`. */
function guessCode(length: number, otherwise: string): string {
  if (length < 4 || length > GUESS_MAX_BYTES) return otherwise
  const offsets = Array.from({ length: Math.ceil(length / 4) }, (_, i) => Math.min(i * 4, length - 4))
  const words = offsets.map((offset, i) => `const word${i} = view.getInt32((at + ${offset}) | 0, true)`)
  return `guess: {
      if (((at + ${length}) | 0) < valueEnd && bytes[(at + ${length}) | 0] === 0x22) {
        ${words.join('\n')}
        if (((${words.map((_, i) => odd(`word${i}`)).join(' | ')}) & 0x80808080) === 0) {
          at = (at + ${length}) | 0
          break guess
        }
      }
      ${otherwise}
    }\n`
}

const SKIP_CODE = `${stringCode('', '')}
      if (bytes[at] !== 0x22) {
        at = (skipString(bytes, at, valueEnd) - 1) | 0
        if (at < 0) break records
      }\n`

const skipCode = (length: number) => guessCode(length, SKIP_CODE)

const PRODUCT_LOOP = `let hash = ${HASH_SEED}
      for (let key = row + ${ROW_KEY}; key < row + ${ROW_KEY + KEY_BYTES / 4}; key++) rows[key] = 0
      ${stringCode(
        `hash = mixHash(hash, word)
        if (at - product < ${KEY_BYTES}) rows[row + ${ROW_KEY} + ((at - product) >> 2)] = word`,
        `if (plain > 0) {
            const rest = word & ((1 << (plain * 8)) - 1)
            hash = mixHash(hash, rest)
            if (at - product < ${KEY_BYTES}) rows[row + ${ROW_KEY} + ((at - product) >> 2)] = rest
          }`,
      )}
      productLength = (at - product) | 0
      if (bytes[at] !== 0x22 || productLength === 0 || productLength > ${PRODUCT_MAX_BYTES}) break records
      rows[row + ${ROW_HASH}] = hash\n`

/**
 * A product of the learned length, if that is short: hashed and put into the row without a loop. `isEnd` is what stands behind it, and
 * `check` of its words, of which the last is filled up with `filler`, is zero in the high bits of good bytes.
 */
function productGuess(length: number, isEnd: string, check: (word: string) => string, filler: number, loop: string): string {
  if (length === 0 || length > KEY_BYTES) return loop
  const words: string[] = []
  const checks: string[] = []
  const puts: string[] = []
  for (let i = 0; i < KEY_BYTES / 4; i++) {
    const have = Math.min(4, length - i * 4)
    if (have > 0) {
      const loaded = `view.getInt32((at + ${i * 4}) | 0, true)`
      words.push(have === 4 ? `const word${i} = ${loaded}` : `const word${i} = ${loaded} & ${2 ** (have * 8) - 1}`)
      checks.push(check(have === 4 ? `word${i}` : `(word${i} | ${(filler << (have * 8)) | 0})`))
      puts.push(`hash = mixHash(hash, word${i})`)
    }
    puts.push(`rows[row + ${ROW_KEY + i}] = ${have > 0 ? `word${i}` : 0}`)
  }
  return `guess: {
      if (((at + ${words.length * 4 + 1}) | 0) <= size && ${isEnd}) {
        ${words.join('\n')}
        if (((${checks.join(' | ')}) & 0x80808080) === 0) {
          let hash = ${HASH_SEED}
          ${puts.join('\n')}
          rows[row + ${ROW_HASH}] = hash
          productLength = ${length}
          at = (at + ${length}) | 0
          break guess
        }
      }
      ${loop}
    }\n`
}

const productCode = (guess: string) => `const product = at
      let productLength = 0
      ${guess}
      rows[row + ${ROW_START}] = product\n`

const textProduct = (length: number) => productGuess(length, `bytes[(at + ${length}) | 0] === 0x22`, odd, 0x20202020, PRODUCT_LOOP)

const digits = (word: string) => `(${word} + 0x46464646) | (${word} - 0x30303030)`

/** An integer without a sign; others as the reader has them. */
const NUMBER_LOOP = `while (bytes[at] >= 0x30 && bytes[at] <= 0x39) at = (at + 1) | 0
      productLength = (at - product) | 0
      if (productLength === 0 || productLength > ${PRODUCT_MAX_BYTES} || (productLength > 1 && bytes[product] === 0x30)) break records
      if (bytes[at] === 0x2e || (bytes[at] | 0x20) === 0x65) break records
      rows[row + ${ROW_HASH}] = hashProduct(bytes, product, at)
      putKey(rows, row + ${ROW_KEY}, bytes, product, Math.min(productLength, ${KEY_BYTES}))\n`

const numberProduct = (length: number, after: number) =>
  productGuess(
    length,
    `bytes[(at + ${length}) | 0] === ${after}${length > 1 ? ' && bytes[at] !== 0x30' : ''}`,
    digits,
    0x30303030,
    NUMBER_LOOP,
  )

/** A plain text and the quote behind it, without a loop. */
function isTextCode(text: Uint8Array): string {
  const bytes = [...text, 0x22]
  const checks = [`((at + ${bytes.length}) | 0) <= valueEnd`]
  if (bytes.length < 4) bytes.forEach((byte, i) => void checks.push(`bytes[(at + ${i}) | 0] === ${byte}`))
  for (let at = 0; bytes.length >= 4 && at < bytes.length; at += 4) {
    const offset = Math.min(at, bytes.length - 4)
    const word = bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)
    checks.push(`view.getInt32((at + ${offset}) | 0, true) === ${word}`)
  }
  return checks.join(' && ')
}

/** The learned type, the configured ones as they are spelt there, and others as the rules read them. */
function typeCode(learned: Uint8Array, { types, otherType }: EventRules): string {
  const spelt = [learned, ...types.words.map((word) => new TextEncoder().encode(word))].map((word) => Buffer.from(word).toString('latin1'))
  const plain = [...new Set(spelt)].filter((word) => /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,32}$/.test(word)).slice(0, TYPES_MAX)
  const known = plain.map((word) => {
    const bytes = new Uint8Array(Buffer.from(word, 'latin1'))
    return { bytes, click: types.clickAt(bytes, 0, bytes.length) }
  })
  const isKnown = known
    .filter(({ click }) => click >= 0 || otherType === IGNORED)
    .map(({ bytes, click }) => `if (${isTextCode(bytes)}) { click = ${click}; at = (at + ${bytes.length}) | 0 } else `)
  return `${isKnown.join('')}{
        const quote = plainTail(bytes, at, valueEnd)
        if (quote === at || bytes[quote] !== 0x22) break
        click = types.clickAt(bytes, at, quote)
        if (click < ${otherType === IGNORED ? OTHER_TYPE : 0}) break
        at = quote
      }\n`
}

const fourDigits = (word: string, out: string) => `const ${out}Ones = ${word} & 0x0f0f0f0f
          const ${out}Pairs = ${out}Ones * 10 + (${out}Ones >>> 8)
          const ${out} = (${out}Pairs & 0xff) * 100 + ((${out}Pairs >>> 16) & 0xff)`

const isDigits = (...words: string[]) => `((${words.map(digits).join(' | ')}) & 0x80808080) === 0`

/** Lengths of numbers that are times from 2001 on: what they count, and how many of their digits are less than a millisecond. */
const TIME_LENGTHS: { readonly [length: number]: { readonly unit: TimeUnit; readonly below: number } } = {
  10: { unit: 's', below: 0 },
  13: { unit: 'ms', below: 0 },
  16: { unit: 'us', below: 3 },
  19: { unit: 'ns', below: 6 },
}

/**
 * A number of a usual length, four digits at a step; other times as JsonTimes reads them. The first eight digits change every 100 s, so
 * they are mostly those seen last: `known` has them and what they are worth, in an array, for a variable of the function around would be
 * a heap object at each change.
 */
function timeCode(value: ShapeValue, rules: EventRules): string {
  const { bytes, after } = value
  const { length } = bytes
  if (rules.time.formats !== undefined) return SCAN_TIME_CODE
  const text = Buffer.from(bytes).toString('latin1')
  if (DATE.test(text)) return dateCode(text, after)
  const guess = TIME_LENGTHS[length]
  if (guess === undefined || (rules.time.unit !== 'auto' && rules.time.unit !== guess.unit)) return SCAN_TIME_CODE
  const below = Array.from({ length: guess.below }, (_, i) => isDigitAt(13 + i))
  const rest =
    guess.unit === 's'
      ? `const tens = bytes[(at + 8) | 0] - 0x30
          const last = bytes[(at + 9) | 0] - 0x30
          if (head === known[0] && tens >= 0 && tens <= 9 && last >= 0 && last <= 9) {
            time = known[1] + (tens * 10 + last) * 1000`
      : `const c = view.getInt32((at + 8) | 0, true)
          const last = bytes[(at + 12) | 0] - 0x30
          if (${['head === known[0]', isDigits('c'), 'last >= 0', 'last <= 9', ...below].join(' && ')}) {
            ${fourDigits('c', 'low')}
            time = known[1] + (low * 10 + last)`
  return `fast: {
        if (((at + ${length + 1}) | 0) <= valueEnd && bytes[(at + ${length}) | 0] === ${after}) {
          const head = view.getFloat64(at, true)
          if (head !== known[0]) {
            const a = view.getInt32(at, true)
            const b = view.getInt32((at + 4) | 0, true)
            if (${isDigits('a', 'b')} && (a & 0xff) !== 0x30) {
              ${fourDigits('a', 'high')}
              ${fourDigits('b', 'middle')}
              known[0] = head
              known[1] = (high * 10000 + middle) * 100000
            }
          }
          ${rest}
            at = (at + ${length}) | 0
            break fast
          }
        }
        ${SCAN_TIME_CODE}
      }\n`
}

const SCAN_TIME_CODE = `at = jsonTimes.scan(bytes, at, slot) | 0
        if (at < 0) break records
        time = slot.time[0]\n`

/** A date and a time with seconds, in quotes; what follows the seconds is read as JsonTimes reads it. */
const DATE = /^"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[^"\\.,\d]?[^"\\.,]*"$/
/** Up to the minutes. */
const MINUTE_BYTES = 17
/** 1973. */
const WHOLE_MINUTES_FROM_MS = 94_694_400_000

/**
 * A date of the learned form. The first 17 bytes change once a minute, so they are mostly those seen last, which `known` has with what
 * they are worth; as three doubles that overlap.
 */
function dateCode(text: string, after: number): string {
  const fraction = /[.,](\d+)/.exec(text.slice(MINUTE_BYTES + 3))?.[1] ?? ''
  const zoneAt = MINUTE_BYTES + 3 + (fraction === '' ? 0 : fraction.length + 1)
  const literal = [MINUTE_BYTES, ...(fraction === '' ? [] : [MINUTE_BYTES + 3])].map((i) => [i, text.charCodeAt(i)])
  const zone = Array.from(text.slice(zoneAt), (_, i) => [zoneAt + i, text.charCodeAt(zoneAt + i)])
  const isForm = [...literal, ...zone, [text.length, after]].map(([i, byte]) => `bytes[(at + ${i}) | 0] === ${byte}`)
  const isMore = Array.from({ length: Math.max(0, fraction.length - 3) }, (_, i) => isDigitAt(MINUTE_BYTES + 7 + i))
  const ms = [100, 10, 1].slice(0, fraction.length).map((unit, i) => {
    const digit = `f${i}`
    return { digit, code: `const ${digit} = (bytes[(at + ${MINUTE_BYTES + 4 + i}) | 0] - 0x30) >>> 0`, sum: `${digit} * ${unit}` }
  })
  const isNumber = ['tens <= 5', 'ones <= 9', ...ms.map(({ digit }) => `${digit} <= 9`), ...isMore]
  return `fast: {
        if (((at + ${text.length + 1}) | 0) <= valueEnd && ${isForm.join(' && ')}) {
          const tens = (bytes[(at + ${MINUTE_BYTES + 1}) | 0] - 0x30) >>> 0
          const ones = (bytes[(at + ${MINUTE_BYTES + 2}) | 0] - 0x30) >>> 0
          ${ms.map(({ code }) => code).join('\n')}
          if (${isNumber.join(' && ')}) {
            const inMinute = ${['(tens * 10 + ones) * 1000', ...ms.map(({ sum }) => sum)].join(' + ')}
            const x = view.getFloat64(at, true)
            const y = view.getFloat64((at + 8) | 0, true)
            const z = view.getFloat64((at + ${MINUTE_BYTES - 8}) | 0, true)
            if (x !== known[0] || y !== known[2] || z !== known[3]) {
              if (jsonTimes.scan(bytes, at, slot) !== ((at + ${text.length}) | 0)) break records
              // In earlier years clocks were set within a minute.
              known[0] = slot.time[0] < ${WHOLE_MINUTES_FROM_MS} ? NaN : x
              known[1] = slot.time[0] - inMinute
              known[2] = y
              known[3] = z
            }
            time = known[1] + inMinute
            at = (at + ${text.length}) | 0
            break fast
          }
        }
        ${SCAN_TIME_CODE}
      }\n`
}

const isDigitAt = (offset: number) => `((bytes[(at + ${offset}) | 0] - 0x30) >>> 0) <= 9`

const ANY_CODE = `at = skipValue(bytes, at, valueEnd, 0) | 0
      if (at < 0) break\n`

const isWordAt = (word: string) => Array.from(word, (letter, i) => `bytes[(at + ${i}) | 0] === ${letter.charCodeAt(0)}`).join(' && ')

/** Whether an impression was clicked. */
const FLAG_CODE = `if (bytes[at] === 0x30 || bytes[at] === 0x31) {
        clicked = bytes[at] & 1
        at = (at + 1) | 0
      } else if (${isWordAt('true')}) {
        clicked = 1
        at = (at + 4) | 0
      } else if (${isWordAt('false')}) {
        clicked = 0
        at = (at + 5) | 0
      } else break\n`

/** Reads a value. */
export function valueCode(value: ShapeValue, rules: EventRules): string {
  const { kind, bytes, after } = value
  switch (kind) {
    case 'string':
      return skipCode(bytes.length)
    case 'user':
      return `if (bytes[at] === 0x22) break\n${skipCode(bytes.length)}`
    case 'product':
      return productCode(textProduct(bytes.length))
    case 'number':
      return productCode(numberProduct(bytes.length, after))
    case 'type':
      return typeCode(bytes, rules)
    case 'time':
      return timeCode(value, rules)
    case 'flag':
      return FLAG_CODE
    case 'plain':
      return PLAIN_CODE
    case 'ill-formed':
      return ILL_FORMED_CODE
    case 'array':
    case 'any':
      return ANY_CODE
  }
}

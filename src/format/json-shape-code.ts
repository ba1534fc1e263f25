/**
 * The source text of a shape (json-shape.ts), piece by piece: what reads a record's frame, a literal, and a value of each kind. Each piece
 * moves `at` and leaves the loop over the records where the event doesn't fit. The variables it uses are those of `compile`.
 *
 * Strings are read four bytes at a time. A byte of `odd` has its high bit set when that byte of the word is a quote, a backslash, a control
 * character or not ASCII; the subtractions borrow only from bytes above an odd one, so the lowest odd byte is always the true first one.
 * Ids mostly have one length: when there is a quote where the learned event had it, and nothing odd before it, that is the string.
 */
import { HASH_SEED } from './hash.ts'
import { KEY_BYTES, OLDER_BIT, ROW_HASH, ROW_KEY, ROW_START } from './parsed-events.ts'
import { PRODUCT_MAX_BYTES, SLOT_CLICK } from './slot.ts'

/** What a value is read as. `user` must not be empty; `any` is JSON that nobody reads and that is no string. */
export type ValueKind = 'string' | 'user' | 'product' | 'type' | 'time' | 'any'

/** A string longer than this is read without a guess of where it ends. */
const GUESS_MAX_BYTES = 64

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
      if (!(length > 0 && recordEnd <= end && valueLength > 0 && valueEnd <= recordEnd)) break\n`

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

/** A product of the learned length, if that is short: hashed and put into the row without a loop. */
function productGuess(length: number): string {
  if (length === 0 || length > KEY_BYTES) return PRODUCT_LOOP
  const rest = length % 4
  const words: string[] = []
  const checks: string[] = []
  const puts: string[] = []
  for (let i = 0; i < KEY_BYTES / 4; i++) {
    const have = Math.min(4, length - i * 4)
    if (have > 0) {
      const loaded = `view.getInt32((at + ${i * 4}) | 0, true)`
      words.push(have === 4 ? `const word${i} = ${loaded}` : `const last = ${loaded}\nconst word${i} = last & ${2 ** (have * 8) - 1}`)
      const plain = have === 4 ? `word${i}` : `(word${i} | ${(0x20202020 << (have * 8)) | 0})`
      checks.push(odd(plain))
      puts.push(`hash = mixHash(hash, word${i})`)
    }
    puts.push(`rows[row + ${ROW_KEY + i}] = ${have > 0 ? `word${i}` : 0}`)
  }
  const quote = rest === 0 ? `bytes[(at + ${length}) | 0] === 0x22` : `((last >>> ${rest * 8}) & 255) === 0x22`
  return `guess: {
      if (((at + ${words.length * 4 + 1}) | 0) <= size) {
        ${words.join('\n')}
        if (${quote} && ((${checks.join(' | ')}) & 0x80808080) === 0) {
          let hash = ${HASH_SEED}
          ${puts.join('\n')}
          rows[row + ${ROW_HASH}] = hash
          productLength = ${length}
          at = (at + ${length}) | 0
          break guess
        }
      }
      ${PRODUCT_LOOP}
    }\n`
}

const productCode = (length: number) => `const product = at
      let productLength = 0
      ${productGuess(length)}
      rows[row + ${ROW_START}] = product\n`

/** `impression"` and `click"` as words; other types as `scan` reads them. */
const TYPE_CODE = `if (((at + 11) | 0) <= valueEnd && view.getInt32(at, true) === 0x72706d69 &&
        view.getInt32((at + 4) | 0, true) === 0x69737365 && view.getInt32((at + 7) | 0, true) === 0x226e6f69) {
        at = (at + 10) | 0
      } else if (((at + 6) | 0) <= valueEnd && view.getInt32(at, true) === 0x63696c63 && bytes[(at + 4) | 0] === 0x6b &&
        bytes[(at + 5) | 0] === 0x22) {
        click = 1
        at = (at + 5) | 0
      } else {
        at = (scanType(bytes, at - 1, slot) - 1) | 0
        if (at < 0) break
        click = slot.ints[${SLOT_CLICK}]
      }\n`

const fourDigits = (word: string, out: string) => `const ${out}Ones = ${word} & 0x0f0f0f0f
          const ${out}Pairs = ${out}Ones * 10 + (${out}Ones >>> 8)
          const ${out} = (${out}Pairs & 0xff) * 100 + ((${out}Pairs >>> 16) & 0xff)`

const isDigits = (...words: string[]) =>
  `((${words.map((word) => `(${word} + 0x46464646) | (${word} - 0x30303030)`).join(' | ')}) & 0x80808080) === 0`

/**
 * A number of 13 digits, which is any time from 2001 to 2286, four digits at a step; other times as `scan` reads them. The first eight
 * digits change every 100 s, so they are mostly those seen last: `known` has them and what they are worth, in an array, for a variable
 * of the function around would be a heap object at each change. `after` is the byte that followed the learned time.
 */
const timeCode = (_length: number, after: number) => `fast: {
        if (((at + 14) | 0) <= valueEnd && bytes[(at + 13) | 0] === ${after}) {
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
          const c = view.getInt32((at + 8) | 0, true)
          const last = bytes[(at + 12) | 0] - 0x30
          if (head === known[0] && ${isDigits('c')} && last >= 0 && last <= 9) {
            ${fourDigits('c', 'low')}
            time = known[1] + (low * 10 + last)
            at = (at + 13) | 0
            break fast
          }
        }
        at = scanTime(bytes, at, slot) | 0
        if (at < 0) break records
        time = slot.time[0]
      }\n`

const ANY_CODE = `at = skipValue(bytes, at, valueEnd, 0) | 0
      if (at < 0) break\n`

/** Reads a value of the learned length, in bytes without quotes, behind which the byte `after` stood. */
export const VALUE_CODE: { readonly [kind in ValueKind]: (length: number, after: number) => string } = {
  string: skipCode,
  user: (length) => `if (bytes[at] === 0x22) break\n${skipCode(length)}`,
  product: productCode,
  type: () => TYPE_CODE,
  time: timeCode,
  any: () => ANY_CODE,
}

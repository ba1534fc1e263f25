/**
 * Speculation on how the producer writes its events: the same keys, spelling, order and white space as before. A shape is what is
 * between the values of such an event:
 *
 *   {"event_id":"  …  ","user_id":"  …  ","product_id":"  …  ","event_type":"  …  ","timestamp":  …  ,"session_id":"  …  "}
 *   literal 0    v0   literal 1    v1   literal 2                                                                     last literal
 *
 * An event fits when every literal is there and every value is of its kind, read four or eight bytes at a time. What fits is the same JSON
 * as the event the shape was learned from, with other values, so it needs no more checks than the values themselves. What doesn't fit
 * goes to `scan`. Literals hold only bytes that the strict parser accepted, so a shape can't accept what `scan` would refuse.
 */
import { CLICK, type EventSlot, HASH_SEED, mixHash, PRODUCT_END, PRODUCT_HASH, PRODUCT_MAX_BYTES, PRODUCT_START } from './event.ts'
import { FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER, fieldOf, scanTime, scanType } from './scan.ts'
import { plainEnd, skipSpace, skipString, skipValue } from './skip.ts'

const SKIP_STRING = 0
const USER = 1
const PRODUCT = 2
const TYPE = 3
const TIME = 4
const ANY = 5
const END = 6

/** More keys than this and events are left to `scan`. */
const VALUES_MAX = 32

/**
 * Two flat arrays, because every array that a function touches costs it loads and checks:
 *
 *   plan   4 integers a literal:  | length | offset of its last word | kind of the value after it, or END | index in `long` or -1 |
 *   words  2 doubles a literal:   | its first eight bytes | its last eight bytes |
 *
 * Eight bytes compare as one double: ASCII never spells a NaN or a zero, so equal doubles are equal bytes. First and last word cover
 * literals of 8 to 16 bytes; others (kept in `long`) are compared byte by byte.
 */
export class Shape {
  readonly plan: Int32Array
  readonly words: Float64Array
  readonly long: readonly Uint8Array[]

  constructor(kinds: readonly number[], literals: readonly Uint8Array[]) {
    this.plan = new Int32Array(literals.length * 4)
    this.words = new Float64Array(literals.length * 2)
    const long: Uint8Array[] = []
    literals.forEach((literal, i) => {
      const covered = literal.length >= 8 && literal.length <= 16
      this.plan.set([literal.length, literal.length - 8, kinds[i] ?? END, covered ? -1 : long.length], i * 4)
      if (!covered) long.push(literal)
      if (literal.length < 8) return
      const view = new DataView(literal.buffer, literal.byteOffset, literal.length)
      this.words.set([view.getFloat64(0, true), view.getFloat64(literal.length - 8, true)], i * 2)
    })
    this.long = long
  }
}

/** Parses bytes[start, end) if it fits the shape; false means "not sure". `view` spans the same memory as `bytes`. */
export function scanShape(shape: Shape, bytes: Uint8Array, view: DataView, start: number, end: number, slot: EventSlot): boolean {
  const { plan, words } = shape
  let at = start
  for (let i = 0; ; i += 4) {
    const length = plan[i]!
    if (at + length > end) return false
    if (plan[i + 3]! < 0) {
      if (view.getFloat64(at, true) !== words[i >> 1] || view.getFloat64(at + plan[i + 1]!, true) !== words[(i >> 1) + 1]) return false
    } else if (!sameBytes(bytes, at, shape.long[plan[i + 3]!]!)) return false
    at += length
    const kind = plan[i + 2]!
    if (kind <= USER) {
      const first = at
      at = plainEnd(bytes, view, at, end)
      if (bytes[at] !== 0x22) at = skipString(bytes, at, end) - 1
      if (at < first || (kind === USER && at === first)) return false
    } else if (kind === PRODUCT) at = shapeProduct(bytes, view, at, end, slot)
    else if (kind === TIME) at = shapeTime(bytes, view, at, end, slot)
    else if (kind === TYPE) at = shapeType(bytes, view, at, end, slot)
    else if (kind === END) return at === end
    else at = skipValue(bytes, at, end, 0)
    if (at < 0) return false
  }
}

function sameBytes(bytes: Uint8Array, at: number, literal: Uint8Array): boolean {
  for (let k = 0; k < literal.length; k++) if (bytes[at + k] !== literal[k]) return false
  return true
}

/** From the product's first byte to its closing quote; hashes the words it reads. */
function shapeProduct(bytes: Uint8Array, view: DataView, start: number, end: number, slot: EventSlot): number {
  let at = start
  let hash = HASH_SEED
  for (;;) {
    if (at + 4 > end) return -1
    const word = view.getInt32(at, true)
    const quote = word ^ 0x22222222
    const slash = word ^ 0x5c5c5c5c
    const odd = (((quote - 0x01010101) & ~quote) | ((slash - 0x01010101) & ~slash) | (word - 0x20202020) | word) & 0x80808080
    if (odd === 0) {
      hash = mixHash(hash, word)
      at += 4
      continue
    }
    const plain = (31 - Math.clz32(odd & -odd)) >>> 3
    if (plain > 0) hash = mixHash(hash, word & ((1 << (plain * 8)) - 1))
    at += plain
    break
  }
  const length = at - start
  if (bytes[at] !== 0x22 || length === 0 || length > PRODUCT_MAX_BYTES) return -1
  const ints = slot.ints
  ints[PRODUCT_START] = start
  ints[PRODUCT_END] = at
  ints[PRODUCT_HASH] = hash
  return at
}

const IMPR = 0x72706d69
const ESSI = 0x69737365
const ION_QUOTE = 0x226e6f69
const CLIC = 0x63696c63

/** From the type's first byte to its closing quote. */
function shapeType(bytes: Uint8Array, view: DataView, at: number, end: number, slot: EventSlot): number {
  if (at + 11 <= end) {
    const word = view.getInt32(at, true)
    if (word === IMPR && view.getInt32(at + 4, true) === ESSI && view.getInt32(at + 7, true) === ION_QUOTE) {
      slot.ints[CLICK] = 0
      return at + 10
    }
    if (word === CLIC && bytes[at + 4] === 0x6b && bytes[at + 5] === 0x22) {
      slot.ints[CLICK] = 1
      return at + 5
    }
  }
  return scanType(bytes, at - 1, slot) - 1
}

/** A number of 13 digits, which is any time from 2001 to 2286, four digits at a step; other times as `scan` reads them. */
function shapeTime(bytes: Uint8Array, view: DataView, at: number, end: number, slot: EventSlot): number {
  if (at + 14 <= end) {
    const a = view.getInt32(at, true)
    const b = view.getInt32(at + 4, true)
    const c = view.getInt32(at + 8, true)
    const d = bytes[at + 12]! - 0x30
    const after = bytes[at + 13]!
    const bad =
      ((a + 0x46464646) | (a - 0x30303030) | (b + 0x46464646) | (b - 0x30303030) | (c + 0x46464646) | (c - 0x30303030)) & 0x80808080
    if (bad === 0 && d >= 0 && d <= 9 && (after === 0x2c || after === 0x7d) && (a & 0xff) !== 0x30) {
      slot.time[0] = (fourDigits(a) * 10_000 + fourDigits(b)) * 100_000 + (fourDigits(c) * 10 + d)
      return at + 13
    }
  }
  return scanTime(bytes, at, slot)
}

/** Four ASCII digits in a little-endian word. */
function fourDigits(word: number): number {
  const ones = word & 0x0f0f0f0f
  const pairs = ones * 10 + (ones >>> 8)
  return (pairs & 0xff) * 100 + ((pairs >>> 16) & 0xff)
}

/** The shape of an event that `scan` has accepted; undefined when it has too many keys. */
export function learnShape(bytes: Uint8Array, start: number, end: number): Shape | undefined {
  const kinds: number[] = []
  const literals: Uint8Array[] = []
  let literalStart = start
  let at = skipSpace(bytes, start) + 1
  while (kinds.length < VALUES_MAX) {
    at = skipSpace(bytes, at)
    const key = at + 1
    at = skipString(bytes, key, end)
    const field = fieldOf(bytes, key, at - 1 - key)
    at = skipSpace(bytes, skipSpace(bytes, at) + 1)
    const quoted = bytes[at] === 0x22
    const kind = kindOf(field, quoted)
    const content = kind === ANY || kind === TIME ? at : at + 1
    literals.push(bytes.slice(literalStart, content))
    kinds.push(kind)
    at = skipValue(bytes, at, end, 0)
    literalStart = content === at || kind === ANY || kind === TIME ? at : at - 1
    at = skipSpace(bytes, at)
    if (bytes[at++] === 0x2c) continue
    literals.push(bytes.slice(literalStart, end))
    return new Shape(kinds, literals)
  }
  return undefined
}

function kindOf(field: number, quoted: boolean): number {
  if (field === FIELD_PRODUCT) return PRODUCT
  if (field === FIELD_USER) return USER
  if (field === FIELD_TYPE) return TYPE
  if (field === FIELD_TIME) return TIME
  return quoted ? SKIP_STRING : ANY
}

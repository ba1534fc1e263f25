/**
 * The fast reader of an event as JSON: where the exact one makes text and values, this reads the bytes once, in place, and allocates
 * nothing. It answers what the exact one answers, or UNSURE, and then that one decides. It is sure of most: not of very deep nesting, of
 * keys that come twice, of escapes where they matter, of unusual times, and of what is tolerated.
 *
 * What it reads beyond `end`, of the next record, makes no difference: an object, array or string that is not closed before `end` is no
 * JSON, whatever follows.
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../config/limits.ts'
import { type EventRules, FIELD_COUNT, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER } from './event-rules.ts'
import { OTHER_TYPE, UNSURE_TYPE } from './event-types.ts'
import { type FieldTree, fieldTree, NO_RANK, type TreeKey, type TreeNode } from './field-tree.ts'
import { hashProduct } from './hash.ts'
import { isAscii, isCutOff, isSpace, NOT_SURE, PLAIN, skipSpace, skipString, skipUnescaped, skipValue } from './json-skip.ts'
import { JsonTimes } from './json-time.ts'
import { REASON, UNSURE } from './reasons.ts'
import {
  type EventSlot,
  PRODUCT_MAX_BYTES,
  SLOT_CLICK,
  SLOT_CLICKED,
  SLOT_PRODUCT_END,
  SLOT_PRODUCT_HASH,
  SLOT_PRODUCT_START,
} from './slot.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const LETTER_N = 0x6e

export class JsonReader {
  readonly root: TreeNode
  /** By field: where its value is, [at, behind), and which of its places that is; NO_RANK for none. Of the record read last. */
  readonly valueAt = new Int32Array(FIELD_COUNT)
  readonly valueEnd = new Int32Array(FIELD_COUNT)
  readonly rank = new Int32Array(FIELD_COUNT)
  readonly #rules: EventRules
  readonly #times: JsonTimes
  /** By key of the tree: the record that it was met in. */
  readonly #metIn: Float64Array
  #record = 0
  /** By field: 1 when its value is a text that is not UTF-8. */
  readonly #illFormed = new Uint8Array(FIELD_COUNT)
  /** Such a text was met, and may not be the value: where it does not matter it is tolerated, which is not told from here. */
  isIllFormed = false
  /** The value read last is an object to its end, of which all is known that is told here. */
  isWhole = false

  /** `tree`: another one than that of records. */
  constructor(rules: EventRules, tree: FieldTree = fieldTree(rules.places, rules.emptyAt)) {
    this.root = tree.root
    this.#rules = rules
    this.#times = new JsonTimes(rules.time)
    this.#metIn = new Float64Array(tree.keys)
  }

  /** VALID with the event in the slot, IGNORED, why bytes[start, end) is no event, or UNSURE. With TIME_RANGE the time is in the slot. */
  read(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
    const scanned = this.scan(bytes, start, end)
    if (scanned !== REASON.VALID) return scanned
    const verdict = this.#type(bytes, slot) || this.readRest(bytes, slot)
    return this.isIllFormed && verdict <= REASON.VALID ? UNSURE : verdict
  }

  /** VALID when bytes[start, end) is an object, with where its fields lie; else as `read`. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    this.isWhole = false
    if (end <= start) return this.#rules.empty
    if (end - start > LIMITS.eventMaxBytes) return REASON.TOO_LARGE
    if (isCutOff(bytes, start, end)) return notJson(bytes, start, end)
    const open = skipSpace(bytes, start)
    const isObject = bytes[open] === OPENING_BRACE
    // A number has no end of its own; a byte order mark may stand in front.
    if (!isObject && open < end && (bytes[open] === MINUS || isDigit(bytes[open]!) || bytes[open]! >= 0x80)) return UNSURE
    let at = isObject ? this.scanObject(bytes, open, end) : skipValue(bytes, open, end, 0)
    if (at === NOT_SURE) return UNSURE
    if (at >= 0) while (at < end && isSpace(bytes[at]!)) at++
    if (at !== end) return notJson(bytes, start, end)
    this.isWhole = isObject
    return isObject ? REASON.VALID : REASON.NOT_OBJECT
  }

  /** Over the object whose brace is at `open`, as skipValue does, with where its fields lie. */
  scanObject(bytes: Uint8Array, open: number, end: number): number {
    this.clear()
    return this.#object(this.root, bytes, open + 1, end)
  }

  /** Whether the field has a value, as it was scanned last. */
  has(field: number): boolean {
    return this.rank[field] !== NO_RANK
  }

  /** Whether the field's value is a text that is not UTF-8, as it was scanned last. */
  isIllFormedAt(field: number): boolean {
    return this.has(field) && this.#illFormed[field] === 1
  }

  /** Nothing is known of any field. */
  clear(): void {
    this.#record++
    this.rank.fill(NO_RANK)
    if (!this.isIllFormed) return
    this.isIllFormed = false
    this.#illFormed.fill(0)
  }

  /** The object whose brace is just before `start`, on the way to fields; returns as skipValue does. */
  #object(node: TreeNode, bytes: Uint8Array, start: number, end: number): number {
    let at = bytes[start] === QUOTE ? start : skipSpace(bytes, start)
    if (bytes[at] === CLOSING_BRACE) return at + 1
    for (;;) {
      if (bytes[at] !== QUOTE) at = skipSpace(bytes, at)
      if (bytes[at] !== QUOTE) return -1
      const text = ++at
      while (PLAIN[bytes[at]!] === 1) at++
      if (bytes[at] !== QUOTE) {
        at = skipString(bytes, at, end) - 1
        if (at < 0) return at + 1
        // An escape may spell a key that is looked for.
        for (let i = text; i < at; i++) if (bytes[i] === BACKSLASH) return NOT_SURE
      }
      const key = node.find(bytes, text, at - text)
      at++
      if (bytes[at] !== COLON) at = skipSpace(bytes, at)
      if (bytes[at] !== COLON) return -1
      at++
      const value = isSpace(bytes[at]!) ? skipSpace(bytes, at) : at
      if (key !== undefined) at = this.#member(key, bytes, value, end)
      else at = bytes[value] === QUOTE ? skipString(bytes, value + 1, end) : skipValue(bytes, value, end, 0)
      if (at < 0) return at
      if (isSpace(bytes[at]!)) at = skipSpace(bytes, at)
      if (bytes[at] === CLOSING_BRACE) return at + 1
      if (bytes[at] !== COMMA) return -1
      at++
    }
  }

  /** The value of a key on the way. */
  #member(key: TreeKey, bytes: Uint8Array, value: number, end: number): number {
    const { id, field, rank, inside, isEmpty } = key
    if (this.#metIn[id] === this.#record) return NOT_SURE
    this.#metIn[id] = this.#record
    const isInside = inside !== undefined && bytes[value] === OPENING_BRACE
    let at = isInside ? this.#object(inside, bytes, value + 1, end) : skipValue(bytes, value, end, 0)
    const isIllFormed = at === NOT_SURE && bytes[value] === QUOTE && (field === FIELD_PRODUCT || field === FIELD_TYPE)
    if (isIllFormed) {
      at = skipUnescaped(bytes, value + 1, end)
      this.isIllFormed = true
    }
    if (at < 0) return at
    if (bytes[value] === LETTER_N) return isEmpty ? NOT_SURE : at
    if (field >= 0 && rank < this.rank[field]!) {
      this.rank[field] = rank
      this.valueAt[field] = value
      this.valueEnd[field] = at
      this.#illFormed[field] = isIllFormed ? 1 : 0
    }
    return at
  }

  /** As `read`, of all but the type of the record that was read last. */
  readRest(bytes: Uint8Array, slot: EventSlot): number {
    return this.#at(FIELD_PRODUCT, bytes, slot) || this.#at(FIELD_USER, bytes, slot) || this.#at(FIELD_TIME, bytes, slot)
  }

  #type(bytes: Uint8Array, slot: EventSlot): number {
    return this.#at(FIELD_TYPE, bytes, slot)
  }

  #at(field: number, bytes: Uint8Array, slot: EventSlot): number {
    return this.check(field, bytes, this.rank[field] === NO_RANK ? -1 : this.valueAt[field]!, this.valueEnd[field]!, slot)
  }

  /** As `read`, of the value bytes[at, end) of a field alone; an `at` of -1 for none. */
  check(field: number, bytes: Uint8Array, at: number, end: number, slot: EventSlot): number {
    switch (field) {
      case FIELD_TYPE:
        return this.#checkType(bytes, at, end, slot)
      case FIELD_PRODUCT:
        return at < 0 ? REASON.PRODUCT : this.#product(bytes, at, end, slot)
      case FIELD_USER:
        return this.#rules.userRequired && (at < 0 || bytes[at] !== QUOTE || bytes[at + 1] === QUOTE) ? REASON.USER : REASON.VALID
      case FIELD_TIME:
        if (this.#rules.timeOfRecord) return REASON.VALID
        return at < 0 ? REASON.TIME : this.#times.read(bytes, at, end, slot)
      default:
        return checkFlag(bytes, at, end, slot)
    }
  }

  #checkType(bytes: Uint8Array, at: number, end: number, slot: EventSlot): number {
    const { click, types, otherType } = this.#rules
    slot.ints[SLOT_CLICK] = click
    if (click >= 0) return REASON.VALID
    if (at < 0) return REASON.TYPE
    if (bytes[at] !== QUOTE) return bytes[at] === OPENING_BRACE ? REASON.TYPE : UNSURE
    if (end - at === 2) return REASON.TYPE
    if (this.#illFormed[FIELD_TYPE] === 1) return REASON.NOT_UTF8
    const own = types.clickAt(bytes, at + 1, end - 1)
    if (own === UNSURE_TYPE) return UNSURE
    slot.ints[SLOT_CLICK] = own
    return own === OTHER_TYPE ? otherType : REASON.VALID
  }

  /** The product's value, bytes[open, behind). */
  #product(bytes: Uint8Array, open: number, behind: number, slot: EventSlot): number {
    const isText = bytes[open] === QUOTE
    const start = isText ? open + 1 : open
    const end = isText ? behind - 1 : behind
    if (isText) {
      for (let at = start; at < end; at++) if (bytes[at] === BACKSLASH) return UNSURE
    } else {
      if (!this.#rules.productNumbers) return REASON.PRODUCT
      for (let at = bytes[start] === MINUS ? start + 1 : start; at < end; at++) if (!isDigit(bytes[at]!)) return REASON.PRODUCT
    }
    if (end === start || end - start > PRODUCT_MAX_BYTES) return REASON.PRODUCT
    if (this.#illFormed[FIELD_PRODUCT] === 1) return REASON.NOT_UTF8
    const { ints } = slot
    ints[SLOT_PRODUCT_START] = start
    ints[SLOT_PRODUCT_END] = end
    ints[SLOT_PRODUCT_HASH] = hashProduct(bytes, start, end)
    return REASON.VALID
  }
}

/** Why what is no JSON is none. */
function notJson(bytes: Uint8Array, start: number, end: number): number {
  return isAscii(bytes, start, end) || isUtf8(bytes.subarray(start, end)) ? REASON.NOT_JSON : REASON.NOT_UTF8
}

/** Of an impression; of unusual values it is not sure. */
function checkFlag(bytes: Uint8Array, at: number, end: number, slot: EventSlot): number {
  slot.ints[SLOT_CLICKED] = 0
  if (slot.ints[SLOT_CLICK] === 1 || at < 0) return REASON.VALID
  const first = bytes[at]!
  const isOne = (first === 0x31 && end - at === 1) || first === 0x74
  if (!isOne && !((first === 0x30 && end - at === 1) || first === 0x66)) return UNSURE
  slot.ints[SLOT_CLICKED] = isOne ? 1 : 0
  return REASON.VALID
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

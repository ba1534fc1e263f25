/**
 * The fast parser: reads an event's bytes in place, once, without allocating. It may answer only "this event" (true, the slot is filled)
 * or "not sure" (false), and then `exact` decides; so a mistake here can cost time but, as long as whatever it accepts is what `exact`
 * makes of it, never a number. It accepts strict JSON objects whose four fields come once each, without escapes in keys, product, type
 * and time; strings it skips may hold escapes and any well-formed UTF-8; unknown keys may hold any value down to NESTING_MAX levels.
 *
 * Reads past `end` are harmless: the typed array yields the next record's bytes or undefined, and every acceptance checks the bounds.
 */

import { hashProduct } from './hash.ts'
import { scanDate } from './json-date.ts'
import { isSpace, PLAIN, skipSpace, skipString, skipValue } from './json-skip.ts'
import { type EventSlot, PRODUCT_MAX_BYTES, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from './slot.ts'

/** The fields as bits. */
export const FIELD_PRODUCT = 1
export const FIELD_USER = 2
export const FIELD_TYPE = 4
export const FIELD_TIME = 8
const FIELDS_ALL = 15

/** Parses bytes[start, end) into the slot (product left in `bytes`); false means "not sure". */
export function scan(bytes: Uint8Array, start: number, end: number, slot: EventSlot): boolean {
  let at = start
  if (bytes[at] !== 0x7b) {
    at = skipSpace(bytes, at)
    if (bytes[at] !== 0x7b) return false
  }
  at++
  let seen = 0
  for (;;) {
    if (bytes[at] !== 0x22) {
      at = skipSpace(bytes, at)
      if (bytes[at] !== 0x22) return false
    }
    const keyStart = ++at
    while (PLAIN[bytes[at]!] === 1) at++
    if (bytes[at] !== 0x22) return false
    const field = fieldOf(bytes, keyStart, at - keyStart)
    at++
    if (bytes[at] !== 0x3a) {
      at = skipSpace(bytes, at)
      if (bytes[at] !== 0x3a) return false
    }
    at++
    if (isSpace(bytes[at]!)) at = skipSpace(bytes, at)
    if (field === 0) {
      at = skipValue(bytes, at, end, 0)
    } else {
      if ((seen & field) !== 0) return false
      seen |= field
      if (field === FIELD_PRODUCT) at = scanProduct(bytes, at, slot)
      else if (field === FIELD_USER) at = bytes[at] === 0x22 && bytes[at + 1] !== 0x22 ? skipString(bytes, at + 1, end) : -1
      else if (field === FIELD_TYPE) at = scanType(bytes, at, slot)
      else at = scanTime(bytes, at, slot)
    }
    if (at < 0) return false
    if (isSpace(bytes[at]!)) at = skipSpace(bytes, at)
    const next = bytes[at]
    at++
    if (next === 0x2c) continue
    if (next !== 0x7d) return false
    if (at !== end && skipSpaceBefore(bytes, at, end) !== end) return false
    return seen === FIELDS_ALL
  }
}

function skipSpaceBefore(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isSpace(bytes[at]!)) at++
  return at
}

/** Which of the four fields a key names, in either spelling; 0 for any other key. */
export function fieldOf(bytes: Uint8Array, at: number, length: number): number {
  switch (length) {
    case 6:
      return same(bytes, at, KEY_USER_CAMEL) ? FIELD_USER : 0
    case 7:
      return same(bytes, at, KEY_USER_SNAKE) ? FIELD_USER : 0
    case 9:
      if (same(bytes, at, KEY_TIME)) return FIELD_TIME
      if (same(bytes, at, KEY_PRODUCT_CAMEL)) return FIELD_PRODUCT
      return same(bytes, at, KEY_TYPE_CAMEL) ? FIELD_TYPE : 0
    case 10:
      if (same(bytes, at, KEY_PRODUCT_SNAKE)) return FIELD_PRODUCT
      return same(bytes, at, KEY_TYPE_SNAKE) ? FIELD_TYPE : 0
    default:
      return 0
  }
}

const ascii = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const KEY_PRODUCT_SNAKE = ascii('product_id')
const KEY_PRODUCT_CAMEL = ascii('productId')
const KEY_USER_SNAKE = ascii('user_id')
const KEY_USER_CAMEL = ascii('userId')
const KEY_TYPE_SNAKE = ascii('event_type')
const KEY_TYPE_CAMEL = ascii('eventType')
const KEY_TIME = ascii('timestamp')
const IMPRESSION = ascii('impression')
const VIEW = ascii('view')
const CLICKED = ascii('click')
const IMPRESSION_UPPER = ascii('IMPRESSION')
const VIEW_UPPER = ascii('VIEW')
const CLICKED_UPPER = ascii('CLICK')

function same(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}

/** An unescaped ASCII string; anything else goes to `exact`. */
function scanProduct(bytes: Uint8Array, open: number, slot: EventSlot): number {
  if (bytes[open] !== 0x22) return -1
  const start = open + 1
  let at = start
  while (PLAIN[bytes[at]!] === 1) at++
  const length = at - start
  if (bytes[at] !== 0x22 || length === 0 || length > PRODUCT_MAX_BYTES) return -1
  const ints = slot.ints
  ints[SLOT_PRODUCT_START] = start
  ints[SLOT_PRODUCT_END] = at
  ints[SLOT_PRODUCT_HASH] = hashProduct(bytes, start, at)
  return at + 1
}

/** A type in quotes; `open` is the opening one. */
export function scanType(bytes: Uint8Array, open: number, slot: EventSlot): number {
  if (bytes[open] !== 0x22) return -1
  const at = open + 1
  let length: number
  switch (bytes[at]) {
    case 0x69:
      length = same(bytes, at, IMPRESSION) ? 10 : 0
      break
    case 0x63:
      length = same(bytes, at, CLICKED) ? 5 : 0
      break
    case 0x76:
      length = same(bytes, at, VIEW) ? 4 : 0
      break
    case 0x49:
      length = same(bytes, at, IMPRESSION_UPPER) ? 10 : 0
      break
    case 0x43:
      length = same(bytes, at, CLICKED_UPPER) ? 5 : 0
      break
    case 0x56:
      length = same(bytes, at, VIEW_UPPER) ? 4 : 0
      break
    default:
      length = 0
  }
  if (length === 0 || bytes[at + length] !== 0x22) return -1
  slot.ints[SLOT_CLICK] = length === 5 ? 1 : 0
  return at + length + 1
}

/** A number of up to 15 digits, the same in quotes, or a date in quotes; what it leaves out `exact` takes. */
export function scanTime(bytes: Uint8Array, open: number, slot: EventSlot): number {
  const quoted = bytes[open] === 0x22
  const start = quoted ? open + 1 : open
  let at = start
  // Two short integer chains instead of one in doubles: an integer step takes half the cycles.
  let high = 0
  let digit = bytes[at]! - 0x30
  while (digit >= 0 && digit <= 9 && at < start + 7) {
    high = (high * 10 + digit) | 0
    digit = bytes[++at]! - 0x30
  }
  let low = 0
  let scale = 1
  while (digit >= 0 && digit <= 9 && at < start + 15) {
    low = (low * 10 + digit) | 0
    scale = (scale * 10) | 0
    digit = bytes[++at]! - 0x30
  }
  const digits = at - start
  if (digits === 0 || digits === 15) return -1
  if (quoted) {
    if (digits === 4 && bytes[at] === 0x2d) return scanDate(bytes, start, slot)
    if (bytes[at] !== 0x22) return -1
    at++
  } else {
    const byte = bytes[at]
    if (bytes[start] === 0x30 || byte === 0x2e || byte === 0x65 || byte === 0x45) return -1
  }
  const time = high * scale + low
  if (time <= 0) return -1
  slot.time[0] = time
  return at
}

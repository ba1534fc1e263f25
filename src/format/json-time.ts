/** Reads times in place, without allocating: the usual ones of those that event-time.ts defines. Of the rest it is not sure. */
import { DAY_MS, daysSinceEpoch, isDay } from './calendar.ts'
import { TIME_SCALE_LOG10, TIME_TEXT_MAX, type TimeReading, type TimeUnit, timeReason, unitOfDigits } from './event-time.ts'
import { REASON, UNSURE } from './reasons.ts'
import { type EventSlot, TIME_MAX_MS, TIME_MIN_MS } from './slot.ts'
import type { TimeFormats } from './time-format.ts'
import type { Zone } from './zone.ts'

const QUOTE = 0x22
const MINUS = 0x2d
const COLON = 0x3a
const POINT = 0x2e
const BACKSLASH = 0x5c
/** Whole numbers of so many digits are exact. */
const DIGITS_MAX = 15
/** Of nanoseconds in this millennium. */
const LONG_DIGITS_MAX = 19
/** Longer quoted times are left to the exact reader. */
const QUOTED_MAX = TIME_TEXT_MAX

export class JsonTimes {
  readonly #unit: TimeUnit
  readonly #zone: Zone
  readonly #formats: TimeFormats | undefined

  constructor({ unit, zone, formats }: TimeReading) {
    this.#unit = unit
    this.#zone = zone
    this.#formats = formats
  }

  /** A valid time that begins at `open` into the slot: the position behind it, or -1 for not sure. */
  scan(bytes: Uint8Array, open: number, slot: EventSlot): number {
    let at = open
    if (bytes[open] === QUOTE) {
      do {
        if (++at - open > QUOTED_MAX) return -1
      } while (bytes[at] !== QUOTE)
      at++
    } else {
      while (isNumeric(bytes[at]!)) at++
      // What a pattern takes may be no number.
      if (this.#formats !== undefined && !isFraction(bytes, open, at)) return -1
      // With a zero in front it is no JSON.
      if (bytes[open] === 0x30) return -1
    }
    return this.read(bytes, open, at, slot) === REASON.VALID ? at : -1
  }

  /** Of the JSON value bytes[open, behind): VALID with the time in the slot, why it is none, or UNSURE. */
  read(bytes: Uint8Array, open: number, behind: number, slot: EventSlot): number {
    const isText = bytes[open] === QUOTE
    return isText ? this.readText(bytes, open + 1, behind - 1, slot, true) : this.readText(bytes, open, behind, slot, false)
  }

  /** The same of what is between the quotes, or of a number. */
  readText(bytes: Uint8Array, start: number, end: number, slot: EventSlot, isText: boolean): number {
    if (end - start > TIME_TEXT_MAX) return UNSURE
    if (this.#formats !== undefined) {
      for (let at = start; at < end; at++) if (bytes[at] === BACKSLASH) return UNSURE
      const time = this.#formats.read(bytes, start, end)
      if (!Number.isNaN(time)) {
        slot.time[0] = time
        return timeReason(time)
      }
    }
    let digits = start
    while (digits < end && isDigit(bytes[digits]!)) digits++
    // A text that begins with neither a digit nor a minus is no time, unless it begins with an escape.
    if (digits === start) return start < end && (bytes[start] === MINUS || (isText && bytes[start] === 0x5c)) ? UNSURE : REASON.TIME
    if (isText && bytes[digits] === MINUS && digits === start + 4) return this.#date(bytes, start, end, slot)
    if (digits !== end && !(bytes[digits] === POINT && isFraction(bytes, digits + 1, end))) return UNSURE
    const time = this.#number(bytes, start, digits, end)
    if (Number.isNaN(time)) return UNSURE
    slot.time[0] = time
    return time > TIME_MIN_MS && time < TIME_MAX_MS ? REASON.VALID : REASON.TIME_RANGE
  }

  /** The number with its whole part in [start, digits) and, when `digits` is not `end`, a fraction; NaN for not sure. */
  #number(bytes: Uint8Array, start: number, digits: number, end: number): number {
    const length = digits - start
    if (length > LONG_DIGITS_MAX) return Number.NaN
    const unit = this.#unit === 'auto' ? unitOf(bytes, start, length) : this.#unit
    const scale = TIME_SCALE_LOG10[unit]
    if (scale > 0) {
      if (length > DIGITS_MAX - 3) return Number.NaN
      return digitsAt(bytes, start, digits) * 1000 + (digits === end ? 0 : fractionMs(bytes, digits + 1, end))
    }
    const last = digits + scale
    if (last - start > DIGITS_MAX) return Number.NaN
    return last <= start ? 0 : digitsAt(bytes, start, last)
  }

  /** yyyy-MM-dd, T or a blank, HH:mm[:ss[.f{1,9}]], and a zone or none. */
  #date(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
    const year = two(bytes, start) * 100 + two(bytes, start + 2)
    const month = two(bytes, start + 5)
    const day = two(bytes, start + 8)
    const hour = two(bytes, start + 11)
    const minute = two(bytes, start + 14)
    const between = bytes[start + 10]
    if (end - start < 16 || bytes[start + 7] !== MINUS || bytes[start + 13] !== COLON) return UNSURE
    if (between !== 0x54 && between !== 0x20 && between !== 0x74) return UNSURE
    if (!(year >= 1970 && isDay(year, month, day))) return UNSURE
    if (!(hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59)) return UNSURE
    let at = start + 16
    let ms = 0
    if (bytes[at] === COLON && at + 3 <= end) {
      const second = two(bytes, at + 1)
      if (!(second >= 0 && second <= 59)) return UNSURE
      at += 3
      ms = second * 1000
      if (at < end && (bytes[at] === POINT || bytes[at] === 0x2c)) {
        const first = ++at
        while (at < end && isDigit(bytes[at]!)) at++
        if (at === first || at - first > 9) return UNSURE
        ms += fractionMs(bytes, first, at)
      }
    }
    const local = daysSinceEpoch(year, month, day) * DAY_MS + (hour * 60 + minute) * 60_000 + ms
    const time = local - (at === end ? this.#zone.eastAt(local) : eastMs(bytes, at, end))
    if (!(time > TIME_MIN_MS && time < TIME_MAX_MS)) return UNSURE
    slot.time[0] = time
    return REASON.VALID
  }
}

/** What the zone bytes[at, end) is ahead of UTC; NaN for not sure. */
function eastMs(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at
  const first = bytes[at]
  if (length === 1) return first === 0x5a || first === 0x7a ? 0 : Number.NaN
  if (length === 4 && first === 0x20 && bytes[at + 1] === 0x55 && bytes[at + 2] === 0x54 && bytes[at + 3] === 0x43) return 0
  if (first !== 0x2b && first !== MINUS) return Number.NaN
  const hours = two(bytes, at + 1)
  let minutes = 0
  if (length === 5) minutes = two(bytes, at + 3)
  else if (length === 6 && bytes[at + 3] === COLON) minutes = two(bytes, at + 4)
  else if (length !== 3) return Number.NaN
  if (!(hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59)) return Number.NaN
  return (first === MINUS ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** A byte that a number may hold. */
function isNumeric(byte: number): boolean {
  return isDigit(byte) || byte === POINT || byte === MINUS || byte === 0x2b || byte === 0x65 || byte === 0x45
}

/** Digits, at least one. */
function isFraction(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isDigit(bytes[at]!)) return false
  return end > start
}

function fractionMs(bytes: Uint8Array, start: number, end: number): number {
  let ms = 0
  let unit = 100
  for (let at = start; at < end && at < start + 3; at++, unit /= 10) ms += (bytes[at]! - 0x30) * unit
  return ms
}

/** Zeros in front, which only a quoted number may have, say nothing of its size. */
function unitOf(bytes: Uint8Array, start: number, length: number): Exclude<TimeUnit, 'auto'> {
  let places = length
  for (let at = start; places > 0 && bytes[at] === 0x30; at++) places--
  return unitOfDigits(places)
}

/** Two short integer chains instead of one in doubles: an integer step takes half the cycles. */
function digitsAt(bytes: Uint8Array, start: number, end: number): number {
  let high = 0
  let at = start
  for (; at < end && at < start + 7; at++) high = (high * 10 + bytes[at]! - 0x30) | 0
  let low = 0
  let scale = 1
  for (; at < end; at++) {
    low = (low * 10 + bytes[at]! - 0x30) | 0
    scale = (scale * 10) | 0
  }
  return high * scale + low
}

/** Two ASCII digits as a number; something far below zero when they are not digits. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30
  const ones = bytes[at + 1]! - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000
}

/** Reads times by the configuration's patterns (config/time-pattern.ts), in place. */
import { patternPieces } from '../config/time-pattern.ts'
import { DAY_MS, daysSinceEpoch, isDay, isLeap } from './calendar.ts'
import type { Zone } from './zone.ts'

const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december']
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const SHORT_NAME = 3

/** Two digits from here on are of the last century. */
const CENTURY_FROM = 69

/** What directives put a number into. */
const YEAR = 0
const MONTH = 1
const DAY = 2
const DAY_OF_YEAR = 3
const HOUR = 4
const MINUTE = 5
const SECOND = 6
const FRACTION_MS = 7
/** 1 for the afternoon, 0 for the morning, -1 without a word. */
const AFTERNOON = 8
const EAST_MS = 9
const FIELDS = 10

/** Of directives that are one or two digits, or more: the field, and how many there are at least and most. */
const NUMBERS: { readonly [letter: string]: readonly [field: number, least: number, most: number] } = {
  Y: [YEAR, 4, 4],
  y: [YEAR, 2, 2],
  m: [MONTH, 1, 2],
  d: [DAY, 1, 2],
  e: [DAY, 1, 2],
  j: [DAY_OF_YEAR, 1, 3],
  H: [HOUR, 1, 2],
  I: [HOUR, 1, 2],
  M: [MINUTE, 1, 2],
  S: [SECOND, 1, 2],
}

/** Reads a piece of bytes[at, end) into the fields; the position behind it, or -1. */
type Piece = (bytes: Uint8Array, at: number, end: number) => number

/** Patterns that are tried in turn. */
export class TimeFormats {
  readonly #patterns: readonly (readonly Piece[])[]
  readonly #zone: Zone
  readonly #fields = new Float64Array(FIELDS)

  /** `zone` is of times of which the pattern names none. */
  constructor(patterns: readonly string[], zone: Zone) {
    this.#patterns = patterns.map((pattern) =>
      patternPieces(pattern).map((piece) => ('text' in piece ? literal(piece.text) : this.#directive(piece.directive))),
    )
    this.#zone = zone
  }

  /** ms of the text bytes[start, end), of whatever range; NaN when it is of none of the patterns. */
  read(bytes: Uint8Array, start: number, end: number): number {
    for (const pieces of this.#patterns) {
      const time = this.#readBy(pieces, bytes, start, end)
      if (!Number.isNaN(time)) return time
    }
    return Number.NaN
  }

  #readBy(pieces: readonly Piece[], bytes: Uint8Array, start: number, end: number): number {
    const fields = this.#fields
    fields.fill(0)
    fields[AFTERNOON] = -1
    fields[EAST_MS] = Number.NaN
    let at = start
    for (const piece of pieces) {
      at = piece(bytes, at, end)
      if (at < 0) return Number.NaN
    }
    return at === end ? this.#instant() : Number.NaN
  }

  #instant(): number {
    const fields = this.#fields
    const year = fields[YEAR]!
    const dayOfYear = fields[DAY_OF_YEAR]!
    let hour = fields[HOUR]!
    if (fields[AFTERNOON]! >= 0) {
      if (hour < 1 || hour > 12) return Number.NaN
      hour = (hour % 12) + 12 * fields[AFTERNOON]!
    }
    if (hour > 23 || fields[MINUTE]! > 59 || fields[SECOND]! > 59) return Number.NaN
    let days: number
    if (fields[MONTH] === 0 && dayOfYear > 0) {
      if (dayOfYear > (isLeap(year) ? 366 : 365)) return Number.NaN
      days = daysSinceEpoch(year, 1, 1) + dayOfYear - 1
    } else {
      if (!isDay(year, fields[MONTH]!, fields[DAY]!)) return Number.NaN
      days = daysSinceEpoch(year, fields[MONTH]!, fields[DAY]!)
    }
    const local = days * DAY_MS + ((hour * 60 + fields[MINUTE]!) * 60 + fields[SECOND]!) * 1000 + fields[FRACTION_MS]!
    const east = fields[EAST_MS]!
    return local - (Number.isNaN(east) ? this.#zone.eastAt(local) : east)
  }

  #directive(letter: string): Piece {
    const fields = this.#fields
    const number = NUMBERS[letter]
    if (number !== undefined) return this.#number(...number, letter)
    switch (letter) {
      case 'f':
        return (bytes, at, end) => fraction(fields, bytes, at, end)
      case 'z':
        return (bytes, at, end) => offset(fields, bytes, at, end)
      case 'Z':
        return (bytes, at, end) => {
          fields[EAST_MS] = 0
          const word = ['utc', 'gmt', 'z'].find((one) => spells(bytes, at, end, one))
          return word === undefined ? -1 : at + word.length
        }
      case 'p':
        return (bytes, at, end) => {
          fields[AFTERNOON] = spells(bytes, at, end, 'pm') ? 1 : 0
          return fields[AFTERNOON] === 1 || spells(bytes, at, end, 'am') ? at + 2 : -1
        }
      case 'a':
      case 'A':
        return (bytes, at, end) => name(WEEKDAYS, bytes, at, end).behind
      default:
        return (bytes, at, end) => {
          const { index, behind } = name(MONTHS, bytes, at, end)
          fields[MONTH] = index + 1
          return behind
        }
    }
  }

  #number(field: number, least: number, most: number, letter: string): Piece {
    const fields = this.#fields
    return (bytes, start, end) => {
      let at = letter === 'e' && bytes[start] === 0x20 ? start + 1 : start
      const first = at
      let value = 0
      for (; at < end && at - first < most && isDigit(bytes[at]!); at++) value = value * 10 + bytes[at]! - 0x30
      if (at - first < least) return -1
      fields[field] = letter === 'y' ? value + (value < CENTURY_FROM ? 2000 : 1900) : value
      return at
    }
  }
}

function literal(text: string): Piece {
  const wanted = new TextEncoder().encode(text)
  return (bytes, at, end) => {
    if (at + wanted.length > end) return -1
    for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return -1
    return at + wanted.length
  }
}

function fraction(fields: Float64Array, bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let ms = 0
  let unit = 100
  for (; at < end && at - start < 9 && isDigit(bytes[at]!); at++) {
    if (at - start < 3) ms += (bytes[at]! - 0x30) * unit
    unit /= 10
  }
  fields[FRACTION_MS] = ms
  return at === start ? -1 : at
}

/** Z, or a sign and hours with minutes or without. */
function offset(fields: Float64Array, bytes: Uint8Array, at: number, end: number): number {
  if (spells(bytes, at, end, 'z')) {
    fields[EAST_MS] = 0
    return at + 1
  }
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : 0
  const hours = twoDigits(bytes, at + 1, end)
  if (sign === 0 || hours < 0 || hours > 23) return -1
  const colon = bytes[at + 3] === 0x3a ? 1 : 0
  const minutes = twoDigits(bytes, at + 3 + colon, end)
  if (minutes > 59) return -1
  fields[EAST_MS] = sign * (hours * 60 + Math.max(0, minutes)) * 60_000
  return minutes < 0 ? at + 3 : at + 5 + colon
}

function twoDigits(bytes: Uint8Array, at: number, end: number): number {
  return at + 2 <= end && isDigit(bytes[at]!) && isDigit(bytes[at + 1]!) ? (bytes[at]! - 0x30) * 10 + bytes[at + 1]! - 0x30 : -1
}

const NO_NAME = { index: -1, behind: -1 }

/** Which of the names begins at `at`, in full or short. */
function name(names: readonly string[], bytes: Uint8Array, at: number, end: number): { readonly index: number; readonly behind: number } {
  const index = names.findIndex((one) => spells(bytes, at, end, one.slice(0, SHORT_NAME)))
  if (index < 0) return NO_NAME
  const full = names[index]!
  return { index, behind: at + (spells(bytes, at, end, full) ? full.length : SHORT_NAME) }
}

/** Whether the bytes are the lower-case word, in any case. */
function spells(bytes: Uint8Array, at: number, end: number, word: string): boolean {
  if (at + word.length > end) return false
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[at + i]!
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== word.charCodeAt(i)) return false
  }
  return true
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

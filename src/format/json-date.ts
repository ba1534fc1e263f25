/** Dates of fixed form, read in place: yyyy-MM-dd HH:mm:ss (UTC) and yyyy-MM-ddTHH:mm:ss[.f{1,9}]Z. Offsets go to `exact`. */
import { type EventSlot, TIME_MAX_MS, TIME_MIN_MS } from './slot.ts'

const DAY_MS = 86_400_000
const MONTH_DAYS = new Uint8Array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

/** Reads the date whose first digit is at `start` up to and with its closing quote; -1 when not sure. */
export function scanDate(bytes: Uint8Array, start: number, slot: EventSlot): number {
  const year = two(bytes, start) * 100 + two(bytes, start + 2)
  const month = two(bytes, start + 5)
  const day = two(bytes, start + 8)
  const hour = two(bytes, start + 11)
  const minute = two(bytes, start + 14)
  const second = two(bytes, start + 17)
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d || bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return -1
  if (!(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && hour >= 0 && hour <= 23)) return -1
  if (!(minute >= 0 && minute <= 59 && second >= 0 && second <= 59)) return -1
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  if (day > MONTH_DAYS[month]! + (leap && month === 2 ? 1 : 0)) return -1
  let at = start + 19
  let ms = 0
  const separator = bytes[start + 10]
  if (separator === 0x54) {
    if (bytes[at] === 0x2e) {
      let unit = 100
      const first = ++at
      for (let digit = bytes[at]! - 0x30; digit >= 0 && digit <= 9; digit = bytes[++at]! - 0x30) {
        ms += digit * unit
        unit = unit === 100 ? 10 : unit === 10 ? 1 : 0
      }
      if (at === first || at - first > 9) return -1
    }
    if (bytes[at] !== 0x5a) return -1
    at++
  } else if (separator !== 0x20) return -1
  if (bytes[at] !== 0x22) return -1
  const time = daysSinceEpoch(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms
  if (!(time > TIME_MIN_MS && time < TIME_MAX_MS)) return -1
  slot.time[0] = time
  return at + 1
}

/** Two ASCII digits as a number; something far below zero when they are not digits. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30
  const ones = bytes[at + 1]! - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const shifted = month <= 2 ? month + 9 : month - 3
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * shifted + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

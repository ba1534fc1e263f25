/**
 * What an event's time means; json-time.ts reads the usual ones in place. Fractions of a millisecond are cut off.
 *
 *   number   seconds, ms, us or ns since the epoch, with a fraction or an exponent, also in quotes
 *   text     2024-11-28T13:20:00.123+02:00: with T, t or a blank, seconds and fraction (point or comma) may be missing, behind it Z, z,
 *            UTC, an offset +02, +0200, +02:00, or nothing: the zone of the configuration
 *
 * Before these, the formats of the configuration are tried, on numbers as they are written, too.
 */
import { REASON } from './reasons.ts'
import { TIME_MAX_MS, TIME_MIN_MS } from './slot.ts'
import type { TimeFormats } from './time-format.ts'
import type { Zone } from './zone.ts'

/** Of a time that is a number; auto: the size of each tells. */
export type TimeUnit = 'auto' | 's' | 'ms' | 'us' | 'ns'

/** How the configuration has times read. */
export interface TimeReading {
  readonly unit: TimeUnit
  /** Of times that name none. */
  readonly zone: Zone
  readonly formats: TimeFormats | undefined
}

/** What a unit's number is multiplied by to be ms, as a power of ten. */
export const TIME_SCALE_LOG10: { readonly [unit in Exclude<TimeUnit, 'auto'>]: number } = { s: 3, ms: 0, us: -3, ns: -6 }

/** Longer texts are no times. */
export const TIME_TEXT_MAX = 64

const encoder = new TextEncoder()
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const DATE = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?( ?UTC|[Zz]| ?[+-]\d\d(?::?\d\d)?)?$/

/** ms of a time's text or number as written, a reason in a way that is no time: NaN for TIME. */
export function eventTime(text: string, { unit, zone, formats }: TimeReading): number {
  if (text.length > TIME_TEXT_MAX) return Number.NaN
  if (formats !== undefined) {
    const bytes = encoder.encode(text)
    const time = formats.read(bytes, 0, bytes.length)
    if (!Number.isNaN(time)) return time
  }
  const number = NUMBER.exec(text)
  if (number !== null) return ofNumber(text, number as unknown as string[], unit)
  const date = DATE.exec(text)
  return date === null ? Number.NaN : ofDate(date as unknown as string[], zone)
}

/** VALID, or why a time is none. */
export function timeReason(time: number): number {
  if (Number.isNaN(time)) return REASON.TIME
  return time > TIME_MIN_MS && time < TIME_MAX_MS ? REASON.VALID : REASON.TIME_RANGE
}

function ofNumber(text: string, [, sign, whole, fraction = '', exponent = '0']: string[], unit: TimeUnit): number {
  const value = Number(text)
  if (!Number.isFinite(value)) return Number.NaN
  if (value === 0 || sign === '-') return Math.min(value, 0)
  const scale = TIME_SCALE_LOG10[unit === 'auto' ? unitOf(`${whole}${fraction}`, Number(exponent) - fraction.length) : unit]
  return shifted(`${whole}${fraction}`, Number(exponent) - fraction.length + scale)
}

/** By auto, the unit of a number with so many digits before its point. */
export function unitOfDigits(places: number): Exclude<TimeUnit, 'auto'> {
  if (places <= 11) return 's'
  if (places <= 14) return 'ms'
  return places <= 17 ? 'us' : 'ns'
}

/** By the size of digits * 10^power, which is not rounded for that. */
function unitOf(digits: string, power: number): Exclude<TimeUnit, 'auto'> {
  const places = digits.replace(/^0+/, '').length + power
  return unitOfDigits(places)
}

/** digits * 10^power, without its fraction. */
function shifted(digits: string, power: number): number {
  if (power >= 0) return Number(`${digits}e${power}`)
  return Number(digits.slice(0, power) || '0')
}

function ofDate([, year, month, day, hour, minute, second = '0', fraction = '', offset]: string[], zone: Zone): number {
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return Number.NaN
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return Number.NaN
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3))
  const local = date.getTime() + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 + ms
  return local - (offset === undefined ? zone.eastAt(local) : offsetMs(offset))
}

/** East of UTC; NaN for an offset that is none. */
function offsetMs(offset: string): number {
  const match = /([+-])(\d\d):?(\d\d)?$/.exec(offset)
  if (match === null) return 0
  const [, sign, hours, minutes = '0'] = match as unknown as string[]
  if (Number(hours) > 23 || Number(minutes) > 59) return Number.NaN
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

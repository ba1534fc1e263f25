/**
 * What times of events leave open, and their distance to the records' own times tells: the zone of those that name none, and whether
 * 03/04/2024 is of March or of April.
 */
import { plainTime } from './plain-time.ts'
import type { Found } from './roles.ts'
import type { SampledRecord } from './sampled-record.ts'

const QUARTER_MS = 15 * 60_000
/** An event is on its way for less than this, mostly. */
const ON_THE_WAY_MS = 5 * 60_000
/** So much may the clocks of producer and broker differ. */
const CLOCKS_MS = 60_000
const ZONE_MAX_MS = 14 * 3_600_000
const NAMES_ZONE = /(?:UTC|GMT|[Zz]|:\d\d(?:[.,]\d+)? ?[+-]\d\d(?::?\d\d)?)$/
const TOLD_MIN = 10
const PLAUSIBLE_FROM_MS = Date.UTC(2001, 0, 1)

/** A date and time, in whatever form, without a zone. */
function hasNoZone(text: string): boolean {
  return /\D/.test(text.replace('.', '')) && !NAMES_ZONE.test(text)
}

/** `UTC`, or an offset such as +02:00. */
export function zoneOf(time: Found, records: readonly SampledRecord[]): string {
  const distances: number[] = []
  for (const { first } of time) {
    for (const [number, text] of first) {
      if (!hasNoZone(text)) continue
      const { timestamp = 0 } = records[number] ?? {}
      const read = plainTime(text)
      if (timestamp >= PLAUSIBLE_FROM_MS && !Number.isNaN(read)) distances.push(read - timestamp)
    }
  }
  if (distances.length < TOLD_MIN) return 'UTC'
  // An event is older than its record, if anything: that a time lies ahead of it has a zone for its reason. Behind it, it may be late.
  const sorted = distances.toSorted((a, b) => a - b)
  const newest = sorted[Math.floor(sorted.length * 0.9)] ?? 0
  const median = sorted[sorted.length >> 1] ?? 0
  const quarters = Math.ceil((newest - CLOCKS_MS) / QUARTER_MS)
  const zoneMs = quarters * QUARTER_MS
  if (quarters < 2 || zoneMs > ZONE_MAX_MS || zoneMs - median > ON_THE_WAY_MS) return 'UTC'
  const two = (value: number) => String(value).padStart(2, '0')
  return `+${two(Math.floor(quarters / 4))}:${two((quarters % 4) * 15)}`
}

/** Whether days stand before months where dates are written with slashes. */
export function areDaysFirst(time: Found, records: readonly SampledRecord[]): boolean {
  if (time.some(({ patterns }) => [...patterns].some((pattern) => pattern.startsWith('%d/%m')))) return true
  let monthsNearer = 0
  for (const { first } of time) {
    for (const [number, text] of first) {
      const [, month = '', day = ''] = /^(\d\d?)\/(\d\d?)\//.exec(text) ?? []
      const { timestamp = 0 } = records[number] ?? {}
      if (month === '' || Number(day) > 12 || month === day || timestamp < PLAUSIBLE_FROM_MS) continue
      const other = text.replace(/^(\d\d?)\/(\d\d?)/, '$2/$1')
      monthsNearer += Math.abs(plainTime(text) - timestamp) < Math.abs(plainTime(other) - timestamp) ? 1 : -1
    }
  }
  return monthsNearer < 0
}

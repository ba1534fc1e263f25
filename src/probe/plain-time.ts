/** What a time is without a word in the configuration, and the patterns of strptime that are tried where it is none. */
import { eventTime, type TimeReading, timeReason } from '../format/event-time.ts'
import { REASON } from '../format/reasons.ts'
import { TimeFormats } from '../format/time-format.ts'
import { Zone } from '../format/zone.ts'

const UTC = new Zone('UTC')
const PLAIN: TimeReading = { unit: 'auto', zone: UTC, formats: undefined }

/**
 * What servers, databases and people write; the first that fits. 03/04/2024 is of March: only days beyond the twelfth tell otherwise,
 * and the sooner of two patterns is the sooner that is proposed.
 */
const PATTERNS = [
  '%d/%b/%Y:%H:%M:%S %z',
  '%a, %d %b %Y %H:%M:%S %Z',
  '%a, %d %b %Y %H:%M:%S %z',
  '%a %b %d %H:%M:%S %Y',
  '%Y%m%dT%H%M%S%z',
  '%Y%m%dT%H%M%S.%f%z',
  '%Y%m%dT%H%M%S',
  '%Y/%m/%d %H:%M:%S',
  '%Y/%m/%d %H:%M:%S.%f',
  '%d.%m.%Y %H:%M:%S',
  '%d.%m.%Y %H:%M',
  '%d-%m-%Y %H:%M:%S',
  '%m/%d/%Y %H:%M:%S',
  '%m/%d/%Y %I:%M:%S %p',
  '%d/%m/%Y %H:%M:%S',
  '%d %b %Y %H:%M:%S',
  '%b %d, %Y %I:%M:%S %p',
].map((pattern) => ({ pattern, formats: new TimeFormats([pattern], UTC) }))

/** ms since the epoch, as if it were of UTC where it names no zone; NaN where it is no time. */
export function plainTime(text: string): number {
  const time = eventTime(text, PLAIN)
  if (!Number.isNaN(time)) return time
  const pattern = patternOf(text)
  const known = PATTERNS.find((one) => one.pattern === pattern)
  return known === undefined ? Number.NaN : eventTime(text, { ...PLAIN, formats: known.formats })
}

/** The pattern of a text that is no time without one. */
export function patternOf(text: string): string | undefined {
  if (text.length < 12 || text.length > 64 || !/\d/.test(text) || !Number.isNaN(eventTime(text, PLAIN))) return undefined
  return PATTERNS.find(({ formats }) => isPlausibleTime(eventTime(text, { ...PLAIN, formats })))?.pattern
}

const YEAR_2000 = Date.UTC(2000, 0, 1)
const YEAR_2100 = Date.UTC(2100, 0, 1)

/** Whether ms since the epoch lie in this century. */
export function isPlausibleTime(ms: number): boolean {
  return timeReason(ms) === REASON.VALID && ms >= YEAR_2000 && ms < YEAR_2100
}

/**
 * What clocks of a zone are ahead of UTC, for times that name no zone. Of zones whose clocks are set, the offsets of a year are worked out
 * when the first of its times comes; after that a time costs two comparisons while it is near the one before.
 *
 * A time of a night in which clocks are set forward that no clock has shown (02:30, when 02:00 became 03:00) counts by the offset before:
 * it is as long after the change as it says. Of one that clocks have shown twice it is the first. That is what Temporal and java.time do.
 *
 *   clocks of Berlin 2024   31 March, 02:00 becomes 03:00       27 October, 03:00 becomes 02:00
 *   local time              01:59 | 02:00 … 02:59 | 03:00       01:59 | 02:00 … 02:59 | 03:00
 *   offset                  +1    | +1            | +2          +2    | +2            | +1
 */
import { DAY_MS, daysSinceEpoch } from './calendar.ts'

/** Behind it the rules repeat with the calendar, every 400 years. */
const LAST_YEAR = 2500
const CALENDAR_YEARS = 400
const CALENDAR_MS = 146_097 * DAY_MS
/** Clocks lie no further from UTC. */
const EAST_MAX_MS = DAY_MS

/** Times of a zone's clocks below `until` that lie behind the segment before: `east` ms ahead of UTC. */
interface Segment {
  readonly until: number
  readonly east: number
}

export class Zone {
  /** The segment that was asked for last: local times, as if they were UTC, and what they are ahead. */
  #from = Number.NEGATIVE_INFINITY
  #until = Number.POSITIVE_INFINITY
  #east = 0
  readonly #clock: ((utcMs: number) => number) | undefined
  readonly #years = new Map<number, readonly Segment[]>()

  /** UTC, an offset such as +02:00, or a name of the IANA's zones. */
  constructor(name: string) {
    const offset = /^([+-])(\d\d):(\d\d)$/.exec(name)
    if (offset !== null) {
      const [, sign, hours, minutes] = offset
      this.#east = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
    } else if (name !== 'UTC') {
      this.#clock = clockOf(name)
      this.#until = Number.NEGATIVE_INFINITY
    }
  }

  /** What the local time, ms as if it were UTC, is ahead of UTC. */
  eastAt(localMs: number): number {
    if (!(localMs >= this.#from && localMs < this.#until)) this.#enter(localMs)
    return this.#east
  }

  #enter(localMs: number): void {
    if (localMs < -EAST_MAX_MS) {
      // Before 1970 wherever it is.
      this.#from = Number.NEGATIVE_INFINITY
      this.#until = -EAST_MAX_MS
      this.#east = 0
      return
    }
    const year = new Date(localMs).getUTCFullYear()
    const shift = year > LAST_YEAR ? Math.ceil((year - LAST_YEAR) / CALENDAR_YEARS) : 0
    const known = year - shift * CALENDAR_YEARS
    let segments = this.#years.get(known)
    if (segments === undefined) {
      segments = segmentsOf(known, this.#clock!)
      this.#years.set(known, segments)
    }
    this.#from = daysSinceEpoch(year, 1, 1) * DAY_MS
    for (const { until, east } of segments) {
      this.#until = until + shift * CALENDAR_MS
      this.#east = east
      if (localMs < this.#until) return
      this.#from = this.#until
    }
  }
}

/** Of the local times of a year, up to its end. */
function segmentsOf(year: number, clock: (utcMs: number) => number): Segment[] {
  const [start, end] = [daysSinceEpoch(year, 1, 1) * DAY_MS, daysSinceEpoch(year + 1, 1, 1) * DAY_MS]
  const segments: Segment[] = []
  let east = clock(start - 2 * EAST_MAX_MS)
  for (let day = start - EAST_MAX_MS; day <= end + EAST_MAX_MS; day += DAY_MS) {
    const next = clock(day)
    if (next === east) continue
    const until = changeIn(day - DAY_MS, day, clock) + Math.max(east, next)
    if (until >= end) break
    if (until > start) segments.push({ until, east })
    east = next
  }
  return [...segments, { until: end, east }]
}

/** The instant in (from, to] at which clocks are set. */
function changeIn(from: number, to: number, clock: (utcMs: number) => number): number {
  const before = clock(from)
  let [low, high] = [from, to]
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000
    if (clock(middle) === before) low = middle
    else high = middle
  }
  return high
}

/** What clocks of a zone are ahead at an instant. Throws RangeError for a name that is none. */
function clockOf(timeZone: string): (utcMs: number) => number {
  const numeric = 'numeric' as const
  const fields = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric }
  const format = new Intl.DateTimeFormat('en-US', { timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', ...fields })
  return (utcMs) => {
    const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {}
    for (const { type, value } of format.formatToParts(utcMs)) shown[type] = Number(value)
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = shown
    return daysSinceEpoch(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 - utcMs
  }
}

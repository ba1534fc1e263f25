/**
 * Windows of the calendar: hours, days, weeks or months of a time zone, as long as they are there: a day in which clocks change has 23, 24
 * or 25 hours. Each is its slice, and no two overlap.
 *
 *   day, week, month   from the first instant at which clocks show the first midnight of it, or a later time where that is left out
 *   hour               where clocks show a full hour; a change by part of an hour ends one early
 *
 * Example, days of Europe/Berlin: that of 2026-10-25 begins at 2026-10-24T22:00:00Z and ends at 2026-10-25T23:00:00Z, 25 hours later.
 *
 * What clocks show is asked of Intl, whose answers are kept by window: it is never asked per event, nor twice for a window at hand.
 */
import { type Calendar, WEEKDAYS } from '../config/calendar.ts'
import { DAY, HOUR, SECOND } from '../config/units.ts'

/** Clocks differ from UTC by less, and have never been changed by more than a day. */
const OFFSET_MAX = 26 * HOUR
const KEPT_MAX = 4096

interface Span {
  readonly start: number
  readonly end: number
}

/** As in WindowRules; ms. */
interface Rules {
  readonly windowSize: number
  readonly outOfOrderness: number
  readonly allowedLateness: number
}

/** See Windows of windows.ts for what each method is. */
export class CalendarWindows {
  readonly overlap = false
  readonly byZone = true
  readonly name = ''
  /** Of the longest one. */
  readonly size: number
  readonly slide: number
  readonly #spans: Spans
  readonly #outOfOrderness: number
  readonly #latenessMs: number

  constructor({ windowSize, outOfOrderness, allowedLateness }: Rules, calendar: Calendar) {
    this.size = windowSize
    this.slide = windowSize
    this.#spans = new Spans(calendar)
    this.#outOfOrderness = outOfOrderness
    this.#latenessMs = allowedLateness
  }

  sliceStart(time: number): number {
    return this.#spans.at(time).start
  }

  sliceEnd(start: number): number {
    return this.#spans.at(start).end
  }

  startOf(end: number): number {
    return this.#spans.at(end - 1).start
  }

  windowStart(end: number): number {
    return this.startOf(end)
  }

  firstEnd(end: number): number {
    return end
  }

  lastEnd(end: number): number {
    return end
  }

  lastEndUpTo(time: number): number {
    return this.startUpTo(time)
  }

  startUpTo(time: number): number {
    return this.#spans.at(time).start
  }

  startFrom(time: number): number {
    const { start, end } = this.#spans.at(time)
    return start === time ? start : end
  }

  openMax(driftMs: number): number {
    // A change of clocks may end an hour early, and a month may have 28 days.
    return Math.ceil(((driftMs + this.#outOfOrderness + this.#latenessMs) / this.size) * 2) + 3
  }

  lateAt(end: number): number {
    return end + this.#latenessMs + this.#outOfOrderness
  }

  partlyAt(end: number): number {
    return this.lateAt(end)
  }

  missedBy(): number {
    return 0
  }

  isDue(end: number, time: number): boolean {
    return end <= time
  }

  closedUpTo(watermark: number): number {
    return watermark - this.#latenessMs
  }

  purgedUpTo(watermark: number): number {
    return this.closedUpTo(watermark)
  }

  watermarkOf(maxEventTime: number): number {
    return maxEventTime - this.#outOfOrderness
  }

  isStep(before: number, after: number): boolean {
    if (!(after > before)) return false
    return (
      this.startUpTo(after) !== this.startUpTo(before) || this.startUpTo(this.closedUpTo(after)) !== this.startUpTo(this.closedUpTo(before))
    )
  }
}

/** The windows of one calendar, found by a time. */
class Spans {
  readonly #calendar: Calendar
  readonly #clock: Intl.DateTimeFormat
  /** Those that were found, by their starts, and the one found last. */
  #known: Span[] = []
  #last: Span = { start: 0, end: 0 }

  constructor(calendar: Calendar) {
    this.#calendar = calendar
    const two = '2-digit'
    const parts = { year: 'numeric', month: two, day: two, hour: two, minute: two, second: two } as const
    this.#clock = new Intl.DateTimeFormat('en-US', { timeZone: calendar.zone, hourCycle: 'h23', ...parts })
  }

  at(time: number): Span {
    const last = this.#last
    if (time >= last.start && time < last.end) return last
    // Before the first watermark, or with no window open.
    if (!Number.isFinite(time)) return { start: time, end: time }
    let low = 0
    let high = this.#known.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#known[middle]!.end <= time) low = middle + 1
      else high = middle
    }
    const known = this.#known[low]
    if (known !== undefined && known.start <= time) {
      this.#last = known
      return known
    }
    const span = this.#calendar.unit === 'hour' ? this.#hourAt(time) : this.#daysAt(time)
    if (this.#known.length >= KEPT_MAX) this.#known = [span]
    else this.#known.splice(low, 0, span)
    this.#last = span
    return span
  }

  /** What clocks show at an instant, as if it were UTC, ms. */
  #shown(time: number): number {
    const shown: Record<string, number> = {}
    for (const { type, value } of this.#clock.formatToParts(time)) shown[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((time % SECOND) + SECOND) % SECOND)
  }

  /** The first instant, to the second, at which clocks show `shown` or later; they come to it once, whatever they do before or after. */
  #first(shown: number): number {
    let low = shown - OFFSET_MAX
    let high = shown + OFFSET_MAX
    while (high - low > SECOND) {
      const middle = Math.floor((low + high) / 2 / SECOND) * SECOND
      if (this.#shown(middle) >= shown) high = middle
      else low = middle
    }
    return high
  }

  #daysAt(time: number): Span {
    let first = this.#unitStart(this.#shown(time))
    while (this.#first(first) > time) first = this.#unitStart(first - 1)
    let start = this.#first(first)
    // Where clocks go back over midnight they show the day before once more, behind the start of the new one.
    for (let next = this.#unitNext(first); this.#first(next) <= time; next = this.#unitNext(next)) {
      first = next
      start = this.#first(next)
    }
    let next = this.#unitNext(first)
    // A day that a zone has left out has no length.
    while (this.#first(next) <= start) next = this.#unitNext(next)
    return { start, end: this.#first(next) }
  }

  /** The first midnight of the unit that a time shown lies in. */
  #unitStart(shown: number): number {
    const midnight = Math.floor(shown / DAY) * DAY
    const date = new Date(midnight)
    if (this.#calendar.unit === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
    if (this.#calendar.unit === 'day') return midnight
    return midnight - ((date.getUTCDay() - WEEKDAYS.indexOf(this.#calendar.weekStart) + 7) % 7) * DAY
  }

  #unitNext(start: number): number {
    const date = new Date(start)
    if (this.#calendar.unit === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
    return start + (this.#calendar.unit === 'day' ? DAY : 7 * DAY)
  }

  #hourAt(time: number): Span {
    const shift = this.#hourShift(time)
    const start = Math.floor((time + shift) / HOUR) * HOUR - shift
    const end = start + HOUR
    return { start: this.#shiftBetween(start, time, shift, true), end: this.#shiftBetween(time, end, shift, false) }
  }

  /** By how much full hours lie before those of UTC. */
  #hourShift(time: number): number {
    return (((this.#shown(time) - time) % HOUR) + HOUR) % HOUR
  }

  /** Where between two instants, one of them with this shift, it changes: else the one that is not known to have it. */
  #shiftBetween(from: number, to: number, shift: number, after: boolean): number {
    if (this.#hourShift(after ? from : to - 1) === shift) return after ? from : to
    let [low, high] = [from, to]
    while (high - low > SECOND) {
      const middle = Math.floor((low + high) / 2 / SECOND) * SECOND
      if ((this.#hourShift(middle) === shift) === after) high = middle
      else low = middle
    }
    return high
  }
}

/**
 * Which slice of event time an event belongs to, which windows that slice is in, and when those are due, closed or too late to change.
 * Whoever needs to know asks here, and nobody else calculates with the length of a window.
 *
 *   slice    what a pane counts, [start, end): the longest span that no window's edge cuts. Main knows it by its end.
 *   window   what rows are of, [start, end): whole slices. A tumbling window is one slice, and no two of them overlap; sliding ones begin
 *            every `slide`, and a slice is the greatest common divisor of size and slide.
 *
 * What happens to a slice and its windows, each by a watermark W; the first and last window are those of the slice that end so:
 *
 *   due      W ≥ end                        of a window: its rows are written
 *   closed   W ≥ end + lateness             of a window: its rows don't change any more
 *   purged   the last window is closed      the slice takes no more events, and its memory goes
 *
 * and to an event by the watermark w of its own partition, the event time believed before it less out-of-orderness:
 *
 *   plain    first window's end + lateness > w     it counts in all windows of its slice
 *   partly   otherwise                             it is a correction, and counts in those with end + lateness > w only
 *   late     last window's end + lateness ≤ w      it counts nowhere
 *
 * A tumbling window is its slice's first and last, so there an event is plain or late.
 *
 * Example, windows of 10 s, lateness 5 s, out-of-orderness 2 s: an event of 00:00:13 goes into the slice that ends at 00:00:20. It is due
 * at the watermark 00:00:20 and purged at 00:00:25. An event of it is late once its partition has had an event of 00:00:27. With a slide of
 * 5 s the slice ends at 00:00:15, and its windows at 00:00:15 and 00:00:20: from 00:00:22 on an event of it counts in the second only.
 *
 * All times are ms since the epoch, whole numbers. Objects hold no state but rules: every thread makes its own from them (`windowsOf`).
 */
import type { Calendar } from '../config/calendar.ts'
import type { Config } from '../config/schema.ts'
import { commonDivisor, formatDuration } from '../config/units.ts'
import { CalendarWindows } from './calendar.ts'

/** What windows are made from, ms; plain data, so that it can go to another thread. */
export interface WindowRules {
  readonly windowSize: number
  /** Of sliding windows: from the start of one to that of the next. */
  readonly windowSlide?: number | undefined
  /** A window begins at this time after the epoch; 0 where it is absent. */
  readonly windowOffset?: number | undefined
  /** Of windows of the calendar; their length is then that of the longest. */
  readonly calendar?: Calendar | undefined
  readonly outOfOrderness: number
  readonly allowedLateness: number
}

/** How windows look from outside, as manifests keep it. Times in ms. */
interface WindowShape {
  readonly windowType: string
  readonly windowSize: number
  readonly windowSlide?: number | undefined
  readonly windowOffset?: number | undefined
  readonly calendar?: Calendar | undefined
}

/** Windows of one length that begin every `slide`: end to end when that is their length, else overlapping. */
class FixedWindows {
  /** Whether a slice is in several windows. */
  readonly overlap: boolean
  /** Whether rules of a time zone say where windows begin. */
  readonly byZone = false
  readonly size: number
  readonly slide: number
  readonly #slice: number
  readonly #offset: number
  readonly #outOfOrderness: number
  readonly #latenessMs: number

  constructor({ windowSize, windowSlide = windowSize, windowOffset = 0, outOfOrderness, allowedLateness }: WindowRules) {
    this.size = windowSize
    this.slide = windowSlide
    this.overlap = windowSlide < windowSize
    this.#slice = commonDivisor(windowSize, windowSlide)
    this.#offset = windowOffset
    this.#outOfOrderness = outOfOrderness
    this.#latenessMs = allowedLateness
  }

  /** What rows have in the column `window`: roll-ups add up those without a name, so an event must be in one of them at most. */
  get name(): string {
    return this.overlap ? 'sliding' : ''
  }

  /** Start of the slice that holds `time`. */
  sliceStart(time: number): number {
    return Math.floor((time - this.#offset) / this.#slice) * this.#slice + this.#offset
  }

  /** End of the slice that begins at `start`. */
  sliceEnd(start: number): number {
    return start + this.#slice
  }

  /** Start of the slice that ends at `end`. */
  startOf(end: number): number {
    return end - this.#slice
  }

  /** Start of the window that ends at `end`. */
  windowStart(end: number): number {
    return end - this.size
  }

  /** End of the first window of the slice that ends at `end`. */
  firstEnd(end: number): number {
    return Math.ceil((end - this.#offset - this.size) / this.slide) * this.slide + this.#offset + this.size
  }

  /** End of its last window. */
  lastEnd(end: number): number {
    return this.startUpTo(end - this.#slice) + this.size
  }

  /** End of the last window that ends at or before `time`. */
  lastEndUpTo(time: number): number {
    return this.startUpTo(time - this.size) + this.size
  }

  /** Start of the last window that begins at or before `time`. */
  startUpTo(time: number): number {
    return Math.floor((time - this.#offset) / this.slide) * this.slide + this.#offset
  }

  /** Start of the first window that begins at or after `time`. */
  startFrom(time: number): number {
    return Math.ceil((time - this.#offset) / this.slide) * this.slide + this.#offset
  }

  /** The most slices that can be open when event time spans `driftMs` above the watermark's own: those, and what can still be corrected. */
  openMax(driftMs: number): number {
    const corrected = this.size - this.#slice + this.#outOfOrderness + this.#latenessMs
    return Math.ceil((driftMs + corrected) / this.#slice) + 2
  }

  /** The largest event time before it in its own partition from which on an event of the slice is late. */
  lateAt(end: number): number {
    return this.lastEnd(end) + this.#latenessMs + this.#outOfOrderness
  }

  /** The same from which on it does not count in all windows of the slice. */
  partlyAt(end: number): number {
    return this.firstEnd(end) + this.#latenessMs + this.#outOfOrderness
  }

  /** How many of the slice's windows an event does not count in when its partition's largest event time before it is `maxEventTime`. */
  missedBy(end: number, maxEventTime: number): number {
    return Math.floor((maxEventTime - this.partlyAt(end)) / this.slide) + 1
  }

  /** Whether rows of the window that ends at `end` are due at a watermark, or by the clock when no watermark will come. */
  isDue(end: number, time: number): boolean {
    return end <= time
  }

  /** Windows that end at or before this are closed at the watermark. */
  closedUpTo(watermark: number): number {
    return watermark - this.#latenessMs
  }

  /** Slices that end at or before this are purged at the watermark; all later ones are open. */
  purgedUpTo(watermark: number): number {
    return this.startUpTo(this.closedUpTo(watermark) - this.size) + this.slide
  }

  /** The watermark that the largest event time of a partition stands for. */
  watermarkOf(maxEventTime: number): number {
    return maxEventTime - this.#outOfOrderness
  }

  /** Whether any window can become due or closed when the watermark goes from `before` to `after`. Nothing happens in between. */
  isStep(before: number, after: number): boolean {
    if (!(after > before)) return false
    return (
      this.lastEndUpTo(after) !== this.lastEndUpTo(before) ||
      this.lastEndUpTo(this.closedUpTo(after)) !== this.lastEndUpTo(this.closedUpTo(before))
    )
  }
}

/** Windows of whichever kind; another kind is one more in this union and in `windowsOf`. */
export type Windows = FixedWindows | CalendarWindows

/** The windows that the rules say. */
export function windowsOf(rules: WindowRules): Windows {
  return rules.calendar === undefined ? new FixedWindows(rules) : new CalendarWindows(rules, rules.calendar)
}

/** The rules that the configuration says. */
export function windowRules({ window, time }: Pick<Config, 'window' | 'time'>): WindowRules {
  const { type, size, slide, offset, unit = 'day', zone, weekStart } = window
  const { outOfOrderness, allowedLateness } = time
  return {
    windowSize: size,
    ...(slide !== undefined && { windowSlide: slide }),
    ...(offset && { windowOffset: offset }),
    ...(type === 'calendar' && { calendar: { unit, zone, weekStart } }),
    outOfOrderness,
    allowedLateness,
  }
}

/** In which way panes of `kept` windows are of no use for those of `now`; undefined when they are the same. Rules of time may differ. */
export function windowDifference(kept: WindowShape, now: WindowShape): string | undefined {
  if (kept.windowType !== now.windowType) return `window.type ${kept.windowType}, now ${now.windowType}`
  for (const key of ['windowSize', 'windowSlide', 'windowOffset'] as const) {
    const [before, after] = [kept[key], now[key]].map((ms) => (ms === undefined ? 'none' : `${ms} ms`))
    if (before !== after) return `window.${key.slice('window'.length).toLowerCase()} ${before}, now ${after}`
  }
  for (const key of ['unit', 'zone', 'weekStart'] as const) {
    const [before, after] = [kept.calendar?.[key], now.calendar?.[key]]
    if (before !== after) return `window.${key} ${before ?? 'none'}, now ${after ?? 'none'}`
  }
  return undefined
}

/** For people: "tumbling windows of 10s". */
export function describeWindows({ windowType, windowSize, windowSlide, windowOffset, calendar }: WindowShape): string {
  if (calendar !== undefined) return `${calendar.unit}s of ${calendar.zone}`
  const every = windowSlide === undefined ? '' : ` every ${formatDuration(windowSlide)}`
  const from = windowOffset === undefined ? '' : ` from ${formatDuration(windowOffset)} on`
  return `${windowType} windows of ${formatDuration(windowSize)}${every}${from}`
}

/** From the engine's history to what charts draw. */
import type { Answer } from './answers.ts'
import { bytesText, rateText, ratioText, secondsText } from './words.ts'

/** A line of a chart; of those of one chart each has another dash. */
export interface ChartLine {
  readonly label: string
  readonly values: readonly (number | null)[]
}

/** Something that happened, on the time axis. */
export interface ChartMark {
  /** Since the epoch. */
  readonly atSeconds: number
  readonly kind: string
  readonly message: string
}

/** One chart. */
export interface ChartLines {
  readonly title: string
  /** Since the epoch, one for each value. */
  readonly timesSeconds: readonly number[]
  readonly lines: readonly ChartLine[]
  readonly marks: readonly ChartMark[]
  /** How a value is written. */
  readonly format: (value: number | null) => string
}

type Series = Answer<'history'>['series']
type Format = ChartLines['format']

const CHARTS: readonly { readonly title: string; readonly format: Format; readonly lines: readonly (readonly [keyof Series, string])[] }[] =
  [
    {
      title: 'Records a second',
      format: rateText,
      lines: [
        ['recordsPerSecond', 'read'],
        ['impressionsPerSecond', 'impressions'],
        ['clicksPerSecond', 'clicks'],
      ],
    },
    { title: 'CTR', format: ratioText, lines: [['ctr', 'CTR']] },
    {
      title: 'Behind now',
      format: secondsText,
      lines: [
        ['delaySeconds', 'rows readable after'],
        ['watermarkLagSeconds', 'watermark'],
        ['behindSeconds', 'reading'],
      ],
    },
    { title: 'Records that wait', format: rateText, lines: [['lagRecords', 'lag']] },
    {
      title: 'Not counted, a second',
      format: rateText,
      lines: [
        ['latePerSecond', 'late'],
        ['invalidPerSecond', 'invalid'],
        ['ignoredPerSecond', 'ignored'],
      ],
    },
    {
      title: 'Rows to ClickHouse',
      format: rateText,
      lines: [
        ['rowsPerSecond', 'written a second'],
        ['rowsPending', 'waiting'],
      ],
    },
    {
      title: 'Busy',
      format: ratioText,
      lines: [
        ['coresUsed', 'of one core'],
        ['backpressureShare', 'main waits for workers'],
      ],
    },
    { title: 'Memory', format: bytesText, lines: [['rssBytes', 'resident']] },
    {
      title: 'State',
      format: rateText,
      lines: [
        ['activeProducts', 'products'],
        ['openPanes', 'open windows × products'],
      ],
    },
  ]

/** All charts of a history. */
export function chartsOf({ from, stepSeconds, series, events }: Answer<'history'>): ChartLines[] {
  const columns = Object.values(series)
  const length = columns[0]?.length ?? 0
  // A young engine's charts begin with it.
  const skipped = Math.max(0, Math.min(...columns.map((column) => column.findIndex((value) => value !== null)).filter((at) => at >= 0)))
  const first = Number.isFinite(skipped) ? skipped : 0
  const start = Date.parse(from) / 1000 + first * stepSeconds
  const timesSeconds = Array.from({ length: length - first }, (_, i) => start + i * stepSeconds)
  const marks = marksOf(events, start)
  return CHARTS.map(({ title, format, lines }) => ({
    title,
    format,
    timesSeconds,
    marks,
    lines: lines.map(([name, label]) => ({ label, values: (series[name] ?? []).slice(first) })),
  }))
}

/** Checkpoints are too many to be marks. */
function marksOf(events: Answer<'history'>['events'], startSeconds: number): ChartMark[] {
  return events
    .filter(({ kind }) => kind !== 'checkpoint')
    .map(({ at, kind, message }) => ({ atSeconds: Date.parse(at) / 1000, kind, message }))
    .filter(({ atSeconds }) => atSeconds >= startSeconds)
}

/** Every so many values, the last one among them: what a table can show of a line. */
export function thinned(length: number, rows: number): number[] {
  if (length === 0) return []
  const step = Math.max(1, Math.ceil(length / rows))
  const first = (length - 1) % step
  return Array.from({ length: Math.ceil((length - first) / step) }, (_, i) => first + i * step)
}

/** The newest value that is known; null when none is. */
export function newest(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null
}

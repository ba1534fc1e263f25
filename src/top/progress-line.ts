/** How far a piece of work is, on one line of a terminal. */
import { fit } from '../columns.ts'
import { formatCount, formatRatio, formatSpan } from '../text.ts'
import { bar } from './spark.ts'

/** Where it stands. */
export interface WorkStep {
  /** What is being done. */
  readonly what: string
  /** How many of what are done, and of how many where that is known. */
  readonly done?: number
  readonly of?: number | undefined
  readonly unit?: string
  /** Of the whole, 0 to 1; follows from `done` and `of` where it is not given. */
  readonly share?: number | undefined
}

const BAR_MAX_COLUMNS = 24
/** An estimate from less is none. */
const SHARE_MIN = 0.01

/** A line of exactly `columns`: the share, counts, the rate, and how long it has taken or will take. */
export function progressLine(step: WorkStep, elapsedMs: number, perSecond: number | undefined, columns: number): string {
  const { what, done, of, unit = '' } = step
  const share = step.share ?? (done === undefined || !of ? undefined : Math.min(1, done / of))
  const parts = [what]
  if (share !== undefined)
    parts.push(`${bar(share, Math.min(BAR_MAX_COLUMNS, Math.floor(columns / 5)))} ${formatRatio(share).replace(/\..*/, ' %')}`)
  if (done !== undefined)
    parts.push(`${formatCount(done)}${of === undefined ? '' : ` of ${formatCount(of)}`}${unit === '' ? '' : ` ${unit}`}`)
  if (perSecond !== undefined && perSecond >= 1) parts.push(`${formatCount(perSecond)}/s`)
  parts.push(share !== undefined && share >= SHARE_MIN ? `${formatSpan((elapsedMs * (1 - share)) / share)} left` : formatSpan(elapsedMs))
  return fit(parts.join('  '), columns)
}

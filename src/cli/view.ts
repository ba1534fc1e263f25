/** The live view: pure functions from snapshots of the pipeline to lines. Who draws them, how often and where is the verb's choice. */
import picocolors from 'picocolors'
import { fit } from '../columns.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { formatCount, formatRatio, formatSpan, formatTime } from '../text.ts'
import { TERM_NAMES } from '../window/ledger.ts'
import { COLOURS } from './colours.ts'
import { lagOf, recordsRead, watermarkOf } from './totals.ts'

/** A product of the table, newest counts first. */
export interface TopProduct {
  readonly productId: string
  readonly impressions: number
  readonly clicks: number
}

/** A snapshot and when it was taken, ms since the epoch. */
export interface ViewSample {
  readonly stats: PipelineStats
  readonly at: number
}

const NOT_COUNTED = TERM_NAMES.filter((name) => name !== 'counted')
const WIDTH_MIN = 40
const WIDTH_MAX = 100

/** The view as lines of at most `width` columns. `previous` is what the rate is measured against. */
export function renderView(
  sample: ViewSample,
  previous: ViewSample | undefined,
  top: readonly TopProduct[],
  width: number,
  colours: boolean = COLOURS,
): string[] {
  const c = picocolors.createColors(colours)
  const { stats, at } = sample
  const columns = Math.max(WIDTH_MIN, Math.min(width, WIDTH_MAX))
  const lines = [headline(stats, columns, c), '', ...figures(sample, previous).map((row) => cells(row, columns, c))]
  for (const reason of stats.notReady) lines.push(c.yellow(fit(` ! ${reason}`, columns)))
  for (const { message } of stats.degraded) lines.push(c.yellow(fit(` ! ${message}`, columns)))
  lines.push('', ...products(top, columns, c))
  lines.push(c.dim(fit(` ${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`, columns)))
  return lines.map((line) => line.trimEnd())
}

/** One line for places that are no terminal. */
export function renderLine(sample: ViewSample, previous: ViewSample | undefined): string {
  const { stats, at } = sample
  const watermark = watermarkOf(stats)
  const behind = watermark === undefined ? 'no watermark yet' : `watermark ${formatTime(watermark, at)}`
  const parts = [
    `${formatCount(eventsPerSecond(sample, previous))} events/s`,
    `${formatCount(recordsRead(stats))} events`,
    behind,
    `lag ${formatCount(lagOf(stats))}`,
    ...NOT_COUNTED.map((name) => `${name} ${formatCount(stats.terms[name])}`),
    `rows ${formatCount(stats.rowsWritten)}`,
    ...stats.notReady,
    ...stats.degraded.map(({ message }) => message),
  ]
  return `${new Date(at).toISOString().slice(0, 19)}Z ${stats.state}: ${parts.join(', ')}`
}

type Colours = ReturnType<typeof picocolors.createColors>

function eventsPerSecond({ stats, at }: ViewSample, previous: ViewSample | undefined): number {
  if (previous === undefined || at <= previous.at) return 0
  return Math.max(0, ((recordsRead(stats) - recordsRead(previous.stats)) * 1000) / (at - previous.at))
}

function headline({ state, topics, partitions, rings, activeProducts }: PipelineStats, columns: number, c: Colours): string {
  const paint = state === 'running' ? c.green : c.yellow
  const counts = [
    plural(topics.length, 'topic'),
    plural(partitions.length, 'partition'),
    plural(rings.length, 'worker'),
    plural(activeProducts, 'product'),
  ]
  const rest = fit(counts.join(', '), Math.max(0, columns - 6 - state.length))
  return ` ${c.bold('ctr')} ${paint(state)} ${c.dim(rest)}`
}

function plural(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`
}

type Figure = readonly [name: string, value: string]
const NO_FIGURE: Figure = ['', '']

function figures(sample: ViewSample, previous: ViewSample | undefined): Figure[][] {
  const { stats, at } = sample
  const watermark = watermarkOf(stats)
  const behind = watermark === undefined ? '-' : formatSpan(Math.max(0, at - watermark))
  const ctr = stats.impressions === 0 ? 0 : stats.clicks / stats.impressions
  const left: Figure[] = [
    ['events/s', formatCount(eventsPerSecond(sample, previous))],
    ['events', formatCount(recordsRead(stats))],
    ['CTR', formatRatio(ctr)],
  ]
  const middle: Figure[] = [
    ['watermark', watermark === undefined ? '-' : formatTime(watermark, at)],
    ['behind', behind],
    ['lag', formatCount(lagOf(stats))],
  ]
  const right: Figure[] = [
    ['rows', formatCount(stats.rowsWritten)],
    ...NOT_COUNTED.map((name): Figure => [name, formatCount(stats.terms[name])]),
  ]
  return right.map((figure, i) => [left[i] ?? NO_FIGURE, middle[i] ?? NO_FIGURE, figure])
}

function cells(row: readonly Figure[], columns: number, c: Colours): string {
  const cell = Math.floor((columns - 1) / row.length)
  const nameColumns = Math.min(10, Math.floor(cell / 2))
  return ` ${row.map(([name, value]) => c.dim(fit(name, nameColumns)) + c.bold(fit(value, cell - nameColumns))).join('')}`
}

const COUNT_COLUMNS = 13
const CTR_COLUMNS = 10

function products(top: readonly TopProduct[], columns: number, c: Colours): string[] {
  const name = columns - 2 * COUNT_COLUMNS - CTR_COLUMNS - 1
  const head =
    fit('top products', name) + 'impressions'.padStart(COUNT_COLUMNS) + 'clicks'.padStart(COUNT_COLUMNS) + 'CTR'.padStart(CTR_COLUMNS)
  if (top.length === 0) return [` ${c.dim(head)}`, c.dim(fit(' the first window has not ended yet', columns))]
  const rows = top.map(({ productId, impressions, clicks }) => {
    const counts = countCell(impressions) + countCell(clicks)
    const ctr = formatRatio(impressions === 0 ? 0 : clicks / impressions).padStart(CTR_COLUMNS)
    return ` ${fit(productId, name)}${counts}${c.cyan(ctr)}`
  })
  return [` ${c.dim(head)}`, ...rows]
}

function countCell(count: number): string {
  const text = formatCount(count)
  return (text.length < COUNT_COLUMNS ? text : `${formatCount(count / 1e9)} G`).padStart(COUNT_COLUMNS)
}

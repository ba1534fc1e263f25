/** What a run did, at its end. */
import picocolors from 'picocolors'
import type { PipelineStats } from '../metrics/stats.ts'
import { formatCount, formatRatio, formatSpan } from '../text.ts'
import { BALANCE, TERM_NAMES, TERMS, unaccounted } from '../window/ledger.ts'
import { COLOURS } from './colours.ts'
import { recordsRead } from './totals.ts'

export interface SummaryOptions {
  /** Wall time of the run, ms. */
  readonly elapsedMs: number
  /** What became of the inputs of a replay, a text for each. */
  readonly inputs?: readonly string[]
  /** Commands worth trying now. */
  readonly next?: readonly string[]
  /** By default as stdout takes them. */
  readonly colours?: boolean
}

/** The lines of the summary: rate, counts, the ledger, rows, and what to try next. */
export function renderSummary(stats: PipelineStats, { elapsedMs, inputs = [], next = [], colours = COLOURS }: SummaryOptions): string[] {
  const c = picocolors.createColors(colours)
  const events = recordsRead(stats)
  const rate = elapsedMs > 0 ? (events * 1000) / elapsedMs : 0
  const lines = [
    `${c.bold(formatCount(events))} events in ${formatSpan(elapsedMs)}: ${c.bold(formatCount(rate))} events/s`,
    ...TERMS.map(({ name, reasons }) =>
      line(name, stats.terms[name], name === 'counted' ? kindsOf(stats) : reasons ? reasonsOf(stats) : ''),
    ),
    ...(stats.taskCount === undefined ? [] : [`  ${'tasks'.padEnd(13)}${`${stats.tasks.length} of ${stats.taskCount}`.padStart(15)}`]),
    ...leftOut(stats),
    line('rows written', stats.rowsWritten, stats.sinkRetries === 0 ? '' : `${formatCount(stats.sinkRetries)} retries`),
    ...(stats.rowsParked === 0 ? [] : [line('rows parked', stats.rowsParked, 'ClickHouse refuses them; they are in the dead letters')]),
    ...(stats.rowsExpired === 0
      ? []
      : [line('rows expired', stats.rowsExpired, 'of those written: clickhouse.retention.results is shorter')]),
    ledger(stats, c),
    ...inputs.map((input) => `  ${'input'.padEnd(13)}${input}`),
    ...stats.degraded.map(({ message }) => `  ${c.yellow('!')} ${message}`),
  ]
  if (next.length > 0) lines.push('', 'Try next:', ...next.map((command) => `  ${c.cyan(command)}`))
  return lines.map((text) => text.trimEnd())
}

function line(name: string, count: number, remark: string): string {
  return `  ${name.padEnd(13)}${formatCount(count).padStart(15)}   ${remark}`
}

function kindsOf({ impressions, clicks }: PipelineStats): string {
  const ctr = formatRatio(impressions === 0 ? 0 : clicks / impressions)
  return `${formatCount(impressions)} impressions, ${formatCount(clicks)} clicks, CTR ${ctr}`
}

function reasonsOf({ invalid }: PipelineStats): string {
  return invalid
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count)
    .map(({ reason, count }) => `${reason} ${formatCount(count)}`)
    .join(', ')
}

/** Dead letters that are not there. */
function leftOut({ lettersLeftOut }: PipelineStats): string[] {
  const count = lettersLeftOut.reduce((sum, { count: letters }) => sum + letters, 0)
  return count === 0
    ? []
    : [line('not kept', count, 'of the dead letters: more than deadLetter.perReason of a reason, partition and minute')]
}

/** Every record must be in exactly one term; where it isn't, the partition is named. */
function ledger({ partitions }: PipelineStats, c: ReturnType<typeof picocolors.createColors>): string {
  const wrong = partitions.filter((counts) => unaccounted(counts) !== 0)
  if (wrong.length === 0) return `  ${'ledger'.padEnd(13)}${c.green('exact'.padStart(15))}   ${BALANCE} in every partition`
  const named = wrong.map((counts) => {
    return `${counts.topic}/${counts.partition}: ${counts.read} != ${TERM_NAMES.map((name) => counts[name]).join(' + ')}`
  })
  return `  ${'ledger'.padEnd(13)}${c.red('WRONG'.padStart(15))}   ${named.join('; ')}`
}

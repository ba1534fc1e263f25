/** What `npm run bench:pair` measures of a run, what it makes of all pairs, and how it shows it. */
import { formatCount, formatRatio } from '../src/text.ts'
import type { Run } from '../workshop/backlog.ts'
import type { Revision } from '../workshop/checkout.ts'
import { type Better, type MedianInterval, type PairedMeasure, pairedMeasure } from '../workshop/paired.ts'
import { type Place, significant, table } from '../workshop/report.ts'

export const CONFIDENCE = 0.95

/** Of a run, what is kept. */
export type PairRun = Required<Pick<Run, 'seconds' | 'wallSeconds' | 'cpuSeconds' | 'busyCpuSeconds' | 'peakRssBytes'>>

export interface Pair {
  readonly first: 'base' | 'head'
  readonly base: PairRun
  readonly head: PairRun
}

/** What every run must leave in ClickHouse, as readers see it. */
export interface Digest {
  readonly rows: number
  readonly impressionsSum: number
  readonly clicksSum: number
  /** Of all columns of all rows, whatever their order. */
  readonly hash: string
}

export interface Side extends Revision {
  /** Its Node. */
  readonly node: string
}

export interface Measured extends PairedMeasure {
  readonly name: string
}

export interface PairReport {
  readonly kind: 'pair'
  readonly place: Place
  readonly base: Side
  readonly head: Side
  readonly backlog: { readonly events: number; readonly products: number; readonly partitions: number; readonly codec: string }
  readonly workers: number
  readonly digest: Digest
  readonly pairs: readonly Pair[]
  /** CPU is the first. */
  readonly measures: readonly Measured[]
}

interface Measure {
  readonly name: string
  readonly better: Better
  readonly of: (run: PairRun, events: number) => number
}

const MEASURES: readonly Measure[] = [
  { name: 'CPU s/M', better: 'less', of: ({ cpuSeconds }, events) => (cpuSeconds * 1e6) / events },
  { name: 'reading', better: 'less', of: ({ busyCpuSeconds }, events) => (busyCpuSeconds * 1e6) / events },
  { name: 'events/s', better: 'more', of: ({ seconds }, events) => events / seconds },
  { name: 'peak MiB', better: 'less', of: ({ peakRssBytes }) => peakRssBytes / 2 ** 20 },
]

/** Every measure over all pairs. */
export function measurePairs(pairs: readonly Pair[], events: number): Measured[] {
  return MEASURES.map(({ name, better, of }) => {
    const values = pairs.map(({ base, head }) => [of(base, events), of(head, events)] as const)
    return { name, ...pairedMeasure(values, better, CONFIDENCE) }
  })
}

/** Throws unless the summary of a run says that all `events` were counted, or were late or invalid. */
export function checkSummary(name: string, summary: string, events: number): void {
  const [counted, late, invalid] = ['counted', 'late', 'invalid'].map((term) => {
    const [, digits] = new RegExp(`^ *${term} +([\\d,]+)(?: |$)`, 'm').exec(summary) ?? []
    return digits === undefined ? Number.NaN : Number(digits.replaceAll(',', ''))
  }) as [number, number, number]
  if (counted + late + invalid === events) return
  throw new Error(
    `${name}: ${counted} counted + ${late} late + ${invalid} invalid are not the ${events} events that were produced:\n${summary}`,
  )
}

/** Throws unless a run has left the same rows as the first one did. */
export function checkDigest(name: string, got: Digest, want: Digest): void {
  const keys = ['rows', 'impressionsSum', 'clicksSum', 'hash'] as const
  const differences = keys.filter((key) => got[key] !== want[key]).map((key) => `${key} ${got[key]}, not ${want[key]}`)
  if (differences.length > 0) throw new Error(`${name}: other rows than those of the first run: ${differences.join('; ')}`)
}

/** A revision in words. */
export function describeRevision({ name, commit, changed }: Revision): string {
  const short = commit.slice(0, 9)
  const what = name === '' ? `the working tree on ${short}` : name === short || commit.startsWith(name) ? short : `${name} (${short})`
  return `${what}${changed === 0 ? '' : `, ${formatCount(changed)} changed or new file(s)`}`
}

/** What a person reads. */
export function renderPairs({ base, head, backlog, workers, digest, pairs, measures }: Omit<PairReport, 'kind' | 'place'>): string {
  const { events, products, partitions, codec } = backlog
  const rows = measures.map(({ name, base: before, head: now, ratio, interval }) => [
    name,
    amount(before),
    amount(now),
    ratioText(ratio),
    interval === undefined ? '-' : `${ratioText(interval.low)} to ${ratioText(interval.high)}`,
  ])
  const interval = measures[0]?.interval
  return [
    `base: ${describeRevision(base)}, Node ${base.node}`,
    `head: ${describeRevision(head)}, Node ${head.node}`,
    `${formatCount(events)} events, ${formatCount(products)} products, ${partitions} partitions x 2 topics`,
    `codec ${codec}, ${workers} worker(s)`,
    `every run: all events in ClickHouse, the same ${formatCount(digest.rows)} rows (hash ${digest.hash})`,
    '',
    table([`medians of ${pairs.length} pair(s)`, 'base', 'head', 'ratio', '95 % interval'], rows),
    '',
    table(
      ['ratios by pair', ...measures.map(({ name }) => name)],
      pairs.map(({ first }, i) => [`${i + 1}, ${first} first`, ...measures.map(({ ratios }) => ratioText(ratios[i] ?? Number.NaN))]),
    ),
    '',
    'ratio: median of the ratios within the pairs; above 1 the head is better (less CPU, less memory, a higher rate)',
    `95 % interval: ${interval === undefined ? 'none from so few pairs; 6 are the fewest' : ranksText(interval)}`,
    "CPU s/M: user + system of the engine's whole process, its start and end included; reading: from running to draining only",
    'events/s: from running to draining, when the last record is read; peak: VmHWM',
  ].join('\n')
}

/** Whether the CPU's ratio is surely no less than `min`, in words; `passed` is what the exit code follows. */
export function verdict(measures: readonly Measured[], min: number): { readonly passed: boolean; readonly text: string } {
  const low = measures[0]?.interval?.low ?? Number.NaN
  const passed = low >= min
  return { passed, text: `${passed ? 'passed' : 'FAILED'}: lower bound of the CPU's ratio ${ratioText(low)}, at least ${min} is asked for` }
}

function ranksText({ rank, coverage }: MedianInterval): string {
  return `the ratios of rank ${rank} from below and from above hold the median with ${formatRatio(coverage)} (sign test)`
}

function amount(value: number): string {
  return value >= 1000 ? formatCount(value) : significant(value)
}

function ratioText(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3) : '-'
}

/**
 * What the process remembers of itself: its totals for 15 minutes by the second, for 6 hours by 10 s and for 7 days by the minute; its
 * partitions for 15 minutes by 10 s; and what has happened. All of it lies in arrays of fixed length, below HISTORY_MAX_BYTES. One snapshot
 * a second is enough.
 */

import type { PartitionStats, PipelineStats } from '../metrics/stats.ts'
import { TERM_NAMES } from '../window/ledger.ts'
import { behindMs } from './behind.ts'
import { ColumnRing, type HistorySpan } from './column-ring.ts'
import { Timeline, type TimelineEvent } from './timeline.ts'

/** Of the process, beside the pipeline's own numbers; CPU time since its start. */
export interface ProcessUse {
  readonly rssBytes: number
  readonly cpuSeconds: number
}

/** The columns that are kept of the totals. */
export const TOTAL_COLUMNS = [
  'recordsPerSecond',
  'impressionsPerSecond',
  'clicksPerSecond',
  'latePerSecond',
  'invalidPerSecond',
  'ignoredPerSecond',
  'rowsPerSecond',
  'lagRecords',
  'behindSeconds',
  'watermarkLagSeconds',
  'delaySeconds',
  'rowsPending',
  'backpressureShare',
  'activeProducts',
  'openPanes',
  'rssBytes',
  'coresUsed',
] as const
/** One of them. */
export type TotalColumn = (typeof TOTAL_COLUMNS)[number]

const PARTITION_COLUMNS = ['endOffset', 'recordsPerSecond', 'lagRecords', 'watermarkLagSeconds'] as const
const END_OFFSET = PARTITION_COLUMNS.indexOf('endOffset')

/** Spans by their names in the API. */
export const SPANS = {
  '15m': { stepMs: 1_000, slots: 900 },
  '6h': { stepMs: 10_000, slots: 2_160 },
  '7d': { stepMs: 60_000, slots: 10_080 },
} as const
/** One of these names. */
export type SpanName = keyof typeof SPANS
/** The shortest first. */
export const SPAN_NAMES = ['15m', '6h', '7d'] as const satisfies readonly SpanName[]

const PARTITION_STEP_MS = 10_000
const PARTITION_SLOTS = 90
/** Partitions beyond so many have no history of their own. */
export const PARTITIONS_MAX = 4_096
/** Rates are of so long. */
const RATE_MS = 10_000

/** What all of it takes at most. */
export const HISTORY_MAX_BYTES = 24 * 1024 * 1024

/** What is kept for the next start. */
export interface KeptHistory {
  readonly totals: Readonly<Record<SpanName, HistorySpan>>
  readonly events: readonly TimelineEvent[]
}

/** Two snapshots between which rates are taken. */
export interface Interval {
  readonly before: PipelineStats
  readonly after: PipelineStats
  readonly seconds: number
}

interface Looked {
  readonly at: number
  readonly stats: PipelineStats
  readonly use: ProcessUse
}

export class History {
  readonly timeline = new Timeline()
  readonly #totals: Readonly<Record<SpanName, ColumnRing>>
  readonly #partitions = new Map<string, ColumnRing>()
  /** The snapshots of the last minute, oldest first. */
  readonly #recent: Looked[] = []

  constructor() {
    const ring = ({ stepMs, slots }: (typeof SPANS)[SpanName]) => new ColumnRing(TOTAL_COLUMNS.length, stepMs, slots)
    this.#totals = { '15m': ring(SPANS['15m']), '6h': ring(SPANS['6h']), '7d': ring(SPANS['7d']) }
  }

  /** What it takes with as many partitions as it keeps. */
  static get bytesMax(): number {
    const totals = SPAN_NAMES.map((name) => ColumnRing.bytesOf(TOTAL_COLUMNS.length, SPANS[name].slots))
    return totals.reduce((sum, bytes) => sum + bytes, 0) + PARTITIONS_MAX * ColumnRing.bytesOf(PARTITION_COLUMNS.length, PARTITION_SLOTS)
  }

  /** A snapshot of the time `now`, ms; those of one process come in order. When the clock was set back, what lies ahead is forgotten. */
  look(stats: PipelineStats, use: ProcessUse, now: number): void {
    this.timeline.look(stats, now)
    if (now < (this.#recent.at(-1)?.at ?? now)) this.#forgetAfter(now)
    const last = this.#recent.at(-1)
    this.#recent.push({ at: now, stats, use })
    while (now - (this.#recent[0]?.at ?? now) > 60_000) this.#recent.shift()
    this.#lookAtPartitions(stats, now)
    if (last === undefined || now <= last.at) return
    const sample = this.#sample(last, { at: now, stats, use })
    for (const name of SPAN_NAMES) this.#totals[name].put(now, sample)
  }

  /** The snapshots that rates are taken between: of the last RATE_MS, or of `ms`; undefined while there are no two. */
  interval(ms = RATE_MS): Interval | undefined {
    const last = this.#recent.at(-1)
    const first = this.#recent.find(({ at }) => last !== undefined && last.at - at <= ms)
    if (last === undefined || first === undefined || first === last) return undefined
    return { before: first.stats, after: last.stats, seconds: (last.at - first.at) / 1000 }
  }

  totals(span: SpanName, now: number): HistorySpan {
    return this.#totals[span].read(now)
  }

  /** undefined when none is kept of it. */
  partition(topic: string, partition: number, now: number): HistorySpan | undefined {
    return this.#partitions.get(keyOf(topic, partition))?.read(now)
  }

  /** How long the partition is behind, s; see behind.ts. */
  behindSeconds({ topic, partition, position, lag }: PartitionStats, now: number): number | undefined {
    if (lag === undefined) return undefined
    if (lag === 0) return 0
    const ring = this.#partitions.get(keyOf(topic, partition))
    if (ring === undefined) return undefined
    const ends = { stepMs: PARTITION_STEP_MS, steps: PARTITION_SLOTS, at: (step: number) => ring.at(END_OFFSET, step) }
    const behind = behindMs(ends, position, position + lag, now)
    return behind === undefined ? undefined : behind / 1000
  }

  /** The column of `partition`'s span by its name. */
  static columnOf(span: HistorySpan, name: (typeof PARTITION_COLUMNS)[number]): Float64Array {
    return span.columns[PARTITION_COLUMNS.indexOf(name)] ?? new Float64Array()
  }

  keep(now: number): KeptHistory {
    return {
      totals: { '15m': this.totals('15m', now), '6h': this.totals('6h', now), '7d': this.totals('7d', now) },
      events: this.timeline.events,
    }
  }

  /** What an earlier process has kept, up to `now`. */
  restore({ totals, events }: KeptHistory, now: number): void {
    for (const name of SPAN_NAMES) this.#totals[name].restore(totals[name], now)
    this.timeline.restore(events)
  }

  /** Slots that are ahead would take nothing until the clock has come there again. */
  #forgetAfter(now: number): void {
    this.#recent.length = 0
    for (const ring of [...Object.values(this.#totals), ...this.#partitions.values()]) ring.forgetAfter(now)
  }

  #lookAtPartitions({ partitions }: PipelineStats, now: number): void {
    const last = this.#recent.at(-2)
    const before = new Map(last?.stats.partitions.map((one) => [keyOf(one.topic, one.partition), one.recordsRead]))
    const seconds = (now - (last?.at ?? now)) / 1000
    const own = new Set<string>()
    for (const one of partitions) {
      const key = keyOf(one.topic, one.partition)
      own.add(key)
      let ring = this.#partitions.get(key)
      if (ring === undefined) {
        if (this.#partitions.size >= PARTITIONS_MAX) continue
        ring = new ColumnRing(PARTITION_COLUMNS.length, PARTITION_STEP_MS, PARTITION_SLOTS)
        this.#partitions.set(key, ring)
      }
      const { position, lag = Number.NaN, watermark, recordsRead } = one
      const rate = seconds > 0 ? perSecond(before.get(key) ?? recordsRead, recordsRead, seconds) : Number.NaN
      ring.put(now, [position + lag, rate, lag, watermark === undefined ? Number.NaN : (now - watermark) / 1000])
    }
    // What has left this process is read elsewhere.
    for (const key of this.#partitions.keys()) if (!own.has(key)) this.#partitions.delete(key)
  }

  #sample(before: Looked, after: Looked): Float64Array {
    const seconds = (after.at - before.at) / 1000
    const [a, b] = [before.stats, after.stats]
    const rate = (of: (stats: PipelineStats) => number) => perSecond(of(a), of(b), seconds)
    const lags = b.partitions.flatMap(({ lag }) => lag ?? [])
    const behinds = b.partitions.flatMap((partition) => this.behindSeconds(partition, after.at) ?? [])
    const watermarks = b.tasks.flatMap(({ watermark }) => watermark ?? [])
    const values: Record<TotalColumn, number> = {
      recordsPerSecond: rate(recordsReadOf),
      impressionsPerSecond: rate(({ impressions }) => impressions),
      clicksPerSecond: rate(({ clicks }) => clicks),
      latePerSecond: rate(({ terms }) => terms.late),
      invalidPerSecond: rate(({ terms }) => terms.invalid),
      ignoredPerSecond: rate(({ terms }) => terms.ignored),
      rowsPerSecond: rate(({ rowsWritten }) => rowsWritten),
      lagRecords: lags.length === 0 ? Number.NaN : lags.reduce((sum, lag) => sum + lag, 0),
      behindSeconds: behinds.length === 0 ? Number.NaN : behinds.reduce((most, one) => Math.max(most, one), 0),
      watermarkLagSeconds: watermarks.length === 0 ? Number.NaN : (after.at - watermarks.reduce((low, one) => Math.min(low, one))) / 1000,
      delaySeconds: meanSince(a, b),
      rowsPending: b.rowsPending,
      backpressureShare: Math.min(
        1,
        rate(({ backpressureSeconds }) => backpressureSeconds),
      ),
      activeProducts: b.activeProducts,
      openPanes: b.openPanes,
      rssBytes: after.use.rssBytes,
      coresUsed: perSecond(before.use.cpuSeconds, after.use.cpuSeconds, seconds),
    }
    return Float64Array.from(TOTAL_COLUMNS, (name) => values[name])
  }
}

/** Read, by the ledger's terms, which count events; those of partitions that have left since are among them. */
export function readOf({ terms }: PipelineStats): number {
  return TERM_NAMES.reduce((sum, name) => sum + terms[name], 0)
}

/** The same in records, each once however many events it is: what lag is counted in. */
export function recordsReadOf({ records }: PipelineStats): number {
  return records.used + records.invalid + records.ignored
}

/** Of a counter; one that is smaller than before has begun anew. */
export function perSecond(before: number, after: number, seconds: number): number {
  return (after >= before ? after - before : after) / seconds
}

/** The mean delay of windows whose first rows were acknowledged between two snapshots, s; NaN without any. */
function meanSince({ emitDelaySeconds: a }: PipelineStats, { emitDelaySeconds: b }: PipelineStats): number {
  const count = (counts: readonly number[]) => counts.reduce((sum, one) => sum + one, 0)
  const since = count(b.counts) - count(a.counts)
  return since > 0 ? (b.sum - a.sum) / since : Number.NaN
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** Every metric of the engine: its name, kind, meaning, and how it is read off a snapshot. No label ever holds a product or a user. */
import { DEGRADED } from '../degraded.ts'
import type { HistogramStats } from '../histogram.ts'
import { OUTCOMES } from '../registry/outcomes.ts'
import { BALANCE, TERM_NAMES } from '../window/ledger.ts'
import type { PipelineStats } from './stats.ts'

/** One line of the exposition. `suffix` is for histograms: _bucket, _sum, _count. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly suffix?: string
}

export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** `now`: wall clock, ms. */
  readonly samples: (stats: PipelineStats, now: number) => readonly Sample[]
}

const one = (value: number): readonly Sample[] => [{ labels: {}, value }]

/** Prometheus' cumulative buckets out of per-bucket counts. */
export function histogramSamples(histogram: HistogramStats): Sample[] {
  const samples: Sample[] = []
  let count = 0
  histogram.counts.forEach((bucket, i) => {
    count += bucket
    samples.push({ labels: { le: i < histogram.bounds.length ? (histogram.bounds[i] ?? 0) : '+Inf' }, value: count, suffix: '_bucket' })
  })
  samples.push({ labels: {}, value: histogram.sum, suffix: '_sum' }, { labels: {}, value: count, suffix: '_count' })
  return samples
}

const LATENCY_LABELS = [
  ['endToEnd', 'total'],
  ['watermarkWait', 'watermark'],
  ['emission', 'emission'],
  ['insert', 'insert'],
] as const

/** All of them, in the order of the exposition. */
export const METRICS: readonly Metric[] = [
  {
    name: 'ctr_events_processed_total',
    type: 'counter',
    help: 'Records read, whatever became of them.',
    samples: ({ topics }) => topics.map(({ topic, events }) => ({ labels: { topic }, value: events })),
  },
  {
    name: 'ctr_events_invalid_total',
    type: 'counter',
    help: 'Records that are not valid events, whether dead-lettered or left out.',
    samples: ({ invalid }) => invalid.map(({ reason, count }) => ({ labels: { reason }, value: count })),
  },
  {
    name: 'ctr_dead_letters_left_out_total',
    type: 'counter',
    help: 'Dead letters that are not kept, for there are more of their reason, partition and minute than deadLetter.perReason.',
    samples: ({ lettersLeftOut }) => lettersLeftOut.map(({ reason, count }) => ({ labels: { reason }, value: count })),
  },
  {
    name: 'ctr_events_late_total',
    type: 'counter',
    help: 'Events whose window was closed for good already.',
    samples: ({ late }) => late.map(({ topic, count }) => ({ labels: { topic }, value: count })),
  },
  {
    name: 'ctr_events_partly_late_total',
    type: 'counter',
    help: 'Counted events that came too late for some of their windows, which overlap, and count in the later ones only.',
    samples: ({ partlyLate }) => partlyLate.map(({ topic, count }) => ({ labels: { topic }, value: count })),
  },
  {
    name: 'ctr_events_ignored_total',
    type: 'counter',
    help: 'Records left out, for they have a type that is not counted or no value (events.types.other, events.empty).',
    samples: ({ terms }) => one(terms.ignored),
  },
  {
    name: 'ctr_records_total',
    type: 'counter',
    help: 'Records read: used for one event or several, invalid as a whole, or ignored.',
    samples: ({ records }) => Object.entries(records).map(([outcome, value]) => ({ labels: { outcome }, value })),
  },
  {
    name: 'ctr_events_tolerated_total',
    type: 'counter',
    help: 'Events counted or ignored with a byte order mark, or NaN, Infinity, control characters or bad UTF-8 that nobody reads.',
    samples: ({ tolerated }) => tolerated.map(({ kind, count }) => ({ labels: { kind }, value: count })),
  },
  { name: 'ctr_impressions_total', type: 'counter', help: 'Impressions counted.', samples: (s) => one(s.impressions) },
  { name: 'ctr_clicks_total', type: 'counter', help: 'Clicks counted.', samples: (s) => one(s.clicks) },
  {
    name: 'ctr_current_ctr',
    type: 'gauge',
    help: 'Clicks per impression since the start; 0 without impressions.',
    samples: (s) => one(s.impressions === 0 ? 0 : s.clicks / s.impressions),
  },
  { name: 'ctr_active_products', type: 'gauge', help: 'Products in memory.', samples: (s) => one(s.activeProducts) },
  { name: 'ctr_open_panes', type: 'gauge', help: 'Windows held open, over all tasks.', samples: (s) => one(s.openPanes) },
  {
    name: 'ctr_window_ctr',
    type: 'histogram',
    help: 'CTR of the windows of products at their first emission.',
    samples: (s) => histogramSamples(s.windowCtr),
  },
  {
    name: 'ctr_window_emit_delay_seconds',
    type: 'histogram',
    help: 'From the end of a window to the acknowledgement of its first rows.',
    samples: (s) => histogramSamples(s.emitDelaySeconds),
  },
  {
    name: 'ctr_latency_seconds',
    type: 'histogram',
    help: 'From the record that closes a window to its first rows being readable (part total), and its parts: watermark, emission, insert.',
    samples: ({ latency }) =>
      LATENCY_LABELS.flatMap(([key, part]) =>
        histogramSamples(latency[key]).map((sample) => ({ ...sample, labels: { ...sample.labels, part } })),
      ),
  },
  { name: 'ctr_rows_written_total', type: 'counter', help: 'Rows that ClickHouse has acknowledged.', samples: (s) => one(s.rowsWritten) },
  {
    name: 'ctr_rows_parked_total',
    type: 'counter',
    help: 'Rows that ClickHouse refuses for what they hold: in the dead letters, missing in their window.',
    samples: (s) => one(s.rowsParked),
  },
  {
    name: 'ctr_rows_expired_total',
    type: 'counter',
    help: 'Rows written of windows that ended before clickhouse.retention.results, which ClickHouse drops again.',
    samples: (s) => one(s.rowsExpired),
  },
  {
    name: 'ctr_roll_up_seconds_total',
    type: 'counter',
    help: 'Time that computing roll-ups and newest windows has taken; of several processes one does it at a time.',
    samples: (s) => one(s.rollUpSeconds),
  },
  {
    name: 'ctr_sink_pending_rows',
    type: 'gauge',
    help: 'Rows taken over by the sink that ClickHouse has not acknowledged yet.',
    samples: (s) => one(s.rowsPending),
  },
  {
    name: 'ctr_sink_flush_seconds',
    type: 'histogram',
    help: 'Time of one insert, retries included.',
    samples: (s) => histogramSamples(s.sinkFlushSeconds),
  },
  { name: 'ctr_sink_retries_total', type: 'counter', help: 'Inserts tried again.', samples: (s) => one(s.sinkRetries) },
  {
    name: 'ctr_sink_failovers_total',
    type: 'counter',
    help: 'How often rows went on to another address of clickhouse.url.',
    samples: (s) => one(s.sinkMoves),
  },
  {
    name: 'ctr_watermark_lag_seconds',
    type: 'gauge',
    help: 'How far the watermark of a task is behind the wall clock.',
    samples: ({ tasks }, now) =>
      tasks.flatMap(({ task, watermark }) => (watermark === undefined ? [] : [{ labels: { task }, value: (now - watermark) / 1000 }])),
  },
  {
    name: 'ctr_consumer_lag_records',
    type: 'gauge',
    help: 'Records between the position and the end of what can be read of a partition.',
    samples: ({ partitions }) =>
      partitions.flatMap(({ topic, partition, lag }) => (lag === undefined ? [] : [{ labels: { topic, partition }, value: lag }])),
  },
  {
    name: 'ctr_consumer_lag_written_records',
    type: 'gauge',
    help: 'The same to the end of what is written: with the records of transactions that are still open.',
    samples: ({ partitions }) =>
      partitions.flatMap(({ topic, partition, lagWritten }) =>
        lagWritten === undefined ? [] : [{ labels: { topic, partition }, value: lagWritten }],
      ),
  },
  {
    name: 'ctr_topic_remade_total',
    type: 'counter',
    help: 'How often the topic of a partition was deleted and made again, as far as the group knows.',
    samples: ({ partitions }) => partitions.map(({ topic, partition, remade }) => ({ labels: { topic, partition }, value: remade })),
  },
  {
    name: 'ctr_records_missing_total',
    type: 'counter',
    help: 'Records that Kafka had deleted before they were read, or while an open window still needed them at a start.',
    samples: ({ partitions }) => partitions.map(({ topic, partition, missing }) => ({ labels: { topic, partition }, value: missing })),
  },
  {
    name: 'ctr_ledger_records_total',
    type: 'counter',
    help: `The ledger: of each partition, records ${BALANCE}.`,
    samples: ({ partitions }) =>
      partitions.flatMap((counts) => {
        const { topic, partition } = counts
        return (['read', ...TERM_NAMES] as const).map((entry) => ({ labels: { topic, partition, entry }, value: counts[entry] }))
      }),
  },
  {
    name: 'ctr_ledger_unaccounted_records',
    type: 'gauge',
    help: 'Records of a partition that were read and are of no term of the ledger. Always 0, or the engine is at fault.',
    samples: ({ partitions }) =>
      partitions.map((counts) => {
        const { topic, partition } = counts
        return { labels: { topic, partition }, value: TERM_NAMES.reduce((rest, term) => rest - counts[term], counts.read) }
      }),
  },
  {
    name: 'ctr_partition_idle',
    type: 'gauge',
    help: '1 while a partition has brought no valid event for time.idleTimeout, and the others go on without it.',
    samples: ({ partitions }) => partitions.map(({ topic, partition, idle }) => ({ labels: { topic, partition }, value: Number(idle) })),
  },
  {
    name: 'ctr_partition_paused',
    type: 'gauge',
    help: '1 while a partition is paused because it is too far ahead of its task.',
    samples: ({ partitions }) =>
      partitions.map(({ topic, partition, paused }) => ({ labels: { topic, partition }, value: Number(paused) })),
  },
  {
    name: 'ctr_ring_fill_ratio',
    type: 'gauge',
    help: 'How full the ring to a worker is, 0 to 1.',
    samples: ({ rings }) => rings.map(({ worker, fill }) => ({ labels: { worker }, value: fill })),
  },
  {
    name: 'ctr_backpressure_seconds_total',
    type: 'counter',
    help: 'Time the source was held back by full rings.',
    samples: (s) => one(s.backpressureSeconds),
  },
  {
    name: 'ctr_schema_waiting_partitions',
    type: 'gauge',
    help: 'Partitions that wait at a record whose schema is not here.',
    samples: ({ schemas }) => one(schemas?.waiting ?? 0),
  },
  {
    name: 'ctr_schema_wait_seconds_total',
    type: 'counter',
    help: 'Time that partitions have waited for schemas, all together.',
    samples: ({ schemas }) => one(schemas?.waitedSeconds ?? 0),
  },
  {
    name: 'ctr_schema_requests_total',
    type: 'counter',
    help: 'Requests to the schema registry by what came of them.',
    samples: ({ schemas }) => OUTCOMES.map((outcome) => ({ labels: { outcome }, value: schemas?.requests[outcome] ?? 0 })),
  },
  {
    name: 'ctr_schema_from_store_total',
    type: 'counter',
    help: 'Schemas taken from checkpoint.storage because the registry did not give them.',
    samples: ({ schemas }) => one(schemas?.fromStore ?? 0),
  },
  { name: 'ctr_schemas', type: 'gauge', help: 'Schemas in memory.', samples: ({ schemas }) => one(schemas?.schemas ?? 0) },
  {
    name: 'ctr_restarts_total',
    type: 'counter',
    help: 'Restarts of the pipeline inside this process; the other counters begin anew with each.',
    samples: (s) => one(s.restarts),
  },
  {
    name: 'ctr_memory_limit_bytes',
    type: 'gauge',
    help: 'Memory that the process may take: of its container, else of the machine.',
    samples: (s) => one(s.memoryLimitBytes),
  },
  {
    name: 'ctr_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When a certificate ends that the configuration names, seconds since 1970; of several in one file the first.',
    samples: ({ certificates }) => certificates.map(({ key, expiresAt }) => ({ labels: { key }, value: expiresAt / 1000 })),
  },
  { name: 'ctr_ready', type: 'gauge', help: '1 when /readyz says so.', samples: (s) => one(Number(isReady(s))) },
  {
    name: 'ctr_degraded',
    type: 'gauge',
    help: 'What is wrong while the process works: of each reason, how many partitions, tasks or others it is true of; /readyz says which.',
    samples: ({ degraded }) =>
      Object.keys(DEGRADED).map((reason) => ({ labels: { reason }, value: degraded.filter(({ code }) => code === reason).length })),
  },
  {
    name: 'ctr_tasks_assigned',
    type: 'gauge',
    help: 'Tasks (partition numbers) that this process has.',
    samples: ({ tasks }) => one(tasks.length),
  },
  {
    name: 'ctr_checkpoint_duration_seconds',
    type: 'histogram',
    help: 'From the cut of a checkpoint to its manifest.',
    samples: ({ checkpoints }) => histogramSamples(checkpoints.durationSeconds),
  },
  {
    name: 'ctr_checkpoint_failures_total',
    type: 'counter',
    help: 'Checkpoints that failed or took longer than checkpoint.timeout.',
    samples: ({ checkpoints }) => one(checkpoints.failures),
  },
  {
    name: 'ctr_checkpoint_size_bytes',
    type: 'gauge',
    help: 'What the last complete checkpoint refers to, before compression.',
    samples: ({ checkpoints }) => one(checkpoints.bytes),
  },
  {
    name: 'ctr_checkpoint_age_seconds',
    type: 'gauge',
    help: 'Time since the last complete checkpoint was cut, or since the start; nothing when checkpoint.storage is none.',
    samples: ({ checkpoints }) => (checkpoints.enabled ? one(checkpoints.ageSeconds) : []),
  },
  {
    name: 'ctr_checkpoint_pause_seconds',
    type: 'gauge',
    help: 'The longest that a worker stood still for the last complete checkpoint.',
    samples: ({ checkpoints }) => one(checkpoints.pausedSeconds),
  },
  {
    name: 'ctr_state_cells',
    type: 'gauge',
    help: 'Live (product, window) pairs, as of the last complete checkpoint.',
    samples: ({ checkpoints }) => one(checkpoints.cells),
  },
  {
    name: 'ctr_restore_seconds',
    type: 'gauge',
    help: 'How long the last restore of tasks took.',
    samples: ({ restore }) => (restore === undefined ? [] : one(restore.seconds)),
  },
  {
    name: 'ctr_restore_fallbacks_total',
    type: 'counter',
    help: 'Checkpoints passed over because they could not be read.',
    samples: ({ restore }) => (restore === undefined ? [] : one(restore.fallbacks)),
  },
]

/** Whether the pipeline takes part in the work. */
export function isReady(stats: PipelineStats): boolean {
  return stats.state === 'running' && stats.notReady.length === 0
}

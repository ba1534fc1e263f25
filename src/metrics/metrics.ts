/** Every metric of the engine: its name, kind, meaning, and how it is read off a snapshot. No label ever holds a product or a user. */
import type { HistogramStats } from '../histogram.ts'
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
    help: 'Records that are not valid events, dead-lettered.',
    samples: ({ invalid }) => invalid.map(({ reason, count }) => ({ labels: { reason }, value: count })),
  },
  {
    name: 'ctr_events_late_total',
    type: 'counter',
    help: 'Events whose window was closed for good already.',
    samples: (s) => one(s.terms.late),
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
  { name: 'ctr_rows_written_total', type: 'counter', help: 'Rows that ClickHouse has acknowledged.', samples: (s) => one(s.rowsWritten) },
  {
    name: 'ctr_rows_parked_total',
    type: 'counter',
    help: 'Rows that ClickHouse refuses for what they hold: in the dead letters, missing in their window.',
    samples: (s) => one(s.rowsParked),
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
    name: 'ctr_watermark_lag_seconds',
    type: 'gauge',
    help: 'How far the watermark of a task is behind the wall clock.',
    samples: ({ tasks }, now) =>
      tasks.flatMap(({ task, watermark }) => (watermark === undefined ? [] : [{ labels: { task }, value: (now - watermark) / 1000 }])),
  },
  {
    name: 'ctr_consumer_lag_records',
    type: 'gauge',
    help: 'Records between the position and the end of a partition.',
    samples: ({ partitions }) =>
      partitions.flatMap(({ topic, partition, lag }) => (lag === undefined ? [] : [{ labels: { topic, partition }, value: lag }])),
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
    name: 'ctr_restarts_total',
    type: 'counter',
    help: 'Restarts of the pipeline inside this process; the other counters begin anew with each.',
    samples: (s) => one(s.restarts),
  },
  { name: 'ctr_ready', type: 'gauge', help: '1 when /readyz says so.', samples: (s) => one(Number(isReady(s))) },
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

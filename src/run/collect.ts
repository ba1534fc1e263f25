/** A snapshot of all counters, for metrics, the live view and the summary. */
import type { CheckpointStats } from '../checkpoint/checkpoint-tally.ts'
import type { RestoreStats } from '../checkpoint/restore.ts'
import { REASONS } from '../format/reasons.ts'
import type { HistogramStats } from '../histogram.ts'
import type { Inflow } from '../ingest/inflow.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { ringFill } from '../ring/layout.ts'
import type { SinkStats } from '../sink/sink-stats.ts'
import { countsOf } from '../window/ledger.ts'
import { readWorkerStats } from '../worker/worker-stats.ts'

/** What the counters are read from. */
export interface Counted {
  readonly state: PipelineStats['state']
  readonly notReady: readonly string[]
  readonly held: boolean
  readonly topics: readonly string[]
  readonly ingest: Ingest
  readonly inflow: Inflow
  readonly rings: readonly SharedArrayBuffer[]
  readonly workerStats: readonly SharedArrayBuffer[]
  readonly sink: SinkStats
  readonly checkpoints: CheckpointStats
  readonly restore: Omit<RestoreStats, 'seconds'> | undefined
}

/** Any time, from the main thread; counters of other threads may be a moment old. */
export function collectStats(from: Counted): PipelineStats {
  const { ingest, sink } = from
  const { owned, broadcasts, deliveries } = from.inflow
  const workers = from.workerStats.map(readWorkerStats)
  return {
    state: from.state,
    restarts: 0,
    topics: from.topics.map((topic, i) => ({
      topic,
      events: owned.partitions.reduce((sum, { topicIndex, read }) => (topicIndex === i ? sum + read : sum), owned.readBefore[i] ?? 0),
    })),
    terms: {
      counted: ingest.impressions + ingest.clicks,
      late: ingest.late,
      invalid: ingest.invalid.reduce((sum, count) => sum + count, 0),
    },
    invalid: REASONS.slice(1).map((reason, i) => ({ reason, count: ingest.invalid[i + 1] ?? 0 })),
    impressions: ingest.impressions,
    clicks: ingest.clicks,
    activeProducts: [...owned.tasks.values()].reduce((sum, { dictionary }) => sum + dictionary.size, 0),
    openPanes: workers.reduce((sum, { openPanes }) => sum + openPanes, 0),
    windowCtr: sumHistograms(workers.map(({ ctr }) => ctr)),
    emitDelaySeconds: sink.emitDelaySeconds,
    rowsWritten: sink.rowsWritten,
    rowsParked: sink.rowsParked,
    rowsPending: sink.rowsPending,
    sinkFlushSeconds: sink.flushSeconds,
    sinkRetries: sink.retries,
    tasks: [...owned.tasks.values()].map(({ time }) => {
      const watermark = time.watermark()
      return { task: time.task, watermark: Number.isFinite(watermark) ? watermark : undefined }
    }),
    partitions: owned.partitions.map((partition) => ({
      topic: from.topics[partition.topicIndex] ?? '',
      partition: partition.partition,
      position: partition.position,
      lag: partition.endOffset < 0 ? undefined : Math.max(0, partition.endOffset - partition.position),
      heardAt: partition.endOffset < 0 ? undefined : partition.endOffsetHeardAt,
      paused: partition.paused,
      idle: partition.idle,
      ...countsOf(partition),
    })),
    rings: from.rings.map((ring, worker) => ({ worker, fill: ringFill(ring) })),
    backpressureSeconds: broadcasts.backpressureMs / 1000,
    checkpoints: from.checkpoints,
    restore: from.restore && { ...from.restore, seconds: deliveries.restoreMs / 1000 },
    held: from.held || broadcasts.waiting > 0,
    notReady: from.notReady,
  }
}

function sumHistograms(histograms: readonly HistogramStats[]): HistogramStats {
  const bounds = histograms[0]?.bounds ?? []
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let sum = 0
  for (const histogram of histograms) {
    sum += histogram.sum
    for (let i = 0; i < counts.length; i++) counts[i] = (counts[i] ?? 0) + (histogram.counts[i] ?? 0)
  }
  return { bounds, counts, sum }
}

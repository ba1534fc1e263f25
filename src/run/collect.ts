/** A snapshot of all counters, for metrics, the live view and the summary. */
import type { CheckpointStats } from '../checkpoint/checkpoint-tally.ts'
import type { RestoreStats } from '../checkpoint/restore.ts'
import type { Degradations } from '../degraded.ts'
import { REASONS } from '../format/reasons.ts'
import { TOLERATED_KINDS } from '../format/tolerated.ts'
import type { HistogramStats } from '../histogram.ts'
import type { Inflow } from '../ingest/inflow.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { OwnedTasks } from '../ingest/owned-tasks.ts'
import type { PartitionStats, PipelineStats } from '../metrics/stats.ts'
import type { SchemaStats } from '../registry/schema-cache.ts'
import { ringFill } from '../ring/layout.ts'
import type { SinkStats } from '../sink/sink-stats.ts'
import { Lateness } from '../window/lateness.ts'
import { countsOf } from '../window/ledger.ts'
import type { Partition } from '../window/partition.ts'
import type { Windows } from '../window/windows.ts'
import { paneBytesOf, readWorkerStats } from '../worker/worker-stats.ts'
import { memoryLimitBytes } from './memory-plan.ts'

/** It does not change while the process runs. */
const MEMORY_LIMIT_BYTES = memoryLimitBytes()

/** What the counters are read from. */
export interface Counted {
  readonly state: PipelineStats['state']
  readonly notReady: readonly string[]
  readonly degradations: Degradations
  readonly held: boolean
  readonly certificates: PipelineStats['certificates']
  readonly topics: readonly string[]
  readonly taskCount: number | undefined
  readonly ingest: Ingest
  /** By reason number. */
  readonly lettersLeftOut: Float64Array
  readonly letterSamples: PipelineStats['letterSamples']
  readonly inflow: Inflow
  readonly rings: readonly SharedArrayBuffer[]
  readonly workerStats: readonly SharedArrayBuffer[]
  readonly sink: SinkStats
  readonly checkpoints: CheckpointStats
  /** undefined when no record names a schema. */
  readonly schemas: SchemaStats | undefined
  readonly restore: Omit<RestoreStats, 'seconds'> | undefined
  readonly safeOffset: (partition: Partition) => number | undefined
}

/** Any time, from the main thread; counters of other threads may be a moment old. */
export function collectStats(from: Counted): PipelineStats {
  const { ingest, sink } = from
  const { owned, broadcasts, deliveries, upkeep } = from.inflow
  const workers = from.workerStats.map(readWorkerStats)
  const ofTopic = (topic: number, what: 'read' | 'late' | 'partlyLate', before: readonly number[]) =>
    owned.partitions.reduce((sum, partition) => (partition.topicIndex === topic ? sum + partition[what] : sum), before[topic] ?? 0)
  return {
    state: from.state,
    restarts: 0,
    topics: from.topics.map((topic, i) => ({ topic, events: ofTopic(i, 'read', owned.readBefore) })),
    late: from.topics.map((topic, i) => ({ topic, count: ofTopic(i, 'late', owned.lateBefore) })),
    partlyLate: from.topics.map((topic, i) => ({ topic, count: ofTopic(i, 'partlyLate', owned.partlyLateBefore) })),
    terms: {
      counted: ingest.impressions + ingest.clicks,
      late: ingest.late,
      invalid: ingest.invalid.reduce((sum, count) => sum + count, 0),
      ignored: ingest.ignored,
    },
    records: recordsOf(ingest),
    tolerated: TOLERATED_KINDS.map((kind, i) => ({ kind, count: ingest.tolerated[i] ?? 0 })),
    invalid: byReason(ingest.invalid),
    lettersLeftOut: byReason(from.lettersLeftOut),
    letterSamples: from.letterSamples,
    impressions: ingest.impressions,
    clicks: ingest.clicks,
    activeProducts: [...owned.tasks.values()].reduce((sum, { dictionary }) => sum + dictionary.size, 0),
    openPanes: workers.reduce((sum, { openPanes }) => sum + openPanes, 0),
    windowCtr: sumHistograms(workers.map(({ ctr }) => ctr)),
    emitDelaySeconds: sink.emitDelaySeconds,
    rowsWritten: sink.rowsWritten,
    rowsParked: sink.rowsParked,
    rowsExpired: sink.rowsExpired,
    rollUpSeconds: sink.rollUpSeconds,
    rowsPending: sink.rowsPending,
    sinkFlushSeconds: sink.flushSeconds,
    sinkRetries: sink.retries,
    sinkMoves: sink.moves,
    taskCount: from.taskCount,
    tasks: [...owned.tasks.values()].map(({ time }) => {
      const watermark = time.watermark()
      return { task: time.task, watermark: Number.isFinite(watermark) ? watermark : undefined }
    }),
    partitions: owned.partitions.map((partition) => partitionStats(from, partition)),
    rings: from.rings.map((ring, worker) => ({ worker, fill: ringFill(ring) })),
    workers: from.workerStats.map((stats, worker) => workerCounts(stats, worker)),
    latency: sink.latency,
    lateness: from.topics.map((topic, i) => ({ topic, histogram: latenessOf(owned, i) })),
    backpressureSeconds: broadcasts.backpressureMs / 1000,
    schemas: from.schemas && upkeep.holds && { ...from.schemas, ...upkeep.holds.stats },
    checkpoints: from.checkpoints,
    restore: from.restore && { ...from.restore, seconds: deliveries.restoreMs / 1000 },
    memoryLimitBytes: MEMORY_LIMIT_BYTES,
    certificates: from.certificates,
    held: from.held || broadcasts.waiting > 0 || upkeep.holds?.all === true || isAllHeld(from.inflow),
    notReady: from.notReady,
    degraded: from.degradations.reasons,
  }
}

/** All that there is to read is of topics that are held. */
function isAllHeld({ owned, upkeep }: Inflow): boolean {
  return owned.partitions.length > 0 && owned.partitions.every(({ topicIndex }) => upkeep.isHeld(topicIndex))
}

function partitionStats({ inflow, topics, safeOffset }: Counted, partition: Partition): PartitionStats {
  const { owned, upkeep } = inflow
  const isHeard = partition.endOffset >= 0
  return {
    topic: topics[partition.topicIndex] ?? '',
    partition: partition.partition,
    position: partition.position,
    lag: isHeard ? Math.max(0, partition.endOffset - partition.position) : undefined,
    lagWritten: isHeard ? Math.max(0, partition.highWatermark - partition.position) : undefined,
    heardAt: isHeard ? partition.endOffsetHeardAt : undefined,
    remade: partition.remade,
    missing: partition.missing,
    recordsRead: partition.read - partition.more,
    paused: partition.paused || upkeep.isHeld(partition.topicIndex),
    idle: partition.idle,
    awaitsSchema: upkeep.holds?.keyOf(partition),
    ended: partition.ended,
    ...timesOf(partition, owned.tasks.get(partition.partition)?.time.windows),
    safeOffset: safeOffset(partition),
    ...countsOf(partition),
  }
}

function timesOf({ maxEventTime }: Partition, windows: Windows | undefined): Pick<PartitionStats, 'eventTime' | 'watermark'> {
  if (!Number.isFinite(maxEventTime) || windows === undefined) return { eventTime: undefined, watermark: undefined }
  return { eventTime: maxEventTime, watermark: windows.watermarkOf(maxEventTime) }
}

function workerCounts(stats: SharedArrayBuffer, worker: number): PipelineStats['workers'][number] {
  const { events, openPanes, products } = readWorkerStats(stats)
  return { worker, events, openPanes, products, paneBytes: paneBytesOf([stats]) }
}

function latenessOf({ partitions, latenessBefore }: OwnedTasks, topicIndex: number): HistogramStats {
  const all = new Lateness()
  const before = latenessBefore[topicIndex]
  if (before !== undefined) all.join(before)
  for (const partition of partitions) {
    if (partition.topicIndex === topicIndex && partition.lateness !== undefined) all.join(partition.lateness)
  }
  return all.stats()
}

/** The terms count events, of which a record may be several. */
function recordsOf({ impressions, clicks, late, invalid, ignored, recordsBeyond }: Ingest): PipelineStats['records'] {
  return {
    used: impressions + clicks + late + recordsBeyond.used,
    invalid: invalid.reduce((sum, count) => sum + count, recordsBeyond.invalid),
    ignored: ignored + recordsBeyond.ignored,
  }
}

function byReason(counts: Float64Array): PipelineStats['invalid'] {
  return REASONS.slice(1).map((reason, i) => ({ reason, count: counts[i + 1] ?? 0 }))
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

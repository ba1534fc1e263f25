import type { Metric } from '../src/metrics/metrics.ts'
import type { PipelineStats } from '../src/metrics/stats.ts'

const EMPTY = { bounds: [0.1, 1], counts: [0, 0, 0], sum: 0 }

/** A snapshot with nothing in it but what is given. */
export function someStats(given: Partial<PipelineStats> = {}): PipelineStats {
  return {
    state: 'running',
    restarts: 0,
    topics: [],
    partlyLate: [],
    late: [],
    invalid: [],
    lettersLeftOut: [],
    letterSamples: [],
    terms: { counted: 0, late: 0, invalid: 0, ignored: 0 },
    records: recordsIn(given.terms),
    tolerated: [],
    schemas: undefined,
    impressions: 0,
    clicks: 0,
    activeProducts: 0,
    openPanes: 0,
    windowCtr: EMPTY,
    emitDelaySeconds: EMPTY,
    rowsWritten: 0,
    rowsParked: 0,
    rowsExpired: 0,
    rollUpSeconds: 0,
    rowsPending: 0,
    sinkFlushSeconds: EMPTY,
    sinkRetries: 0,
    sinkMoves: 0,
    tasks: [],
    taskCount: undefined,
    partitions: [],
    rings: [],
    workers: [],
    latency: { endToEnd: EMPTY, watermarkWait: EMPTY, emission: EMPTY, insert: EMPTY },
    lateness: [],
    backpressureSeconds: 0,
    checkpoints: {
      enabled: true,
      completed: 0,
      failures: 0,
      lastId: null,
      durationSeconds: EMPTY,
      bytes: 0,
      cells: 0,
      pausedSeconds: 0,
      ageSeconds: 0,
    },
    restore: undefined,
    memoryLimitBytes: 1024 ** 3,
    certificates: [],
    held: false,
    notReady: [],
    degraded: [],
    ...given,
  }
}

/** Each record is one event. */
function recordsIn(terms: PipelineStats['terms'] | undefined): PipelineStats['records'] {
  return terms === undefined
    ? { used: 0, invalid: 0, ignored: 0 }
    : { used: terms.counted + terms.late, invalid: terms.invalid, ignored: terms.ignored }
}

/** A partition of the snapshot. */
export function somePartition(given: Partial<PipelineStats['partitions'][number]> = {}): PipelineStats['partitions'][number] {
  return {
    topic: 'clicks',
    partition: 0,
    position: 0,
    lag: 0,
    lagWritten: 0,
    heardAt: undefined,
    remade: 0,
    missing: 0,
    recordsRead: given.read ?? 0,
    paused: false,
    idle: false,
    ended: false,
    eventTime: undefined,
    watermark: undefined,
    safeOffset: undefined,
    read: 0,
    counted: 0,
    late: 0,
    invalid: 0,
    ignored: 0,
    ...given,
  }
}

/** The labels of a metric, read off a snapshot that has one of everything. */
export function labelsOf({ samples }: Metric): string[] {
  const stats = someStats({
    topics: [{ topic: 'clicks', events: 1 }],
    late: [{ topic: 'clicks', count: 1 }],
    invalid: [{ reason: 'EMPTY', count: 1 }],
    tolerated: [{ kind: 'bom', count: 1 }],
    lettersLeftOut: [{ reason: 'EMPTY', count: 1 }],
    tasks: [{ task: 0, watermark: 0 }],
    partitions: [somePartition()],
    rings: [{ worker: 0, fill: 0 }],
    certificates: [{ key: 'clickhouse.tls.ca', expiresAt: 0 }],
  })
  return [...new Set(samples(stats, 0).flatMap((sample) => Object.keys(sample.labels)))]
}

import type { PipelineStats } from '../src/metrics/stats.ts'

const EMPTY = { bounds: [0.1, 1], counts: [0, 0, 0], sum: 0 }

/** A snapshot with nothing in it but what is given. */
export function someStats(given: Partial<PipelineStats> = {}): PipelineStats {
  return {
    state: 'running',
    restarts: 0,
    topics: [],
    invalid: [],
    terms: { counted: 0, late: 0, invalid: 0 },
    impressions: 0,
    clicks: 0,
    activeProducts: 0,
    openPanes: 0,
    windowCtr: EMPTY,
    emitDelaySeconds: EMPTY,
    rowsWritten: 0,
    rowsParked: 0,
    rowsPending: 0,
    sinkFlushSeconds: EMPTY,
    sinkRetries: 0,
    tasks: [],
    partitions: [],
    rings: [],
    backpressureSeconds: 0,
    checkpoints: {
      enabled: true,
      completed: 0,
      failures: 0,
      durationSeconds: EMPTY,
      bytes: 0,
      cells: 0,
      pausedSeconds: 0,
      ageSeconds: 0,
    },
    restore: undefined,
    held: false,
    notReady: [],
    ...given,
  }
}

/** A partition of the snapshot. */
export function somePartition(given: Partial<PipelineStats['partitions'][number]> = {}): PipelineStats['partitions'][number] {
  return {
    topic: 'clicks',
    partition: 0,
    position: 0,
    lag: 0,
    heardAt: undefined,
    paused: false,
    idle: false,
    read: 0,
    counted: 0,
    late: 0,
    invalid: 0,
    ...given,
  }
}

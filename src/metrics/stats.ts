/** A snapshot of the running pipeline's counters, as metrics, the live view and the summary read it. Counts are totals since start. */

/** Upper bounds ascending; counts has one more element than bounds (the last is +Inf). Not cumulative. */
export interface HistogramStats {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

export interface PartitionStats {
  readonly topic: string
  readonly partition: number
  /** Next offset to read. */
  readonly position: number
  /** Records between position and the end offset last heard; undefined before anything was heard. */
  readonly lag: number | undefined
  readonly paused: boolean
  readonly idle: boolean
  /** The ledger: read = counted + late + invalid. */
  readonly read: number
  readonly counted: number
  readonly late: number
  readonly invalid: number
}

export interface TaskStats {
  readonly task: number
  /** ms since the epoch; undefined before the first one. */
  readonly watermark: number | undefined
}

export interface PipelineStats {
  readonly state: 'starting' | 'running' | 'draining' | 'stopped'
  readonly topics: readonly { readonly topic: string; readonly events: number }[]
  readonly invalid: readonly { readonly reason: string; readonly count: number }[]
  readonly late: number
  readonly impressions: number
  readonly clicks: number
  readonly activeProducts: number
  readonly openPanes: number
  readonly windowCtr: HistogramStats
  readonly emitDelaySeconds: HistogramStats
  readonly rowsWritten: number
  readonly sinkFlushSeconds: HistogramStats
  readonly sinkRetries: number
  readonly tasks: readonly TaskStats[]
  readonly partitions: readonly PartitionStats[]
  readonly rings: readonly { readonly worker: number; readonly fill: number }[]
  readonly backpressureSeconds: number
  /** Why the pipeline isn't ready, in words for an operator; empty when it is. */
  readonly notReady: readonly string[]
}

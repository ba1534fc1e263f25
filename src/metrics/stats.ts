/**
 * A snapshot of the running pipeline's counters, as metrics, the live view and the summary read it. Counts are totals since the start of
 * the run; a restart inside the process begins them anew.
 */

import type { CheckpointStats } from '../checkpoint/checkpoint-tally.ts'
import type { RestoreStats } from '../checkpoint/restore.ts'
import type { HistogramStats } from '../histogram.ts'
import type { LedgerCounts, TermName } from '../window/ledger.ts'

/** A partition; its ledger counts since this process has it. */
export interface PartitionStats extends LedgerCounts {
  readonly topic: string
  readonly partition: number
  /** Next offset to read. */
  readonly position: number
  /** Records between position and the end offset last heard; undefined before anything was heard. */
  readonly lag: number | undefined
  /** When the end offset was last heard, ms since the epoch; undefined before that. */
  readonly heardAt: number | undefined
  readonly paused: boolean
  readonly idle: boolean
}

export interface TaskStats {
  readonly task: number
  /** ms since the epoch; undefined before the first one. */
  readonly watermark: number | undefined
}

export interface PipelineStats {
  /** 'restarting' is between two runs; a run is never in it. */
  readonly state: 'starting' | 'running' | 'draining' | 'stopped' | 'restarting'
  /** Runs before this one that failed, in this process. */
  readonly restarts: number
  readonly topics: readonly { readonly topic: string; readonly events: number }[]
  /** Records by term of the ledger, and the invalid ones by reason; partitions that have left since are among them. */
  readonly terms: { readonly [name in TermName]: number }
  readonly invalid: readonly { readonly reason: string; readonly count: number }[]
  readonly impressions: number
  readonly clicks: number
  readonly activeProducts: number
  readonly openPanes: number
  readonly windowCtr: HistogramStats
  readonly emitDelaySeconds: HistogramStats
  readonly rowsWritten: number
  readonly rowsParked: number
  /** Right now: emitted, and not acknowledged yet. */
  readonly rowsPending: number
  readonly sinkFlushSeconds: HistogramStats
  readonly sinkRetries: number
  readonly tasks: readonly TaskStats[]
  readonly partitions: readonly PartitionStats[]
  readonly rings: readonly { readonly worker: number; readonly fill: number }[]
  readonly backpressureSeconds: number
  readonly checkpoints: CheckpointStats
  /** undefined when no state is kept. */
  readonly restore: RestoreStats | undefined
  /** It stands still for a reason that it knows of and waits out: ClickHouse, the dead letters or Kafka. */
  readonly held: boolean
  /** Why the pipeline isn't ready, in words for an operator; empty when it is. */
  readonly notReady: readonly string[]
}

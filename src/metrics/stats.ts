/**
 * A snapshot of the running pipeline's counters, as metrics, the live view and the summary read it. Counts are totals since the start of
 * the run; a restart inside the process begins them anew.
 */

import type { CheckpointStats } from '../checkpoint/checkpoint-tally.ts'
import type { RestoreStats } from '../checkpoint/restore.ts'
import type { DegradedReason } from '../degraded.ts'
import type { HistogramStats } from '../histogram.ts'
import type { SchemaStats } from '../registry/schema-cache.ts'
import type { LedgerCounts, TermName } from '../window/ledger.ts'

/** A partition; its ledger counts since this process has it. */
export interface PartitionStats extends LedgerCounts {
  readonly topic: string
  readonly partition: number
  /** Next offset to read. */
  readonly position: number
  /** Records between position and the end offset last heard; undefined before anything was heard. */
  readonly lag: number | undefined
  /** Records between position and the last one written, those of open transactions among them; undefined before anything was heard. */
  readonly lagWritten: number | undefined
  /** When the end offset was last heard, ms since the epoch; undefined before that. */
  readonly heardAt: number | undefined
  /** How often its topic was deleted and made again, as far as the group knows. */
  readonly remade: number
  /** Records that were gone before they were read, or while a window still needed them. */
  readonly missing: number
  /** Records read; `read` counts their events. */
  readonly recordsRead: number
  readonly paused: boolean
  readonly idle: boolean
  /** The schema for which it waits; undefined when it doesn't. */
  readonly awaitsSchema?: string | undefined
  /** A bounded run has read it up to its end. */
  readonly ended: boolean
  /** The largest event time that is believed, and the watermark that it stands for, ms since the epoch; undefined before the first. */
  readonly eventTime: number | undefined
  readonly watermark: number | undefined
  /** Where a start would go on if this process died now; undefined when nothing is safe yet. */
  readonly safeOffset: number | undefined
}

/** A worker's own counts. */
export interface WorkerCounts {
  readonly worker: number
  readonly events: number
  readonly openPanes: number
  readonly products: number
  readonly paneBytes: number
}

/** From the record that closes a window to its first rows being readable, and the parts of that, s. */
export interface LatencyStats {
  readonly endToEnd: HistogramStats
  /** Until the watermark is published that closes the window. */
  readonly watermarkWait: HistogramStats
  /** From there until its rows are with the sink. */
  readonly emission: HistogramStats
  /** From there until ClickHouse has acknowledged them. */
  readonly insert: HistogramStats
}

export interface TaskStats {
  readonly task: number
  /** ms since the epoch; undefined before the first one. */
  readonly watermark: number | undefined
}

/** A certificate of the configuration, by its key. */
export interface CertificateStats {
  readonly key: string
  /** ms since the epoch. */
  readonly expiresAt: number
}

/** An invalid input, with nothing of what it says; see output/letter-samples.ts. Times in ms. */
interface LetterSample {
  readonly at: number
  readonly reason: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly message: string
  readonly masked: string | undefined
  readonly byteAtFault: number | undefined
}

interface ReasonCount {
  readonly reason: string
  readonly count: number
}

/** Of the schemas that records name. */
export interface PipelineSchemas extends SchemaStats {
  /** Partitions that wait for one now, and for how long all have waited. */
  readonly waiting: number
  readonly waitedSeconds: number
}

export interface PipelineStats {
  /** 'restarting' is between two runs; a run is never in it. */
  readonly state: 'starting' | 'running' | 'draining' | 'stopped' | 'restarting'
  /** Runs before this one that failed, in this process. */
  readonly restarts: number
  readonly topics: readonly { readonly topic: string; readonly events: number }[]
  /** Late events by topic. */
  readonly late: readonly { readonly topic: string; readonly count: number }[]
  /** Of the counted ones, by topic, those that came too late for some of their windows. */
  readonly partlyLate: readonly { readonly topic: string; readonly count: number }[]
  /** Events and other records by term of the ledger, and the invalid ones by reason; partitions that have left since are among them. */
  readonly terms: { readonly [name in TermName]: number }
  readonly invalid: readonly ReasonCount[]
  /** Records, of which one that is several events is used once; their sum is what was read. */
  readonly records: { readonly used: number; readonly invalid: number; readonly ignored: number }
  /** Events with something in their JSON that is none, and that cost nothing. */
  readonly tolerated: readonly { readonly kind: string; readonly count: number }[]
  /** Dead letters that are not kept, by deadLetter.perReason. */
  readonly lettersLeftOut: readonly ReasonCount[]
  /** Some of the newest ones. */
  readonly letterSamples: readonly LetterSample[]
  readonly impressions: number
  readonly clicks: number
  readonly activeProducts: number
  readonly openPanes: number
  readonly windowCtr: HistogramStats
  readonly emitDelaySeconds: HistogramStats
  readonly rowsWritten: number
  readonly rowsParked: number
  /** Written, of windows that ended longer ago than rows are kept. */
  readonly rowsExpired: number
  readonly rollUpSeconds: number
  /** Right now: emitted, and not acknowledged yet. */
  readonly rowsPending: number
  readonly sinkFlushSeconds: HistogramStats
  readonly sinkRetries: number
  readonly sinkMoves: number
  readonly tasks: readonly TaskStats[]
  /** How many there are in all, in this process and elsewhere; undefined when the source can't tell. */
  readonly taskCount: number | undefined
  readonly partitions: readonly PartitionStats[]
  readonly rings: readonly { readonly worker: number; readonly fill: number }[]
  readonly workers: readonly WorkerCounts[]
  readonly latency: LatencyStats
  /** Of each topic, events behind the end of their window; s. See window/lateness.ts. */
  readonly lateness: readonly { readonly topic: string; readonly histogram: HistogramStats }[]
  readonly backpressureSeconds: number
  /** undefined when no record names a schema. */
  readonly schemas: PipelineSchemas | undefined
  readonly checkpoints: CheckpointStats
  /** undefined when no state is kept. */
  readonly restore: RestoreStats | undefined
  /** What the process may take: of the container, else of the machine. */
  readonly memoryLimitBytes: number
  /** Those that were read at the start. */
  readonly certificates: readonly CertificateStats[]
  /** It stands still for a reason that it knows of and waits out: ClickHouse, the dead letters or Kafka. */
  readonly held: boolean
  /** Why the pipeline isn't ready, in words for an operator; empty when it is. */
  readonly notReady: readonly string[]
  /** What is wrong while the process works, oldest first; see degraded.ts. */
  readonly degraded: readonly DegradedReason[]
}

/** What is known of a task at a cut, as plain data: a checkpoint keeps it, and a start begins with it. */
import type { LedgerTotals } from './ledger.ts'

/** An open window as one partition's low-water mark needs it; see partition.ts. Times in ms. */
export interface WindowFacts {
  readonly end: number
  /** First offset that went into it, and the largest event time before that. */
  readonly offset: number
  readonly maxEventTime: number | null
  /** Events of this partition counted into it so far. */
  readonly events: number
  /** The partition's totals below `offset`. */
  readonly totals: LedgerTotals
}

/** One partition at the cut. */
export interface PartitionFacts {
  readonly topic: string
  readonly partition: number
  /** Next offset to read. */
  readonly position: number
  readonly maxEventTime: number | null
  readonly totals: LedgerTotals
  readonly windows: readonly WindowFacts[]
}

/** One task at the cut. */
export interface TaskFacts {
  readonly task: number
  /**
   * How often the task has been begun anew on purpose: from offsets that were set, from a savepoint, from nothing. What was kept in an
   * earlier life doesn't count any more, however far it had come. Absent: 0.
   */
  readonly lineage?: number | undefined
  /** Published watermark, ms; null before the first one. Panes of the object that end `allowedLateness` before it are purged. */
  readonly published: number | null
  readonly partitions: readonly PartitionFacts[]
}

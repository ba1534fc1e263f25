/** What is known of a task at a cut, as plain data: a checkpoint keeps it, and a start begins with it. */
import type { LedgerTotals } from './ledger.ts'

/** Bound of `candidates`. */
export const CANDIDATES_MAX = 32

/**
 * What a partition's low-water mark says of the records before it, beside event time and ledger. Each is absent where nothing is known;
 * what this version does not act on is handed on as it is. Times in ms.
 */
export interface MarkFacts {
  /** Which topic of that name: Kafka's id of it, 16 bytes as 22 letters. */
  readonly topicId?: string | undefined
  /** Since when the partition has been idle, wall time; absent: it is not. */
  readonly idleSince?: number | undefined
  /** Largest event time that is believed, where a single clock far ahead is not. */
  readonly believed?: number | undefined
  /** Event times that must agree before a jump of the time is believed: at most CANDIDATES_MAX, in base 36, with spaces between. */
  readonly candidates?: string | undefined
  /** First offset that the open windows need, where the mark itself reaches further back. */
  readonly windowsFrom?: number | undefined
}

/** Facts as they were read, with the offset that they belong to. */
export interface CarriedFacts {
  readonly offset: number
  readonly facts: MarkFacts
}

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

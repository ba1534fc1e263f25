/** What is known of a task at a cut, as plain data: a checkpoint keeps it, and a start begins with it. */
import type { LedgerTotals } from './ledger.ts'

/** Bound of `candidates`. */
export const CANDIDATES_MAX = 32
/** How `candidates` are written. */
export const CANDIDATES_TEXT = new RegExp(`^[0-9a-z]{1,11}( [0-9a-z]{1,11}){0,${CANDIDATES_MAX - 1}}$`)

/**
 * What a partition's low-water mark says of the records before it, beside event time and ledger. Each is absent where nothing is known;
 * what this version does not act on is handed on as it is. Times in ms.
 */
export interface MarkFacts {
  /** Which topic of that name: Kafka's id of it, 16 bytes as 22 letters. */
  readonly topicId?: string | undefined
  /** How often the topic was deleted and made again, as far as this group has seen; absent: never. */
  readonly remade?: number | undefined
  /** End of the last open window of the task with events that no offset gives again (see TaskFacts.orphans); absent: there is none. */
  readonly orphansUntil?: number | undefined
  /** Since when nothing has come of the partition, which was read to its end, wall time; absent: it was not, or nobody knows. */
  readonly idleSince?: number | undefined
  /** Recent events that a jump of the time may come of, see Candidates: at most CANDIDATES_MAX, in base 36, with spaces between. */
  readonly candidates?: string | undefined
  /** First offset that the open windows need, where it lies before the mark: only what was kept can rebuild those windows. */
  readonly windowsFrom?: number | undefined
}

/** Facts as they were read, with the offset that they belong to. */
export interface CarriedFacts {
  readonly offset: number
  readonly facts: MarkFacts
}

/** An open window, or a slice of overlapping ones, as one partition's low-water mark needs it; see partition.ts. Times in ms. */
export interface WindowFacts {
  readonly end: number
  /** Where it begins; of windows of the calendar only. */
  readonly start?: number | undefined
  /** First offset that a mark holds for it, and the believed event time before that. */
  readonly offset: number
  readonly maxEventTime: number | null
  /** As in a mark at `offset`. */
  readonly candidates?: string | undefined
  /** Events of this partition counted into it so far. */
  readonly events: number
  /** Corrections among them, by how many of its windows each has missed; absent without any. */
  readonly partly?: readonly number[] | undefined
  /** The partition's totals below `offset`. */
  readonly totals: LedgerTotals
  /** First offset that went into it, where marks have been let past it since. */
  readonly first?: number | undefined
  /** Marks are let past it: it lies far ahead, and later events have not agreed. `offset` is the first that went into it. */
  readonly released?: boolean | undefined
  /** Of a window far ahead: how many events of the partition have come since `offset`. */
  readonly ageEvents?: number | undefined
}

/** Events of a window that is still open, which came from a topic that was deleted since. Times in ms. */
export interface OrphanFacts {
  readonly end: number
  readonly events: number
  /** As in WindowFacts. */
  readonly partly?: readonly number[] | undefined
}

/** Both together; `a` may be absent. Of the same window. */
export function joinOrphans(a: OrphanFacts | undefined, b: OrphanFacts): OrphanFacts {
  if (a === undefined) return b
  const events = a.events + b.events
  if (a.partly === undefined || b.partly === undefined) return { end: b.end, events, partly: a.partly ?? b.partly }
  const [one, other] = [a.partly, b.partly]
  const partly = Array.from({ length: Math.max(one.length, other.length) }, (_, missed) => (one[missed] ?? 0) + (other[missed] ?? 0))
  return { end: b.end, events, partly }
}

/** One partition at the cut. */
export interface PartitionFacts {
  readonly topic: string
  readonly partition: number
  /** See MarkFacts. */
  readonly topicId?: string | undefined
  readonly remade?: number | undefined
  /** Next offset to read. */
  readonly position: number
  /** Largest event time that is believed. */
  readonly maxEventTime: number | null
  /** As in MarkFacts, at the position. */
  readonly candidates?: string | undefined
  readonly idleSince?: number | undefined
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
  /** Absent: none. */
  readonly orphans?: readonly OrphanFacts[] | undefined
}

/** Whether two ids are those of different topics; one that is not known may be any. */
export function isOtherTopic(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other
}

/**
 * The port through which record batches come in: Kafka, files, the generator and simulated brokers stand behind it.
 *
 * Protocol: `start` calls `assigned` before the first batch of a partition, and a source that can begin anywhere calls `restore` before
 * that. Calls of `batch` for one partition come in offset order and never overlap; for different partitions they may interleave. The bytes
 * belong to the source again as soon as the returned promise settles (or the call returns undefined). A source never calls after `stop` has
 * resolved.
 */

import type { CarriedFacts, MarkFacts } from '../window/facts.ts'
import type { LedgerTotals } from '../window/ledger.ts'
import type { RevisionRule } from '../window/revision.ts'

/** What people call a partition: `clicks/3`, or the name of a file. */
export type NameOfPartition = (at: { readonly topicIndex: number; readonly partition: number }) => string

/** Names by topic and number. */
export function namesIn(topics: readonly string[]): NameOfPartition {
  return ({ topicIndex, partition }) => `${topics[topicIndex]}/${partition}`
}

/** A partition as it is handed over: where to begin, and what was known of its prefix when that position was committed. */
export interface AssignedPartition {
  readonly topicIndex: number
  readonly partition: number
  /** First offset to read. */
  readonly position: number
  /** Largest event time (ms) that is believed in the prefix before `position`; undefined when nothing is known. */
  readonly maxEventTime: number | undefined
  /** What else was kept of that prefix, see MarkFacts. */
  readonly candidates?: string | undefined
  readonly idleSince?: number | undefined
  /** The ledger of that prefix; undefined when it begins here. */
  readonly totals?: LedgerTotals | undefined
  /** What else was committed with the group's offset, which need not be `position`. */
  readonly carried?: CarriedFacts | undefined
  /** Which topic of that name it is of, and how often that was made again; see MarkFacts. */
  readonly topicId?: string | undefined
  readonly remade?: number | undefined
  /** Records that are gone though they were still needed, and what that means, in words. */
  readonly missing?: number | undefined
  readonly loss?: string | undefined
  /** Bounded runs: the first offset not to read. */
  readonly endOffset: number | undefined
}

/** A partition before it is handed over: where it would begin by what the source knows, and what else would do. */
export interface OfferedPartition extends AssignedPartition {
  /** Offsets that can be read: from `earliest`, and up to but not including `latest`. */
  readonly earliest: number
  readonly latest: number
  /**
   * Where the offered position comes from: a low-water mark of this engine, an offset that somebody else committed, or nothing committed
   * (or a reset that the user has asked for: then state that was kept doesn't count).
   */
  readonly origin: 'mark' | 'foreign' | 'none' | 'asked'
  /** Of the committed mark, see TaskFacts; absent: 0. */
  readonly incarnation?: number | undefined
  /** What rows were written with before it; undefined when nothing is known. */
  readonly revision?: RevisionRule | undefined
  /** Records that open windows need are gone, by retention or with their topic: only what was kept can make up for them. */
  readonly lost?: boolean | undefined
}

/** Record batches (magic 2), header included, possibly compressed, back to back in `bytes` from `start` to `end`. */
export interface RecordBatches {
  readonly topicIndex: number
  readonly partition: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** First offset a partition may be read from after a restart, with the largest event time that is believed before it. */
export interface LowWaterMark {
  readonly topicIndex: number
  readonly partition: number
  readonly offset: number
  readonly maxEventTime: number | undefined
  readonly totals?: LedgerTotals | undefined
  readonly facts?: MarkFacts | undefined
  /** Of its task, see TaskFacts. */
  readonly incarnation?: number | undefined
}

export interface SourceHandler {
  /** May give other positions than those offered, where state was kept that goes on from there. `assigned` follows, or `revoked`. */
  restore?(offered: readonly OfferedPartition[]): Promise<readonly AssignedPartition[]>
  assigned(partitions: readonly AssignedPartition[]): void
  /** The partitions have left this process; nothing more comes from them. */
  revoked(partitions: readonly { topicIndex: number; partition: number }[]): void
  /**
   * A topic was deleted and made again: nothing more comes of the partition as it was, and what comes from now on is of the new one. What
   * was counted stays. Nothing of the partition is being handed over meanwhile.
   */
  replaced?(partition: AssignedPartition): void
  batch(batches: RecordBatches): Promise<void> | undefined
  /**
   * Offsets below `position` hold nothing to read (control records, aborted transactions, compacted away). `loss` says in words that
   * there were records which retention has deleted before they were read.
   */
  skipped(topicIndex: number, partition: number, position: number, loss?: string): void
  /** Bytes that can't be framed, passed over as the configuration says; valid during the call. Reading goes on at `nextPosition`. */
  corrupt(batches: RecordBatches, nextPosition: number, reason: string): void
  /**
   * First offset that can't be read yet, as last heard; for lag and idleness. What was written from there up to `highWatermark` is of
   * transactions that are still open; undefined where that was not heard.
   */
  endOffset(topicIndex: number, partition: number, endOffset: number, highWatermark?: number): void
  /** The source can't go on; the pipeline fails with this reason. */
  failed(error: unknown): void
}

export interface Source {
  /** Why nothing comes at present, in words for an operator, while the source tries on; undefined when all is well. */
  readonly trouble?: string | undefined
  /** How many tasks and partitions there are in all, whoever has them. A bounded run ends when it has read all of them. */
  readonly extent?: { readonly tasks: number; readonly partitions: number } | undefined
  start(handler: SourceHandler): Promise<void>
  pause(topicIndex: number, partition: number): void
  resume(topicIndex: number, partition: number): void
  /**
   * What the handler has of the partition now, and does not go on with, is delivered again from `position` on, and all behind it, once the
   * partition is not paused. Its memory is free when the promise of `batch` settles. Only sources that keep what they deliver have it.
   */
  rewind?(topicIndex: number, partition: number, position: number): void
  /** Asks for fresh end offsets of these partitions; answers through `endOffset`. */
  refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void>
  /** False when they were not committed; a later call with newer marks makes up for it. */
  commit(marks: readonly LowWaterMark[]): Promise<boolean>
  /** Drops every connection and takes up the work anew, at the positions reached; for a source over a network that seems stuck. */
  reconnect?(): Promise<void>
  /** No batch is delivered after this resolves; offsets can still be committed until `close`. */
  stop(): Promise<void>
  close(): Promise<void>
}

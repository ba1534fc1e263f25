/**
 * The port through which record batches come in: Kafka, files, the generator and simulated brokers stand behind it.
 *
 * Protocol: `start` calls `assigned` before the first batch of a partition. Calls of `batch` for one partition come in offset order and
 * never overlap; for different partitions they may interleave. The bytes belong to the source again as soon as the returned promise settles
 * (or the call returns undefined). A source never calls after `stop` has resolved.
 */

/** A partition as it is handed over: where to begin, and what was known of its prefix when that position was committed. */
export interface AssignedPartition {
  readonly topicIndex: number
  readonly partition: number
  /** First offset to read. */
  readonly position: number
  /** Largest event time (ms) in the prefix before `position`; undefined when nothing is known. */
  readonly maxEventTime: number | undefined
  /** Bounded runs: the first offset not to read. */
  readonly endOffset: number | undefined
}

/** Record batches (magic 2), header included, possibly compressed, back to back in `bytes` from `start` to `end`. */
export interface RecordBatches {
  readonly topicIndex: number
  readonly partition: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** First offset a partition may be read from after a restart, with the largest event time before it. */
export interface LowWaterMark {
  readonly topicIndex: number
  readonly partition: number
  readonly offset: number
  readonly maxEventTime: number | undefined
}

export interface SourceHandler {
  assigned(partitions: readonly AssignedPartition[]): void
  /** The partitions have left this process; nothing more comes from them. */
  revoked(partitions: readonly { topicIndex: number; partition: number }[]): void
  batch(batches: RecordBatches): Promise<void> | undefined
  /** Offsets below `position` hold nothing to read (control records, aborted transactions, compacted away). */
  skipped(topicIndex: number, partition: number, position: number): void
  /** Bytes that can't be framed, passed over as the configuration says; valid during the call. Reading goes on at `nextPosition`. */
  corrupt(batches: RecordBatches, nextPosition: number, reason: string): void
  /** The broker's end offset (high watermark) as last heard; for lag and idleness. */
  endOffset(topicIndex: number, partition: number, endOffset: number): void
  /** The source can't go on; the pipeline fails with this reason. */
  failed(error: unknown): void
}

export interface Source {
  start(handler: SourceHandler): Promise<void>
  pause(topicIndex: number, partition: number): void
  resume(topicIndex: number, partition: number): void
  /** Asks for fresh end offsets of these partitions; answers through `endOffset`. */
  refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void>
  /** False when they were not committed; a later call with newer marks makes up for it. */
  commit(marks: readonly LowWaterMark[]): Promise<boolean>
  /** No batch is delivered after this resolves; offsets can still be committed until `close`. */
  stop(): Promise<void>
  close(): Promise<void>
}

/**
 * Where main stands in one delivery of record batches. Everything a record needs that is the same for its whole batch lies here, so that
 * reading can stop at a full ring and go on at the same record.
 */
import type { Partition } from '../window/partition.ts'
import type { Task } from '../window/task.ts'
import type { Dictionary } from './dictionary.ts'
import { BatchHeader } from './record-batch.ts'

/** A task as ingest sees it: its time and its products. */
export interface TaskInput {
  readonly time: Task
  readonly dictionary: Dictionary
}

/** Indexes into Cursor.times. */
export const WINDOW_START = 0
export const WINDOW_END = 1
/** The cached window is late once the partition's largest event time reaches this. */
export const LATE_AT = 2
export const MAX_TIME = 3

const NO_VIEW = new DataView(new ArrayBuffer(0))

export class Cursor {
  readonly task: TaskInput
  readonly partition: Partition
  readonly header = new BatchHeader()
  /** The delivery: batches back to back; `at` is the next batch to open. */
  readonly bytes: Uint8Array
  at: number
  readonly end: number
  /** The open batch's records, decompressed; `left` of them to read, the next at `recordAt`. */
  records: Uint8Array
  /** The same memory as `records`, for reading words. */
  view: DataView = NO_VIEW
  recordAt = 0
  recordsEnd = 0
  left = 0
  /** Some records of the open batch lie below the partition's position or past its bound. */
  outside = false
  /** The window of the last event that was not late: most events fall into the same one. */
  readonly times = new Float64Array(4)

  constructor(task: TaskInput, partition: Partition, bytes: Uint8Array, start: number, end: number) {
    this.task = task
    this.partition = partition
    this.bytes = bytes
    this.records = bytes
    this.at = start
    this.end = end
  }
}

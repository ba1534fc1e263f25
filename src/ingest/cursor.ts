/**
 * Where main stands in one delivery of record batches. Everything a record needs that is the same for its whole batch lies here, so that
 * reading can stop at a full ring and go on at the same record.
 */

import { BatchHeader } from '../batch/record-batch.ts'
import type { Dictionary } from '../products/dictionary.ts'
import type { OpenWindow, Partition } from '../window/partition.ts'
import type { Task } from '../window/task.ts'

/** A task as ingest sees it: its time and its products. */
export interface TaskInput {
  readonly time: Task
  readonly dictionary: Dictionary
}

/** Indexes into Cursor.times. */
export const TIMES_WINDOW_START = 0
export const TIMES_WINDOW_END = 1
/** The cached window, or the first one of its slice, is late once the partition's believed event time reaches this. */
export const TIMES_LATE_AT = 2
/** The believed event time of the partition, while it is read. */
export const TIMES_MAX_TIME = 3
/** As the first three, of the window that was the cached one before. */
export const TIMES_OTHER_START = 4
export const TIMES_OTHER_END = 5
export const TIMES_OTHER_LATE_AT = 6
/** Events up to this time are not in the future; of later ones the record must be looked at. */
export const TIMES_FUTURE_FROM = 7
const TIMES = 8

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
  /** The open batch's records were given back while the delivery waits; where they stand is still right. */
  released = false
  /** Its events have the times of their records. */
  timeOfRecord = false
  /** Some records of the open batch lie below the partition's position or past its bound. */
  outside = false
  /** The windows of the last event that was not late, and of the one before that went elsewhere: near a window's end they take turns. */
  readonly times = new Float64Array(TIMES)
  /** Those windows in the partition, and how many events the partition had counted when the first became the cached one. */
  #window: OpenWindow | undefined
  #other: OpenWindow | undefined
  #countedFrom = 0

  constructor(task: TaskInput, partition: Partition, bytes: Uint8Array, start: number, end: number) {
    this.task = task
    this.partition = partition
    this.bytes = bytes
    this.records = bytes
    this.at = start
    this.end = end
  }

  /** No window is cached; what was counted into them is settled. */
  dropWindows(): void {
    this.#settle()
    this.#window = undefined
    this.#other = undefined
    this.times[TIMES_WINDOW_END] = 0
    this.times[TIMES_OTHER_END] = 0
  }

  /** Events counted from now on go into `window`, and the cached one becomes the other one. It takes times, ms, from `start` on. */
  enterWindow(window: OpenWindow, start: number, end: number, lateAt: number): void {
    this.swapWindows()
    this.#window = window
    const { times } = this
    times[TIMES_WINDOW_START] = start
    times[TIMES_WINDOW_END] = end
    times[TIMES_LATE_AT] = lateAt
  }

  /** Events counted from now on go into the other window. */
  swapWindows(): void {
    this.#settle()
    const window = this.#window
    this.#window = this.#other
    this.#other = window
    const { times } = this
    for (let i = 0; i < 3; i++) {
      const time = times[TIMES_WINDOW_START + i]!
      times[TIMES_WINDOW_START + i] = times[TIMES_OTHER_START + i]!
      times[TIMES_OTHER_START + i] = time
    }
  }

  /** A correction was counted into a window that isn't the cached one. */
  countAside(window: OpenWindow, end: number, missed: number): void {
    window.events++
    window.partly ??= []
    const { partly } = window
    while (partly.length <= missed) partly.push(0)
    partly[missed]!++
    this.#countedFrom++
    this.partition.counted++
    this.partition.partlyLate++
    this.#noteBehind(end, 1)
  }

  /** Adds what was counted since the last call to the window it went into. */
  #settle(): void {
    const { times, partition } = this
    const counted = partition.counted - this.#countedFrom
    this.#countedFrom = partition.counted
    if (this.#window === undefined || counted === 0) return
    this.#window.events += counted
    // No event of a window that has ended moves the time, so that all of these were as late.
    this.#noteBehind(times[TIMES_WINDOW_END]!, counted)
  }

  /** Of events of the slice that ends there: how far they are behind the end of the last window that they are in. */
  #noteBehind(end: number, events: number): void {
    const { windows } = this.task.time
    const behindMs = windows.watermarkOf(this.times[TIMES_MAX_TIME]!) - windows.lastEnd(end)
    if (behindMs >= 0) this.partition.behind(behindMs, events)
  }
}

/**
 * What becomes of late events beside their number: they go to an output when there is one for them, and a line of the log tells once a
 * minute of each partition how many there were, and by how much.
 */
import type { Clock } from '../clock.ts'
import type { NameOfPartition } from '../source/source.ts'
import { formatSpan } from '../text.ts'
import type { Partition } from '../window/partition.ts'
import type { Cursor } from './cursor.ts'

/** An event that came too late; the bytes, of the cursor's records, are valid during the call only. Times in ms. */
export interface LateEvent {
  readonly cursor: Cursor
  /** Where the Kafka record begins, and its value, in the cursor's records. */
  readonly recordAt: number
  readonly start: number
  readonly end: number
  readonly offset: number
  /** Of an element of the record: which one. */
  readonly element?: number | undefined
  readonly time: number
  /** How far its time is behind the watermark. */
  readonly lateMs: number
}

/** Takes late events; while `full`, nothing may be handed over. */
export interface LateEvents {
  readonly full: boolean
  take(event: LateEvent): void
}

interface Log {
  warn(fields: Record<string, unknown>, message: string): void
}

const PERIOD_MS = 60_000

/** Tells in the log what was late. */
export class LateReport {
  readonly #nameOf: NameOfPartition
  readonly #log: Log
  readonly #clock: Clock
  /** Late events of a partition that are told already. */
  readonly #told = new WeakMap<Partition, number>()
  #dueAt: number

  constructor(nameOf: NameOfPartition, log: Log, clock: Clock) {
    this.#nameOf = nameOf
    this.#log = log
    this.#clock = clock
    this.#dueAt = clock() + PERIOD_MS
  }

  /** Once a minute, and when `atOnce`, for the end of a run: a line for each partition that had late events since the last one. */
  tell(partitions: readonly Partition[], atOnce = false): void {
    const now = this.#clock()
    if (now < this.#dueAt && !atOnce) return
    this.#dueAt = now + PERIOD_MS
    for (const partition of partitions) {
      const events = partition.late - (this.#told.get(partition) ?? 0)
      if (events === 0) continue
      this.#told.set(partition, partition.late)
      const lateMaxMs = partition.lateMaxMs
      partition.lateMaxMs = 0
      const name = this.#nameOf(partition)
      const remedy = 'time.outOfOrderness and time.allowedLateness say what is waited for, late.topic or late.file keeps such events'
      const what = `${events} late ${events === 1 ? 'event' : 'events'} in ${name}, up to ${formatSpan(lateMaxMs)} behind the watermark`
      this.#log.warn({ partition: name, events, lateMaxMs }, `${what}; ${remedy}`)
    }
  }
}

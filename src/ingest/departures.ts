/** Records, and elements of records, on their way out of ingest without being counted: dead letters and late events. */
import { locateRecord, offsetOf, RecordPlace } from '../batch/record-batch.ts'
import { REASON, REASONS } from '../format/reasons.ts'
import type { Cursor } from './cursor.ts'
import type { LateEvents } from './late.ts'
import type { Letters, Outlets } from './outlets.ts'

/** Reasons of which the event's time is told. */
const TIME_REASONS: ReadonlySet<number> = new Set([REASON.TIME_RANGE, REASON.TOO_OLD, REASON.FUTURE])

/** What is refused, and of which record: the whole of it, or an element bytes[start, end). */
export interface Departure {
  readonly reason: number
  readonly recordAt: number
  readonly time: number
  readonly detail?: string | undefined
  readonly element?: { readonly number: number; readonly start: number; readonly end: number } | undefined
}

/** A late event, as Departure has it. */
export interface LateDeparture extends Omit<Departure, 'reason' | 'detail'> {
  readonly lateMs: number
}

export class Departures {
  /** Rejected since start, by reason number. */
  readonly invalid = new Float64Array(REASONS.length)
  /** Ignored since start. */
  ignored = 0
  readonly letters: Letters
  readonly late: LateEvents | undefined
  readonly #place = new RecordPlace()

  constructor({ letters, late }: Outlets) {
    this.letters = letters
    this.late = late
  }

  /** Records, or elements of them, are left out. */
  ignore({ partition }: Cursor, count: number): void {
    partition.ignored += count
    this.ignored += count
  }

  /** Of the cursor's open batch. */
  reject(cursor: Cursor, { reason, recordAt, time, detail, element }: Departure): void {
    this.invalid[reason]! += 1
    cursor.partition.refuse(reason, 1)
    if (this.letters.leavesOut?.(cursor.partition, reason) === true) return
    const place = this.#located(cursor, recordAt)
    this.letters.reject({
      cursor,
      reason,
      offset: offsetOf(cursor.records, recordAt, cursor.header.baseOffset),
      element: element?.number,
      bytes: cursor.records,
      start: element?.start ?? place.value,
      end: element?.end ?? place.valueEnd,
      time: TIME_REASONS.has(reason) ? time : undefined,
      records: 1,
      detail,
      recordAt,
    })
  }

  /** Of the cursor's open batch; without an output for late events nothing is to be done. */
  handOn(cursor: Cursor, { recordAt, time, lateMs, element }: LateDeparture): void {
    const { records, header } = cursor
    const place = this.#located(cursor, recordAt)
    const offset = offsetOf(records, recordAt, header.baseOffset)
    const [start, end] = [element?.start ?? place.value, element?.end ?? place.valueEnd]
    this.late?.take({ cursor, recordAt, offset, element: element?.number, start, end, time, lateMs })
  }

  #located({ records, recordsEnd }: Cursor, recordAt: number): RecordPlace {
    locateRecord(records, recordAt, recordsEnd, this.#place)
    return this.#place
  }
}

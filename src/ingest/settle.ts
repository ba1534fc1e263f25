/**
 * What becomes of parsed records, in their order: events are counted up to the next refusal, and that is rejected before anything behind it
 * is counted. So what a window notes of the ledger when it opens has the refusals before it, and reading can stop at any record.
 */
import { type ParsedEvents, ROW_RECORD, ROW_WORDS } from '../format/parsed-events.ts'
import type { Cursor } from './cursor.ts'
import type { Departures } from './departures.ts'
import type { EventCounter } from './event-counter.ts'
import { DONE, type IngestStatus, IS_LATE, LETTERS_FULL, REFUSED } from './status.ts'

export class Settlement {
  readonly #counter: EventCounter
  readonly #departures: Departures

  constructor(counter: EventCounter, departures: Departures) {
    this.#counter = counter
    this.#departures = departures
  }

  /** Settles what was parsed, up to a record that must wait; the cursor stands there then. The products lie in `bytes`, looked up. */
  settle(cursor: Cursor, parsed: ParsedEvents, bytes: Uint8Array, view: DataView): IngestStatus {
    const { count, refusals } = parsed
    let status: IngestStatus = DONE
    let i = 0
    while (status === DONE) {
      const end = refusals.settled < refusals.count ? refusals.eventsBefore[refusals.settled]! : count
      if (i < end) i = this.#counter.count(cursor, parsed, i, end, bytes, view)
      if (i < end) {
        status = this.#leaveOut(cursor, parsed, i)
        if (status === DONE) i++
      } else if (refusals.settled === refusals.count) break
      else if (this.#departures.letters.full) status = LETTERS_FULL
      else this.#reject(cursor, parsed)
    }
    this.#moveTo(cursor, parsed, i)
    return status
  }

  /** The event at `i`, at which the counter has halted, leaves if it may. */
  #leaveOut(cursor: Cursor, parsed: ParsedEvents, i: number): IngestStatus {
    const counter = this.#counter
    const departures = this.#departures
    const [recordAt, time] = [parsed.rows[i * ROW_WORDS + ROW_RECORD]!, parsed.times[i]!]
    if (counter.halt === IS_LATE) {
      if (departures.late?.full) return LETTERS_FULL
      departures.handOn(cursor, { recordAt, time, lateMs: counter.countLate(cursor, time) })
      return DONE
    }
    if (counter.halt !== REFUSED) return counter.halt
    if (departures.letters.full) return LETTERS_FULL
    departures.reject(cursor, { reason: counter.reason, recordAt, time, detail: counter.detail })
    counter.passRefused(cursor, parsed, i)
    return DONE
  }

  /** The next one of the refusals. */
  #reject(cursor: Cursor, { refusals }: ParsedEvents): void {
    const i = refusals.settled++
    this.#departures.reject(cursor, { reason: refusals.reasons[i]!, recordAt: refusals.records[i]!, time: refusals.times[i]! })
  }

  /** All before the event at `i`, or before the next refusal when that comes first, is dealt with. */
  #moveTo(cursor: Cursor, parsed: ParsedEvents, i: number): void {
    const { rows, count, refusals } = parsed
    const { settled } = refusals
    const atRefusal = settled < refusals.count && refusals.eventsBefore[settled] === i
    const records = atRefusal ? i + refusals.ignoredBefore[settled]! + settled : parsed.recordsBefore(i)
    cursor.partition.read += records
    cursor.left -= records
    this.#departures.ignore(cursor, records - i - settled)
    if (atRefusal) cursor.recordAt = refusals.records[settled]!
    else cursor.recordAt = i < count ? rows[i * ROW_WORDS + ROW_RECORD]! : parsed.next
  }
}

/** Reads records that may be several events, each all or not at all: format → products → record counter. */
import { isOlder, type RecordPlace } from '../batch/record-batch.ts'
import type { JsonRecords } from '../format/json-records.ts'
import { IGNORED, REASON } from '../format/reasons.ts'
import { type RecordBytes, RecordEvents } from '../format/record-events.ts'
import { EventSlot, SLOT_TOLERATED } from '../format/slot.ts'
import type { Partition } from '../window/partition.ts'
import type { Cursor } from './cursor.ts'
import type { Departures } from './departures.ts'
import type { RecordCounter } from './record-counter.ts'
import { fillRecordTimes } from './record-times.ts'
import { DONE, type IngestStatus, LETTERS_FULL } from './status.ts'

export class RecordIngest {
  /** What is to be added to the terms, which are of events, to have those of records: a record of several events is one that is used. */
  readonly beyond = { used: 0, invalid: 0, ignored: 0 }
  /** What was tolerated in the record that was read last. */
  readonly slot = new EventSlot()
  readonly #counter: RecordCounter
  readonly #departures: Departures
  readonly #record: RecordBytes = {
    bytes: new Uint8Array(0),
    view: new DataView(new ArrayBuffer(0)),
    record: 0,
    start: 0,
    end: 0,
    older: false,
  }
  #events = new RecordEvents(0)

  constructor(counter: RecordCounter, departures: Departures) {
    this.#counter = counter
    this.#departures = departures
  }

  /** The record that the cursor stands at, located at `place`. What holds it up leaves the cursor there, and nothing counted. */
  read(cursor: Cursor, format: JsonRecords, place: RecordPlace): IngestStatus {
    const { partition } = cursor
    const before = unitsOf(partition)
    const status = this.#settle(cursor, format, place)
    if (status !== DONE) return status
    const units = unitsOf(partition) - before
    partition.read += units
    partition.more += units - 1
    cursor.left--
    cursor.recordAt = place.next
    return DONE
  }

  #settle(cursor: Cursor, format: JsonRecords, place: RecordPlace): IngestStatus {
    const { slot } = this
    const departures = this.#departures
    const events = this.#eventsFor(format)
    const record = this.#record
    record.bytes = cursor.records
    record.view = cursor.view
    record.record = cursor.recordAt
    record.start = place.value
    record.end = place.valueEnd
    record.older = isOlder(cursor.records, place.timestampAt)
    const verdict = format.read(record, events, slot)
    if (verdict === REASON.VALID) return this.#count(cursor, events)
    if (verdict === IGNORED) departures.ignore(cursor, 1)
    else {
      if (departures.letters.full) return LETTERS_FULL
      slot.ints[SLOT_TOLERATED] = 0
      departures.reject(cursor, { reason: verdict, recordAt: cursor.recordAt, time: slot.time[0]! })
    }
    return DONE
  }

  #count(cursor: Cursor, events: RecordEvents): IngestStatus {
    const { partition } = cursor
    const departures = this.#departures
    const counter = this.#counter
    const [bytes, view] = events.isExact ? [events.products, events.productsView] : [cursor.records, cursor.view]
    if (cursor.timeOfRecord) fillRecordTimes(cursor, events)
    cursor.task.dictionary.findAll(events, bytes, view)
    const status = counter.prepare(cursor, events, bytes, view)
    if (status !== DONE) return status
    if (counter.rejects && departures.letters.full) return LETTERS_FULL
    if (counter.isLate && departures.late?.full === true) return LETTERS_FULL
    const { counted, late, invalid, ignored } = partition
    if (!counter.commit(cursor, events)) return DONE
    const { beyond } = this
    beyond.used += 1 - (partition.counted - counted + partition.late - late)
    beyond.invalid -= partition.invalid - invalid
    beyond.ignored -= partition.ignored - ignored
    return DONE
  }

  #eventsFor({ elementsMax }: JsonRecords): RecordEvents {
    if (this.#events.times.length < 2 * elementsMax) this.#events = new RecordEvents(elementsMax)
    return this.#events
  }
}

function unitsOf({ counted, late, invalid, ignored }: Partition): number {
  return counted + late + invalid + ignored
}

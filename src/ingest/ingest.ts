/**
 * The hot path of main: record batch bytes in, ring blocks out. Per event nothing is allocated.
 *
 *   batch → CRC (if asked) → decompress (if need be) → records → events → late? → dictionary → ring of the product's worker
 *
 * `run` reads as far as it can and says why it stopped. Nothing of a record has been counted when it stops there, so that calling `run`
 * again begins with the same record. Ledger: every record at or above the partition's position is read once, and is counted, late,
 * invalid or ignored.
 */

import { assert } from '../assert.ts'
import { crc32c } from '../batch/crc32c.ts'
import {
  BATCH_HEADER_BYTES,
  CRC_FROM,
  isOlder,
  locateRecord,
  MAGIC,
  offsetOf,
  RecordPlace,
  readBatchHeader,
  recordsFrom,
} from '../batch/record-batch.ts'
import { type Clock, systemClock } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { EventFormat } from '../format/event-format.ts'
import type { Format } from '../format/format.ts'
import type { JsonRecords } from '../format/json-records.ts'
import { PARSED_MAX, ParsedEvents } from '../format/parsed-events.ts'
import { IGNORED, REASON, WAITING_SCHEMA } from '../format/reasons.ts'
import type { SchemaKey } from '../format/schemas.ts'
import { EventSlot, SLOT_TOLERATED } from '../format/slot.ts'
import { TOLERATED, TOLERATED_KINDS } from '../format/tolerated.ts'
import type { Partition } from '../window/partition.ts'
import { type Cursor, TIMES_MAX_TIME } from './cursor.ts'
import { Departures } from './departures.ts'
import type { EventBlocks } from './event-blocks.ts'
import { type CountRules, EventCounter } from './event-counter.ts'
import type { Outlets } from './outlets.ts'
import { RecordCounter } from './record-counter.ts'
import { RecordIngest } from './record-ingest.ts'
import { fillRecordTimes } from './record-times.ts'
import { Settlement } from './settle.ts'
import { DONE, type IngestStatus, LETTERS_FULL, SCHEMA_WAITS } from './status.ts'
import { Unpacker, viewOf } from './unpacker.ts'

/** Rules of the configuration that decide what becomes of a record; times in ms. */
export interface IngestRules extends CountRules {
  readonly checkCrc: boolean
  /** What a batch may decompress to. */
  readonly maxBatchBytes: number
}

export class Ingest {
  /** What the record needs at which `run` last stopped for SCHEMA_WAITS. */
  awaitedSchema: SchemaKey = ''
  /** Records since start that were read in spite of something in their JSON, by TOLERATED_KINDS. */
  readonly tolerated = new Float64Array(TOLERATED_KINDS.length)
  readonly #checkCrc: boolean
  readonly #unpacker: Unpacker
  readonly #topics: readonly string[]
  readonly #formats: readonly Format[]
  readonly #blocks: EventBlocks
  readonly #departures: Departures
  readonly #counter: EventCounter
  readonly #settlement: Settlement
  readonly #slot = new EventSlot()
  readonly #place = new RecordPlace()
  readonly #parsed = new ParsedEvents()
  readonly #several: RecordIngest

  /** `formats` of the records of each topic; `clock` is for the wall-clock guard alone. */
  constructor(
    rules: IngestRules,
    topics: readonly string[],
    formats: readonly Format[],
    blocks: EventBlocks,
    outlets: Outlets,
    clock: Clock = systemClock,
  ) {
    assert(formats.length === topics.length, 'every topic has a format', { topics, formats: formats.length })
    this.#checkCrc = rules.checkCrc
    this.#unpacker = new Unpacker(rules.maxBatchBytes)
    this.#topics = topics
    this.#formats = formats
    this.#blocks = blocks
    this.#departures = new Departures(outlets)
    this.#counter = new EventCounter(rules, blocks, outlets.late !== undefined, clock)
    this.#settlement = new Settlement(this.#counter, this.#departures)
    this.#several = new RecordIngest(new RecordCounter(rules, this.#counter, blocks, this.#departures), this.#departures)
  }

  /** Rejected since start, by reason number. */
  get invalid(): Float64Array {
    return this.#departures.invalid
  }

  /** See RecordIngest. */
  get recordsBeyond(): RecordIngest['beyond'] {
    return this.#several.beyond
  }

  /** Ignored since start. */
  get ignored(): number {
    return this.#departures.ignored
  }

  /** The ring that was full when `run` last returned RING_FULL. */
  get fullRing(): number {
    return this.#counter.fullRing
  }

  /** Counted since start. */
  get impressions(): number {
    return this.#counter.impressions
  }

  /** Counted since start. */
  get clicks(): number {
    return this.#counter.clicks
  }

  /** Left out since start, for they came too late. */
  get late(): number {
    return this.#counter.late
  }

  /** The delivery is about to wait; see Unpacker.release. */
  release(cursor: Cursor): void {
    this.#unpacker.release(cursor)
  }

  /** Reads on from where the cursor stands. Throws CTR_KAFKA_CORRUPT_BATCH for bytes that can't be framed. */
  run(cursor: Cursor): IngestStatus {
    const { partition, times } = cursor
    if (cursor.released) this.#unpacker.unpackAgain(cursor)
    this.#blocks.begin(cursor.task.time.task)
    this.#counter.begin(cursor)
    let status: IngestStatus = DONE
    try {
      for (;;) {
        if (cursor.left > 0 || cursor.recordAt < cursor.recordsEnd) status = this.#readRecords(cursor)
        if (status !== DONE) return status
        if (cursor.at >= cursor.end) return DONE
        if (this.#departures.letters.full) return LETTERS_FULL
        this.#openBatch(cursor)
      }
    } finally {
      cursor.dropWindows()
      partition.maxEventTime = times[TIMES_MAX_TIME]!
      this.#blocks.closeAll()
    }
  }

  #openBatch(cursor: Cursor): void {
    const { header, partition } = cursor
    if (!readBatchHeader(cursor.bytes, cursor.at, cursor.end, header) || header.magic !== MAGIC || header.lastOffset < header.baseOffset) {
      this.#unframed(cursor)
    }
    const start = cursor.at
    cursor.at += header.sizeBytes
    const next = header.lastOffset + 1
    if (next <= partition.position) return
    // A compacted batch, of which all records are gone, may stay as a header.
    if (header.control || (header.count === 0 && header.sizeBytes === BATCH_HEADER_BYTES)) {
      partition.position = next
      return
    }
    if (this.#checkCrc && crc32c(cursor.bytes, start + CRC_FROM, cursor.at) !== header.crc) {
      this.#corrupt(cursor, start, cursor.at, recordsFrom(header, partition.position), 'CRC-32C differs')
      return
    }
    cursor.records = cursor.bytes
    cursor.recordAt = start + BATCH_HEADER_BYTES
    cursor.recordsEnd = cursor.at
    if (header.codec !== 0 && !this.#unpack(cursor, start)) return
    cursor.view = viewOf(cursor.records, cursor.view)
    cursor.left = recordsFrom(header, header.baseOffset)
    cursor.outside = header.baseOffset < partition.position || next > partition.boundOffset
  }

  /** Decompresses the batch that begins at `start`; false when it can't be read, and is rejected. */
  #unpack(cursor: Cursor, start: number): boolean {
    const fault = this.#unpacker.unpack(cursor)
    if (fault === undefined) return true
    const records = recordsFrom(cursor.header, cursor.partition.position)
    // The bytes of one that is too large say nothing that its place in the topic does not.
    const end = fault.reason === REASON.BATCH_TOO_LARGE ? start : cursor.at
    this.#corrupt(cursor, start, end, records, fault.detail, fault.reason)
    return false
  }

  #readRecords(cursor: Cursor): IngestStatus {
    const { partition, header } = cursor
    const parsed = this.#parsed
    const format = this.#formats[partition.topicIndex]!
    cursor.timeOfRecord = format.timeOfRecord
    let status: IngestStatus = DONE
    while (cursor.left > 0 && status === DONE) {
      if (cursor.outside && this.#passOutside(cursor)) continue
      if (format.several) {
        status = this.#readSeveral(cursor, format)
        continue
      }
      const sure = format.parse(cursor, parsed, cursor.outside ? 1 : Math.min(cursor.left, PARSED_MAX))
      if (parsed.next > cursor.recordAt) status = this.#settle(cursor, cursor.records, cursor.view)
      if (!sure && status === DONE) status = this.#readUnsure(cursor, format, parsed)
    }
    if (status === DONE && cursor.recordAt < cursor.recordsEnd) status = this.#rejectRest(cursor)
    if (status === DONE) {
      partition.position = Math.max(partition.position, Math.min(header.lastOffset + 1, partition.boundOffset))
      this.#unpacker.giveBack(cursor)
    } else this.#stopAt(cursor)
    return status
  }

  /** One record by the plain parser, which is always sure. */
  #readUnsure(cursor: Cursor, format: EventFormat, parsed: ParsedEvents): IngestStatus {
    const { records: bytes, recordAt, recordsEnd } = cursor
    const place = this.#place
    const slot = this.#slot
    const framed = locateRecord(bytes, recordAt, recordsEnd, place)
    const reason = framed ? format.exact(bytes, place.value, place.valueEnd, slot, place.next) : REASON.CORRUPT_BATCH
    if (reason === REASON.VALID || reason === IGNORED) {
      parsed.begin(recordAt)
      if (reason === IGNORED) parsed.ignore(place.next)
      else parsed.add(slot, slot.product, recordAt, isOlder(bytes, place.timestampAt), place.next)
      const status = this.#settle(cursor, slot.product, slot.productView)
      if (cursor.recordAt === place.next) this.#noteTolerated(slot)
      return status
    }
    if (reason === WAITING_SCHEMA) {
      this.awaitedSchema = format.waitsFor ?? ''
      return SCHEMA_WAITS
    }
    if (this.#departures.letters.full) return LETTERS_FULL
    if (!framed) {
      this.#corruptRest(cursor)
      return DONE
    }
    this.#departures.reject(cursor, { reason, recordAt, time: slot.time[0]!, detail: format.detail })
    cursor.partition.read++
    cursor.left--
    cursor.recordAt = place.next
    return DONE
  }

  /** A record that may be several events. */
  #readSeveral(cursor: Cursor, format: JsonRecords): IngestStatus {
    if (!locateRecord(cursor.records, cursor.recordAt, cursor.recordsEnd, this.#place)) {
      if (this.#departures.letters.full) return LETTERS_FULL
      this.#corruptRest(cursor)
      return DONE
    }
    const status = this.#several.read(cursor, format, this.#place)
    if (status === DONE) this.#noteTolerated(this.#several.slot)
    return status
  }

  #noteTolerated(slot: EventSlot): void {
    const bits = slot.ints[SLOT_TOLERATED]!
    if (bits === 0) return
    TOLERATED_KINDS.forEach((kind, i) => {
      if ((bits & TOLERATED[kind]) !== 0) this.tolerated[i]! += 1
    })
  }

  /** Counts and rejects what was parsed up to a record that must wait; the products lie in `bytes`. */
  #settle(cursor: Cursor, bytes: Uint8Array, view: DataView): IngestStatus {
    const parsed = this.#parsed
    if (cursor.timeOfRecord) fillRecordTimes(cursor, parsed)
    cursor.task.dictionary.findAll(parsed, bytes, view)
    return this.#settlement.settle(cursor, parsed, bytes, view)
  }

  /** The position moves to the record it stops at: a low-water mark taken now must not pair this time with an earlier offset. */
  #stopAt(cursor: Cursor): void {
    const offset = offsetOf(cursor.records, cursor.recordAt, cursor.header.baseOffset)
    // What a damaged record says of itself must not move the position out of its batch.
    if (offset > cursor.partition.position && offset <= cursor.header.lastOffset) cursor.partition.position = offset
  }

  /** Of a batch that is cut by the position or the bound: steps over its next record if that lies outside. */
  #passOutside(cursor: Cursor): boolean {
    const { partition, records, recordAt, recordsEnd, header } = cursor
    const offset = offsetOf(records, recordAt, header.baseOffset)
    if (offset >= partition.position && offset < partition.boundOffset) return false
    if (!locateRecord(records, recordAt, recordsEnd, this.#place)) return false
    cursor.left--
    cursor.recordAt = this.#place.next
    return true
  }

  /** The batch is there as a whole but what it holds can't be read: all its records are rejected with one letter. */
  #corrupt(cursor: Cursor, start: number, end: number, records: number, detail: string, reason = REASON.CORRUPT_BATCH): void {
    const { partition, header } = cursor
    cursor.recordAt = cursor.recordsEnd
    this.#count(partition, reason, records)
    partition.position = header.lastOffset + 1
    this.#departures.letters.reject({
      cursor,
      reason,
      offset: header.baseOffset,
      bytes: cursor.bytes,
      start,
      end,
      time: undefined,
      records,
      detail,
    })
  }

  /** A record's lengths contradict each other: the rest of its batch can't be told apart. */
  #corruptRest(cursor: Cursor): void {
    const { header, left } = cursor
    this.#rejectFrom(cursor, left, header.lastOffset - left + 1, 'a record runs past its batch')
    cursor.left = 0
    cursor.recordAt = cursor.recordsEnd
  }

  /** Something lies behind the last record that the header counts. It counts as the records that offsets are left for, or as one. */
  #rejectRest(cursor: Cursor): IngestStatus {
    const { header, partition, recordAt, recordsEnd } = cursor
    if (header.lastOffset < partition.boundOffset) {
      if (this.#departures.letters.full) return LETTERS_FULL
      const offsets = header.lastOffset + 1 - header.baseOffset
      const records = Math.max(1, offsets - recordsFrom(header, header.baseOffset))
      this.#rejectFrom(cursor, records, header.lastOffset, `${recordsEnd - recordAt} bytes lie behind its last record`)
    }
    cursor.recordAt = recordsEnd
    return DONE
  }

  #rejectFrom(cursor: Cursor, records: number, offset: number, detail: string): void {
    const reason = REASON.CORRUPT_BATCH
    this.#count(cursor.partition, reason, records)
    const { records: bytes, recordAt: start, recordsEnd: end } = cursor
    this.#departures.letters.reject({ cursor, reason, offset, bytes, start, end, time: undefined, records, detail })
  }

  #count(partition: Partition, reason: number, records: number): void {
    this.#departures.invalid[reason]! += records
    partition.refuse(reason, records)
    partition.read += records
  }

  /** Bytes that can't be framed are rejected with one letter, as one record; reading goes on at `next`. */
  refuse(cursor: Cursor, next: number, reason: string): void {
    const { partition, header } = cursor
    header.baseOffset = partition.position
    header.lastOffset = Math.max(next - 1, partition.position)
    this.#corrupt(cursor, cursor.at, cursor.end, 1, reason)
  }

  /** What lies there is not a batch of format 2, so it isn't known where the next one begins. Kafka's source refuses such bytes before. */
  #unframed(cursor: Cursor): never {
    const { partition, header } = cursor
    const magic = `magic byte ${header.magic}, wanted ${MAGIC}`
    const what = header.magic === MAGIC ? 'its length does not fit what was delivered' : magic
    const place = `topic ${this.#topics[partition.topicIndex]}, partition ${partition.partition}, offset ${partition.position}`
    throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `${place}: the record batch can't be framed (${what})`)
  }
}

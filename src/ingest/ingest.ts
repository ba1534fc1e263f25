/**
 * The hot path of main: record batch bytes in, ring blocks out. Per event nothing is allocated.
 *
 *   batch → CRC (if asked) → decompress (if need be) → records → scan or exact → late? → dictionary → ring of the product's worker
 *
 * `run` reads as far as it can and says why it stopped. Nothing of a record has been counted when it stops there, so that calling `run`
 * again begins with the same record. Ledger: every record at or above the partition's position is read once, and is counted, late or
 * invalid.
 */

import { assert } from '../assert.ts'
import { crc32c } from '../batch/crc32c.ts'
import { decompress } from '../batch/decompress.ts'
import { OutputPool } from '../batch/output-pool.ts'
import {
  BATCH_HEADER_BYTES,
  CRC_FROM,
  isOlder,
  locateRecord,
  MAGIC,
  offsetOf,
  RecordPlace,
  readBatchHeader,
} from '../batch/record-batch.ts'
import { CtrError } from '../errors.ts'
import type { Format } from '../format/format.ts'
import { PARSED_MAX, ParsedEvents, ROW_RECORD, ROW_WORDS } from '../format/parsed-events.ts'
import { REASON, REASONS } from '../format/reasons.ts'
import { EventSlot } from '../format/slot.ts'
import { type Cursor, TIMES_MAX_TIME } from './cursor.ts'
import type { EventBlocks } from './event-blocks.ts'
import { type CountRules, DONE, EventCounter, IN_FUTURE, type MANY_WINDOWS, type RING_FULL } from './event-counter.ts'

/** `run` stopped since the dead letters are full. */
export const LETTERS_FULL = 4
/** Why `run` returned; the others see event-counter.ts. */
export type IngestStatus = typeof DONE | typeof RING_FULL | typeof LETTERS_FULL | typeof MANY_WINDOWS

/** Rules of the configuration that decide what becomes of a record; times in ms. */
export interface IngestRules extends CountRules {
  readonly checkCrc: boolean
}

/** An input that can't be counted; bytes are valid during the call only. `records` is how many records it stands for. */
export interface Rejected {
  readonly cursor: Cursor
  readonly reason: number
  readonly offset: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly time: number | undefined
  readonly records: number
  readonly detail: string | undefined
  /** Where the Kafka record begins in `bytes`; absent when it stands for a batch. */
  readonly recordAt?: number
}

/** Takes rejected input; while `full`, nothing may be handed over. */
export interface Letters {
  readonly full: boolean
  reject(rejected: Rejected): void
}

export class Ingest {
  /** Rejected since start, by reason number. */
  readonly invalid = new Float64Array(REASONS.length)
  readonly #checkCrc: boolean
  readonly #topics: readonly string[]
  readonly #formats: readonly Format[]
  readonly #blocks: EventBlocks
  readonly #letters: Letters
  readonly #counter: EventCounter
  readonly #outputs = new OutputPool()
  readonly #slot = new EventSlot()
  readonly #place = new RecordPlace()
  readonly #parsed = new ParsedEvents()

  /** `formats` of the records of each topic. */
  constructor(rules: IngestRules, topics: readonly string[], formats: readonly Format[], blocks: EventBlocks, letters: Letters) {
    assert(formats.length === topics.length, 'every topic has a format', { topics, formats: formats.length })
    this.#checkCrc = rules.checkCrc
    this.#topics = topics
    this.#formats = formats
    this.#blocks = blocks
    this.#letters = letters
    this.#counter = new EventCounter(rules, blocks)
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

  /** Reads on from where the cursor stands. Throws CTR_KAFKA_CORRUPT_BATCH for bytes that can't be framed. */
  run(cursor: Cursor): IngestStatus {
    const { partition, times } = cursor
    this.#blocks.begin(cursor.task.time.task)
    this.#counter.begin(cursor)
    let status: IngestStatus = DONE
    try {
      for (;;) {
        if (cursor.left > 0) status = this.#readRecords(cursor)
        if (status !== DONE) return status
        if (cursor.at >= cursor.end) return DONE
        if (this.#letters.full) return LETTERS_FULL
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
    if (!readBatchHeader(cursor.bytes, cursor.at, cursor.end, header) || header.magic !== MAGIC) {
      this.#unframed(cursor)
    }
    const start = cursor.at
    cursor.at += header.sizeBytes
    const next = header.lastOffset + 1
    if (next <= partition.position) return
    if (header.control || header.count <= 0) {
      partition.position = next
      return
    }
    if (this.#checkCrc && crc32c(cursor.bytes, start + CRC_FROM, cursor.at) !== header.crc) {
      this.#corrupt(cursor, start, cursor.at, header.count, 'CRC-32C differs')
      return
    }
    cursor.records = cursor.bytes
    cursor.recordAt = start + BATCH_HEADER_BYTES
    cursor.recordsEnd = cursor.at
    if (header.codec !== 0) {
      try {
        cursor.records = decompress(header.codec, cursor.bytes.subarray(cursor.recordAt, cursor.at), this.#outputs)
      } catch (error) {
        if (!(error instanceof CtrError)) throw error
        this.#corrupt(cursor, start, cursor.at, header.count, error.message)
        return
      }
      cursor.recordAt = 0
      cursor.recordsEnd = cursor.records.length
    }
    cursor.view = viewOf(cursor.records, cursor.view)
    cursor.left = header.count
    cursor.outside = header.baseOffset < partition.position || next > partition.boundOffset
  }

  #readRecords(cursor: Cursor): IngestStatus {
    const { partition, header } = cursor
    const parsed = this.#parsed
    const format = this.#formats[partition.topicIndex]!
    let status: IngestStatus = DONE
    while (cursor.left > 0 && status === DONE) {
      if (cursor.outside && this.#passOutside(cursor)) continue
      const sure = format.parse(cursor, parsed, cursor.outside ? 1 : Math.min(cursor.left, PARSED_MAX))
      if (parsed.count > 0) status = this.#settle(cursor, parsed, cursor.records, cursor.view)
      if (!sure && status === DONE) status = this.#readUnsure(cursor, format, parsed)
    }
    if (status === DONE) {
      partition.position = Math.max(partition.position, Math.min(header.lastOffset + 1, partition.boundOffset))
      if (cursor.records !== cursor.bytes) this.#outputs.giveBack(cursor.records)
      cursor.records = cursor.bytes
    } else this.#stopAt(cursor)
    return status
  }

  /** One record by the plain parser, which is always sure. */
  #readUnsure(cursor: Cursor, format: Format, parsed: ParsedEvents): IngestStatus {
    const { records: bytes, recordAt, recordsEnd } = cursor
    const place = this.#place
    const slot = this.#slot
    const framed = locateRecord(bytes, recordAt, recordsEnd, place)
    const reason = framed ? format.exact(bytes, place.value, place.valueEnd, slot) : REASON.CORRUPT_BATCH
    if (reason === REASON.VALID) {
      parsed.count = 0
      parsed.add(slot, slot.product, recordAt, isOlder(bytes, place.timestampAt), place.next)
      return this.#settle(cursor, parsed, slot.product, slot.productView)
    }
    if (this.#letters.full) return LETTERS_FULL
    if (!framed) {
      this.#corruptRest(cursor)
      return DONE
    }
    this.#reject(cursor, reason, recordAt, slot.time[0]!)
    cursor.partition.read++
    cursor.left--
    cursor.recordAt = place.next
    return DONE
  }

  /** Counts parsed events, whose products lie in `bytes`, up to one that must wait. */
  #settle(cursor: Cursor, parsed: ParsedEvents, bytes: Uint8Array, view: DataView): IngestStatus {
    const { rows, times, count } = parsed
    const counter = this.#counter
    let status: IngestStatus = DONE
    cursor.task.dictionary.findAll(parsed, bytes, view)
    let i = counter.count(cursor, parsed, 0, bytes, view)
    while (i < count && status === DONE) {
      if (counter.halt !== IN_FUTURE) status = counter.halt
      else if (this.#letters.full) status = LETTERS_FULL
      else {
        this.#reject(cursor, REASON.FUTURE, rows[i * ROW_WORDS + ROW_RECORD]!, times[i]!)
        i = counter.count(cursor, parsed, i + 1, bytes, view)
      }
    }
    cursor.partition.read += i
    cursor.left -= i
    cursor.recordAt = i < count ? rows[i * ROW_WORDS + ROW_RECORD]! : parsed.next
    return status
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

  #reject(cursor: Cursor, reason: number, recordAt: number, time: number): void {
    this.invalid[reason]! += 1
    cursor.partition.refuse(reason, 1)
    const place = this.#place
    locateRecord(cursor.records, recordAt, cursor.recordsEnd, place)
    this.#letters.reject({
      cursor,
      reason,
      offset: offsetOf(cursor.records, recordAt, cursor.header.baseOffset),
      bytes: cursor.records,
      start: place.value,
      end: place.valueEnd,
      time: reason === REASON.FUTURE || reason === REASON.TIME_RANGE ? time : undefined,
      records: 1,
      detail: undefined,
      recordAt,
    })
  }

  /** The batch is there as a whole but what it holds can't be read: all its records are rejected with one letter. */
  #corrupt(cursor: Cursor, start: number, end: number, records: number, detail: string): void {
    const { partition, header } = cursor
    this.invalid[REASON.CORRUPT_BATCH]! += records
    partition.refuse(REASON.CORRUPT_BATCH, records)
    partition.read += records
    partition.position = header.lastOffset + 1
    const reason = REASON.CORRUPT_BATCH
    this.#letters.reject({ cursor, reason, offset: header.baseOffset, bytes: cursor.bytes, start, end, time: undefined, records, detail })
  }

  /** A record's lengths contradict each other: the rest of its batch can't be told apart. */
  #corruptRest(cursor: Cursor): void {
    const { header, partition, left } = cursor
    this.invalid[REASON.CORRUPT_BATCH]! += left
    partition.refuse(REASON.CORRUPT_BATCH, left)
    partition.read += left
    this.#letters.reject({
      cursor,
      reason: REASON.CORRUPT_BATCH,
      offset: header.lastOffset - left + 1,
      bytes: cursor.records,
      start: cursor.recordAt,
      end: cursor.recordsEnd,
      time: undefined,
      records: left,
      detail: 'a record runs past its batch',
    })
    cursor.left = 0
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

/** A view of the same memory as `bytes`; `last`, if it is one. */
function viewOf({ buffer, byteOffset, byteLength }: Uint8Array, last: DataView): DataView {
  if (last.buffer === buffer && last.byteOffset === byteOffset && last.byteLength === byteLength) return last
  return new DataView(buffer, byteOffset, byteLength)
}

/**
 * The hot path of main: record batch bytes in, ring blocks out. Per event nothing is allocated.
 *
 *   batch → CRC (if asked) → decompress (if need be) → records → scan or exact → late? → dictionary → ring of the product's worker
 *
 * `run` reads as far as it can and says why it stopped. Nothing of a record has been counted when it stops there, so that calling `run`
 * again begins with the same record. Ledger: every record at or above the partition's position is read once, and is counted, late or
 * invalid.
 */
import { CtrError } from '../errors.ts'
import { windowStart } from '../window/assign.ts'
import type { Partition } from '../window/partition.ts'
import type { TimeRules } from '../window/task.ts'
import { decompress } from './codecs.ts'
import { crc32c } from './crc32c.ts'
import { type Cursor, LATE_AT, MAX_TIME, WINDOW_END, WINDOW_START } from './cursor.ts'
import { CLICK, EventSlot, PRODUCT_END, PRODUCT_HASH, PRODUCT_START, REASON, REASONS } from './event.ts'
import type { EventBlocks } from './event-blocks.ts'
import { exact } from './exact.ts'
import { BATCH_HEADER_BYTES, CRC_FROM, MAGIC, readBatchHeader, varint, varintSize, varlong } from './record-batch.ts'
import { scan } from './scan.ts'
import { learnShape, type Shape } from './shape.ts'

/** Why `run` returned: all is read; the ring of `fullWorker` is full; the dead letters are full. */
export const DONE = 0
export const RING_FULL = 1
export const LETTERS_FULL = 2
/** So many new windows were entered that the watermark should be published before more are. */
export const MANY_WINDOWS = 3
/** What `run` returns. */
export type IngestStatus = typeof DONE | typeof RING_FULL | typeof LETTERS_FULL | typeof MANY_WINDOWS

/** One delivery may span hours of event time; its windows must not all be open at once. */
const ENTERED_MAX = 64

/** Rules of the configuration that decide what becomes of a record; times in ms. */
export interface IngestRules extends TimeRules {
  readonly futureTolerance: number
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
}

/** Takes rejected input; while `full`, nothing may be handed over. */
export interface Letters {
  readonly full: boolean
  reject(rejected: Rejected): void
}

/** Topics are often written by several producers, each in its own way. */
const SHAPES_MAX = 4
/** Learning compiles code, so it doubles its price each time: events whose keys come in random order must not be learned one by one. */
const STRANGERS_MAX = 1 << 20

export class Ingest {
  /** The worker whose ring was full when `run` last returned RING_FULL. */
  fullWorker = 0
  /** Windows entered since the watermark could last be published. */
  #entered = 0
  /** Totals since start; invalid by reason number. */
  impressions = 0
  clicks = 0
  late = 0
  readonly invalid = new Float64Array(REASONS.length)
  readonly #rules: IngestRules
  readonly #topics: readonly string[]
  readonly #blocks: EventBlocks
  readonly #letters: Letters
  readonly #slot = new EventSlot()
  /** The shape seen last, and those known, newest first. */
  #shape: Shape = () => false
  readonly #shapes: Shape[] = []
  /** Events of no known shape since the last one was learned, and how many it takes to learn another. */
  #strangers = 0
  #strangersWanted = 1

  constructor(rules: IngestRules, topics: readonly string[], blocks: EventBlocks, letters: Letters) {
    this.#rules = rules
    this.#topics = topics
    this.#blocks = blocks
    this.#letters = letters
  }

  /** Reads on from where the cursor stands. Throws CTR_KAFKA_CORRUPT_BATCH for bytes that can't be framed. */
  run(cursor: Cursor): IngestStatus {
    const { partition, times } = cursor
    this.#blocks.begin(cursor.task.time.task, partition.partition)
    this.#entered = 0
    times[WINDOW_END] = 0 // the published watermark may have moved since the window was cached
    times[MAX_TIME] = partition.maxEventTime
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
      partition.maxEventTime = times[MAX_TIME]!
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
    if (this.#rules.checkCrc && crc32c(cursor.bytes, start + CRC_FROM, cursor.at) !== header.crc) {
      this.#corrupt(cursor, start, cursor.at, header.count, 'CRC-32C differs')
      return
    }
    cursor.records = cursor.bytes
    cursor.recordAt = start + BATCH_HEADER_BYTES
    cursor.recordsEnd = cursor.at
    if (header.codec !== 0) {
      try {
        cursor.records = decompress(header.codec, cursor.bytes.subarray(cursor.recordAt, cursor.at))
      } catch (error) {
        if (!(error instanceof CtrError)) throw error
        this.#corrupt(cursor, start, cursor.at, header.count, error.message)
        return
      }
      cursor.recordAt = 0
      cursor.recordsEnd = cursor.records.length
    }
    cursor.view = new DataView(cursor.records.buffer, cursor.records.byteOffset, cursor.records.byteLength)
    cursor.left = header.count
    cursor.outside = header.baseOffset < partition.position || next > partition.boundOffset
  }

  #readRecords(cursor: Cursor): IngestStatus {
    const { records: bytes, view, times, recordsEnd, outside, partition, header } = cursor
    const slot = this.#slot
    const futureFrom = (header.logAppendTime ? header.maxTimestamp : header.baseTimestamp) + this.#rules.futureTolerance
    const leftBefore = cursor.left
    let left = leftBefore
    let at = cursor.recordAt
    let status: IngestStatus = DONE
    while (left > 0) {
      if (this.#entered >= ENTERED_MAX) {
        status = MANY_WINDOWS
        break
      }
      const length = varint(bytes, at)
      const body = at + varintSize(bytes, at)
      const next = body + length
      const offsetAt = body + 1 + varintSize(bytes, body + 1) // behind attributes and timestamp delta
      let p = offsetAt + varintSize(bytes, offsetAt)
      const keyLength = varint(bytes, p)
      p += varintSize(bytes, p) + (keyLength & ~(keyLength >> 31)) // -1, for null, counts as 0
      const valueLength = varint(bytes, p)
      const value = p + varintSize(bytes, p)
      const valueEnd = value + (valueLength & ~(valueLength >> 31))
      if (!(length > 0 && next <= recordsEnd && valueEnd <= next)) {
        if (this.#letters.full) status = LETTERS_FULL
        else left = this.#corruptRest(cursor, at, left)
        break
      }
      if (outside && this.#isOutside(cursor, offsetAt)) {
        partition.read-- // taken back below, with those that were read
        left--
        at = next
        continue
      }
      let reason: number = REASON.VALID
      let product = bytes
      let words = view
      if (!this.#shape(bytes, view, value, valueEnd, slot) && !this.#scanOther(bytes, view, value, valueEnd)) {
        reason = exact(bytes, value, valueEnd, slot)
        product = slot.product
        words = slot.productView
      }
      const time = slot.time[0]!
      // A record older than its batch's first one (its delta is negative, an odd varint) can't be judged by that one's time.
      if (reason === REASON.VALID && (time > futureFrom || (bytes[body + 1]! & 1) === 1)) reason = this.#checkFuture(cursor, body + 1, time)
      if (reason !== REASON.VALID) {
        if (this.#letters.full) {
          status = LETTERS_FULL
          break
        }
        this.#reject(cursor, reason, offsetAt, value, valueEnd, time)
      } else if (
        (time >= times[WINDOW_START]! && time < times[WINDOW_END]! && times[MAX_TIME]! < times[LATE_AT]!) ||
        this.#enterWindow(cursor, offsetAt, time)
      ) {
        if (!this.#count(cursor, product, words, time)) {
          status = RING_FULL
          break
        }
        if (time > times[MAX_TIME]!) times[MAX_TIME] = time
      } else this.#countLate(partition)
      left--
      at = next
    }
    partition.read += leftBefore - left
    cursor.left = left
    if (status === DONE) partition.position = Math.min(header.lastOffset + 1, partition.boundOffset)
    else this.#stopAt(cursor, at)
    return status
  }

  /** The event is not of the shape seen last: try the others, then the plain scanner, and learn. */
  #scanOther(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    for (const shape of this.#shapes) {
      if (!shape(bytes, view, start, end, this.#slot)) continue
      this.#shape = shape
      return true
    }
    if (!scan(bytes, start, end, this.#slot)) return false
    if (++this.#strangers < this.#strangersWanted) return true
    const shape = learnShape(bytes, start, end)
    this.#strangers = 0
    this.#strangersWanted = Math.min(this.#strangersWanted * 2, STRANGERS_MAX)
    if (shape === undefined) return true
    this.#shape = shape
    this.#shapes.unshift(shape)
    if (this.#shapes.length > SHAPES_MAX) this.#shapes.pop()
    return true
  }

  /** The position moves to the record it stops at: a low-water mark taken now must not pair this time with an earlier offset. */
  #stopAt(cursor: Cursor, recordAt: number): void {
    cursor.recordAt = recordAt
    const timestampAt = recordAt + varintSize(cursor.records, recordAt) + 1
    const offsetAt = timestampAt + varintSize(cursor.records, timestampAt)
    const offset = cursor.header.baseOffset + varint(cursor.records, offsetAt)
    // What a damaged record says of itself must not move the position out of its batch.
    if (offset > cursor.partition.position && offset <= cursor.header.lastOffset) cursor.partition.position = offset
  }

  #isOutside(cursor: Cursor, offsetAt: number): boolean {
    const offset = cursor.header.baseOffset + varint(cursor.records, offsetAt)
    return offset < cursor.partition.position || offset >= cursor.partition.boundOffset
  }

  #countLate(partition: Partition): void {
    partition.late++
    this.late++
  }

  /** Makes the event's window the cached one; false when the event is late. */
  #enterWindow(cursor: Cursor, offsetAt: number, time: number): boolean {
    const { times, partition } = cursor
    const { windowSize, allowedLateness, outOfOrderness } = this.#rules
    const start = windowStart(time, windowSize)
    const end = start + windowSize
    const lateAt = end + allowedLateness + outOfOrderness
    if (times[MAX_TIME]! >= lateAt || end + allowedLateness <= cursor.task.time.published) return false
    if (partition.enterWindow(end, cursor.header.baseOffset + varint(cursor.records, offsetAt), times[MAX_TIME]!)) this.#entered++
    times[WINDOW_START] = start
    times[WINDOW_END] = end
    times[LATE_AT] = lateAt
    return true
  }

  /** Sends the event in the slot to its product's worker; false when the ring is full. */
  #count(cursor: Cursor, product: Uint8Array, words: DataView, time: number): boolean {
    const ints = this.#slot.ints
    const start = ints[PRODUCT_START]!
    const end = ints[PRODUCT_END]!
    const hash = ints[PRODUCT_HASH]!
    const { dictionary } = cursor.task
    let entry = dictionary.find(hash, product, words, start, end)
    if (entry < 0) {
      const worker = dictionary.workerFor(hash)
      if (!this.#blocks.announce(worker, dictionary.nextIdOf(worker), product, start, end)) {
        this.fullWorker = worker
        return false
      }
      entry = dictionary.insert(hash, product, start, end)
    }
    const worker = dictionary.workerOf(entry)
    const click = ints[CLICK]!
    if (!this.#blocks.append(worker, dictionary.codeOf(entry) | click, time)) {
      this.fullWorker = worker
      return false
    }
    dictionary.touch(entry, cursor.times[WINDOW_END]!)
    this.clicks += click
    this.impressions += 1 - click
    cursor.partition.counted++
    return true
  }

  #checkFuture(cursor: Cursor, deltaAt: number, time: number): number {
    const { header } = cursor
    const timestamp = header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + varlong(cursor.records, deltaAt)
    return timestamp >= 0 && time > timestamp + this.#rules.futureTolerance ? REASON.FUTURE : REASON.VALID
  }

  #reject(cursor: Cursor, reason: number, offsetAt: number, start: number, end: number, time: number): void {
    this.invalid[reason]! += 1
    cursor.partition.invalid++
    const offset = cursor.header.baseOffset + varint(cursor.records, offsetAt)
    const timed = reason === REASON.FUTURE || reason === REASON.TIME_RANGE ? time : undefined
    this.#letters.reject({ cursor, reason, offset, bytes: cursor.records, start, end, time: timed, records: 1, detail: undefined })
  }

  /** The batch is there as a whole but what it holds can't be read: all its records are rejected with one letter. */
  #corrupt(cursor: Cursor, start: number, end: number, records: number, detail: string): void {
    const { partition, header } = cursor
    this.invalid[REASON.CORRUPT_BATCH]! += records
    partition.invalid += records
    partition.read += records
    partition.position = header.lastOffset + 1
    const reason = REASON.CORRUPT_BATCH
    this.#letters.reject({ cursor, reason, offset: header.baseOffset, bytes: cursor.bytes, start, end, time: undefined, records, detail })
  }

  /** A record's lengths contradict each other: the rest of its batch can't be told apart. Returns how many records are left: none. */
  #corruptRest(cursor: Cursor, recordAt: number, left: number): number {
    const { header, partition } = cursor
    this.invalid[REASON.CORRUPT_BATCH]! += left
    partition.invalid += left
    this.#letters.reject({
      cursor,
      reason: REASON.CORRUPT_BATCH,
      offset: header.lastOffset - left + 1,
      bytes: cursor.records,
      start: recordAt,
      end: cursor.recordsEnd,
      time: undefined,
      records: left,
      detail: 'a record runs past its batch',
    })
    return 0
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

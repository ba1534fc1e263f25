/**
 * Counts parsed events: is it late? → dictionary → ring of the product's worker. `count` goes as far as it can and says what holds it up;
 * nothing of the event it stops at has been counted.
 */

import { offsetOf, varintSize, varlong } from '../batch/record-batch.ts'
import {
  LENGTH_SHIFT,
  OLDER_BIT,
  type ParsedEvents,
  ROW_BITS,
  ROW_HASH,
  ROW_RECORD,
  ROW_START,
  ROW_WORDS,
} from '../format/parsed-events.ts'
import { CLICKS, EVENT_TIME, EVENT_WORDS } from '../window/measures.ts'
import type { TimeRules } from '../window/task.ts'
import {
  type Cursor,
  TIMES_FUTURE_FROM,
  TIMES_LATE_AT,
  TIMES_MAX_TIME,
  TIMES_OTHER_END,
  TIMES_OTHER_LATE_AT,
  TIMES_OTHER_START,
  TIMES_WINDOW_END,
  TIMES_WINDOW_START,
} from './cursor.ts'
import { type EventBlocks, TIME_SPAN_MAX_MS } from './event-blocks.ts'

/** All is read. */
export const DONE = 0
/** The ring `fullRing` is full. */
export const RING_FULL = 1
/** So many new windows were entered that the watermark should be published before more are. */
export const MANY_WINDOWS = 2
/** The event is to be rejected. */
export const IN_FUTURE = 3
type Halt = typeof DONE | typeof RING_FULL | typeof MANY_WINDOWS | typeof IN_FUTURE

/** One delivery may span hours of event time; its windows must not all be open at once. */
const ENTERED_MAX = 64
const NO_WORDS = new Int32Array(0)

/** Times in ms. */
export interface CountRules extends TimeRules {
  readonly futureTolerance: number
}

export class EventCounter {
  /** The ring that was full when `count` last stopped for RING_FULL. */
  fullRing = 0
  /** Totals since start. */
  impressions = 0
  clicks = 0
  late = 0
  /** What held up `count`. */
  halt: Halt = DONE
  /** Windows entered since the watermark could last be published. */
  #entered = 0
  readonly #rules: CountRules
  readonly #blocks: EventBlocks

  constructor(rules: CountRules, blocks: EventBlocks) {
    this.#rules = rules
    this.#blocks = blocks
  }

  /** Events of this cursor follow; the published watermark may have moved since its windows were cached. */
  begin(cursor: Cursor): void {
    this.#entered = 0
    cursor.dropWindows()
    cursor.times[TIMES_MAX_TIME] = cursor.partition.maxEventTime
  }

  /** Counts from the event at `i` on, whose products lie in `bytes` and are looked up; returns the first that isn't dealt with. */
  count(cursor: Cursor, parsed: ParsedEvents, i: number, bytes: Uint8Array, view: DataView): number {
    const { header } = cursor
    const { rows, times, count } = parsed
    const futureFrom = (header.logAppendTime ? header.maxTimestamp : header.baseTimestamp) + this.#rules.futureTolerance
    cursor.times[TIMES_FUTURE_FROM] = futureFrom
    this.halt = DONE
    for (let next = i; next < count; next++) {
      next = this.#countAlike(cursor, parsed, next)
      if (next === count) break
      const time = times[next]!
      const record = rows[next * ROW_WORDS + ROW_RECORD]!
      // A record older than its batch's first one can't be judged by that one's time.
      if ((time > futureFrom || (rows[next * ROW_WORDS + ROW_BITS]! & OLDER_BIT) !== 0) && this.#isFuture(cursor, record, time))
        this.halt = IN_FUTURE
      else if (this.#inWindow(cursor, time)) this.#countOne(cursor, parsed, next, bytes, view)
      else if (this.#entered >= ENTERED_MAX) this.halt = MANY_WINDOWS
      else if (this.#enterWindow(cursor, record, time, next)) this.#countOne(cursor, parsed, next, bytes, view)
      else {
        cursor.partition.late++
        this.late++
      }
      if (this.halt !== DONE) return next
    }
    return count
  }

  /**
   * Counts events from the one at `i` on as long as they go into the two cached windows, are of known products and find room; most do.
   * Returns the first that doesn't. A window doesn't become late by events of its own, so that needs no look at every one.
   */
  #countAlike(cursor: Cursor, parsed: ParsedEvents, i: number): number {
    const { times, partition, task } = cursor
    const { rows, times: eventTimes, entries, count } = parsed
    const { dictionary } = task
    const blocks = this.#blocks
    const futureFrom = times[TIMES_FUTURE_FROM]!
    let max = times[TIMES_MAX_TIME]!
    if (!(max < times[TIMES_LATE_AT]!)) return i
    let from = times[TIMES_WINDOW_START]!
    let end = times[TIMES_WINDOW_END]!
    let clicks = 0
    let told = i
    let next = i
    // The block that is written to, as locals: with one worker it stays the same.
    let worker = -1
    let words: Int32Array = NO_WORDS
    let at = 0
    let limit = 0
    let base = 0
    // Node loads an imported constant at every use.
    const rowWords = ROW_WORDS
    const rowBits = ROW_BITS
    const olderBit = OLDER_BIT
    const clickBit = CLICKS
    const eventTime = EVENT_TIME
    const eventWords = EVENT_WORDS
    const spanMaxMs = TIME_SPAN_MAX_MS
    for (; next < count; next++) {
      const time = eventTimes[next]!
      const bits = rows[next * rowWords + rowBits]!
      const entry = entries[next]!
      if (entry < 0 || time > futureFrom) break
      if ((bits & olderBit) !== 0 && this.#isFuture(cursor, rows[next * rowWords + ROW_RECORD]!, time)) break
      if (!(time >= from && time < end)) {
        if (!(time >= times[TIMES_OTHER_START]! && time < times[TIMES_OTHER_END]! && max < times[TIMES_OTHER_LATE_AT]!)) break
        partition.counted += next - told
        told = next
        cursor.swapWindows()
        from = times[TIMES_WINDOW_START]!
        end = times[TIMES_WINDOW_END]!
      }
      const owner = dictionary.workerOf(entry)
      if (owner !== worker) {
        if (worker >= 0) blocks.at[worker] = at
        worker = owner
        words = blocks.writers[worker]!.words
        at = blocks.at[worker]!
        limit = blocks.limit[worker]!
        base = blocks.base[worker]!
      }
      const relative = time - base
      if (at >= limit || relative > spanMaxMs || relative < -spanMaxMs) break
      words[at] = dictionary.codeOf(entry) | (bits & clickBit)
      words[at + eventTime] = relative
      at += eventWords
      dictionary.touch(entry, end)
      clicks += bits & clickBit
      if (time > max) max = time
    }
    if (worker >= 0) blocks.at[worker] = at
    times[TIMES_MAX_TIME] = max
    this.clicks += clicks
    this.impressions += next - i - clicks
    partition.counted += next - told
    return next
  }

  #inWindow({ times }: Cursor, time: number): boolean {
    return time >= times[TIMES_WINDOW_START]! && time < times[TIMES_WINDOW_END]! && times[TIMES_MAX_TIME]! < times[TIMES_LATE_AT]!
  }

  /** The event at `i`, which is in the cached window, whether its product is known or not. */
  #countOne(cursor: Cursor, parsed: ParsedEvents, i: number, bytes: Uint8Array, view: DataView): void {
    const { times, partition } = cursor
    const { dictionary } = cursor.task
    const time = parsed.times[i]!
    const click = parsed.rows[i * ROW_WORDS + ROW_BITS]! & CLICKS
    let entry = parsed.entries[i]!
    if (entry < 0) entry = this.#introduce(cursor, parsed, i, bytes, view)
    if (entry < 0) return
    const worker = dictionary.workerOf(entry)
    if (!this.#blocks.append(worker, dictionary.codeOf(entry) | click, time)) {
      this.#full(worker)
      return
    }
    dictionary.touch(entry, times[TIMES_WINDOW_END]!)
    this.clicks += click
    this.impressions += 1 - click
    partition.counted++
    if (time > times[TIMES_MAX_TIME]!) times[TIMES_MAX_TIME] = time
  }

  /** The entry of a product that was new when the events were looked up; -1 when the ring of its worker is full. */
  #introduce({ task }: Cursor, parsed: ParsedEvents, i: number, bytes: Uint8Array, view: DataView): number {
    const { dictionary } = task
    const hash = parsed.rows[i * ROW_WORDS + ROW_HASH]!
    const start = parsed.rows[i * ROW_WORDS + ROW_START]!
    const end = start + (parsed.rows[i * ROW_WORDS + ROW_BITS]! >> LENGTH_SHIFT)
    const entry = dictionary.find(hash, bytes, view, start, end)
    if (entry >= 0) return entry
    const worker = dictionary.workerFor(hash)
    if (this.#blocks.announce(worker, dictionary.nextIdOf(worker), bytes, start, end)) return dictionary.insert(hash, bytes, start, end)
    this.#full(worker)
    return -1
  }

  #full(worker: number): void {
    this.fullRing = worker
    this.halt = RING_FULL
  }

  /** Makes the event's window the cached one; false when the event is late. `unread` records before it are not in the ledger yet. */
  #enterWindow(cursor: Cursor, recordAt: number, time: number, unread: number): boolean {
    const { times, partition, header, records } = cursor
    const { windows, published } = cursor.task.time
    const start = windows.sliceStart(time)
    const end = windows.sliceEnd(start)
    const lateAt = windows.lateAt(end)
    if (times[TIMES_MAX_TIME]! >= lateAt || end <= windows.purgedUpTo(published)) return false
    // What a damaged record says of itself must not move the low-water mark out of what is being read. The mark is then lower than the
    // event time and the totals that go with it: a restart from it repeats records in the ledger, and loses none.
    const said = offsetOf(records, recordAt, header.baseOffset)
    const offset = said >= partition.position && said <= header.lastOffset ? said : partition.position
    const { window, made } = partition.enterWindow(end, offset, times[TIMES_MAX_TIME]!, unread)
    if (made) this.#entered++
    cursor.enterWindow(window, start, end, lateAt)
    return true
  }

  #isFuture({ header, records }: Cursor, recordAt: number, time: number): boolean {
    const timestampAt = recordAt + varintSize(records, recordAt) + 1
    const timestamp = header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + varlong(records, timestampAt)
    return timestamp >= 0 && time > timestamp + this.#rules.futureTolerance
  }
}

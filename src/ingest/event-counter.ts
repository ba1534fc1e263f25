/**
 * Counts parsed events: is it late? → dictionary → ring of the product's worker. `count` goes as far as it can and says what holds it up;
 * nothing of the event it stops at has been counted.
 */

import { offsetOf } from '../batch/record-batch.ts'
import type { Clock } from '../clock.ts'
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
import { REASON } from '../format/reasons.ts'
import { TIME_MAX_MS } from '../format/slot.ts'
import type { ProductRule } from '../products/product-rule.ts'
import { FAR_WINDOWS_MAX } from '../window/believed.ts'
import { CLICKS, EVENT_TIME, EVENT_WORDS } from '../window/measures.ts'
import type { OpenWindow } from '../window/partition.ts'
import type { TimeRules } from '../window/task.ts'
import {
  type Cursor,
  type TaskInput,
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
import { FutureJudge } from './future-judge.ts'
import { outOfRange } from './record-times.ts'
import { DONE, type Halt, IS_LATE, MANY_WINDOWS, REFUSED, RING_FULL, STATE_FULL } from './status.ts'

/** What came of the attempt to enter an event's window. */
const ENTERED = 0
/** The window is closed for good. */
export const LATE = 1
/** More windows that far ahead than may be open. */
export const TOO_FAR = 2
/** It is open, and the event too late for some windows of its slice. */
const PARTLY = 3

/** One delivery may span hours of event time; its windows must not all be open at once. */
export const ENTERED_MAX = 64
const NO_WORDS = new Int32Array(0)

/** Times in ms. */
export interface CountRules extends TimeRules {
  readonly futureTolerance: number
  /** Which products are counted for themselves; all without it. */
  readonly productRule?: ProductRule | undefined
  /** Events before this instant are refused. */
  readonly oldest: number
  /** Events further ahead of this machine's clock are refused; Infinity: off. */
  readonly wallClockGuard: number
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
  /** Of a refused event: why, by number, and in words where the reason's text does not tell. */
  reason = 0
  detail: string | undefined
  /** Windows entered since the watermark could last be published. */
  entered = 0
  readonly future: FutureJudge
  readonly #rules: CountRules
  readonly #blocks: EventBlocks
  readonly #handsOnLate: boolean

  /** With `handsOnLate`, `count` stops at late events. */
  constructor(rules: CountRules, blocks: EventBlocks, handsOnLate: boolean, clock: Clock) {
    this.#rules = rules
    this.#blocks = blocks
    this.#handsOnLate = handsOnLate
    this.future = new FutureJudge(rules, clock)
  }

  /** Counts an event as late, as its partition's time was `believed`; returns how far it is behind the watermark, ms. */
  countLate({ partition, times, task }: Cursor, time: number, believed = times[TIMES_MAX_TIME]!): number {
    const own = believed - this.#rules.outOfOrderness
    const { published } = task.time
    // At the end of a bounded run the task's has no end.
    const lateMs = (Number.isFinite(published) ? Math.max(own, published) : own) - time
    const { windows } = task.time
    partition.behind(Math.max(0, own - windows.lastEnd(windows.sliceEnd(windows.sliceStart(time)))), 1)
    if (lateMs > partition.lateMaxMs) partition.lateMaxMs = lateMs
    partition.late++
    this.late++
    return lateMs
  }

  /** Events of this cursor follow; the published watermark may have moved since its windows were cached. */
  begin(cursor: Cursor): void {
    this.entered = 0
    cursor.dropWindows()
    cursor.times[TIMES_MAX_TIME] = cursor.partition.maxEventTime
  }

  /** Counts the events [i, end), whose products lie in `bytes` and are looked up; returns the first that isn't dealt with. */
  count(cursor: Cursor, parsed: ParsedEvents, i: number, end: number, bytes: Uint8Array, view: DataView): number {
    const { partition } = cursor
    const { rows, times } = parsed
    const { oldest } = this.#rules
    const futureFrom = this.future.from(cursor)
    cursor.times[TIMES_FUTURE_FROM] = futureFrom
    this.halt = DONE
    for (let next = i; next < end; next++) {
      const from = next
      const before = cursor.times[TIMES_MAX_TIME]!
      next = this.#countAlike(cursor, parsed, next, end)
      if (cursor.times[TIMES_MAX_TIME]! - before > partition.furthestMs) this.#noteFurthest(cursor, parsed, from, next, before)
      if (next === end) break
      const time = times[next]!
      const record = rows[next * ROW_WORDS + ROW_RECORD]!
      if (!(time >= oldest && time < TIME_MAX_MS)) this.#refuse(outOfRange(time))
      // A record older than its batch's first one can't be judged by that one's time.
      else if ((time > futureFrom || (rows[next * ROW_WORDS + ROW_BITS]! & OLDER_BIT) !== 0) && this.future.isIn(cursor, record, time))
        this.#refuse(REASON.FUTURE)
      else if (this.#inWindow(cursor, time)) this.#countOne(cursor, parsed, next, bytes, view)
      else if (this.entered >= ENTERED_MAX) this.halt = MANY_WINDOWS
      else {
        const entry = this.#enterWindow(cursor, parsed, next)
        if (entry === ENTERED) this.#countOne(cursor, parsed, next, bytes, view)
        else if (entry === PARTLY) this.#countPartly(cursor, parsed, next, bytes, view)
        else if (entry === TOO_FAR) this.#refuse(REASON.FUTURE, TOO_FAR_DETAIL)
        else if (this.#handsOnLate) this.halt = IS_LATE
        else this.countLate(cursor, time)
      }
      if (this.halt !== DONE) return next
    }
    return end
  }

  /** The refused event at `i` has been rejected. A jump of the time may come of one that was refused for lying too far ahead, too. */
  passRefused(cursor: Cursor, parsed: ParsedEvents, i: number): void {
    if (this.detail === undefined) return
    cursor.partition.tooFar++
    this.moveTime(cursor, parsed.rows[i * ROW_WORDS + ROW_RECORD]!, parsed.times[i]!)
  }

  /**
   * Counts events of [i, count) as long as they go into the two cached windows, are of known products and find room; most do.
   * Returns the first that doesn't. A window doesn't become late by events of its own, so that needs no look at every one.
   */
  #countAlike(cursor: Cursor, parsed: ParsedEvents, i: number, count: number): number {
    const { times, partition, task } = cursor
    const { rows, times: eventTimes, entries } = parsed
    const { dictionary } = task
    const blocks = this.#blocks
    let max = times[TIMES_MAX_TIME]!
    if (!(max < times[TIMES_LATE_AT]!)) return i
    // One that may be in the future, or far ahead, is looked at closer by itself.
    const farFrom = max + partition.maxJump
    const plainTo = Math.min(farFrom, times[TIMES_FUTURE_FROM]!)
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
      if (entry < 0 || time > plainTo) break
      if ((bits & olderBit) !== 0 && this.future.isIn(cursor, rows[next * rowWords + ROW_RECORD]!, time)) break
      if (!(time >= from && time < end)) {
        if (!(time >= times[TIMES_OTHER_START]! && time < times[TIMES_OTHER_END]! && max < times[TIMES_OTHER_LATE_AT]!)) break
        partition.counted += next - told
        told = next
        times[TIMES_MAX_TIME] = max
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
    if (entry < 0) entry = this.introduce(cursor, parsed, i, bytes, view)
    if (entry < 0) return
    const worker = dictionary.workerOf(entry)
    if (!this.#blocks.append(worker, dictionary.codeOf(entry) | click, time)) {
      this.full(worker)
      return
    }
    dictionary.touch(entry, times[TIMES_WINDOW_END]!)
    this.clicks += click
    this.impressions += 1 - click
    partition.counted++
    if (time > times[TIMES_MAX_TIME]!) this.moveTime(cursor, parsed.rows[i * ROW_WORDS + ROW_RECORD]!, time)
  }

  /** The event at `i`, too late for some windows of its slice: it never moves the time, which is past the first of them. */
  #countPartly(cursor: Cursor, parsed: ParsedEvents, i: number, bytes: Uint8Array, view: DataView): void {
    const { windows } = cursor.task.time
    const { dictionary } = cursor.task
    const click = parsed.rows[i * ROW_WORDS + ROW_BITS]! & CLICKS
    const start = windows.sliceStart(parsed.times[i]!)
    const end = windows.sliceEnd(start)
    const missed = windows.missedBy(end, cursor.times[TIMES_MAX_TIME]!)
    let entry = parsed.entries[i]!
    if (entry < 0) entry = this.introduce(cursor, parsed, i, bytes, view)
    if (entry < 0) return
    const worker = dictionary.workerOf(entry)
    if (!this.#blocks.correct(worker, dictionary.codeOf(entry) | click, start, missed)) {
      this.full(worker)
      return
    }
    dictionary.touch(entry, end)
    this.clicks += click
    this.impressions += 1 - click
    cursor.countAside(cursor.partition.windows.get(end)!, end, missed)
  }

  /** An event later than the believed time has been counted or passed over: what is believed now? */
  moveTime({ times, partition, records, header }: Cursor, recordAt: number, time: number): void {
    const before = times[TIMES_MAX_TIME]!
    if (!(time > before + partition.maxJump)) times[TIMES_MAX_TIME] = time
    else {
      const offset = offsetOf(records, recordAt, header.baseOffset)
      times[TIMES_MAX_TIME] = partition.candidates.consider(time, partition.events, offset, before)
    }
    const moved = times[TIMES_MAX_TIME]! - before
    if (moved > partition.furthestMs && moved < Number.POSITIVE_INFINITY) {
      partition.furthestMs = moved
      partition.furthestOffset = offsetOf(records, recordAt, header.baseOffset)
    }
  }

  /** The events [from, to) have moved the time further than any before them; which one of them most? */
  #noteFurthest({ times, partition, records, header }: Cursor, parsed: ParsedEvents, from: number, to: number, before: number): void {
    const moved = times[TIMES_MAX_TIME]! - before
    if (moved === Number.POSITIVE_INFINITY) return
    let max = before
    let step = 0
    let furthest = from
    for (let i = from; i < to; i++) {
      const time = parsed.times[i]!
      if (!(time > max)) continue
      if (time - max > step) {
        step = time - max
        furthest = i
      }
      max = time
    }
    partition.furthestMs = moved
    partition.furthestOffset = offsetOf(records, parsed.rows[furthest * ROW_WORDS + ROW_RECORD]!, header.baseOffset)
  }

  #refuse(reason: number, detail?: string): void {
    this.halt = REFUSED
    this.reason = reason
    this.detail = detail
  }

  /** The entry of a product that was new when the events were looked up; -1 when it must wait, for its worker's ring or for room. */
  introduce({ task }: Cursor, parsed: ParsedEvents, i: number, records: Uint8Array, recordsView: DataView): number {
    const hash = parsed.rows[i * ROW_WORDS + ROW_HASH]!
    const place = parsed.rows[i * ROW_WORDS + ROW_START]!
    const [bytes, view, start] = place < 0 ? [parsed.made, parsed.madeView, ~place] : [records, recordsView, place]
    const end = start + (parsed.rows[i * ROW_WORDS + ROW_BITS]! >> LENGTH_SHIFT)
    const rule = this.#rules.productRule
    if (rule === undefined || rule.fits(bytes, start, end)) return this.#enter(task, hash, bytes, view, start, end)
    return this.#enter(task, rule.otherHash, rule.other, rule.otherView, 0, rule.other.length)
  }

  /** The entry of the product bytes[start, end), made when there is none. */
  #enter({ dictionary }: TaskInput, hash: number, bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const entry = dictionary.find(hash, bytes, view, start, end)
    if (entry >= 0) return entry
    if (dictionary.full) {
      this.halt = STATE_FULL
      return -1
    }
    const worker = dictionary.workerFor(hash)
    if (this.#blocks.announce(worker, dictionary.nextIdOf(worker), bytes, start, end)) return dictionary.insert(hash, bytes, start, end)
    this.full(worker)
    return -1
  }

  /** A worker's ring is full. */
  full(worker: number): typeof RING_FULL {
    this.fullRing = worker
    this.halt = RING_FULL
    return RING_FULL
  }

  /** Makes the slice of the event at `i` the cached one, if all its windows are open. The records before it are not in the ledger yet. */
  #enterWindow(cursor: Cursor, parsed: ParsedEvents, i: number): typeof ENTERED | typeof LATE | typeof TOO_FAR | typeof PARTLY {
    const time = parsed.times[i]!
    const recordAt = parsed.rows[i * ROW_WORDS + ROW_RECORD]!
    const window = this.openWindow(cursor, recordAt, time, parsed.recordsBefore(i), parsed.ignoredBefore[i]!)
    if (typeof window === 'number') return window
    const { windows } = cursor.task.time
    const start = windows.sliceStart(time)
    const end = windows.sliceEnd(start)
    const partlyAt = windows.partlyAt(end)
    if (cursor.times[TIMES_MAX_TIME]! >= partlyAt) return PARTLY
    cursor.enterWindow(window, Math.max(start, this.#rules.oldest), end, partlyAt)
    return ENTERED
  }

  /** The window of an event, if it is open to it. `unread` and `ignored`: records before it that are not in the ledger yet. */
  openWindow(cursor: Cursor, recordAt: number, time: number, unread: number, ignored: number): OpenWindow | typeof LATE | typeof TOO_FAR {
    const { times, partition, header, records } = cursor
    const { windows, published } = cursor.task.time
    const start = windows.sliceStart(time)
    const end = windows.sliceEnd(start)
    const believed = times[TIMES_MAX_TIME]!
    if (believed >= windows.lateAt(end) || end <= windows.purgedUpTo(published)) return LATE
    if (partition.isOneTooFar(start, end, believed)) return TOO_FAR
    // What a damaged record says of itself must not move the low-water mark out of what is being read. The mark is then lower than the
    // event time and the totals that go with it: a restart from it repeats records in the ledger, and loses none.
    const said = offsetOf(records, recordAt, header.baseOffset)
    const offset = said >= partition.position && said <= header.lastOffset ? said : partition.position
    const { window, made } = partition.enterWindow(start, end, offset, believed, unread, ignored)
    if (made) this.entered++
    return window
  }
}

/** Why it is refused. */
export const TOO_FAR_DETAIL = `more than time.maxJump ahead of its partition, of which ${FAR_WINDOWS_MAX} such windows are open already`

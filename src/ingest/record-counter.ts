/**
 * Counts the events of a record that may be several: all in one synchronous step, or none, so that no barrier falls between them and a
 * restart at the record finds all of them again. It has two halves:
 *
 *   prepare   judges each event by what its partition was before the record, opens the windows, makes the products known, and reserves room
 *             in the rings. It says what holds the record up; nothing has been counted then, and it may be called again.
 *   commit    counts. Nothing can hold it up.
 *
 * So whether an event is late depends on the records before its own, and not on the order of its elements. What is opened or made known
 * by a prepare that is held up is there when it is called again, and is no part of a result.
 */
import { assert } from '../assert.ts'
import { OLDER_BIT, ROW_BITS, ROW_WORDS } from '../format/parsed-events.ts'
import { REASON } from '../format/reasons.ts'
import { NO_ELEMENT, type RecordEvents } from '../format/record-events.ts'
import { TIME_MAX_MS } from '../format/slot.ts'
import { CLICKS } from '../window/measures.ts'
import type { OpenWindow } from '../window/partition.ts'
import { type Cursor, TIMES_MAX_TIME } from './cursor.ts'
import type { Departures } from './departures.ts'
import type { EventBlocks } from './event-blocks.ts'
import { type CountRules, ENTERED_MAX, type EventCounter, LATE, TOO_FAR, TOO_FAR_DETAIL } from './event-counter.ts'
import { outOfRange } from './record-times.ts'
import { DONE, type IngestStatus, MANY_WINDOWS, RING_FULL, STATE_FULL } from './status.ts'

/** What becomes of an event; else it is refused, and this is the reason, or minus the reason when it is too far ahead of its partition. */
const COUNTED = 0
const TOO_LATE = -1
const AHEAD = -REASON.FUTURE
/** Counted in the later windows of its slice. */
const PARTLY_LATE = -1_000

export class RecordCounter {
  /** Of the record that was prepared last: whether something of it becomes a dead letter, and whether something of it is late. */
  rejects = false
  isLate = false
  readonly #rules: CountRules
  readonly #counter: EventCounter
  readonly #blocks: EventBlocks
  readonly #departures: Departures
  /** By event of the record; and the windows of those that are counted. */
  #verdicts = new Int32Array(0)
  readonly #windows: (OpenWindow | undefined)[] = []
  /** How many events each worker gets, and how many corrections. */
  readonly #eventsOf: Int32Array
  readonly #correctionsOf: Int32Array
  /** The believed time of the partition before the record. */
  #believed = Number.NEGATIVE_INFINITY
  /** What the record as a whole is, when all its events share one time. */
  #whole = COUNTED
  #late = 0
  #refused = 0

  constructor(rules: CountRules, counter: EventCounter, blocks: EventBlocks, departures: Departures) {
    this.#rules = rules
    this.#counter = counter
    this.#blocks = blocks
    this.#departures = departures
    this.#eventsOf = new Int32Array(blocks.writers.length)
    this.#correctionsOf = new Int32Array(blocks.writers.length)
  }

  /** DONE when the events of the record that the cursor stands at, whose products lie in `bytes` and are looked up, may be committed. */
  prepare(cursor: Cursor, events: RecordEvents, bytes: Uint8Array, view: DataView): IngestStatus {
    if (this.#counter.entered >= ENTERED_MAX) return MANY_WINDOWS
    if (this.#verdicts.length < events.times.length) this.#verdicts = new Int32Array(events.times.length)
    this.#judge(cursor, events)
    this.rejects = events.bad + this.#refused > 0
    this.isLate = this.#late > 0
    if (this.#whole !== COUNTED) return DONE
    const known = this.#makeKnown(cursor, events, bytes, view)
    return known === DONE ? this.#reserve(cursor, events) : known
  }

  /** Counts what was prepared just now. False when the record is refused as a whole. */
  commit(cursor: Cursor, events: RecordEvents): boolean {
    if (this.#whole !== COUNTED) {
      this.#refuse(cursor, events, 0, this.#whole)
      return false
    }
    this.#believed = cursor.times[TIMES_MAX_TIME]!
    // A record of which all is late leaves as it is.
    const leavesWhole = this.#late === events.count && events.bad + events.ignoredElements === 0
    // Room is reserved for corrections before events, and none of them moves the time.
    for (let i = 0; i < events.count; i++) if (this.#verdicts[i] === PARTLY_LATE) this.#correct(cursor, events, i)
    for (let i = 0; i < events.count; i++) {
      const verdict = this.#verdicts[i]!
      if (verdict === PARTLY_LATE) continue
      const isFirst = i === 0 || events.elements[i] !== events.elements[i - 1]
      if (verdict === COUNTED) this.#count(cursor, events, i)
      else if (verdict === TOO_LATE) this.#leaveLate(cursor, events, i, leavesWhole, leavesWhole ? i === 0 : isFirst)
      else if (isFirst) this.#refuse(cursor, events, i, verdict)
    }
    for (let i = 0; i < events.bad; i++) {
      const element = { number: events.badElements[i]!, start: events.badStarts[i]!, end: events.badEnds[i]! }
      this.#departures.reject(cursor, { reason: events.badReasons[i]!, recordAt: cursor.recordAt, time: events.badTimes[i]!, element })
    }
    this.#departures.ignore(cursor, events.ignoredElements)
    return true
  }

  #judge(cursor: Cursor, { rows, times, count, sharesTime }: RecordEvents): void {
    const counter = this.#counter
    const { windows } = cursor.task.time
    const futureFrom = counter.future.from(cursor)
    this.#whole = COUNTED
    this.#late = 0
    this.#refused = 0
    // The window of the event before.
    let [from, until] = [0, 0]
    let entered: OpenWindow | typeof LATE | typeof TOO_FAR = LATE
    let isPartly = false
    for (let i = 0; i < count; i++) {
      const time = times[i]!
      const isOlder = (rows[i * ROW_WORDS + ROW_BITS]! & OLDER_BIT) !== 0
      let verdict = COUNTED
      if (!(time >= this.#rules.oldest && time < TIME_MAX_MS)) verdict = outOfRange(time)
      else if ((time > futureFrom || isOlder) && counter.future.isIn(cursor, cursor.recordAt, time)) verdict = REASON.FUTURE
      else {
        if (!(time >= from && time < until)) {
          from = windows.sliceStart(time)
          until = windows.sliceEnd(from)
          entered = counter.openWindow(cursor, cursor.recordAt, time, 0, 0)
          isPartly = cursor.times[TIMES_MAX_TIME]! >= windows.partlyAt(until)
        }
        if (entered === LATE) verdict = TOO_LATE
        else if (entered === TOO_FAR) verdict = AHEAD
        else {
          this.#windows[i] = entered
          if (isPartly) verdict = PARTLY_LATE
        }
      }
      this.#verdicts[i] = verdict
      if (verdict === TOO_LATE) this.#late++
      else if (!isIn(verdict)) this.#refused++
      if (isIn(verdict) || verdict === TOO_LATE || !sharesTime) continue
      this.#whole = verdict
      return
    }
  }

  /** Products that were new when the events were looked up. */
  #makeKnown(cursor: Cursor, events: RecordEvents, bytes: Uint8Array, view: DataView): IngestStatus {
    const { entries, count } = events
    const counter = this.#counter
    for (let i = 0; i < count; i++) {
      if (entries[i]! >= 0 || !isIn(this.#verdicts[i]!)) continue
      entries[i] = counter.introduce(cursor, events, i, bytes, view)
      if (entries[i]! < 0) return counter.halt === STATE_FULL ? STATE_FULL : RING_FULL
    }
    return DONE
  }

  #reserve({ task }: Cursor, { entries, times, count }: RecordEvents): IngestStatus {
    const eventsOf = this.#eventsOf
    const correctionsOf = this.#correctionsOf
    eventsOf.fill(0)
    correctionsOf.fill(0)
    let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let i = 0; i < count; i++) {
      if (this.#verdicts[i] === PARTLY_LATE) correctionsOf[task.dictionary.workerOf(entries[i]!)]! += 1
      if (this.#verdicts[i] !== COUNTED) continue
      eventsOf[task.dictionary.workerOf(entries[i]!)]! += 1
      from = Math.min(from, times[i]!)
      to = Math.max(to, times[i]!)
    }
    for (let worker = 0; worker < eventsOf.length; worker++) {
      if (eventsOf[worker]! + correctionsOf[worker]! === 0) continue
      if (this.#blocks.reserve(worker, eventsOf[worker]!, from, to, correctionsOf[worker]!)) continue
      return this.#counter.full(worker)
    }
    return DONE
  }

  #count(cursor: Cursor, { rows, times, entries }: RecordEvents, i: number): void {
    const counter = this.#counter
    const { dictionary } = cursor.task
    const entry = entries[i]!
    const time = times[i]!
    const click = rows[i * ROW_WORDS + ROW_BITS]! & CLICKS
    const window = this.#windows[i]!
    const isIn = this.#blocks.append(dictionary.workerOf(entry), dictionary.codeOf(entry) | click, time)
    assert(isIn, 'room for the events of a record is reserved', { events: this.#eventsOf[dictionary.workerOf(entry)] ?? 0 })
    const { windows } = cursor.task.time
    const end = windows.sliceEnd(windows.sliceStart(time))
    dictionary.touch(entry, end)
    window.events++
    const behindMs = windows.watermarkOf(this.#believed) - windows.lastEnd(end)
    if (behindMs >= 0) cursor.partition.behind(behindMs, 1)
    counter.clicks += click
    counter.impressions += 1 - click
    cursor.partition.counted++
    if (time > cursor.times[TIMES_MAX_TIME]!) counter.moveTime(cursor, cursor.recordAt, time)
  }

  /** As EventCounter does it for a record that is one event. */
  #correct(cursor: Cursor, { rows, times, entries }: RecordEvents, i: number): void {
    const counter = this.#counter
    const { dictionary } = cursor.task
    const { windows } = cursor.task.time
    const entry = entries[i]!
    const click = rows[i * ROW_WORDS + ROW_BITS]! & CLICKS
    const start = windows.sliceStart(times[i]!)
    const end = windows.sliceEnd(start)
    const missed = windows.missedBy(end, this.#believed)
    const worker = dictionary.workerOf(entry)
    const isIn = this.#blocks.correct(worker, dictionary.codeOf(entry) | click, start, missed)
    assert(isIn, 'room for the corrections of a record is reserved', { corrections: this.#correctionsOf[worker] ?? 0 })
    dictionary.touch(entry, end)
    counter.clicks += click
    counter.impressions += 1 - click
    cursor.countAside(this.#windows[i]!, end, missed)
  }

  #leaveLate(cursor: Cursor, events: RecordEvents, i: number, isWhole: boolean, leaves: boolean): void {
    const time = events.times[i]!
    const lateMs = this.#counter.countLate(cursor, time, this.#believed)
    if (!leaves || this.#departures.late === undefined) return
    const element = isWhole ? undefined : elementOf(events, i)
    this.#departures.handOn(cursor, { recordAt: cursor.recordAt, time, lateMs, element })
  }

  #refuse(cursor: Cursor, events: RecordEvents, i: number, verdict: number): void {
    const time = events.times[i]!
    const element = this.#whole === COUNTED ? elementOf(events, i) : undefined
    const detail = verdict === AHEAD ? TOO_FAR_DETAIL : undefined
    this.#departures.reject(cursor, { reason: Math.abs(verdict), recordAt: cursor.recordAt, time, detail, element })
    if (verdict !== AHEAD) return
    cursor.partition.tooFar++
    this.#counter.moveTime(cursor, cursor.recordAt, time)
  }
}

function isIn(verdict: number): boolean {
  return verdict === COUNTED || verdict === PARTLY_LATE
}

function elementOf({ elements, starts, ends }: RecordEvents, i: number) {
  return elements[i] === NO_ELEMENT ? undefined : { number: elements[i]!, start: starts[i]!, end: ends[i]! }
}

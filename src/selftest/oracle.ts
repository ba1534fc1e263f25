/**
 * What the rows must be, worked out the plain way: one event after the other, and a Map. It is the judge of `ctr selftest`, so it takes no
 * code from the engine; the tests hold it against a second one.
 *
 * Of each partition, in offset order: a record is ignored, or invalid for the first reason that applies; or it is counted in the windows of
 * its product, in the task of its partition's number, that are open to it: one is not when its end and the allowed lateness lie at or below
 * the partition's event time before it, less the out-of-orderness. Where none is open it is late. Right for partitions that don't go idle,
 * and have few windows open far ahead.
 *
 * The event time of a partition is the latest of its events so far, except that an event more than maxJump ahead of it does not move it
 * unless it is the 25th such one of the last 32 events: then the earliest of those becomes the event time. It begins with the eighth event,
 * as the earliest of the eight.
 */

import { LEFT_OUT, readPlainEvent } from './plain-event.ts'

/** Durations in ms. */
export interface OracleRules {
  readonly windowSize: number
  /** A window begins so often, and so long after a multiple of that since the epoch. */
  readonly windowSlide: number
  readonly windowOffset: number
  readonly outOfOrderness: number
  readonly allowedLateness: number
  readonly futureTolerance: number
  /** Infinity: none is too far ahead. */
  readonly maxJump: number
  /** ms since the epoch: an earlier event is invalid. */
  readonly oldest: number
}

/** One Kafka record; the time in ms since the epoch. */
export interface PlainRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly time: number
  readonly value: Uint8Array | null
}

/** What must be in one row of ctr_results; the window's start in ms. */
export interface WantedRow {
  readonly product: string
  readonly windowStart: number
  readonly task: number
  impressions: number
  clicks: number
}

/** read = counted + late + ignored + the sum of `invalid`, by reason. */
export interface WantedLedger {
  read: number
  counted: number
  late: number
  ignored: number
  readonly invalid: Map<string, number>
  maxEventTime: number
  /** Of the last events, the latest first. */
  readonly recent: number[]
}

const TIMES_OF_RECORDS_FROM = Date.UTC(2001, 0, 1)

/** Takes the records of each partition in offset order, partitions in any order. */
export class SelftestOracle {
  /** By `rowKey`. */
  readonly rows = new Map<string, WantedRow>()
  /** Events in them: of windows that overlap more than were counted. */
  inRows = 0
  /** By `topic/partition`. */
  readonly ledgers = new Map<string, WantedLedger>()
  /** `topic/partition/offset` of each. */
  readonly invalid = new Set<string>()
  readonly #rules: OracleRules

  constructor(rules: OracleRules) {
    this.#rules = rules
  }

  add({ topic, partition, offset, time, value }: PlainRecord): void {
    const { outOfOrderness, allowedLateness, futureTolerance, oldest } = this.#rules
    const ledger = this.#ledger(`${topic}/${partition}`)
    ledger.read++
    // A record without a time, or with one in seconds, can't tell what lies in the future.
    const latest = time < TIMES_OF_RECORDS_FROM ? Number.POSITIVE_INFINITY : time + futureTolerance
    const read = readPlainEvent(value)
    if (read === LEFT_OUT) {
      ledger.ignored++
      return
    }
    let event = read
    if (typeof read !== 'string' && read.time < oldest) event = 'TOO_OLD'
    else if (typeof read !== 'string' && read.time > latest) event = 'FUTURE'
    if (typeof event === 'string') {
      ledger.invalid.set(event, (ledger.invalid.get(event) ?? 0) + 1)
      this.invalid.add(`${topic}/${partition}/${offset}`)
      return
    }
    const closed = ledger.maxEventTime - outOfOrderness - allowedLateness
    const open = this.#startsOf(event.time).filter((start) => start + this.#rules.windowSize > closed)
    this.#moveTime(ledger, event.time)
    if (open.length === 0) ledger.late++
    else ledger.counted++
    for (const start of open) this.#count(event.product, event.kind, start, partition)
  }

  /** Of all windows that hold a time. */
  #startsOf(time: number): number[] {
    const { windowSize, windowSlide, windowOffset } = this.#rules
    const starts: number[] = []
    const last = time - ((((time - windowOffset) % windowSlide) + windowSlide) % windowSlide)
    for (let start = last; time - start < windowSize; start -= windowSlide) starts.push(start)
    return starts
  }

  #count(product: string, kind: 'impressions' | 'clicks', windowStart: number, task: number): void {
    this.inRows++
    const key = rowKey(product, windowStart, task)
    const row = this.rows.get(key) ?? { product, windowStart, task, impressions: 0, clicks: 0 }
    row[kind]++
    this.rows.set(key, row)
  }

  #moveTime(ledger: WantedLedger, time: number): void {
    const { maxJump } = this.#rules
    const { recent, maxEventTime } = ledger
    recent.unshift(time)
    if (recent.length > 32) recent.pop()
    if (!Number.isFinite(maxEventTime)) {
      if (!Number.isFinite(maxJump)) ledger.maxEventTime = time
      else if (recent.length === 8) ledger.maxEventTime = recent.reduce((least, one) => Math.min(least, one))
      return
    }
    const isFar = (one: number) => one - maxEventTime > maxJump
    if (!isFar(time)) {
      ledger.maxEventTime = Math.max(maxEventTime, time)
      return
    }
    const far = recent.filter(isFar).sort((a, b) => a - b)
    if (far.length >= 25) ledger.maxEventTime = far[0] ?? maxEventTime
  }

  /** All partitions together. */
  get total(): { read: number; counted: number; late: number; ignored: number; invalid: number } {
    const total = { read: 0, counted: 0, late: 0, ignored: 0, invalid: this.invalid.size }
    for (const { read, counted, late, ignored } of this.ledgers.values()) {
      total.read += read
      total.ignored += ignored
      total.counted += counted
      total.late += late
    }
    return total
  }

  #ledger(name: string): WantedLedger {
    let ledger = this.ledgers.get(name)
    if (ledger === undefined) {
      ledger = { read: 0, counted: 0, late: 0, ignored: 0, invalid: new Map(), maxEventTime: Number.NEGATIVE_INFINITY, recent: [] }
      this.ledgers.set(name, ledger)
    }
    return ledger
  }
}

/** One row of a product, a window (its start, ms) and a task. Text of a length that is known comes last, so no two keys are the same. */
export function rowKey(product: string, windowStart: number, task: number): string {
  return `${task} ${windowStart} ${product}`
}

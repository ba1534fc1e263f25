/**
 * What main knows of one partition: how far it has been read, its event time, the windows its events went into, its ledger.
 *
 * Low-water mark: the first offset that any window not yet purged may need. For every open window the offset of the first event that
 * went into it is kept, with the largest event time and the ledger's totals before that event; the smallest of those offsets, or the
 * position when no window is open, is where a restart must begin to rebuild every open window exactly. Lateness depends on the prefix
 * only, so the largest event time at the mark belongs to it.
 *
 * Example, windows of 10 s, lateness and out-of-orderness 0. Records of a partition: 100 at 00:00:02, 101 at 00:00:11, 102 at 00:00:09,
 * 103 at 00:00:13. After 100 the window that ends at 00:00:10 is open since 100, and the mark is 100, with no event time. At 101 the
 * watermark passes 00:00:10: the window that ends at 00:00:20 is open since 101, with the largest event time 00:00:02 before it, and the
 * first one is purged. So the mark is 101 with 00:00:02, and 102 is late. A restart reads 101, 102 and 103 with that event time, finds 102
 * late again, and has the open window as it was.
 *
 * Two ledgers: `read` and a counter for each term of the ledger count since this process has the partition; `totals` adds what was read of
 * it before.
 */
import type { CarriedFacts, MarkFacts, WindowFacts } from './facts.ts'
import { addCounts, type LedgerCounts, type LedgerTotals, noTotals } from './ledger.ts'

/** One open window of the partition. Times in ms. */
export interface OpenWindow {
  /** First offset that went into it, and the largest event time and the totals before that. */
  readonly offset: number
  readonly maxEventTime: number
  readonly totals: LedgerTotals
  /** Events of the partition counted into it. */
  events: number
}

/** Where a partition begins: what a checkpoint or a committed offset says of it. */
export interface PartitionStart {
  readonly position: number
  /** Largest event time below `position`, ms; undefined before the first event. */
  readonly maxEventTime: number | undefined
  /** Totals below `position`; undefined when the ledger begins here. */
  readonly totals?: LedgerTotals | undefined
  /** What the committed mark says besides. */
  readonly carried?: CarriedFacts | undefined
}

/** First offset that a restart must read, and what is known of the records before it. */
export interface LowWater {
  readonly offset: number
  /** undefined before the first event. */
  readonly maxEventTime: number | undefined
  readonly totals: LedgerTotals
  readonly facts: MarkFacts | undefined
}

export class Partition implements LedgerCounts {
  readonly topicIndex: number
  readonly partition: number
  /** Next offset to read. */
  position: number
  /** Largest event time read, ms; -Infinity before the first event. */
  maxEventTime: number
  /** End offset as last heard from the broker, and when; -1 before that. */
  endOffset = -1
  endOffsetHeardAt = 0
  /** Bounded runs: the first offset not to read; Infinity while it isn't known or there is none. */
  boundOffset: number
  /** Wall time of the last record, or of the assignment. */
  lastRecordAt: number
  idle = false
  paused = false
  ended = false

  read = 0
  counted = 0
  late = 0
  invalid = 0
  /** The invalid ones by the number of their reason; as long as the largest number seen. */
  readonly invalidBy: number[] = []
  /** Open windows by their end. */
  readonly windows = new Map<number, OpenWindow>()

  readonly #before: LedgerTotals
  readonly #carried: CarriedFacts | undefined
  readonly #reasons: readonly string[]

  /** `reasons` names the numbers of `invalidBy`. */
  constructor(topicIndex: number, partition: number, start: PartitionStart, reasons: readonly string[], now: number) {
    this.topicIndex = topicIndex
    this.partition = partition
    this.position = start.position
    this.maxEventTime = start.maxEventTime ?? Number.NEGATIVE_INFINITY
    this.boundOffset = Number.POSITIVE_INFINITY
    this.lastRecordAt = now
    this.#before = start.totals ?? noTotals(start.position)
    this.#carried = start.carried
    this.#reasons = reasons
  }

  /** Counts records that can't be counted as events. */
  refuse(reason: number, records: number): void {
    this.invalid += records
    this.invalidBy[reason] = (this.invalidBy[reason] ?? 0) + records
  }

  /** Totals of all offsets below the position, of which `unread` more than the ledger says are read already. */
  totals(unread = 0): LedgerTotals {
    const reasons: Record<string, number> = {}
    this.invalidBy.forEach((count, number) => {
      reasons[this.#reasons[number] ?? String(number)] = count
    })
    const totals = addCounts(this.#before, this, reasons)
    return { ...totals, read: totals.read + unread }
  }

  /**
   * The open window that ends at `end`; made, with `made` then true, when the event at `offset` is the first that goes into it. `unread` as
   * for totals.
   */
  enterWindow(end: number, offset: number, maxEventTimeBefore: number, unread: number): { window: OpenWindow; made: boolean } {
    const known = this.windows.get(end)
    if (known !== undefined) return { window: known, made: false }
    const window = { offset, maxEventTime: maxEventTimeBefore, totals: this.totals(unread), events: 0 }
    this.windows.set(end, window)
    return { window, made: true }
  }

  /** Opens windows again that a checkpoint had open. */
  reopen(windows: readonly WindowFacts[]): void {
    for (const { end, offset, maxEventTime, totals, events } of windows) {
      this.windows.set(end, { offset, maxEventTime: maxEventTime ?? Number.NEGATIVE_INFINITY, totals, events })
    }
  }

  /** Forgets windows that end at or before `end`: they are purged. Their events are added to `closed`, by window end. */
  leaveWindows(end: number, closed: Map<number, number>): void {
    for (const [key, window] of this.windows) {
      if (key > end) continue
      closed.set(key, (closed.get(key) ?? 0) + window.events)
      this.windows.delete(key)
    }
  }

  /** End of its oldest open window; Infinity when none is open. */
  firstOpenWindowEnd(): number {
    let first = Number.POSITIVE_INFINITY
    for (const end of this.windows.keys()) if (end < first) first = end
    return first
  }

  /** Start of the low-water mark's window, or the position. */
  lowWater(): LowWater {
    let { position: offset, maxEventTime } = this
    let totals: LedgerTotals | undefined
    for (const window of this.windows.values()) {
      if (window.offset >= offset) continue
      offset = window.offset
      maxEventTime = window.maxEventTime
      totals = window.totals
    }
    return {
      offset,
      maxEventTime: Number.isFinite(maxEventTime) ? maxEventTime : undefined,
      totals: totals ?? this.totals(),
      facts: this.#factsAt(offset),
    }
  }

  /** Facts are about the records before their offset. Behind further records only the topic is still the same. */
  #factsAt(offset: number): MarkFacts | undefined {
    if (this.#carried === undefined || this.#carried.offset === offset) return this.#carried?.facts
    const { topicId } = this.#carried.facts
    return topicId === undefined ? undefined : { topicId }
  }
}

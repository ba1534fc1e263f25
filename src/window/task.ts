/**
 * Event time of one task: partition number i of every topic together.
 *
 *   watermark = min over partitions that are neither idle nor ended of (believed event time - out-of-orderness), and never goes back.
 *
 * It is published to the workers only when a window becomes due or is purged by it (windows.ts), because nothing happens in between.
 * Whether a window counts as purged is decided by the published watermark, on main and in the workers alike.
 */
import { assert } from '../assert.ts'
import type { Closings } from './closings.ts'
import { joinOrphans, type OrphanFacts } from './facts.ts'
import type { WindowLedgerRow } from './ledger.ts'
import type { Partition } from './partition.ts'
import { type WindowRules, type Windows, windowsOf } from './windows.ts'

/** The configuration's window and time sections, ms. */
export interface TimeRules extends WindowRules {
  readonly idleTimeout: number
  readonly maxDrift: number
  /** For so long a transaction that is open holds its partition; not at all when not given. */
  readonly openTransactionHold?: number
  /** Infinity: off. */
  readonly maxJump: number
}

/** So many windows at most are noted at a step of the watermark; one that passes more is no measure of latency. */
const CLOSINGS_MAX = 8

export class Task {
  readonly task: number
  readonly windows: Windows
  readonly partitions: Partition[] = []
  /** See TaskFacts. */
  readonly incarnation: number
  /** When the record came that moves the watermark, ms: the broker's append where the topic has it, else its receipt; NaN without one. */
  heardAt = Number.NaN
  /** ms; -Infinity before the first one. */
  published = Number.NEGATIVE_INFINITY
  /** Events by the end of open slices that came from topics which were deleted since: they count, and no offset gives them again. */
  readonly orphans = new Map<number, OrphanFacts>()
  /** The partitions of those topics: their ledger ends where they did. */
  readonly former: Partition[] = []
  readonly maxJump: number
  readonly #maxDrift: number
  /** Events by the end of windows that were closed and not taken yet. */
  readonly #closed = new Map<number, number>()
  /** Windows that end later are open. */
  #closedUpTo = Number.NEGATIVE_INFINITY

  constructor(task: number, rules: TimeRules, incarnation = 0) {
    this.task = task
    this.windows = windowsOf(rules)
    this.incarnation = incarnation
    this.maxJump = rules.maxJump
    this.#maxDrift = rules.maxDrift
  }

  /** The watermark as the partitions stand now; never below the published one. -Infinity while a partition holds it. */
  watermark(): number {
    let low = Number.POSITIVE_INFINITY
    for (const partition of this.partitions) {
      if (partition.idle || partition.ended) continue
      const time = this.windows.watermarkOf(partition.maxEventTime)
      if (time < low) low = time
    }
    return low === Number.POSITIVE_INFINITY || low < this.published ? this.published : low
  }

  /** Whether the workers would do anything at `watermark` that they didn't at the published one. */
  mustPublish(watermark: number): boolean {
    return this.windows.isStep(this.published, watermark)
  }

  /** Notes the windows that are closed when the watermark goes from the published one to `watermark`; of many the newest. */
  noteClosings(closings: Closings, watermark: number, now: number): void {
    let end = this.windows.lastEndUpTo(watermark)
    for (let i = 0; i < CLOSINGS_MAX && end > this.published; i++) {
      closings.note(this.task, end, Math.min(this.heardAt, now), now)
      end = this.windows.lastEndUpTo(end - 1)
    }
  }

  /** The workers have been told: what is purged by then isn't open any more. */
  publish(watermark: number): void {
    assert(watermark >= this.published, "a task's watermark never falls", { task: this.task, watermark, published: this.published })
    const { windows } = this
    const closed = windows.closedUpTo(watermark)
    this.#addEvents(this.#closed, this.#closedUpTo, closed)
    this.#closedUpTo = closed
    this.published = watermark
    const purged = windows.purgedUpTo(watermark)
    for (const partition of this.partitions) partition.leaveWindows(purged)
    for (const end of this.orphans.keys()) if (end <= purged) this.orphans.delete(end)
  }

  /** Events of an open slice come from a topic that is not there any more. */
  addOrphans(slices: Iterable<OrphanFacts>): void {
    for (const slice of slices) this.orphans.set(slice.end, joinOrphans(this.orphans.get(slice.end), slice))
  }

  /** End of the last window that holds such events, ms; undefined when none does. */
  get orphansUntil(): number | undefined {
    return this.orphans.size === 0 ? undefined : this.windows.lastEnd(Math.max(...this.orphans.keys()))
  }

  /** The same of windows no further ahead than time.maxJump: what a wrong clock has opened may stay open for as long as it was wrong. */
  get nearOrphansUntil(): number | undefined {
    const now = Math.max(this.published, ...this.partitions.map(({ maxEventTime }) => maxEventTime))
    const limit = now === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : now + this.maxJump
    const near = [...this.orphans.keys()].filter((end) => this.windows.startOf(end) <= limit)
    return near.length === 0 ? undefined : this.windows.lastEnd(Math.max(...near))
  }

  /** What was counted into the windows closed since the last call. */
  takeClosed(): WindowLedgerRow[] {
    const rows = [...this.#closed].map(([end, events]) => this.#row(end, events))
    this.#closed.clear()
    return rows
  }

  /** What is counted so far into the windows still open. */
  openWindows(): WindowLedgerRow[] {
    const open = new Map<number, number>()
    this.#addEvents(open, this.#closedUpTo, Number.POSITIVE_INFINITY)
    return [...open].map(([end, events]) => this.#row(end, events))
  }

  /** Adds up the events of windows that end after `from`, and at `to` or before, by their ends. */
  #addEvents(sums: Map<number, number>, from: number, to: number): void {
    const { windows } = this
    const add = (slice: number, { events, partly }: Omit<OrphanFacts, 'end'>) => {
      const first = windows.firstEnd(slice)
      const last = Math.min(to, windows.lastEnd(slice))
      const skipped = from < first ? 0 : Math.floor((from - first) / windows.slide) + 1
      for (let missed = skipped; first + missed * windows.slide <= last; missed++) {
        const counted = events - (partly?.slice(missed + 1).reduce((sum, count) => sum + count, 0) ?? 0)
        if (counted > 0) addTo(sums, first + missed * windows.slide, counted)
      }
    }
    for (const [end, count] of this.orphans) add(end, count)
    for (const partition of this.partitions) for (const [end, count] of partition.windows) add(end, count)
  }

  #row(end: number, events: number): WindowLedgerRow {
    return { task: this.task, start: this.windows.windowStart(end), end, events }
  }

  /** No partition of it may bring anything soon: all are idle or ended, and there is at least one. */
  get quiet(): boolean {
    return this.partitions.length > 0 && this.partitions.every((partition) => partition.idle || partition.ended)
  }

  /**
   * Which partitions run too far ahead of the slowest one and which no longer do. A partition that has had no record yet holds the
   * others at the first window they touched. The caller pauses and resumes.
   */
  alignment(): { pause: Partition[]; resume: Partition[] } {
    const pause: Partition[] = []
    const resume: Partition[] = []
    const floor = this.#driftFloor()
    for (const partition of this.partitions) {
      const ahead = partition.maxEventTime > floor + this.#maxDrift
      if (ahead && !partition.paused && !partition.ended) pause.push(partition)
      if (!ahead && partition.paused) resume.push(partition)
    }
    return { pause, resume }
  }

  /** The partition that holds the watermark: with the smallest event time of those neither idle nor ended; undefined without any. */
  slowest(): Partition | undefined {
    let slowest: Partition | undefined
    for (const partition of this.partitions) {
      if (partition.idle || partition.ended) continue
      if (slowest === undefined || partition.maxEventTime < slowest.maxEventTime) slowest = partition
    }
    return slowest
  }

  #driftFloor(): number {
    let low = Number.POSITIVE_INFINITY
    let waiting = false
    for (const partition of this.partitions) {
      if (partition.idle || partition.ended) continue
      if (partition.maxEventTime === Number.NEGATIVE_INFINITY) waiting = true
      else if (partition.maxEventTime < low) low = partition.maxEventTime
    }
    if (!waiting) return low
    for (const partition of this.partitions) {
      const first = this.windows.startOf(partition.firstOpenWindowEnd())
      if (first < low) low = first
    }
    return low
  }
}

function addTo(counts: Map<number, number>, end: number, events: number): void {
  counts.set(end, (counts.get(end) ?? 0) + events)
}

/** Records of an open transaction are there and may still be committed: their partition is not idle, unless it has hung for too long. */
export function isHeldOpen({ openSince }: Partition, now: number, hold = 0): boolean {
  return openSince !== undefined && now - openSince < hold
}

/** A partition with nothing new for the timeout whose position is known to be the end offset; paused ones never are. */
export function isIdle(partition: Partition, now: number, idleTimeout: number): boolean {
  if (partition.paused || now - partition.lastRecordAt < idleTimeout) return false
  return partition.endOffsetHeardAt - partition.lastRecordAt >= idleTimeout && partition.position >= partition.endOffset
}

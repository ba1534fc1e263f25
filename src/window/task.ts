/**
 * Event time of one task: partition number i of every topic together.
 *
 *   watermark = min over partitions that are neither idle nor ended of (largest event time - out-of-orderness), and never goes back.
 *
 * It is published to the workers only when a window becomes due or is purged by it (windows.ts), because nothing happens in between.
 * Whether a window counts as purged is decided by the published watermark, on main and in the workers alike.
 */
import { assert } from '../assert.ts'
import type { WindowLedgerRow } from './ledger.ts'
import type { Partition } from './partition.ts'
import { type WindowRules, type Windows, windowsOf } from './windows.ts'

/** The configuration's window and time sections, ms. */
export interface TimeRules extends WindowRules {
  readonly idleTimeout: number
  readonly maxDrift: number
}

export class Task {
  readonly task: number
  readonly windows: Windows
  readonly partitions: Partition[] = []
  /** See TaskFacts. */
  readonly incarnation: number
  /** ms; -Infinity before the first one. */
  published = Number.NEGATIVE_INFINITY
  readonly #maxDrift: number
  /** Events by the end of windows that were purged and not taken yet. */
  readonly #closed = new Map<number, number>()

  constructor(task: number, rules: TimeRules, incarnation = 0) {
    this.task = task
    this.windows = windowsOf(rules)
    this.incarnation = incarnation
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

  /** The workers have been told: what is purged by then isn't open any more. */
  publish(watermark: number): void {
    assert(watermark >= this.published, "a task's watermark never falls", { task: this.task, watermark, published: this.published })
    this.published = watermark
    for (const partition of this.partitions) partition.leaveWindows(this.windows.purgedUpTo(watermark), this.#closed)
  }

  /** What was counted into the windows purged since the last call. */
  takeClosed(): WindowLedgerRow[] {
    const rows = [...this.#closed].map(([end, events]) => this.#row(end, events))
    this.#closed.clear()
    return rows
  }

  /** What is counted so far into the windows still open. */
  openWindows(): WindowLedgerRow[] {
    const open = new Map<number, number>()
    for (const { windows } of this.partitions) for (const [end, { events }] of windows) open.set(end, (open.get(end) ?? 0) + events)
    return [...open].map(([end, events]) => this.#row(end, events))
  }

  #row(end: number, events: number): WindowLedgerRow {
    return { task: this.task, start: this.windows.startOf(end), end, events }
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

/** A partition with nothing new for the timeout whose position is known to be the end offset; paused ones never are. */
export function isIdle(partition: Partition, now: number, idleTimeout: number): boolean {
  if (partition.paused || now - partition.lastRecordAt < idleTimeout) return false
  return partition.endOffsetHeardAt - partition.lastRecordAt >= idleTimeout && partition.position >= partition.endOffset
}

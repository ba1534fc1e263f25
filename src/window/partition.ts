/**
 * What main knows of one partition: how far it has been read, its event time, the windows its events went into, its ledger.
 *
 * Low-water mark: the first offset that any window not yet purged may need. For every open window the offset of the first event that
 * went into it is kept, with the largest event time before that event; the smallest of those offsets, or the position when no window is
 * open, is where a restart must begin to rebuild every open window exactly. Lateness depends on the prefix only, so the largest event
 * time at the mark belongs to it.
 */

interface WindowStart {
  readonly offset: number
  readonly maxEventTime: number
}

export class Partition {
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

  readonly #windows = new Map<number, WindowStart>()

  constructor(topicIndex: number, partition: number, position: number, maxEventTime: number | undefined, now: number) {
    this.topicIndex = topicIndex
    this.partition = partition
    this.position = position
    this.maxEventTime = maxEventTime ?? Number.NEGATIVE_INFINITY
    this.boundOffset = Number.POSITIVE_INFINITY
    this.lastRecordAt = now
  }

  /** Notes that the event at `offset` goes into the window that ends at `end`; only the first one of a window counts, and gives true. */
  enterWindow(end: number, offset: number, maxEventTimeBefore: number): boolean {
    if (this.#windows.has(end)) return false
    this.#windows.set(end, { offset, maxEventTime: maxEventTimeBefore })
    return true
  }

  /** Forgets windows that end at or before `end`: they are purged. */
  leaveWindows(end: number): void {
    for (const key of this.#windows.keys()) if (key <= end) this.#windows.delete(key)
  }

  /** End of its oldest open window; Infinity when none is open. */
  firstOpenWindowEnd(): number {
    let first = Number.POSITIVE_INFINITY
    for (const end of this.#windows.keys()) if (end < first) first = end
    return first
  }

  /** Start of the low-water mark's window, or the position; and the largest event time before it (undefined: none). */
  lowWater(): { offset: number; maxEventTime: number | undefined } {
    let offset = this.position
    let maxEventTime = this.maxEventTime
    for (const window of this.#windows.values()) {
      if (window.offset < offset) {
        offset = window.offset
        maxEventTime = window.maxEventTime
      }
    }
    return { offset, maxEventTime: Number.isFinite(maxEventTime) ? maxEventTime : undefined }
  }
}

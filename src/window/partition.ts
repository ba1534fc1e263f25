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
 * Its event time is the largest that is believed (believed.ts), which a single clock far ahead does not move. A window far ahead of it
 * holds the mark like any other for RECENT_EVENTS events. When these have not agreed it is released: the mark moves on, or one clock that
 * is a year ahead would hold it for a year. From then on only a checkpoint can rebuild what the window holds so far, and the mark says so
 * (`windowsFrom`). What comes into it later holds the mark anew.
 *
 * Two ledgers: `read` and a counter for each term of the ledger count since this process has the partition; `totals` adds what was read of
 * it before.
 */
import { Candidates, FAR_WINDOWS_MAX, RECENT_EVENTS } from './believed.ts'
import type { CarriedFacts, MarkFacts, WindowFacts } from './facts.ts'
import { Lateness } from './lateness.ts'
import { addCounts, countsOf, type LedgerCounts, type LedgerTotals, noTotals } from './ledger.ts'

/** One open window of the partition. Times in ms. */
export interface OpenWindow {
  readonly start: number
  /** First offset that went into it. */
  readonly first: number
  /** First offset that the mark holds for it; Infinity when it is released. */
  offset: number
  /** Believed time, candidates, totals and number of events before that. */
  maxEventTime: number
  candidates: string | undefined
  totals: LedgerTotals
  eventsBefore: number
  /** Events of the partition counted into it, corrections included. */
  events: number
  /** Corrections among them, by how many windows each has missed; see windows.ts. */
  partly: number[] | undefined
}

/** Where a partition begins: what a checkpoint or a committed offset says of it. */
export interface PartitionStart {
  readonly position: number
  /** Largest event time below `position` that is believed, ms; undefined while there is none. */
  readonly maxEventTime: number | undefined
  /** See MarkFacts; of a checkpoint. What a mark says is in `carried`. */
  readonly candidates?: string | undefined
  readonly idleSince?: number | undefined
  /** Totals below `position`; undefined when the ledger begins here. */
  readonly totals?: LedgerTotals | undefined
  /** What the committed mark says besides. */
  readonly carried?: CarriedFacts | undefined
  /** See MarkFacts; undefined where the source knows none. */
  readonly topicId?: string | undefined
  readonly remade?: number | undefined
  /** Records that the source had lost before they could be read, and in words what that means. */
  readonly missing?: number | undefined
  readonly loss?: string | undefined
}

/** First offset that a restart must read, and what is known of the records before it. */
export interface LowWater {
  readonly offset: number
  /** undefined while none is believed. */
  readonly maxEventTime: number | undefined
  readonly totals: LedgerTotals
  readonly facts: MarkFacts | undefined
}

export class Partition implements LedgerCounts {
  readonly topicIndex: number
  readonly partition: number
  /** Next offset to read. */
  position: number
  /** Largest event time that is believed, ms; -Infinity while there is none. */
  maxEventTime: number
  /** How far ahead of it an event may be to move it; Infinity: any event moves it. */
  readonly maxJump: number
  readonly candidates: Candidates
  /** The event that moved the time furthest since somebody last asked: by how much, ms, and its offset; -1 for none. */
  furthestMs = 0
  furthestOffset = -1
  /** End offset as last heard from the broker, and when; -1 before that. */
  endOffset = -1
  endOffsetHeardAt = 0
  /** First offset that is not written yet: between the end offset and it lie transactions that are open. */
  highWatermark = -1
  /** Since when the oldest of them has been seen open, wall time; undefined while none is. */
  openSince: number | undefined
  /** Bounded runs: the first offset not to read; Infinity while it isn't known or there is none. */
  boundOffset: number
  /** Wall time of the last valid event, or of the assignment. */
  lastRecordAt: number
  idle = false
  /** See MarkFacts. */
  readonly topicId: string | undefined
  readonly remade: number
  /** Records that the source had lost before they could be read; in words, and since when (wall time). */
  missing = 0
  loss: string | undefined
  lossAt = 0
  paused = false
  /** Since when it is paused, wall time. */
  pausedAt = 0
  ended = false

  read = 0
  counted = 0
  late = 0
  /** Of the counted ones those that count in the later windows of their slice only. */
  partlyLate = 0
  /** How far a late event was behind the watermark at most, ms, since it was last told. */
  lateMaxMs = 0
  invalid = 0
  ignored = 0
  /** How many more events than records were read, where a record may be several: read - more is the number of records. */
  more = 0
  /** Valid events, among the invalid records, that were refused for FAR_WINDOWS_MAX. */
  tooFar = 0
  /** The invalid ones by the number of their reason; as long as the largest number seen. */
  readonly invalidBy: number[] = []
  /** Of events behind their window's end; undefined while there was none. */
  lateness: Lateness | undefined
  /** Open windows by their end. */
  readonly windows = new Map<number, OpenWindow>()

  readonly #before: LedgerTotals
  /** What was kept of `idleSince`, until a fetch has told whether something has come since. */
  #idleBefore: number | undefined
  readonly #reasons: readonly string[]

  /** `reasons` names the numbers of `invalidBy`; `maxJump`: ms. */
  constructor(
    topicIndex: number,
    partition: number,
    start: PartitionStart,
    reasons: readonly string[],
    now: number,
    maxJump = Number.POSITIVE_INFINITY,
  ) {
    const { carried } = start
    const facts = carried?.offset === start.position ? carried.facts : undefined
    const { candidates = facts?.candidates, idleSince = facts?.idleSince } = start
    this.topicIndex = topicIndex
    this.partition = partition
    this.position = start.position
    this.maxEventTime = start.maxEventTime ?? Number.NEGATIVE_INFINITY
    this.boundOffset = Number.POSITIVE_INFINITY
    this.maxJump = maxJump
    this.candidates = new Candidates(maxJump, candidates)
    this.lastRecordAt = now
    this.#idleBefore = idleSince
    this.#before = start.totals ?? noTotals(start.position)
    this.topicId = start.topicId ?? carried?.facts.topicId
    this.remade = start.remade ?? 0
    this.#reasons = reasons
    if (start.loss !== undefined) this.lose(start.missing ?? 0, start.loss, now)
  }

  /** The source has lost records that were still needed. */
  lose(records: number, loss: string, now: number): void {
    this.missing += records
    this.loss = loss
    this.lossAt = now
  }

  /** Hears of the end; see SourceHandler.endOffset. The oldest open transaction is the one that holds the end offset where it is. */
  hearEnd(endOffset: number, highWatermark: number | undefined, now: number): void {
    const isSame = this.openSince !== undefined && endOffset === this.endOffset
    this.endOffset = endOffset
    this.endOffsetHeardAt = now
    this.highWatermark = Math.max(endOffset, highWatermark ?? this.highWatermark)
    if (this.highWatermark === endOffset) this.openSince = undefined
    else if (!isSame) this.openSince = now
    if (highWatermark === undefined) return
    this.lastRecordAt = Math.min(this.lastRecordAt, this.idleSince ?? now)
    this.#idleBefore = undefined
  }

  /** Counts records that can't be counted as events. */
  refuse(reason: number, records: number): void {
    this.invalid += records
    this.invalidBy[reason] = (this.invalidBy[reason] ?? 0) + records
  }

  /** Events came whose window had ended `ms` before, by its own watermark. */
  behind(ms: number, events: number): void {
    this.lateness ??= new Lateness()
    this.lateness.add(ms, events)
  }

  /** Totals of all offsets below the position, of which so many more than the ledger says are read, and of these ignored, already. */
  totals(unread = 0, ignored = 0): LedgerTotals {
    const reasons: Record<string, number> = {}
    this.invalidBy.forEach((count, number) => {
      reasons[this.#reasons[number] ?? String(number)] = count
    })
    const since = { ...countsOf(this), read: this.read + unread, ignored: this.ignored + ignored }
    return addCounts(this.#before, since, reasons)
  }

  /** Valid events so far: what their age is counted in. */
  get events(): number {
    return this.counted + this.late + this.tooFar
  }

  /** Whether a window that begins at `start` lies further ahead of the believed time than an event may be to move it. */
  isFar(start: number): boolean {
    return start > this.maxEventTime + this.maxJump
  }

  /** Whether the window [start, end), which is to be opened, would be one more far ahead of the believed time than may be open. */
  isOneTooFar(start: number, end: number, believed: number): boolean {
    const farFrom = believed + this.maxJump
    if (this.windows.size < FAR_WINDOWS_MAX || !(start > farFrom) || this.windows.has(end)) return false
    let far = 0
    for (const window of this.windows.values()) if (window.start > farFrom) far++
    return far >= FAR_WINDOWS_MAX
  }

  /** The believed time, or while there is none the earliest of the events so far; undefined before the first. Tells where in time it is. */
  get approximateTime(): number | undefined {
    const { maxEventTime } = this
    const time = Number.isFinite(maxEventTime) ? maxEventTime : this.candidates.at(this.events, maxEventTime).earliest
    return Number.isFinite(time) ? time : undefined
  }

  /** Since when nothing has come, wall time; undefined while something is to be read or in an open transaction, or nobody knows. */
  get idleSince(): number | undefined {
    if (this.endOffset < 0 || this.position < this.endOffset || this.openSince !== undefined) return undefined
    return Math.min(this.lastRecordAt, this.#idleBefore ?? this.lastRecordAt)
  }

  /**
   * The open window [start, end); made, with `made` then true, when the event at `offset` is the first that goes into it. `unread` and
   * `ignored` as for totals, `maxEventTimeBefore` is the believed time.
   */
  enterWindow(
    start: number,
    end: number,
    offset: number,
    maxEventTimeBefore: number,
    unread: number,
    ignored = 0,
  ): { window: OpenWindow; made: boolean } {
    const known = this.windows.get(end)
    if (known !== undefined && known.offset !== Number.POSITIVE_INFINITY) return { window: known, made: false }
    const eventsBefore = this.events
    const candidates = this.candidates.textAt(eventsBefore, maxEventTimeBefore)
    const held = { offset, maxEventTime: maxEventTimeBefore, candidates, totals: this.totals(unread, ignored), eventsBefore }
    if (known !== undefined) return { window: Object.assign(known, held), made: false }
    const window = { start, first: offset, ...held, events: 0, partly: undefined }
    this.windows.set(end, window)
    return { window, made: true }
  }

  /** Opens windows again that a checkpoint had open; `startOf` tells where the one that ends there begins. */
  reopen(windows: readonly WindowFacts[], startOf: (end: number) => number): void {
    for (const { end, offset, maxEventTime, candidates, totals, events, partly, ...facts } of windows) {
      const { first = offset, released = false, ageEvents = 0 } = facts
      this.windows.set(end, {
        start: startOf(end),
        first,
        offset: released ? Number.POSITIVE_INFINITY : offset,
        maxEventTime: maxEventTime ?? Number.NEGATIVE_INFINITY,
        candidates,
        totals,
        eventsBefore: this.events - ageEvents,
        events,
        partly: partly && [...partly],
      })
    }
  }

  /** Forgets windows that end at or before `end`: they are purged. */
  leaveWindows(end: number): void {
    for (const key of this.windows.keys()) if (key <= end) this.windows.delete(key)
  }

  /** End of its oldest open window; Infinity when none is open. */
  firstOpenWindowEnd(): number {
    let first = Number.POSITIVE_INFINITY
    for (const end of this.windows.keys()) if (end < first) first = end
    return first
  }

  /** How many of its open windows do not lie far ahead; those that do have a bound of their own. */
  nearWindows(): number {
    let near = 0
    for (const { start } of this.windows.values()) if (!this.isFar(start)) near++
    return near
  }

  /** Start of the low-water mark's window, or the position. Releases what holds it no longer. */
  lowWater(): LowWater {
    let offset = this.position
    let first = offset
    let holds: OpenWindow | undefined
    for (const window of this.windows.values()) {
      if (this.isFar(window.start) && this.events - window.eventsBefore > RECENT_EVENTS) window.offset = Number.POSITIVE_INFINITY
      if (window.first < first) first = window.first
      if (window.offset >= offset) continue
      offset = window.offset
      holds = window
    }
    const { maxEventTime } = holds ?? this
    const candidates = holds === undefined ? this.candidates.textAt(this.events, maxEventTime) : holds.candidates
    return {
      offset,
      maxEventTime: Number.isFinite(maxEventTime) ? maxEventTime : undefined,
      totals: holds?.totals ?? this.totals(),
      facts: this.#factsAt(offset, candidates, first < offset ? first : undefined),
    }
  }

  /** Facts are about the records before their offset. Behind further records only the topic is still the same. */
  #factsAt(offset: number, candidates: string | undefined, windowsFrom: number | undefined): MarkFacts | undefined {
    const { topicId, remade } = this
    const idleSince = offset === this.position ? this.idleSince : undefined
    const facts = {
      ...(topicId !== undefined && { topicId }),
      ...(remade > 0 && { remade }),
      ...(idleSince !== undefined && { idleSince }),
      ...(candidates !== undefined && { candidates }),
      ...(windowsFrom !== undefined && { windowsFrom }),
    }
    return Object.keys(facts).length === 0 ? undefined : facts
  }
}

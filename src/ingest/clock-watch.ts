/**
 * Tells what clocks do to partitions, so that nothing stands still or goes missing without a reason: which one holds its task and why,
 * which one is paused, of which too many events came late or lay far ahead, and which event moved its time furthest.
 */
import { formatDuration } from '../config/units.ts'
import type { Degradations } from '../degraded.ts'
import type { NameOfPartition } from '../source/source.ts'
import { formatSpan } from '../text.ts'
import { AGREEING_MIN, FIRST_AGREEING_MIN, RECENT_EVENTS } from '../window/believed.ts'
import type { CarriedFacts } from '../window/facts.ts'
import type { Partition } from '../window/partition.ts'
import type { TimeRules } from '../window/task.ts'
import type { OwnedTasks } from './owned-tasks.ts'

/** A pause, or a time that stands still, is told when it lasts for so long; shorter ones are how partitions are kept abreast. */
const TOLD_AFTER_MS = 10_000
const PERIOD_MS = 60_000
/** Of the events of a period: more than this share late, and at least so many. */
const LATE_SHARE_MAX = 0.1
const LATE_MIN = 10
/** How long a start that had no checkpoint for windows far ahead is told. */
const INCOMPLETE_TOLD_MS = 3_600_000

/** What a partition was at the beginning of the period, and since when its time stands. Wall times in ms. */
interface Seen {
  late: number
  events: number
  far: number
  maxEventTime: number
  stoodAt: number
  /** Records and valid events that had been read by then. */
  readAt: number
  eventsAt: number
  /** The event that moved the time furthest in the period before. */
  furthestMs: number
  furthestOffset: number
}

const LATE_REMEDY = '; when they are dated rightly, raise time.outOfOrderness or time.allowedLateness'
const AHEAD_REMEDY =
  '; they are counted in windows of their own and move no watermark unless most others agree; mend the clock of their producer'

export class ClockWatch {
  readonly #owned: OwnedTasks
  readonly #degradations: Degradations
  readonly #rules: TimeRules
  readonly #nameOf: NameOfPartition
  readonly #seen = new WeakMap<Partition, Seen>()
  /** Names of partitions that began without a checkpoint for windows far ahead, and until when that is told. */
  readonly #incomplete = new Map<string, number>()
  #periodEnds = 0

  constructor(owned: OwnedTasks, degradations: Degradations, rules: TimeRules, nameOf: NameOfPartition) {
    this.#owned = owned
    this.#degradations = degradations
    this.#rules = rules
    this.#nameOf = nameOf
  }

  /** The partition begins at what its mark says, and not at a checkpoint. */
  begunByMark(partition: Partition, carried: CarriedFacts | undefined, now: number): void {
    const from = carried?.facts.windowsFrom
    if (carried === undefined || from === undefined || carried.offset !== partition.position) return
    const name = this.#nameOf(partition)
    this.#incomplete.set(name, now + INCOMPLETE_TOLD_MS)
    const message =
      `${name} begins at offset ${carried.offset}, without a checkpoint: windows more than time.maxJump ahead lack what lies before it, ` +
      `from offset ${from} on; to have it counted, replay those offsets, or start with the checkpoints`
    this.#degradations.report('farWindows', name, message)
  }

  /** To be called often; tells and takes back. */
  look(now: number): void {
    this.#tellPauses(now)
    this.#tellStanding(now)
    for (const [name, until] of this.#incomplete) if (now >= until) this.#incomplete.delete(name)
    this.#degradations.keepOnly('farWindows', new Set(this.#incomplete.keys()))
    if (now < this.#periodEnds) return
    this.#periodEnds = now + PERIOD_MS
    this.#tellPeriod()
  }

  #tellPauses(now: number): void {
    const told = new Set<string>()
    for (const partition of this.#owned.partitions) {
      if (!partition.paused || now - partition.pausedAt < TOLD_AFTER_MS) continue
      const name = this.#nameOf(partition)
      const slowest = this.#owned.tasks.get(partition.partition)?.time.slowest()
      const behind = slowest === undefined ? 'its task' : `${this.#nameOf(slowest)}, which stands at ${timeText(slowest.maxEventTime)}`
      const limit = formatDuration(this.#rules.maxDrift)
      const paused = `${name} is paused at ${timeText(partition.maxEventTime)}, more than time.maxDrift (${limit}) ahead of ${behind}`
      told.add(name)
      this.#degradations.report('alignment', name, `${paused}, until that comes up or counts as idle${this.#furthest(partition)}`)
    }
    this.#degradations.keepOnly('alignment', told)
  }

  #tellStanding(now: number): void {
    const told = new Set<string>()
    for (const partition of this.#owned.partitions) {
      const seen = this.#seenOf(partition, now)
      const { idle, ended, paused, maxEventTime } = partition
      if (idle || ended || paused || maxEventTime !== seen.maxEventTime) {
        seen.maxEventTime = maxEventTime
        seen.stoodAt = now
        seen.readAt = partition.read
        seen.eventsAt = partition.events
        continue
      }
      if (now - seen.stoodAt < TOLD_AFTER_MS || partition.read === seen.readAt) continue
      const why = this.#whyItStands(partition, seen)
      if (why === undefined) continue
      const name = this.#nameOf(partition)
      told.add(name)
      this.#degradations.report('timeStands', name, `${name} holds its task at ${timeText(maxEventTime)}: ${why}`)
    }
    this.#degradations.keepOnly('timeStands', told)
  }

  #whyItStands(partition: Partition, { eventsAt }: Seen): string | undefined {
    const { events, maxEventTime } = partition
    const { count, earliest } = partition.candidates.at(events, maxEventTime)
    const idle = `it counts as idle after ${formatDuration(this.#rules.idleTimeout)} without one`
    if (maxEventTime === Number.NEGATIVE_INFINITY && events > 0)
      return `only ${events} of the ${FIRST_AGREEING_MIN} events have come that its time begins with; ${idle}`
    if (count > 0) {
      const ahead = `${count} of its last ${RECENT_EVENTS} events are dated ${timeText(earliest)} or later, more than time.maxJump ahead`
      return `${ahead}, and move it when ${AGREEING_MIN} do; if that is not a gap in the traffic, mend their producer's clock`
    }
    if (events > eventsAt) return undefined // they are earlier than others before them
    return `none of the records that it brings is a valid event, see the dead letters; ${idle}`
  }

  #tellPeriod(): void {
    const late = new Set<string>()
    const ahead = new Set<string>()
    for (const partition of this.#owned.partitions) {
      const seen = this.#seenOf(partition, 0)
      const name = this.#nameOf(partition)
      const events = partition.events - seen.events
      const lateNow = partition.late - seen.late
      const far = partition.candidates.far - seen.far
      seen.furthestMs = partition.furthestMs
      seen.furthestOffset = partition.furthestOffset
      if (lateNow >= LATE_MIN && lateNow > events * LATE_SHARE_MAX) {
        late.add(name)
        const share = `${lateNow} of ${events} events of the last minute of ${name} came too late`
        const time = `its time is ${timeText(partition.maxEventTime)}`
        this.#degradations.report('lateness', name, `${share}, ${time}${this.#furthest(partition)}${LATE_REMEDY}`)
      }
      // Where every event is far ahead of the one before, that is how far apart they are.
      if (far > 0 && far < events) {
        ahead.add(name)
        const { lastOffset, lastTime } = partition.candidates
        const last = `the last at offset ${lastOffset}, dated ${timeText(lastTime)}`
        const message = `${far} of ${events} events of the last minute of ${name} lie more than time.maxJump ahead of it, ${last}`
        this.#degradations.report('clockAhead', name, `${message}${AHEAD_REMEDY}`)
      }
      seen.late = partition.late
      seen.events = partition.events
      seen.far = partition.candidates.far
      partition.furthestMs = 0
      partition.furthestOffset = -1
    }
    this.#degradations.keepOnly('lateness', late)
    this.#degradations.keepOnly('clockAhead', ahead)
  }

  /** Which event moved it furthest lately; '' when none did. */
  #furthest(partition: Partition): string {
    const { furthestMs, furthestOffset } = this.#seen.get(partition) ?? partition
    const [ms, offset] = partition.furthestMs > furthestMs ? [partition.furthestMs, partition.furthestOffset] : [furthestMs, furthestOffset]
    if (offset < 0) return ''
    return `; offset ${offset} moved it furthest lately, by ${formatSpan(ms)}: if that is dated wrongly, mend its producer's clock`
  }

  #seenOf(partition: Partition, now: number): Seen {
    let seen = this.#seen.get(partition)
    if (seen === undefined) {
      const { maxEventTime, read, events } = partition
      seen = { late: 0, events: 0, far: 0, maxEventTime, stoodAt: now, readAt: read, eventsAt: events, furthestMs: 0, furthestOffset: -1 }
      this.#seen.set(partition, seen)
    }
    return seen
  }
}

/** For people. */
function timeText(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : 'no time yet'
}

/**
 * Looks once a minute at what comes in, and says what is wrong with it: topics of which many records are invalid, or most are not counted,
 * and topics of which more comes than is read. None of it makes the process unready: that would keep a remedy from being rolled out. Of a
 * topic that is to be held at it, reading is stopped.
 */
import type { Clock } from '../clock.ts'
import type { Degradations } from '../degraded.ts'
import { REASONS } from '../format/reasons.ts'
import { LateReport } from '../ingest/late.ts'
import type { NameOfPartition } from '../source/source.ts'
import { formatCount } from '../text.ts'
import type { Partition } from '../window/partition.ts'

const PERIOD_MS = 60_000
/** A larger share of a minute's records is told; of fewer records nothing is. */
const INVALID_SHARE_MAX = 0.1
const INVALID_RECORDS_MIN = 100
/** So many minutes in a row the lag must have grown, and to more than is read in LAG_MIN_SECONDS. */
const LAG_GROWS_MINUTES = 5
const LAG_MIN_SECONDS = 10

interface Log {
  warn(fields: Record<string, unknown>, message: string): void
}

/** What was counted of a partition when it was last looked at. */
interface Seen {
  readonly read: number
  readonly more: number
  readonly invalid: number
  readonly late: number
  readonly ignored: number
  readonly invalidBy: readonly number[]
}

/** What a minute has brought of a topic. */
interface Minute {
  read: number
  /** Events beyond one a record. */
  more: number
  invalid: number
  late: number
  ignored: number
  readonly invalidBy: number[]
  /** Of those partitions of which it is known. */
  lag: number
  partitions: number
}

/** The lag of a topic over the last minutes. */
interface LagTrend {
  readonly lag: number
  readonly partitions: number
  /** In how many minutes in a row it has grown. */
  readonly grown: number
}

const NOTHING: Seen = { read: 0, more: 0, invalid: 0, late: 0, ignored: 0, invalidBy: [] }

/** A topic, the share of its records that may not be counted, 0 to 1, and whether more of them stop its reading. */
export interface WatchedTopic {
  readonly name: string
  readonly alarmNotCounted: number
  readonly holds?: boolean
}

export class DataWatch {
  readonly #topics: readonly WatchedTopic[]
  readonly #degradations: Degradations
  readonly #clock: Clock
  readonly #hold: (topicIndex: number, why: string) => void
  readonly #late: LateReport
  readonly #seen = new WeakMap<Partition, Seen>()
  readonly #trends = new Map<string, LagTrend>()
  #dueAt: number

  constructor(
    topics: readonly WatchedTopic[],
    nameOf: NameOfPartition,
    degradations: Degradations,
    log: Log,
    clock: Clock,
    hold = (_: number, __: string): void => {},
  ) {
    this.#hold = hold
    this.#topics = topics
    this.#degradations = degradations
    this.#clock = clock
    this.#late = new LateReport(nameOf, log, clock)
    this.#dueAt = clock() + PERIOD_MS
  }

  /** May be called as often as one likes. */
  look(partitions: readonly Partition[]): void {
    this.#late.tell(partitions)
    const now = this.#clock()
    if (now < this.#dueAt) return
    this.#dueAt = now + PERIOD_MS
    for (const [topicIndex, topic] of this.#topics.entries()) {
      const minute = this.#minuteOf(partitions.filter((one) => one.topicIndex === topicIndex))
      this.#judgeInvalid(topic.name, minute)
      this.#judgeCounted(topicIndex, topic, minute)
      this.#judgeLag(topic.name, minute)
    }
  }

  /** What is to be said at the end of a run. */
  end(partitions: readonly Partition[]): void {
    this.#late.tell(partitions, true)
  }

  #minuteOf(partitions: readonly Partition[]): Minute {
    const minute: Minute = { read: 0, more: 0, invalid: 0, late: 0, ignored: 0, invalidBy: [], lag: 0, partitions: partitions.length }
    for (const partition of partitions) {
      const { read, more, invalid, late, ignored, invalidBy } = partition
      const before = this.#seen.get(partition) ?? NOTHING
      this.#seen.set(partition, { read, more, invalid, late, ignored, invalidBy: [...invalidBy] })
      minute.read += read - before.read
      minute.more += more - before.more
      minute.invalid += invalid - before.invalid
      minute.late += late - before.late
      minute.ignored += ignored - before.ignored
      for (const [reason, count] of invalidBy.entries())
        minute.invalidBy[reason] = (minute.invalidBy[reason] ?? 0) + (count ?? 0) - (before.invalidBy[reason] ?? 0)
      if (partition.endOffset >= 0) minute.lag += Math.max(0, partition.endOffset - partition.position)
    }
    return minute
  }

  #judgeInvalid(topic: string, { read, invalid, invalidBy }: Minute): void {
    if (read < INVALID_RECORDS_MIN || invalid <= read * INVALID_SHARE_MAX) {
      this.#degradations.clear('invalid', topic)
      return
    }
    const most = invalidBy.reduce((best, count, reason) => (count > (invalidBy[best] ?? 0) ? reason : best), 0)
    const share = `${Math.round((100 * invalid) / read)} % of the ${formatCount(read)} records of ${topic} in the last minute are invalid`
    this.#degradations.report('invalid', topic, `${share}, most of them ${REASONS[most]}; the dead letters show them`)
  }

  #judgeCounted(
    topicIndex: number,
    { name, alarmNotCounted, holds = false }: WatchedTopic,
    { read, invalid, late, ignored }: Minute,
  ): void {
    const missing = invalid + late + ignored
    if (read < INVALID_RECORDS_MIN || missing <= read * alarmNotCounted) {
      this.#degradations.clear('notCounted', name)
      return
    }
    const records = `the ${formatCount(read)} records of ${name} in the last minute`
    const share = `${Math.round((100 * missing) / read)} % of ${records} are not counted`
    const terms = `${formatCount(ignored)} are ignored, ${formatCount(invalid)} invalid, ${formatCount(late)} late`
    const most = Math.max(invalid, late, ignored)
    const remedy =
      most === ignored
        ? 'events.types says which types count'
        : most === invalid
          ? 'the dead letters show why, and events says how records are read'
          : 'raise time.outOfOrderness or time.allowedLateness'
    this.#degradations.report('notCounted', name, `${share}: ${terms}; ${remedy}`)
    if (!holds) return
    const since = `${share} (${terms}), and events.onNothingCounted holds it`
    const next = 'restart with what is said in events put right; what was read since before needs a reset of the offsets, if it is to count'
    const message = `${name} is read no further: ${since}; ${remedy}; ${next}`
    this.#degradations.report('held', name, message)
    this.#hold(topicIndex, message)
  }

  #judgeLag(topic: string, { read, more, lag, partitions }: Minute): void {
    const before = this.#trends.get(topic)
    const grows = before !== undefined && before.partitions === partitions && lag > before.lag
    const grown = grows && before !== undefined ? before.grown + 1 : 0
    this.#trends.set(topic, { lag, partitions, grown })
    const perSecond = ((read - more) * 1000) / PERIOD_MS
    if (grown < LAG_GROWS_MINUTES || lag <= perSecond * LAG_MIN_SECONDS) {
      if (!grows) this.#degradations.clear('lag', topic)
      return
    }
    const what = `the lag of ${topic} has grown for ${grown} minutes, to ${formatCount(lag)} records`
    const remedy = `${formatCount(perSecond)} a second are read: start more processes of the group, or see what holds this one back`
    this.#degradations.report('lag', topic, `${what}; ${remedy}`)
  }
}

/**
 * What keeps a task's time and products going beside its deliveries:
 *
 *   advance    its watermark is published, and partitions that run ahead of the slowest one are paused until the others have come up
 *   idleness   partitions that are at their end and bring nothing don't hold their task's watermark back, until they bring something again
 *   sweep      products not seen for the TTL are forgotten
 */
import { type Clock, sleep } from '../clock.ts'
import type { Degradations } from '../degraded.ts'
import type { SchemaKey } from '../format/schemas.ts'
import { putForget } from '../ring/blocks.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import type { NameOfPartition, Source } from '../source/source.ts'
import type { CarriedFacts } from '../window/facts.ts'
import type { Partition } from '../window/partition.ts'
import { isHeldOpen, isIdle, type TimeRules } from '../window/task.ts'
import type { Broadcasts } from './broadcasts.ts'
import { ClockWatch } from './clock-watch.ts'
import type { TaskInput } from './cursor.ts'
import { LossWatch } from './loss-watch.ts'
import type { OwnedTasks } from './owned-tasks.ts'
import { type AwaitedSchemas, SchemaHolds } from './schema-holds.ts'
import type { StateBound } from './state-bound.ts'

/** What is known of the end of a paused or idle partition is asked again when it is older. */
const END_MAX_AGE_MS = 1000
/** An idle partition whose end can't be heard for so long, or for the idle timeout if that is longer, is not taken for idle any more. */
const IDLE_UNHEARD_MAX_MS = 10_000
/** A maintenance that comes later than this says that the process stood still (SIGSTOP, a suspended machine). */
const STOOD_STILL_MS = 5_000
/** How soon a delivery that is held looks again whether it may go on. */
const HELD_LOOK_MS = 50
/** Near the bound of state the dictionaries are gone round so many times faster. */
const NEAR_SWEEPS = 10

/** Times in ms. */
export interface UpkeepOptions {
  readonly rules: TimeRules
  readonly stateTtl: number
  /** A dictionary is gone round in so many calls of `maintain`. */
  readonly sweepsPerRound: number
  /** Without an end, tasks that nothing comes for are emitted by the wall clock. */
  readonly bounded: boolean
  readonly writers: readonly RingWriter[]
  /** To be paused, resumed and asked. */
  readonly source: Pick<Source, 'pause' | 'resume' | 'rewind' | 'refreshEndOffsets'>
  readonly degradations: Degradations
  /** Of products and windows in memory. */
  readonly bound: StateBound
  /** Of formats whose records name one. */
  readonly schemas?: AwaitedSchemas | undefined
  /** For what is told. */
  readonly nameOf: NameOfPartition
  readonly clock: Clock
}

export class Upkeep {
  /** undefined when no record names a schema. */
  readonly holds: SchemaHolds | undefined
  readonly #options: UpkeepOptions
  readonly #owned: OwnedTasks
  readonly #broadcasts: Broadcasts
  readonly #clocks: ClockWatch
  readonly #losses: LossWatch
  #askedEndOffsetsAt = 0
  #maintainedAt: number | undefined
  #letGo = false
  readonly #heldTopics = new Set<number>()

  constructor(options: UpkeepOptions, owned: OwnedTasks, broadcasts: Broadcasts) {
    this.#options = options
    this.#owned = owned
    this.#broadcasts = broadcasts
    const { schemas, degradations, nameOf, clock } = options
    this.holds = schemas && new SchemaHolds(owned, schemas, degradations, nameOf, clock)
    this.#clocks = new ClockWatch(owned, options.degradations, options.rules, options.nameOf)
    this.#losses = new LossWatch(owned, options.degradations, options.rules, options.nameOf)
  }

  /** See ClockWatch. */
  begunByMark(partition: Partition, carried: CarriedFacts | undefined): void {
    this.#clocks.begunByMark(partition, carried, this.#options.clock())
  }

  /** Publishes the task's watermark if the workers would do something at it, and aligns its partitions. */
  async advance(task: TaskInput): Promise<void> {
    while (!this.tryAdvance(task)) if (!(await this.#broadcasts.ringRoom(this.#broadcasts.fullRing))) return
  }

  /** The same without waiting; false when a ring is full. */
  tryAdvance({ time }: TaskInput): boolean {
    if (!this.#broadcasts.tryPublish(time)) return false
    const { pause, resume } = time.alignment()
    const { source, clock } = this.#options
    for (const partition of pause) {
      partition.paused = true
      partition.pausedAt = clock()
      this.awake(partition)
      source.pause(partition.topicIndex, partition.partition)
    }
    for (const partition of resume) {
      partition.paused = false
      partition.lastRecordAt = clock()
      source.resume(partition.topicIndex, partition.partition)
    }
    return true
  }

  /**
   * Waits while a delivery of the partition may not be read on: when there is no room for a new product (`full`), when windows take too
   * much, when its topic is held, or when the partition is paused in the middle of a delivery and has more windows open than the rules of
   * time can need. False: give up, for the run ends or the partition has left. `release` is called before it waits.
   */
  async mayRead({ time }: TaskInput, partition: Partition, full: boolean, release: () => void): Promise<boolean> {
    const { bound, rules } = this.#options
    const most = time.windows.openMax(rules.maxDrift)
    const runsAhead = () => partition.paused && partition.windows.size >= most && partition.nearWindows() >= most
    const held = () => this.isHeld(partition.topicIndex) || bound.over || runsAhead()
    for (let must = full; must || held(); must = false) {
      release()
      const forRoom = full || bound.over
      if (forRoom) bound.waiting++
      const goesOn = this.isHeld(partition.topicIndex) ? await this.#rest() : await this.#broadcasts.room(sleep(HELD_LOOK_MS))
      if (forRoom) bound.waiting--
      if (!goesOn || this.#letGo || !this.#owned.partitions.includes(partition)) return false
    }
    return true
  }

  /** Of a topic that is held: it waits for no room, and nobody for it. False when the run ends. */
  async #rest(): Promise<boolean> {
    await sleep(HELD_LOOK_MS)
    return !this.#broadcasts.stopped
  }

  /**
   * Waits for the schema of the record at which the partition stands. False: the delivery is given up, for the run ends, the partition has
   * left, or it takes so long that the source is to deliver it again.
   */
  async schemaComes(partition: Partition, key: SchemaKey): Promise<boolean> {
    const { source } = this.#options
    const goesOn = () => !this.#letGo && !this.#broadcasts.stopped && this.#owned.partitions.includes(partition)
    const end = await this.holds?.wait(partition, key, source.rewind !== undefined, goesOn)
    if (end === 'long') {
      source.pause(partition.topicIndex, partition.partition)
      source.rewind?.(partition.topicIndex, partition.partition, partition.position)
    }
    return end === 'here'
  }

  /** Of the products of a kept task, before they are put back. Throws CTR_STATE_TOO_LARGE when they don't fit beside the others. */
  makeSureOfRoom(task: number, products: number, keyBytes: number): void {
    this.#options.bound.makeSureOfRoom(task, products, keyBytes)
  }

  /** So much is in memory that nothing is to be read. */
  get over(): boolean {
    return this.#options.bound.over
  }

  /** The topic is read no further in this run. */
  hold(topicIndex: number): void {
    this.#heldTopics.add(topicIndex)
  }

  /** Whether `hold` was called of the topic. */
  isHeld(topicIndex: number): boolean {
    return this.#heldTopics.has(topicIndex)
  }

  /** The source is about to stop: what is held is given up, and read again by the next start. */
  letGo(): void {
    this.#letGo = true
  }

  /** The partition holds its task's watermark again, for the idle timeout at least. */
  awake(partition: Partition): void {
    if (!partition.idle) return
    partition.idle = false
    partition.lastRecordAt = this.#options.clock()
  }

  /** Whether an open transaction holds the partition. */
  holdsOpen(partition: Partition): boolean {
    return isHeldOpen(partition, this.#options.clock(), this.#options.rules.openTransactionHold)
  }

  /** Finds partitions that have gone idle, lets watermarks move on without them, and forgets products not seen for the TTL. */
  async maintain(): Promise<void> {
    const { clock, rules } = this.#options
    const { tasks, partitions } = this.#owned
    const now = clock()
    const stoodStill = now - (this.#maintainedAt ?? now) >= Math.max(STOOD_STILL_MS, rules.idleTimeout / 2)
    this.#maintainedAt = now
    await this.#broadcasts.tellLeft()
    // What is heard first may be as old as the standstill: nobody is idle by it.
    if (stoodStill) for (const partition of partitions) partition.lastRecordAt = now
    this.#markIdle(now)
    for (const task of [...tasks.values()]) {
      // What moves now is moved by no record.
      task.time.heardAt = Number.NaN
      await this.advance(task)
    }
    this.#broadcasts.wake()
    this.#clocks.look(now)
    this.#losses.look(now)
    this.#lookAtHolds(now)
    this.#options.bound.look()
    if (this.#options.bounded)
      this.#options.bound.failWhenStuck(
        now,
        partitions.reduce((sum, { read }) => sum + read, 0),
      )
    this.#sweep()
  }

  #lookAtHolds(now: number): void {
    const { source, bounded } = this.#options
    // What alignment has paused goes on when alignment says so.
    for (const { topicIndex, partition, paused } of this.holds?.comeTo() ?? []) if (!paused) source.resume(topicIndex, partition)
    this.holds?.look(now, bounded)
  }

  /** Emits what has ended on the wall clock in tasks that nothing comes for. */
  async emitQuiet(): Promise<void> {
    if (this.#options.bounded) return
    for (const { time } of [...this.#owned.tasks.values()]) if (time.quiet) await this.#broadcasts.quiet(time.task)
  }

  #markIdle(now: number): void {
    const { idleTimeout } = this.#options.rules
    const unsure: Partition[] = []
    for (const partition of this.#owned.partitions) {
      const unheard = now - partition.endOffsetHeardAt
      if ((partition.paused || partition.idle) && unheard >= END_MAX_AGE_MS) unsure.push(partition)
      if (partition.idle && unheard > Math.max(idleTimeout, IDLE_UNHEARD_MAX_MS)) this.awake(partition)
      if (partition.idle || partition.ended || partition.paused || now - partition.lastRecordAt < idleTimeout) continue
      if (this.holdsOpen(partition)) continue
      if (isIdle(partition, now, idleTimeout)) partition.idle = true
      else unsure.push(partition)
    }
    if (unsure.length === 0 || now - this.#askedEndOffsetsAt < Math.min(1000, idleTimeout)) return
    this.#askedEndOffsetsAt = now
    this.#options.source.refreshEndOffsets(unsure).catch(() => {}) // asked again next time
  }

  #sweep(): void {
    const { stateTtl, sweepsPerRound, writers, bound } = this.#options
    const { near } = bound
    const sweeps = near ? Math.ceil(sweepsPerRound / NEAR_SWEEPS) : sweepsPerRound
    for (const { time, dictionary } of this.#owned.tasks.values()) {
      if (!Number.isFinite(time.published)) continue
      const horizon = Math.min(near ? time.published : time.published - stateTtl, time.windows.purgedUpTo(time.published))
      dictionary.sweep(horizon, Math.ceil(dictionary.entries / sweeps), (worker, id) => {
        const writer = writers[worker]
        return writer !== undefined && putForget(writer, time.task, id)
      })
    }
  }
}

/**
 * What keeps a task's time and products going beside its deliveries:
 *
 *   advance    its watermark is published, and partitions that run ahead of the slowest one are paused until the others have come up
 *   idleness   partitions that are at their end and bring nothing don't hold their task's watermark back, until they bring something again
 *   sweep      products not seen for the TTL are forgotten
 */
import type { Clock } from '../clock.ts'
import { putForget } from '../ring/blocks.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import type { Source } from '../source/source.ts'
import type { Partition } from '../window/partition.ts'
import { isIdle, type TimeRules } from '../window/task.ts'
import type { Broadcasts } from './broadcasts.ts'
import type { TaskInput } from './cursor.ts'
import type { OwnedTasks } from './owned-tasks.ts'

/** What is known of the end of a paused or idle partition is asked again when it is older. */
const END_MAX_AGE_MS = 1000
/** An idle partition whose end can't be heard for so long, or for the idle timeout if that is longer, is not taken for idle any more. */
const IDLE_UNHEARD_MAX_MS = 10_000
/** A maintenance that comes later than this says that the process stood still (SIGSTOP, a suspended machine). */
const STOOD_STILL_MS = 5_000

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
  readonly source: Pick<Source, 'pause' | 'resume' | 'refreshEndOffsets'>
  readonly clock: Clock
}

export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #owned: OwnedTasks
  readonly #broadcasts: Broadcasts
  #askedEndOffsetsAt = 0
  #maintainedAt: number | undefined

  constructor(options: UpkeepOptions, owned: OwnedTasks, broadcasts: Broadcasts) {
    this.#options = options
    this.#owned = owned
    this.#broadcasts = broadcasts
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

  /** The partition holds its task's watermark again, for the idle timeout at least. */
  awake(partition: Partition): void {
    if (!partition.idle) return
    partition.idle = false
    partition.lastRecordAt = this.#options.clock()
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
    for (const task of [...tasks.values()]) await this.advance(task)
    this.#broadcasts.wake()
    this.#sweep()
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
      if (isIdle(partition, now, idleTimeout)) partition.idle = true
      else unsure.push(partition)
    }
    if (unsure.length === 0 || now - this.#askedEndOffsetsAt < Math.min(1000, idleTimeout)) return
    this.#askedEndOffsetsAt = now
    this.#options.source.refreshEndOffsets(unsure).catch(() => {}) // asked again next time
  }

  #sweep(): void {
    const { stateTtl, sweepsPerRound, writers } = this.#options
    for (const { time, dictionary } of this.#owned.tasks.values()) {
      if (!Number.isFinite(time.published)) continue
      const horizon = Math.min(time.published - stateTtl, time.windows.purgedUpTo(time.published))
      dictionary.sweep(horizon, Math.ceil(dictionary.entries / sweepsPerRound), (worker, id) => {
        const writer = writers[worker]
        return writer !== undefined && putForget(writer, time.task, id)
      })
    }
  }
}

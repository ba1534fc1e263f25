/**
 * The source's handler: the partitions and tasks this process owns, their deliveries, and everything main tells the workers.
 *
 * Whatever goes into the rings goes in from here, in one synchronous step each, so the order in the rings is the order in which main
 * decided. A full ring makes the caller await room, and the source with it: that is the backpressure.
 */

import { assert } from '../assert.ts'
import type { DecodedTask } from '../checkpoint/task-object-reader.ts'
import type { Clock } from '../clock.ts'
import { REASONS } from '../format/reasons.ts'
import { Dictionary } from '../products/dictionary.ts'
import { tryBroadcast, tryBroadcastCheckpoint } from '../ring/broadcast.ts'
import { BLOCK, type BlockKind } from '../ring/layout.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import type { AssignedPartition, LowWaterMark, OfferedPartition, RecordBatches, Source, SourceHandler } from '../source/source.ts'
import type { TaskFacts } from '../window/facts.ts'
import { Partition } from '../window/partition.ts'
import { isIdle, Task } from '../window/task.ts'
import { Cursor, type TaskInput } from './cursor.ts'
import { DONE, type Ingest, type IngestRules, type IngestStatus, MANY_WINDOWS, RING_FULL } from './ingest.ts'
import { reload } from './reload.ts'

/** What is known of the end of a paused or idle partition is asked again when it is older. */
const END_MAX_AGE_MS = 1000
/** An idle partition whose end can't be heard for so long, or for the idle timeout if that is longer, is not taken for idle any more. */
const IDLE_UNHEARD_MAX_MS = 10_000

/** How a task begins: in which lineage, and with what was kept of it; `state` is undefined when it had no open pane. */
interface TaskStart {
  readonly lineage: number
  readonly kept: { readonly facts: TaskFacts; readonly state: DecodedTask | undefined } | undefined
}

/** A maintenance that comes later than this says that the process stood still (SIGSTOP, a suspended machine). */
const STOOD_STILL_MS = 5_000

export interface IntakeOptions {
  readonly rules: IngestRules
  readonly topics: readonly string[]
  readonly stateTtl: number
  /** A dictionary is gone round in so many calls of `maintain`. */
  readonly sweepsPerRound: number
  /** The run ends when every partition has reached its end. */
  readonly bounded: boolean
  readonly writers: readonly RingWriter[]
  readonly ingest: Ingest
  readonly lettersRoom: () => Promise<void>
  /** Waits for a worker's ring. */
  readonly ringRoom: (worker: number) => Promise<void>
  /** How tasks begin, by task; those it leaves out begin as offered. Rejects to end the run. */
  readonly begin: (offered: readonly OfferedPartition[]) => Promise<ReadonlyMap<number, TaskStart>>
  readonly clock: Clock
  readonly onFailed: (error: unknown) => void
}

export class Intake implements SourceHandler {
  readonly tasks = new Map<number, TaskInput>()
  readonly partitions: Partition[] = []
  /** Records read, by topic index, from partitions that have left since. */
  readonly readBefore: number[] = []
  /** How long the last restore of tasks took, ms; from asking for them to their last cell in a ring. */
  restoreMs = 0
  /** Wall time, ms, that deliveries waited for a ring or the dead letters. */
  backpressureMs = 0
  /** Who waits for a ring or the dead letters now. */
  waiting = 0
  /** Resolves when every partition of a bounded run has reached its end. */
  readonly ended: Promise<void>
  readonly #options: IntakeOptions
  #source: Source | undefined
  #resolveEnded: () => void = () => {}
  /** Tasks put back into the rings, until their partitions are assigned. */
  readonly #prepared = new Map<number, { readonly input: TaskInput; readonly facts: TaskFacts | undefined }>()
  readonly #dropped: number[] = []
  #telling: Promise<void> | undefined
  #stopped = false
  #askedEndOffsetsAt = 0
  #maintainedAt: number | undefined

  constructor(options: IntakeOptions) {
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
  }

  /** The source that deliveries come from, to be paused, resumed and asked. */
  bind(source: Source): void {
    this.#source = source
  }

  /** Nothing more is put into the rings; whoever waits for room gives up. */
  stop(): void {
    this.#stopped = true
  }

  /** One call at a time, of whole tasks that this process doesn't have. */
  async restore(offered: readonly OfferedPartition[]): Promise<readonly AssignedPartition[]> {
    const { topics, begin, ringRoom, writers } = this.#options
    const begun = this.#options.clock()
    const starts = await begin(offered)
    await this.#tellDropped()
    let restored = 0
    for (const [task, { lineage, kept }] of starts) {
      const input = this.#newTask(task, lineage)
      this.#prepared.set(task, { input, facts: kept?.facts })
      if (kept === undefined) continue
      const { facts, state } = kept
      input.time.published = facts.published ?? Number.NEGATIVE_INFINITY
      const room = (worker: number) => this.#wait(ringRoom(worker)).then(() => !this.#stopped)
      const open = new Set(facts.partitions.flatMap(({ windows }) => windows.map(({ end }) => end)))
      if (state !== undefined) await reload(state, input, writers, open, room)
      // What had ended by then is due: the object may be older than its emission.
      if (facts.published !== null) await this.tell(BLOCK.watermark, task, 0, facts.published)
      restored++
    }
    if (restored > 0) this.restoreMs = this.#options.clock() - begun
    return offered.map((offer) => {
      const facts = this.#prepared.get(offer.partition)?.facts?.partitions.find(({ topic }) => topic === topics[offer.topicIndex])
      if (facts === undefined) return offer
      return { ...offer, position: facts.position, maxEventTime: facts.maxEventTime ?? undefined, totals: facts.totals }
    })
  }

  assigned(assigned: readonly AssignedPartition[]): void {
    const now = this.#options.clock()
    for (const start of assigned) {
      const { topicIndex, partition, endOffset } = start
      const state = new Partition(topicIndex, partition, start, REASONS, now)
      if (endOffset !== undefined) {
        state.boundOffset = endOffset
        state.endOffset = endOffset
        state.endOffsetHeardAt = now
      }
      const prepared = this.#prepared.get(partition)
      const task = this.tasks.get(partition) ?? prepared?.input ?? this.#newTask(partition)
      this.tasks.set(partition, task)
      const facts = prepared?.facts?.partitions.find(({ topic }) => topic === this.#options.topics[topicIndex])
      if (facts !== undefined) state.reopen(facts.windows)
      task.time.partitions.push(state)
      this.partitions.push(state)
    }
    for (const { partition } of assigned) {
      this.#prepared.delete(partition)
      // The rules may have changed since: what is purged by now is not open.
      const time = this.tasks.get(partition)?.time
      if (time !== undefined && Number.isFinite(time.published)) time.publish(time.published)
    }
    // Only now that all are known: one that is at its end already must not end the run for the others.
    for (const partition of this.partitions) this.#checkEnd(partition)
    if (this.partitions.length === 0 && this.#options.bounded) this.#resolveEnded()
  }

  revoked(revoked: readonly { topicIndex: number; partition: number }[]): void {
    for (const { topicIndex, partition } of revoked) {
      if (this.#prepared.delete(partition)) this.#dropped.push(partition)
      const state = this.#find(topicIndex, partition)
      const task = this.tasks.get(partition)
      if (state === undefined || task === undefined) continue
      this.partitions.splice(this.partitions.indexOf(state), 1)
      task.time.partitions.splice(task.time.partitions.indexOf(state), 1)
      this.readBefore[topicIndex] = (this.readBefore[topicIndex] ?? 0) + state.read
      if (task.time.partitions.length > 0) continue
      this.tasks.delete(partition)
      this.#dropped.push(partition)
    }
    if (this.#options.bounded && this.partitions.length > 0) for (const partition of this.partitions) this.#checkEnd(partition)
  }

  /** Without a wait, which is the rule, it is done when it returns: no promise per delivery. */
  batch(batches: RecordBatches): Promise<void> | undefined {
    if (this.#stopped) return undefined
    if (this.#dropped.length > 0) return this.#tellDropped().then(() => this.batch(batches))
    const partition = this.#find(batches.topicIndex, batches.partition)
    const task = this.tasks.get(batches.partition)
    assert(partition !== undefined && task !== undefined, 'records come of partitions that are assigned', {
      topicIndex: batches.topicIndex,
      partition: batches.partition,
    })
    partition.lastRecordAt = this.#options.clock()
    partition.idle = false
    const cursor = new Cursor(task, partition, batches.bytes, batches.start, batches.end)
    const status = this.#options.ingest.run(cursor)
    if (status !== DONE || this.#tryAdvance(task) >= 0) return this.#readRest(cursor, status)
    this.#checkEnd(partition)
    return undefined
  }

  skipped(topicIndex: number, partition: number, position: number): void {
    const state = this.#find(topicIndex, partition)
    if (state === undefined) return
    if (position > state.position) state.position = position
    this.#checkEnd(state)
  }

  corrupt({ topicIndex, partition, bytes, start, end }: RecordBatches, nextPosition: number, reason: string): void {
    const state = this.#find(topicIndex, partition)
    const task = this.tasks.get(partition)
    if (state === undefined || task === undefined) return
    this.#options.ingest.refuse(new Cursor(task, state, bytes, start, end), nextPosition, reason)
    this.#checkEnd(state)
  }

  endOffset(topicIndex: number, partition: number, endOffset: number): void {
    const state = this.#find(topicIndex, partition)
    if (state === undefined) return
    state.endOffset = endOffset
    state.endOffsetHeardAt = this.#options.clock()
    if (endOffset > state.position) this.#awake(state)
    if (this.#options.bounded && state.boundOffset === Number.POSITIVE_INFINITY) state.boundOffset = endOffset
    this.#checkEnd(state)
  }

  failed(error: unknown): void {
    this.#options.onFailed(error)
  }

  /** Publishes the task's watermark if the workers would do something at it, and aligns its partitions. */
  async advance(task: TaskInput): Promise<void> {
    for (let full = this.#tryAdvance(task); full >= 0; full = this.#tryAdvance(task)) {
      await this.#wait(this.#roomIn(full))
      if (this.#stopped) return
    }
  }

  /** Puts a block into every ring, waiting for room. `cut` runs in the same step in which the block went in. */
  async tell(kind: BlockKind, task: number, aux: number, time: number, cut?: () => void): Promise<void> {
    await this.#put(() => tryBroadcast(this.#options.writers, kind, task, aux, time), cut)
  }

  /** The same for a checkpoint barrier; which tasks are to be copied is asked in that step too. */
  async tellCheckpoint(number: number, tasks: () => readonly number[], cut: (copied: readonly number[]) => void): Promise<void> {
    let copied: readonly number[] = []
    const tryPut = () => {
      copied = tasks()
      return tryBroadcastCheckpoint(this.#options.writers, number, copied)
    }
    await this.#put(tryPut, () => cut(copied))
  }

  async #put(tryPut: () => number, cut?: () => void): Promise<void> {
    for (let full = 0; full >= 0; ) {
      if (this.#stopped) return
      full = tryPut()
      if (full < 0) cut?.()
      else await this.#wait(this.#roomIn(full))
    }
  }

  /** Finds partitions that have gone idle, lets watermarks move on without them, and forgets products not seen for the TTL. */
  async maintain(): Promise<void> {
    const now = this.#options.clock()
    const stoodStill = now - (this.#maintainedAt ?? now) >= Math.max(STOOD_STILL_MS, this.#options.rules.idleTimeout / 2)
    this.#maintainedAt = now
    await this.#tellDropped()
    // What is heard first may be as old as the standstill: nobody is idle by it.
    if (stoodStill) for (const partition of this.partitions) partition.lastRecordAt = now
    this.#markIdle(now)
    for (const task of [...this.tasks.values()]) await this.advance(task)
    for (const writer of this.#options.writers) writer.wake()
    this.#sweep()
  }

  /** Emits what has ended on the wall clock in tasks that nothing comes for. */
  async emitQuiet(): Promise<void> {
    if (this.#options.bounded) return
    for (const { time } of [...this.tasks.values()]) if (time.quiet) await this.tell(BLOCK.quiet, time.task, 0, this.#options.clock())
  }

  #newTask(task: number, lineage = 0): TaskInput {
    return { time: new Task(task, this.#options.rules, lineage), dictionary: new Dictionary(this.#options.writers.length) }
  }

  lowWaterMarks(): LowWaterMark[] {
    return this.partitions.map((partition) => ({
      topicIndex: partition.topicIndex,
      partition: partition.partition,
      ...partition.lowWater(),
      lineage: this.tasks.get(partition.partition)?.time.lineage,
    }))
  }

  async #readRest(cursor: Cursor, first: IngestStatus): Promise<void> {
    const { ingest, lettersRoom } = this.#options
    for (let status = first; status !== DONE; status = ingest.run(cursor)) {
      if (status === MANY_WINDOWS) await this.advance(cursor.task)
      else await this.#wait(status === RING_FULL ? this.#roomIn(ingest.fullWorker) : lettersRoom())
      if (this.#stopped || !this.partitions.includes(cursor.partition)) return
    }
    await this.advance(cursor.task)
    this.#checkEnd(cursor.partition)
  }

  /** As `advance`, without waiting: the index of a ring that is too full, or -1 when done. */
  #tryAdvance({ time }: TaskInput): number {
    const watermark = time.watermark()
    if (time.mustPublish(watermark)) {
      const full = tryBroadcast(this.#options.writers, BLOCK.watermark, time.task, 0, watermark)
      if (full >= 0) return full
      time.publish(watermark)
    }
    const { pause, resume } = time.alignment()
    for (const partition of pause) {
      partition.paused = true
      this.#awake(partition)
      this.#source?.pause(partition.topicIndex, partition.partition)
    }
    for (const partition of resume) {
      partition.paused = false
      partition.lastRecordAt = this.#options.clock()
      this.#source?.resume(partition.topicIndex, partition.partition)
    }
    return -1
  }

  #markIdle(now: number): void {
    const { idleTimeout } = this.#options.rules
    const unsure: Partition[] = []
    for (const partition of this.partitions) {
      const unheard = now - partition.endOffsetHeardAt
      if ((partition.paused || partition.idle) && unheard >= END_MAX_AGE_MS) unsure.push(partition)
      if (partition.idle && unheard > Math.max(idleTimeout, IDLE_UNHEARD_MAX_MS)) this.#awake(partition)
      if (partition.idle || partition.ended || partition.paused || now - partition.lastRecordAt < idleTimeout) continue
      if (isIdle(partition, now, idleTimeout)) partition.idle = true
      else unsure.push(partition)
    }
    if (unsure.length === 0 || now - this.#askedEndOffsetsAt < Math.min(1000, idleTimeout)) return
    this.#askedEndOffsetsAt = now
    this.#source?.refreshEndOffsets(unsure).catch(() => {}) // asked again next time
  }

  /** The partition holds its task's watermark again, for the idle timeout at least. */
  #awake(partition: Partition): void {
    if (!partition.idle) return
    partition.idle = false
    partition.lastRecordAt = this.#options.clock()
  }

  #sweep(): void {
    for (const { time, dictionary } of this.tasks.values()) {
      if (!Number.isFinite(time.published)) continue
      const horizon = Math.min(time.published - this.#options.stateTtl, time.windows.purgedUpTo(time.published))
      dictionary.sweep(horizon, Math.ceil(dictionary.entries / this.#options.sweepsPerRound), (worker, id) =>
        this.#forget(worker, time.task, id),
      )
    }
  }

  #forget(worker: number, task: number, id: number): boolean {
    const writer = this.#options.writers[worker]
    if (writer === undefined || !writer.tryOpen(BLOCK.forget, task, 1)) return false
    writer.words.set([id], writer.payload)
    writer.close(1, 1)
    return true
  }

  /** Whoever comes waits for the same telling: each task that has left is dropped once, before anything new of it is told. */
  #tellDropped(): Promise<void> {
    this.#telling ??= this.#tellEach().finally(() => {
      this.#telling = undefined
    })
    return this.#telling
  }

  async #tellEach(): Promise<void> {
    for (let task = this.#dropped[0]; task !== undefined && !this.#stopped; task = this.#dropped[0]) {
      await this.tell(BLOCK.drop, task, 0, 0, () => this.#dropped.shift())
    }
  }

  #roomIn(worker: number): Promise<void> {
    return this.#options.ringRoom(worker)
  }

  async #wait(room: Promise<void>): Promise<void> {
    const from = this.#options.clock()
    this.waiting++
    await room.finally(() => this.waiting--)
    this.backpressureMs += this.#options.clock() - from
  }

  #checkEnd(partition: Partition): void {
    if (!this.#options.bounded) return
    if (partition.position >= partition.boundOffset) partition.ended = true
    if (this.partitions.every(({ ended }) => ended)) this.#resolveEnded()
  }

  #find(topicIndex: number, partition: number): Partition | undefined {
    return this.tasks.get(partition)?.time.partitions.find((state) => state.topicIndex === topicIndex)
  }
}

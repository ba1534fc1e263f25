/**
 * The source's handler: which partitions and tasks this process owns, how they begin and leave, and what is delivered of them.
 *
 * Deliveries of a task go into the rings only after the workers have dropped what an earlier stay of it in this process left. A delivery
 * that meets a full ring, or full dead letters, waits, and the source with it.
 */

import { assert } from '../assert.ts'
import type { DecodedTask } from '../checkpoint/task-object-reader.ts'
import type { Clock } from '../clock.ts'
import { REASONS } from '../format/reasons.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import type { AssignedPartition, OfferedPartition, RecordBatches, SourceHandler } from '../source/source.ts'
import type { TaskFacts } from '../window/facts.ts'
import { Partition } from '../window/partition.ts'
import type { Broadcasts } from './broadcasts.ts'
import { Cursor, type TaskInput } from './cursor.ts'
import { DONE, MANY_WINDOWS, RING_FULL } from './event-counter.ts'
import type { Ingest, IngestStatus } from './ingest.ts'
import type { OwnedTasks } from './owned-tasks.ts'
import { reload } from './reload.ts'
import type { Upkeep } from './upkeep.ts'

/** How a task begins: in which incarnation, and with what was kept of it; `state` is undefined when it had no open pane. */
interface TaskStart {
  readonly incarnation: number
  readonly kept: { readonly facts: TaskFacts; readonly state: DecodedTask | undefined } | undefined
}

export interface DeliveriesOptions {
  readonly topics: readonly string[]
  /** The run ends when every partition has reached its end. */
  readonly bounded: boolean
  readonly writers: readonly RingWriter[]
  readonly ingest: Ingest
  readonly lettersRoom: () => Promise<void>
  /** How tasks begin, by task; those it leaves out begin as offered. Rejects to end the run. */
  readonly begin: (offered: readonly OfferedPartition[]) => Promise<ReadonlyMap<number, TaskStart>>
  readonly clock: Clock
  readonly onFailed: (error: unknown) => void
}

export class Deliveries implements SourceHandler {
  /** How long the last restore of tasks took, ms; from asking for them to their last cell in a ring. */
  restoreMs = 0
  /** Resolves when every partition of a bounded run has reached its end. */
  readonly ended: Promise<void>
  readonly #options: DeliveriesOptions
  readonly #owned: OwnedTasks
  readonly #broadcasts: Broadcasts
  readonly #upkeep: Upkeep
  #resolveEnded: () => void = () => {}
  /** Tasks put back into the rings, until their partitions are assigned. */
  readonly #prepared = new Map<number, { readonly input: TaskInput; readonly facts: TaskFacts | undefined }>()

  constructor(options: DeliveriesOptions, owned: OwnedTasks, broadcasts: Broadcasts, upkeep: Upkeep) {
    this.#options = options
    this.#owned = owned
    this.#broadcasts = broadcasts
    this.#upkeep = upkeep
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
  }

  /** One call at a time, of whole tasks that this process doesn't have. */
  async restore(offered: readonly OfferedPartition[]): Promise<readonly AssignedPartition[]> {
    const { topics, begin, writers, clock } = this.#options
    const begun = clock()
    const starts = await begin(offered)
    await this.#broadcasts.tellLeft()
    let restored = 0
    for (const [task, { incarnation, kept }] of starts) {
      const input = this.#owned.create(task, incarnation)
      this.#prepared.set(task, { input, facts: kept?.facts })
      if (kept === undefined) continue
      const { facts, state } = kept
      input.time.published = facts.published ?? Number.NEGATIVE_INFINITY
      const open = new Set(facts.partitions.flatMap(({ windows }) => windows.map(({ end }) => end)))
      if (state !== undefined) await reload(state, input, writers, open, (ring) => this.#broadcasts.ringRoom(ring))
      // What had ended by then is due: the object may be older than its emission.
      if (facts.published !== null) await this.#broadcasts.watermark(task, facts.published)
      restored++
    }
    if (restored > 0) this.restoreMs = clock() - begun
    return offered.map((offer) => {
      const facts = this.#prepared.get(offer.partition)?.facts?.partitions.find(({ topic }) => topic === topics[offer.topicIndex])
      if (facts === undefined) return offer
      return { ...offer, position: facts.position, maxEventTime: facts.maxEventTime ?? undefined, totals: facts.totals }
    })
  }

  assigned(assigned: readonly AssignedPartition[]): void {
    const { topics, bounded, clock } = this.#options
    const { tasks, partitions } = this.#owned
    const now = clock()
    for (const start of assigned) {
      const { topicIndex, partition, endOffset } = start
      const state = new Partition(topicIndex, partition, start, REASONS, now)
      if (endOffset !== undefined) {
        state.boundOffset = endOffset
        state.endOffset = endOffset
        state.endOffsetHeardAt = now
      }
      const prepared = this.#prepared.get(partition)
      const facts = prepared?.facts?.partitions.find(({ topic }) => topic === topics[topicIndex])
      if (facts !== undefined) state.reopen(facts.windows)
      this.#owned.add(tasks.get(partition) ?? prepared?.input ?? this.#owned.create(partition), state)
    }
    for (const { partition } of assigned) {
      this.#prepared.delete(partition)
      // The rules may have changed since: what is purged by now is not open.
      const time = tasks.get(partition)?.time
      if (time !== undefined && Number.isFinite(time.published)) time.publish(time.published)
    }
    // Only now that all are known: one that is at its end already must not end the run for the others.
    for (const partition of partitions) this.#checkEnd(partition)
    if (partitions.length === 0 && bounded) this.#resolveEnded()
  }

  revoked(revoked: readonly { topicIndex: number; partition: number }[]): void {
    for (const { topicIndex, partition: task } of revoked) {
      if (this.#prepared.delete(task)) this.#broadcasts.leaves(task)
      const partition = this.#owned.find(topicIndex, task)
      if (partition !== undefined && this.#owned.remove(partition)) this.#broadcasts.leaves(task)
    }
    const { partitions } = this.#owned
    if (this.#options.bounded && partitions.length > 0) for (const partition of partitions) this.#checkEnd(partition)
  }

  /** Without a wait, which is the rule, it is done when it returns: no promise per delivery. */
  batch(batches: RecordBatches): Promise<void> | undefined {
    if (this.#broadcasts.stopped) return undefined
    if (this.#broadcasts.untold) return this.#broadcasts.tellLeft().then(() => this.batch(batches))
    const { topicIndex, bytes, start, end } = batches
    const partition = this.#owned.find(topicIndex, batches.partition)
    const task = this.#owned.tasks.get(batches.partition)
    assert(partition !== undefined && task !== undefined, 'records come of partitions that are assigned', {
      topicIndex,
      partition: batches.partition,
    })
    partition.lastRecordAt = this.#options.clock()
    partition.idle = false
    const cursor = new Cursor(task, partition, bytes, start, end)
    const status = this.#read(cursor)
    if (status !== DONE || !this.#upkeep.tryAdvance(task)) return this.#readRest(cursor, status)
    this.#checkEnd(partition)
    return undefined
  }

  skipped(topicIndex: number, partition: number, position: number): void {
    const state = this.#owned.find(topicIndex, partition)
    if (state === undefined) return
    if (position > state.position) state.position = position
    this.#checkEnd(state)
  }

  corrupt({ topicIndex, partition, bytes, start, end }: RecordBatches, nextPosition: number, reason: string): void {
    const state = this.#owned.find(topicIndex, partition)
    const task = this.#owned.tasks.get(partition)
    if (state === undefined || task === undefined) return
    this.#options.ingest.refuse(new Cursor(task, state, bytes, start, end), nextPosition, reason)
    this.#checkEnd(state)
  }

  endOffset(topicIndex: number, partition: number, endOffset: number): void {
    const state = this.#owned.find(topicIndex, partition)
    if (state === undefined) return
    state.endOffset = endOffset
    state.endOffsetHeardAt = this.#options.clock()
    if (endOffset > state.position) this.#upkeep.awake(state)
    if (this.#options.bounded && state.boundOffset === Number.POSITIVE_INFINITY) state.boundOffset = endOffset
    this.#checkEnd(state)
  }

  failed(error: unknown): void {
    this.#options.onFailed(error)
  }

  #read(cursor: Cursor): IngestStatus {
    const { partition } = cursor
    const from = partition.position
    const status = this.#options.ingest.run(cursor)
    assert(partition.position >= from, "a partition's position never goes back", {
      task: partition.partition,
      from,
      to: partition.position,
    })
    return status
  }

  async #readRest(cursor: Cursor, first: IngestStatus): Promise<void> {
    for (let status = first; status !== DONE; status = this.#read(cursor)) {
      if (status === MANY_WINDOWS) await this.#upkeep.advance(cursor.task)
      else await this.#roomFor(status)
      if (this.#broadcasts.stopped || !this.#owned.partitions.includes(cursor.partition)) return
    }
    await this.#upkeep.advance(cursor.task)
    this.#checkEnd(cursor.partition)
  }

  #roomFor(status: IngestStatus): Promise<boolean> {
    const { ingest, lettersRoom } = this.#options
    return status === RING_FULL ? this.#broadcasts.ringRoom(ingest.fullRing) : this.#broadcasts.room(lettersRoom())
  }

  #checkEnd(partition: Partition): void {
    if (!this.#options.bounded) return
    if (partition.position >= partition.boundOffset) partition.ended = true
    if (this.#owned.partitions.every(({ ended }) => ended)) this.#resolveEnded()
  }
}

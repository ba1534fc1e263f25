/**
 * The source's handler: which partitions and tasks this process owns, how they begin and leave, and what is delivered of them.
 *
 * Deliveries of a task go into the rings only after the workers have dropped what an earlier stay of it in this process left. A delivery
 * that meets a full ring, full dead letters, or a record whose schema is not here, waits, and the source with it.
 */

import { assert } from '../assert.ts'
import type { ContinuedTask } from '../checkpoint/go-on.ts'
import type { DecodedTask } from '../checkpoint/task-object-reader.ts'
import type { Clock } from '../clock.ts'
import { REASONS } from '../format/reasons.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import type { AssignedPartition, OfferedPartition, RecordBatches, Source, SourceHandler } from '../source/source.ts'
import { Partition } from '../window/partition.ts'
import type { Broadcasts } from './broadcasts.ts'
import { Cursor, type TaskInput } from './cursor.ts'
import type { Ingest } from './ingest.ts'
import type { OwnedTasks } from './owned-tasks.ts'
import { reload } from './reload.ts'
import { DONE, type IngestStatus, MANY_WINDOWS, RING_FULL, SCHEMA_WAITS, STATE_FULL } from './status.ts'
import type { Upkeep } from './upkeep.ts'

/** How a task begins: in which incarnation, and with what was kept of it; `state` is undefined when it had no open pane. */
interface TaskStart {
  readonly incarnation: number
  readonly kept: { readonly facts: ContinuedTask; readonly state: DecodedTask | undefined } | undefined
}

export interface DeliveriesOptions {
  readonly topics: readonly string[]
  /** The run ends when every partition has reached its end. */
  readonly bounded: boolean
  readonly source: Pick<Source, 'extent'>
  readonly writers: readonly RingWriter[]
  readonly ingest: Ingest
  readonly lettersRoom: () => Promise<void>
  /** How tasks begin, by task; those it leaves out begin as offered. Rejects to end the run. */
  readonly begin: (offered: readonly OfferedPartition[]) => Promise<ReadonlyMap<number, TaskStart>>
  readonly clock: Clock
  /** A topic was made again: what was counted of the old one is in checkpoints alone from now on. */
  readonly onReplaced?: () => void
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
  readonly #prepared = new Map<number, { readonly input: TaskInput; readonly facts: ContinuedTask | undefined }>()

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
      if (state !== undefined) this.#upkeep.makeSureOfRoom(task, state.products.count, state.products.bytes.length)
      input.time.published = facts.published ?? Number.NEGATIVE_INFINITY
      input.time.addOrphans(facts.orphans ?? [])
      const open = new Set([...facts.partitions.flatMap(({ windows }) => windows), ...(facts.orphans ?? [])].map(({ end }) => end))
      if (state !== undefined) await reload(state, input, writers, open, (ring) => this.#broadcasts.ringRoom(ring))
      // What had ended by then is due: the object may be older than its emission.
      if (facts.published !== null) await this.#broadcasts.watermark(task, facts.published)
      restored++
    }
    if (restored > 0) this.restoreMs = clock() - begun
    return offered.map((offer) => {
      const facts = this.#prepared.get(offer.partition)?.facts?.partitions.find(({ topic }) => topic === topics[offer.topicIndex])
      if (facts === undefined) return offer
      const { position, maxEventTime, candidates, idleSince, totals, topicId, remade, missing, loss } = facts
      const known = { topicId, remade, missing, loss }
      return { ...offer, position, maxEventTime: maxEventTime ?? undefined, candidates, idleSince, totals, ...known }
    })
  }

  assigned(assigned: readonly AssignedPartition[]): void {
    const { topics, bounded, clock } = this.#options
    const { tasks, partitions } = this.#owned
    const now = clock()
    for (const start of assigned) {
      const { topicIndex, partition, endOffset } = start
      const prepared = this.#prepared.get(partition)
      const input = tasks.get(partition) ?? prepared?.input ?? this.#owned.create(partition)
      const state = new Partition(topicIndex, partition, start, REASONS, now, input.time.maxJump)
      if (endOffset !== undefined) {
        state.boundOffset = endOffset
        state.endOffset = endOffset
        state.endOffsetHeardAt = now
      }
      const facts = prepared?.facts?.partitions.find(({ topic }) => topic === topics[topicIndex])
      if (facts !== undefined) state.reopen(facts.windows, (end) => input.time.windows.startOf(end))
      else this.#upkeep.begunByMark(state, start.carried)
      this.#owned.add(input, state)
    }
    for (const { partition } of assigned) {
      this.#prepared.delete(partition)
      // The rules may have changed since: what is purged by now is not open.
      const time = tasks.get(partition)?.time
      if (time !== undefined && Number.isFinite(time.published)) time.publish(time.published)
    }
    // Only now that all are known: one that is at its end already must not end the run for the others.
    for (const partition of partitions) this.#checkEnd(partition)
    if (partitions.length === 0 && bounded) this.#endIfWhole()
  }

  replaced(start: AssignedPartition): void {
    const { topicIndex, partition, endOffset } = start
    const old = this.#owned.find(topicIndex, partition)
    const task = this.#owned.tasks.get(partition)
    if (old === undefined || task === undefined) return
    const made = new Partition(topicIndex, partition, start, REASONS, this.#options.clock(), task.time.maxJump)
    if (endOffset !== undefined) made.boundOffset = endOffset
    this.#owned.replace(task, old, made)
    this.#options.onReplaced?.()
    this.#checkEnd(made)
  }

  revoked(revoked: readonly { topicIndex: number; partition: number }[]): void {
    for (const { topicIndex, partition: task } of revoked) {
      this.#prepared.get(task)?.input.dictionary.release()
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
    const { topicIndex, bytes, start, end } = batches
    const partition = this.#owned.find(topicIndex, batches.partition)
    if (this.#broadcasts.untold) {
      const isStill = () => partition !== undefined && this.#owned.partitions.includes(partition)
      return this.#broadcasts.tellLeft().then(() => (isStill() ? this.batch(batches) : undefined))
    }
    const task = this.#owned.tasks.get(batches.partition)
    assert(partition !== undefined && task !== undefined, 'records come of partitions that are assigned', {
      topicIndex,
      partition: batches.partition,
    })
    const cursor = new Cursor(task, partition, bytes, start, end)
    task.time.heardAt = this.#options.clock()
    if (this.#upkeep.isHeld(topicIndex)) return this.#readHeld(cursor)
    const status = this.#upkeep.over ? STATE_FULL : this.#read(cursor)
    if (status !== DONE || !this.#upkeep.tryAdvance(task)) return this.#readRest(cursor, status)
    this.#checkEnd(partition)
    return undefined
  }

  skipped(topicIndex: number, partition: number, position: number, loss?: string): void {
    const state = this.#owned.find(topicIndex, partition)
    if (state === undefined) return
    if (loss !== undefined) state.lose(Math.max(0, position - state.position), loss, this.#options.clock())
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

  endOffset(topicIndex: number, partition: number, endOffset: number, highWatermark?: number): void {
    const state = this.#owned.find(topicIndex, partition)
    if (state === undefined) return
    state.hearEnd(endOffset, highWatermark, this.#options.clock())
    if (this.#upkeep.holdsOpen(state)) this.#upkeep.awake(state)
    // Held until what there is has been read. Whether that ends its idleness is for the events to say.
    else if (endOffset > state.position) state.idle = false
    if (this.#options.bounded && state.boundOffset === Number.POSITIVE_INFINITY) state.boundOffset = endOffset
    this.#checkEnd(state)
  }

  failed(error: unknown): void {
    this.#options.onFailed(error)
  }

  #read(cursor: Cursor): IngestStatus {
    const { partition } = cursor
    const { position: from, events } = partition
    const status = this.#options.ingest.run(cursor)
    if (cursor.header.logAppendTime) cursor.task.time.heardAt = cursor.header.maxTimestamp
    // What is invalid does not move the time, so it does not keep a partition from being idle either.
    if (partition.events > events) {
      partition.lastRecordAt = this.#options.clock()
      partition.idle = false
    }
    assert(partition.position >= from, "a partition's position never goes back", {
      task: partition.partition,
      from,
      to: partition.position,
    })
    return status
  }

  /** Its topic is held: it waits until the run ends, or its partition leaves. */
  async #readHeld({ task, partition }: Cursor): Promise<void> {
    await this.#upkeep.mayRead(task, partition, false, () => {})
  }

  async #readRest(cursor: Cursor, first: IngestStatus): Promise<void> {
    for (let status = first; status !== DONE; status = this.#read(cursor)) {
      const { ingest } = this.#options
      const release = () => ingest.release(cursor)
      if (status === MANY_WINDOWS) await this.#upkeep.advance(cursor.task)
      else if (status === SCHEMA_WAITS) {
        const key = ingest.awaitedSchema
        release()
        if (!(await this.#upkeep.schemaComes(cursor.partition, key))) return
      } else if (status !== STATE_FULL) await this.#roomFor(status, cursor)
      if (!(await this.#upkeep.mayRead(cursor.task, cursor.partition, status === STATE_FULL, release))) return
      if (this.#broadcasts.stopped || !this.#owned.partitions.includes(cursor.partition)) return
    }
    await this.#upkeep.advance(cursor.task)
    this.#checkEnd(cursor.partition)
  }

  #roomFor(status: IngestStatus, cursor: Cursor): Promise<boolean> {
    const { ingest, lettersRoom } = this.#options
    ingest.release(cursor)
    return status === RING_FULL ? this.#broadcasts.ringRoom(ingest.fullRing) : this.#broadcasts.room(lettersRoom())
  }

  #checkEnd(partition: Partition): void {
    if (!this.#options.bounded) return
    if (partition.position >= partition.boundOffset) partition.ended = true
    if (this.#owned.partitions.every(({ ended }) => ended)) this.#endIfWhole()
  }

  /** A task that is about to come again, or that somebody else has, is not read to its end. */
  #endIfWhole(): void {
    if (this.#owned.partitions.length >= (this.#options.source.extent?.partitions ?? 0)) this.#resolveEnded()
  }
}

/**
 * The lanes of this member of the consumer group: gained and lost with every rebalance, held while their positions are unknown, while the
 * pipeline pauses them or while they have something at the handler for long.
 *
 * - A new lane is held (paused in kafkajs) until its position is known: committed offset and metadata from one response, or `startFrom`,
 *   or what the handler has kept of it and goes on from (`restore`).
 * - A lane whose topic is deleted and made again goes on at the beginning of the new one. Its task stays.
 * - After every rebalance kafkajs forgets its positions; lanes that stay are seeked back to theirs.
 * - A handler that makes us wait is awaited in line for a moment, since a ring has room again soon. After INLINE_WAIT_MS kafkajs is let
 *   go and the lane is held instead: heartbeats, rebalances and the other lanes go on however long the pipeline stands still.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Batch, Cluster } from 'kafkajs'
import type { CorruptBatch } from '../batch/record-batches.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { AssignedPartition, OfferedPartition, SourceHandler } from '../source/source.ts'
import { isOtherTopic } from '../window/facts.ts'
import type { FetchedRecords, FetchListener } from './fetch-response.ts'
import { Lane } from './lane.ts'
import { changesOf } from './lane-changes.ts'
import { LaneStarts, type LaneStartsOptions, type TopicIds } from './lane-starts.ts'
import { type BrokerOffsets, keyOf, type TopicPartition } from './start-position.ts'

/** How partitions are read; see KafkaSourceOptions. */
export interface LaneGroupOptions extends LaneStartsOptions {
  readonly topics: readonly string[]
  readonly onCorruptBatch?: 'stop' | 'skip' | undefined
}

/** What lanes ask of the consumer. The calls may come while no consumer runs; then they do nothing. */
export interface LaneControl {
  readonly handler: SourceHandler
  cluster(): Cluster
  readonly topicIds: TopicIds
  /** Fetches of the topic are of the one that has this id from now on. */
  readBy(topic: string, id: string): void
  seek(lane: Lane, offset: number): void
  hold(lane: Lane, held: boolean): void
}

const INLINE_WAIT_MS = 1_000
/** Brokers hear of a new topic one after the other. */
const ID_LAG_MS = 200

/** This member's lanes, between the consumer (`LaneControl`) and the handler. */
export class LaneGroup implements Omit<FetchListener, 'maxBatchBytes'> {
  readonly #options: LaneGroupOptions
  readonly #control: LaneControl
  readonly #lanes = new Map<string, Lane>()
  /** What lanes that have left still have at the handler. */
  readonly #leftBehind = new Map<string, Promise<void>>()
  readonly #starts: LaneStarts
  readonly #stopping = new AbortController()
  #silent = false
  #turns: Promise<void> = Promise.resolve()
  #announcing: Promise<void> = Promise.resolve()

  /** `partitionsAtStart`: how many partitions each topic had when the source started; later ones are read from their beginning. */
  constructor(options: LaneGroupOptions, control: LaneControl, partitionsAtStart: ReadonlyMap<string, number>) {
    this.#options = options
    this.#control = control
    this.#starts = new LaneStarts(options, partitionsAtStart)
  }

  /** The lane, if this member has it and the handler knows it. */
  at(topicIndex: number, partition: number): Lane | undefined {
    const topic = this.#options.topics[topicIndex]
    const lane = topic === undefined ? undefined : this.#lanes.get(keyOf({ topic, partition }))
    return lane?.announced ? lane : undefined
  }

  setPaused(topicIndex: number, partition: number, paused: boolean): void {
    const lane = this.at(topicIndex, partition)
    if (lane === undefined) return
    lane.paused = paused
    this.#applyHold(lane)
  }

  /** See Source. */
  rewind(topicIndex: number, partition: number, position: number): void {
    const lane = this.at(topicIndex, partition)
    if (lane?.delivering === undefined) return
    lane.position = position
    lane.rewound = true
  }

  /** Resolves when nothing is at the handler any more; from then on nothing is told to it. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const lane of this.#lanes.values()) this.#applyHold(lane)
    await Promise.all([...this.#lanes.values()].map((lane) => lane.delivering))
    await Promise.all(this.#leftBehind.values())
    this.#silent = true
  }

  /** A generation of the group has begun with this assignment; kafkajs fetches again only after this returns. */
  joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    const { lost, gained } = changesOf(this.#lanes, assignment)
    for (const [key, lane] of lost) this.#forget(key, lane)
    const created = gained.map((one) => this.#create(one))
    for (const lane of this.#lanes.values()) {
      lane.held = undefined
      if (lane.announced) this.#control.seek(lane, lane.position)
      this.#applyHold(lane)
    }
    const counts = { partitions: this.#lanes.size, gained: gained.length, lost: lost.length }
    this.#options.logger.info(counts, 'joined the consumer group')
    this.#part(lost.map(([, lane]) => lane))
    if (created.length > 0) this.#meet(created)
    else if (this.#lanes.size === 0) this.#tell((handler) => handler.assigned([]))
  }

  /** Answers to fetches of a topic that was deleted may come when the lane reads another one. */
  endOffset(topic: string, partition: number, endOffset: number, highWatermark?: number, topicId?: string): void {
    const lane = this.#lanes.get(keyOf({ topic, partition }))
    if (lane?.announced && !isOtherTopic(lane.topicId, topicId))
      this.#tell((handler) => handler.endOffset(lane.topicIndex, partition, endOffset, highWatermark))
  }

  outOfRange(topic: string, partition: number): void {
    this.#lookAgain(this.#lanes.get(keyOf({ topic, partition })))
  }

  otherTopic(topic: string, partition: number): void {
    this.#lookAgain(this.#lanes.get(keyOf({ topic, partition })))
  }

  /** Looks whether topics were made again; for fetches that don't tell, and partitions that are not fetched. */
  async checkTopics(): Promise<void> {
    const lanes = [...this.#lanes.values()].filter(({ topicId }) => topicId !== undefined)
    const ids = lanes.length === 0 ? undefined : await this.#control.topicIds([...new Set(lanes.map(({ topic }) => topic))])
    for (const lane of lanes) if (!lane.gone && isOtherTopic(lane.topicId, ids?.get(lane.topic) || undefined)) this.#lookAgain(lane)
  }

  #lookAgain(lane: Lane | undefined): void {
    if (!lane?.announced || lane.recovering) return
    lane.recovering = true
    this.#applyHold(lane)
    void this.#recover(lane)
  }

  /** Asks for the end offsets of these partitions; what can't be had now comes with a later fetch. */
  async refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void> {
    const asked = partitions.flatMap(({ topicIndex, partition }) => this.at(topicIndex, partition) ?? [])
    const offsets = await this.#starts.ends(asked, this.#control.cluster())
    for (const lane of asked) {
      const endOffset = offsets.get(keyOf(lane))
      if (endOffset !== undefined) this.endOffset(lane.topic, lane.partition, endOffset)
    }
  }

  /** One partition of one fetch response, as kafkajs' eachBatch gets it. Never rejects. */
  async take(batch: Batch): Promise<void> {
    const { rawMessages } = batch as Batch & { rawMessages: { value: FetchedRecords }[] }
    const records = rawMessages[0]?.value
    const frame = records?.frame?.generation === records?.generation ? records?.frame : undefined
    frame?.retain()
    await this.#turn()
    const taken = this.#takeNow(batch, records)
    frame?.release()
    await taken
  }

  async #takeNow(batch: Batch, records: FetchedRecords | undefined): Promise<void> {
    const { fetchedOffset } = batch as Batch & { fetchedOffset: string }
    const lane = this.#lanes.get(keyOf(batch))
    if (!lane?.announced || records === undefined || this.#stopping.signal.aborted) return
    if (isOtherTopic(lane.topicId, records.topicId)) {
      this.#lookAgain(lane)
      return
    }
    lane.readById = records.topicId !== undefined
    const stale = records.frame !== undefined && records.frame.generation !== records.generation
    if (stale || lane.delivering !== undefined || Number(fetchedOffset) > lane.position) {
      this.#control.seek(lane, lane.position)
      return
    }
    if (records.walk.corrupt !== undefined) return this.#refuse(lane, records.bytes, records.walk.corrupt)
    records.frame?.retain()
    const pending = this.#deliver(lane, records)
    if (pending === undefined) {
      records.frame?.release()
      this.#applyHold(lane)
      return
    }
    lane.delivering = pending.then(() => {
      lane.delivering = undefined
      lane.detached = false
      records.frame?.release()
      if (lane.rewound && !lane.gone) this.#control.seek(lane, lane.position)
      lane.rewound = false
      this.#applyHold(lane)
    })
    const patience = new AbortController()
    await Promise.race([lane.delivering, sleep(INLINE_WAIT_MS, patience.signal)])
    patience.abort()
    if (lane.delivering === undefined) return
    lane.detached = true
    this.#applyHold(lane)
  }

  /**
   * One partition at a time, with a turn of the event loop before each: meanwhile the socket is read, so that the broker goes on sending
   * the next response while this one is worked on.
   */
  #turn(): Promise<void> {
    this.#turns = this.#turns.then(nextTurn)
    return this.#turns
  }

  /** A handler that throws or rejects ends the source; the promise itself never rejects. */
  #deliver(lane: Lane, records: FetchedRecords): Promise<void> | undefined {
    const fail = (error: unknown) => this.#fail(error)
    try {
      return lane.deliver(records, this.#control.handler, () => !lane.gone && !lane.rewound && !this.#stopping.signal.aborted)?.catch(fail)
    } catch (error) {
      fail(error)
      return undefined
    }
  }

  #refuse(lane: Lane, bytes: Buffer, corrupt: CorruptBatch): void {
    const place = `topic ${lane.topic}, partition ${lane.partition}, offset ${Math.max(corrupt.offset, lane.position)}`
    if (corrupt.oldFormat !== undefined) {
      const what = `messages of format ${corrupt.oldFormat}, of Kafka before 0.11, that can't be unpacked`
      const why = 'they become more than kafka.maxBatchBytes, which may be raised, or their compression is damaged'
      const remedy = 'or copy the topic to a new one with any client of today, which writes format 2, and read that'
      this.#fail(new CtrError('CTR_KAFKA_OLD_FORMAT', `${place}: ${what}: ${why}; ${remedy}`))
      return
    }
    if (this.#options.onCorruptBatch !== 'skip') {
      const remedy = 'its records are lost; set kafka.onCorruptBatch: skip to go on behind it'
      this.#fail(new CtrError('CTR_KAFKA_CORRUPT_BATCH', `${place}: the record batch can't be read (${corrupt.reason}): ${remedy}`))
      return
    }
    lane.position = Math.max(lane.position + 1, corrupt.nextOffset ?? 0)
    this.#options.logger.error({ reason: corrupt.reason, next: lane.position }, `${place}: record batch skipped, it can't be read`)
    this.#control.seek(lane, lane.position)
    const { topicIndex, partition } = lane
    const { start, end } = corrupt
    this.#tell((handler) => handler.corrupt({ topicIndex, partition, bytes, start, end }, lane.position, corrupt.reason))
  }

  #fail(error: unknown): void {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    for (const lane of this.#lanes.values()) this.#applyHold(lane)
    this.#tell((handler) => handler.failed(error))
  }

  #tell(say: (handler: SourceHandler) => void): void {
    if (!this.#silent) say(this.#control.handler)
  }

  #applyHold(lane: Lane): void {
    const held = lane.idle || this.#stopping.signal.aborted
    if (lane.gone || lane.held === held) return
    lane.held = held
    this.#control.hold(lane, held)
  }

  #create({ topic, partition }: TopicPartition): Lane {
    const lane = new Lane(topic, this.#options.topics.indexOf(topic), partition)
    this.#lanes.set(keyOf(lane), lane)
    return lane
  }

  #part(lost: readonly Lane[]): void {
    const known = lost.filter((lane) => lane.announced)
    if (known.length > 0) this.#tell((handler) => handler.revoked(known))
  }

  #meet(gained: readonly Lane[]): void {
    this.#announcing = this.#announcing.then(() => this.#announce(gained))
  }

  #forget(key: string, lane: Lane): void {
    lane.gone = true
    this.#lanes.delete(key)
    const { delivering } = lane
    if (delivering === undefined) return
    const left = delivering.then(() => {
      if (this.#leftBehind.get(key) === left) this.#leftBehind.delete(key)
    })
    this.#leftBehind.set(key, left)
  }

  /**
   * Looks the lanes' positions up and hands them over. One call at a time: a task that leaves and comes back while it is being restored
   * must be let go of before it is restored again.
   */
  async #announce(lanes: readonly Lane[]): Promise<void> {
    const facts = await this.#lookUp(lanes)
    const offers = lanes.flatMap((lane) => {
      const known = facts.get(keyOf(lane))
      return lane.gone || known === undefined ? [] : [this.#starts.offer(lane, known)]
    })
    if (offers.length === 0 || this.#stopping.signal.aborted) return
    const restored = await this.#restore(offers)
    if (this.#stopping.signal.aborted) return
    const assigned: AssignedPartition[] = []
    const left: AssignedPartition[] = []
    for (const one of restored) {
      const lane = lanes.find(({ topicIndex, partition }) => topicIndex === one.topicIndex && partition === one.partition)
      if (lane === undefined || lane.gone) left.push(one)
      else assigned.push(this.#settle(lane, one))
    }
    if (left.length > 0) this.#tell((handler) => handler.revoked(left))
    if (assigned.length === 0) return
    this.#tell((handler) => handler.assigned(assigned))
    for (const lane of lanes) {
      if (!lane.announced || lane.gone) continue
      this.endOffset(lane.topic, lane.partition, facts.get(keyOf(lane))?.latest ?? lane.position)
      this.#applyHold(lane)
    }
  }

  async #restore(offers: readonly OfferedPartition[]): Promise<readonly AssignedPartition[]> {
    try {
      return (await this.#control.handler.restore?.(offers)) ?? offers
    } catch (error) {
      this.#fail(error)
      return []
    }
  }

  #settle(lane: Lane, start: AssignedPartition): AssignedPartition {
    lane.endOffset = this.#starts.begun(lane)
    lane.position = start.position
    lane.topicId = start.topicId
    lane.remade = start.remade ?? 0
    lane.announced = true
    this.#control.seek(lane, start.position)
    const { topicIndex, partition, position, maxEventTime, candidates, idleSince, totals, carried, topicId, remade, missing, loss } = start
    const known = { maxEventTime, candidates, idleSince, totals, carried, topicId, remade, missing, loss }
    return { topicIndex, partition, position, ...known, endOffset: lane.endOffset }
  }

  /** The broker no longer, or not yet, has the position: retention has passed us, or the topic is another one. */
  async #recover(lane: Lane): Promise<void> {
    const fact = (await this.#lookUp([lane])).get(keyOf(lane))
    while (lane.delivering !== undefined) await lane.delivering
    if (fact === undefined || lane.gone) return
    const { position, topicIndex, partition } = lane
    if (isOtherTopic(lane.topicId, fact.topicId)) this.#replace(lane, fact)
    else if (position > fact.latest) {
      this.#renew(partition)
      return
    } else if (position < fact.earliest) {
      const loss = `records ${position} to ${fact.earliest - 1} are gone (retention): their events are lost`
      this.#options.logger.warn({ topic: lane.topic, partition }, loss)
      lane.position = fact.earliest
      this.#tell((handler) => handler.skipped(topicIndex, partition, fact.earliest, loss))
    } else await sleep(ID_LAG_MS, this.#stopping.signal)
    if (lane.gone) return
    this.#control.seek(lane, lane.position)
    lane.recovering = false
    this.#applyHold(lane)
  }

  /** The topic is another one of the same name: the lane goes on at its beginning, and the task with what it has. */
  #replace(lane: Lane, fact: BrokerOffsets): void {
    const { topic, topicIndex, partition, topicId: was, position: read, readById } = lane
    const { topicId, earliest: position } = fact
    const unsure = readById ? '' : '; records read since may have been counted twice, since the brokers are older than Kafka 3.1'
    const what = `topic ${topic} was deleted and made again: partition ${partition} is read from its beginning, what was counted stays`
    this.#options.logger.warn({ topic, partition, was, topicId, read, position }, what + unsure)
    lane.topicId = topicId
    lane.remade++
    lane.position = position
    lane.paused = false
    lane.endOffset = this.#starts.begunAgain(lane, fact)
    const { remade, endOffset } = lane
    this.#tell((handler) => handler.replaced?.({ topicIndex, partition, position, maxEventTime: undefined, topicId, remade, endOffset }))
    this.endOffset(topic, partition, fact.latest)
  }

  /** The task begins anew, all its lanes together, as if it had just been assigned. */
  #renew(task: number): void {
    const old = [...this.#lanes].filter(([, { partition }]) => partition === task)
    for (const [key, lane] of old) this.#forget(key, lane)
    this.#part(old.map(([, lane]) => lane))
    const lanes = old.map(([, lane]) => this.#create(lane))
    for (const lane of lanes) this.#applyHold(lane)
    this.#meet(lanes)
  }

  /** Of these lanes, once what they had at the handler before is gone. */
  async #lookUp(lanes: readonly Lane[]): Promise<Map<string, BrokerOffsets>> {
    await Promise.all(lanes.map((lane) => this.#leftBehind.get(keyOf(lane))))
    const { cluster, topicIds } = this.#control
    const facts = await this.#starts.lookUp(lanes, cluster, topicIds, this.#stopping.signal)
    for (const lane of lanes) {
      const topicId = facts.get(keyOf(lane))?.topicId
      if (topicId !== undefined) this.#control.readBy(lane.topic, topicId)
    }
    return facts
  }
}

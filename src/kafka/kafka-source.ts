/**
 * Kafka as a source of record batches. kafkajs joins the group, authenticates, fetches and heartbeats; the lanes (lane-group.ts) keep
 * the positions and hand the batches over.
 *
 *   start: connect (waits for brokers and topics, with backoff) → dead members leave → join → lanes gained → positions looked up →
 *          `assigned` → fetch
 *
 * When kafkajs gives up (a broker gone for long, a coordinator that moves), the consumer is run again with backoff, for ever. Only what
 * waiting can't mend fails the source: refused authentication, a wrong configuration, a batch that can't be framed, a bug. Denied access is
 * such a thing until something could be read; from then on it is waited out. Meanwhile `trouble` says what is the matter.
 */
import { hostname } from 'node:os'
import type { Cluster, Consumer } from 'kafkajs'
import { backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { beginLife, type Life } from '../proof-of-life.ts'
import type { LowWaterMark, Source, SourceHandler } from '../source/source.ts'
import type { RevisionRule } from '../window/revision.ts'
import { type Access, DeniedAccess } from './access.ts'
import { type ConsumerOptions, createConsumer, REBALANCE_MIN_MS } from './consumer.ts'
import { checkPartitions, subscribeTo, type Unequal } from './find-topics.ts'
import { FramePool } from './frame-pool.ts'
import { type ClaimOptions, claimGroup, deadAmong, dismissDead, leftToOthers, lostShare, tryDismissDead } from './group-members.ts'
import { CLIENT_BACKOFF } from './kafka-client.ts'
import { isDenied, looksLikeBug, toCtrError } from './kafka-errors.ts'
import { adaptCluster, type ClusterListener, dropConnections, type Membership } from './kafkajs-adapter.ts'
import type { Lane } from './lane.ts'
import { type LaneControl, LaneGroup, type LaneGroupOptions } from './lane-group.ts'
import { encodeOffsetMetadata } from './offset-metadata.ts'
import { askTopicIds } from './own-requests.ts'
import { tellingSilence } from './silence.ts'

/**
 * `topics`: their order gives the topicIndex. `startFrom`: for partitions that the group has no offset of. `bounded`: every partition is
 * read up to the end offset it has when it is first assigned, and the group is had for itself. `onCorruptBatch`: what to do with a batch
 * that can't be framed; 'stop' when not given.
 */
export interface KafkaSourceOptions extends ConsumerOptions, LaneGroupOptions {
  /** What a batch may decompress to; of those that are decompressed here, as messages of Kafka before 0.11 are. */
  readonly maxBatchBytes: number
  /** What rows are written with; marks say so. */
  readonly revision: RevisionRule
  /** 'stop' when not given. */
  readonly onUnequalPartitions?: Unequal | undefined
  /** Whether this process could ever read; the sources of its runs share it. */
  readonly access?: Access | undefined
}

const PROCESS = { host: hostname(), pid: process.pid }
const CLOSE_MAX_MS = 10_000
const CLOSE_WILLING_MS = 5_000
/**
 * They take turns anyway, and kafkajs makes as many objects in every round, whatever comes. One that must wait is let go after a second,
 * so with n partitions a response that nobody has room for holds kafkajs for n / 8 seconds.
 */
const LANES_AT_ONCE = 8
const COMMIT_MAX_MS = 5_000
const BUGS_MAX = 3
/** How often the group is looked at while it is joined. */
const LOOK_MS = 500

/** A source that reads `topics` as a member of a consumer group. Throws CTR_KAFKA_VERSION when kafkajs is not the pinned one. */
export function kafkaSource(options: KafkaSourceOptions): Source {
  return new KafkaSource(options)
}

class KafkaSource implements Source {
  readonly #options: KafkaSourceOptions
  readonly #consumer: Consumer
  readonly #cluster: Cluster
  readonly #membership: Membership
  /** Which topics are fetched, by name. */
  readonly #topicIds = new Map<string, string>()
  #life: Life | undefined
  extent: Source['extent']
  /** The tasks of the last assignment, and its generation: what is claimed at the next join. */
  #owned: { readonly tasks: readonly number[]; readonly generation: number } = { tasks: [], generation: -1 }
  readonly #stopped = new AbortController()
  readonly #closed = new AbortController()
  #lanes: LaneGroup | undefined
  #handler: SourceHandler | undefined
  /** One commit at a time: one that hangs while a broker is away must not land after a newer one. */
  #committing: Promise<void> | undefined
  /** Commits that failed since the last one that did not. */
  #uncommitted = 0
  #crashes = 0
  #bugs = 0
  #trouble: string | undefined
  readonly #denied: DeniedAccess
  /** kafkajs takes commits of a consumer that is no member at present, and does nothing. */
  #joined = false
  /** What ends meanwhile was meant to end. */
  #reconnecting = false

  constructor(options: KafkaSourceOptions) {
    this.#options = { ...options, onLook: (failure) => this.#looked(failure) }
    this.#denied = new DeniedAccess(options.access ?? { proven: false })
    const pool = new FramePool()
    const { consumer, cluster } = createConsumer(options, pool, {
      describe: () => ({ ...this.#owned, ...PROCESS }),
      dead: async (ids) => (this.#life === undefined ? new Set() : deadAmong(ids, this.#membership.joining, this.#looker(this.#life))),
    })
    this.#consumer = consumer
    this.#cluster = cluster
    const listener: ClusterListener = {
      maxBatchBytes: options.maxBatchBytes,
      endOffset: (topic, partition, ...ends) => this.#lanes?.endOffset(topic, partition, ...ends),
      outOfRange: (topic, partition) => this.#lanes?.outOfRange(topic, partition),
      otherTopic: (topic, partition) => this.#lanes?.otherTopic(topic, partition),
      answered: () => this.#answered(),
    }
    this.#membership = adaptCluster(this.#cluster, pool, listener, this.#topicIds, () => this.#life?.name ?? options.clientId)
    this.#consumer.on('consumer.group_join', ({ payload }) => this.#join(payload.memberAssignment as unknown as Record<string, number[]>))
    this.#consumer.on('consumer.crash', ({ payload }) => void this.#recover(payload.error))
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
    const stopped = new Promise<void>((resolve) => {
      this.#stopped.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    for (let attempt = 0; !this.#stopped.signal.aborted; attempt++) {
      const connecting = this.#connect()
      try {
        await Promise.race([connecting, stopped])
        break
      } catch (error) {
        const failure = toCtrError(error, this.#options.brokers)
        if (!failure.retriable && !this.#denied.passes(error)) throw failure
        this.#trouble = failure.message
        this.#options.logger.error({ code: failure.code, attempt }, `${failure.message}; trying again`)
        await sleep(backoffMs(attempt + 1, CLIENT_BACKOFF), this.#stopped.signal)
      } finally {
        connecting.catch(() => {})
      }
    }
    if (this.#stopped.signal.aborted) return
    const counts = new Map(this.#options.topics.map((topic) => [topic, this.#cluster.findTopicPartitionMetadata(topic).length]))
    checkPartitions(counts, this.#options.onUnequalPartitions ?? 'stop')
    this.#lanes = new LaneGroup(this.#options, this.#control(handler), counts)
    const { clientId, bounded, reset } = this.#options
    this.#life = await beginLife(clientId)
    const alone = bounded || reset !== undefined
    const gathering = alone ? claimGroup(this.#cluster, this.#claim(this.#life)) : tryDismissDead(this.#cluster, this.#looker(this.#life))
    await Promise.race([gathering, stopped])
    // What was closed meanwhile had no life to end yet.
    if (this.#closed.signal.aborted) this.#life.end()
    if (this.#stopped.signal.aborted) return
    void this.#watchTopics()
    void this.#tend(this.#life)
    await this.#run()
  }

  pause(topicIndex: number, partition: number): void {
    this.#lanes?.setPaused(topicIndex, partition, true)
  }

  resume(topicIndex: number, partition: number): void {
    this.#lanes?.setPaused(topicIndex, partition, false)
  }

  rewind(topicIndex: number, partition: number, position: number): void {
    this.#lanes?.rewind(topicIndex, partition, position)
  }

  async refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void> {
    await this.#lanes?.refreshEndOffsets(partitions)
  }

  async commit(marks: readonly LowWaterMark[]): Promise<boolean> {
    const { revision } = this.#options
    const own = marks.flatMap(({ topicIndex, partition, offset, ...metadata }) => {
      const lane = this.#lanes?.at(topicIndex, partition)
      if (lane === undefined) return []
      return [{ topic: lane.topic, partition, offset: String(offset), metadata: encodeOffsetMetadata({ ...metadata, revision }) }]
    })
    if (own.length === 0 || !this.#joined || this.#committing !== undefined) return false
    let committed = false
    this.#committing = this.#consumer
      .commitOffsets(own)
      .then(() => {
        if (!this.#joined) return
        committed = true
        if (this.#uncommitted > 0) this.#options.logger.info({ failures: this.#uncommitted }, 'offsets are committed again')
        this.#uncommitted = 0
      })
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        const level = this.#uncommitted++ === 0 ? 'warn' : 'debug'
        this.#options.logger[level]({ partitions: own.length, reason }, 'offsets not committed; the next commit covers them')
      })
      .finally(() => {
        this.#committing = undefined
      })
    await within(COMMIT_MAX_MS, this.#committing)
    return committed
  }

  async reconnect(): Promise<void> {
    if (this.#lanes === undefined || this.#reconnecting || this.#stopped.signal.aborted) return
    this.#reconnecting = true
    this.#joined = false
    // First the connections: nobody waits for an answer on them any more, so that the consumer can end.
    dropConnections(this.#cluster)
    await within(
      CLOSE_MAX_MS,
      this.#consumer.disconnect().catch(() => {}),
    )
    this.#reconnecting = false
    if (!this.#closed.signal.aborted) await this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#lanes?.stop()
  }

  async close(): Promise<void> {
    await this.stop()
    this.#closed.abort()
    const left = this.#leave().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'the Kafka consumer did not close cleanly')
    })
    if (!(await within(CLOSE_WILLING_MS, left))) {
      // Something waits for an answer that may not come: without it the member can leave its group, and nobody waits for its session.
      dropConnections(this.#cluster)
      await within(CLOSE_MAX_MS, left)
    }
    this.#life?.end()
  }

  async #leave(): Promise<void> {
    try {
      await this.#membership.takeBackJoin(this.#options.groupId)
    } finally {
      await this.#consumer.disconnect()
    }
  }

  async #connect(): Promise<void> {
    const { brokers, logger } = this.#options
    const told = (message: string) => {
      if (this.#stopped.signal.aborted) return
      this.#trouble = message
      logger.error({ code: 'CTR_KAFKA_UNREACHABLE' }, message)
    }
    await tellingSilence(brokers, told, this.#consumer.connect())
    await tellingSilence(brokers, told, subscribeTo(this.#consumer, this.#cluster, this.#options))
  }

  /** A generation of the group has begun. */
  #join(assignment: Record<string, number[]>): void {
    const counts = this.#options.topics.map((topic) => this.#cluster.findTopicPartitionMetadata(topic).length)
    this.extent = { tasks: Math.max(...counts), partitions: counts.reduce((sum, count) => sum + count, 0) }
    this.#joined = true
    this.#owned = { tasks: [...new Set(Object.values(assignment).flat())], generation: this.#membership.generation }
    // Who may join may still not read.
    if (this.#owned.tasks.length === 0) this.#denied.lasting = false
    if (!this.#denied.lasting) {
      this.#crashes = 0
      this.#trouble = undefined
    }
    const missing = this.#options.bounded ? leftToOthers(this.#cluster, this.#options.topics, assignment) : []
    if (missing.length === 0 || this.#life === undefined) this.#lanes?.joined(assignment)
    else void this.#fallShort(missing, this.#life)
  }

  /** A bounded run without all partitions would end with a part of the result. */
  async #fallShort(missing: readonly string[], life: Life): Promise<void> {
    const failure = await lostShare(this.#cluster, this.#claim(life), missing)
    if (!this.#stopped.signal.aborted) this.#handler?.failed(failure)
  }

  #looker(life: Life) {
    const { groupId, logger } = this.#options
    return { groupId, life, ownId: () => this.#membership.id, logger }
  }

  #claim(life: Life): ClaimOptions {
    const { brokers, bounded, sessionTimeoutMs } = this.#options
    const rebalanceTimeoutMs = Math.max(REBALANCE_MIN_MS, sessionTimeoutMs)
    const purpose = bounded ? 'a run with --until-end' : 'a run with --reset'
    return { ...this.#looker(life), brokers, sessionTimeoutMs, rebalanceTimeoutMs, purpose, signal: this.#stopped.signal }
  }

  /** While a join is waited for, members may die for which it would wait: they are made to leave. */
  async #tend(life: Life): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await sleep(LOOK_MS, this.#closed.signal)
      const { joining } = this.#membership
      if (joining !== undefined && !this.#closed.signal.aborted) await dismissDead(joining, this.#looker(life)).catch(() => {})
    }
  }

  async #run(): Promise<void> {
    await this.#consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: LANES_AT_ONCE,
      eachBatch: async ({ batch }) => this.#lanes?.take(batch),
    })
  }

  /** What fetches don't tell of topics that were made again is found out as soon as new partitions are. */
  async #watchTopics(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await sleep(this.#options.metadataMaxAgeMs, this.#stopped.signal)
      if (!this.#stopped.signal.aborted) await this.#lanes?.checkTopics().catch(() => {}) // asked again next time
    }
  }

  /** Without a consumer there is nothing to tell: the next join says it all again. */
  #control(handler: SourceHandler): LaneControl {
    const whileRunning = (act: () => void) => {
      try {
        act()
      } catch (error) {
        this.#options.logger.debug({ err: error }, 'no consumer runs at present')
      }
    }
    const topicPartitions = ({ topic, partition }: Lane) => [{ topic, partitions: [partition] }]
    return {
      handler,
      cluster: () => this.#cluster,
      topicIds: (topics) => askTopicIds(this.#cluster, topics),
      readBy: (topic, id) => this.#topicIds.set(topic, id),
      seek: (lane, offset) =>
        whileRunning(() => this.#consumer.seek({ topic: lane.topic, partition: lane.partition, offset: String(offset) })),
      hold: (lane, held) =>
        whileRunning(() => (held ? this.#consumer.pause(topicPartitions(lane)) : this.#consumer.resume(topicPartitions(lane)))),
    }
  }

  #answered(): void {
    if (!this.#denied.answered()) return
    this.#crashes = 0
    this.#trouble = undefined
    this.#options.logger.info('access is granted again')
  }

  /** Positions are looked up until they are had; what is in the way is told, or ends the run when it will stay. */
  #looked(failure: unknown): void {
    if (failure === undefined) {
      if (!this.#denied.lasting) this.#trouble = undefined
      return
    }
    const error = toCtrError(failure, this.#options.brokers)
    if (isDenied(failure) && !this.#denied.passes(failure)) this.#handler?.failed(error)
    this.#trouble = error.message
  }

  /** kafkajs has given up and disconnected. */
  async #recover(error: unknown): Promise<void> {
    this.#joined = false
    if (this.#closed.signal.aborted || this.#reconnecting) return
    const failure = toCtrError(error, this.#options.brokers)
    if (looksLikeBug(error)) this.#bugs++
    if (!(failure.retriable || this.#denied.passes(error)) || this.#bugs > BUGS_MAX) {
      this.#handler?.failed(failure)
      return
    }
    this.#trouble = failure.message
    const attempt = this.#crashes++
    const level = attempt === 0 ? 'warn' : 'error'
    // Of access that stays denied one line is enough: `trouble` says it until it is granted.
    const worth = !isDenied(error) || this.#denied.isNews(failure.message) ? level : 'debug'
    this.#options.logger[worth]({ code: failure.code, attempt }, `${failure.message}; joining again`)
    await sleep(backoffMs(attempt + 1, CLIENT_BACKOFF), this.#closed.signal)
    if (!this.#closed.signal.aborted) await this.#run()
  }
}

/** Waits for `work`, but not for ever; it goes on by itself. Whether it is done. */
async function within(maxMs: number, work: Promise<void>): Promise<boolean> {
  const patience = new AbortController()
  const done = await Promise.race([work.then(() => true), sleep(maxMs, patience.signal).then(() => false)])
  patience.abort()
  return done
}

/**
 * Kafka as a source of record batches. kafkajs joins the group, authenticates, fetches and heartbeats; the lanes (lane-group.ts) keep
 * the positions and hand the batches over.
 *
 *   start: connect (waits for brokers and topics, with backoff) → former self leaves → join → lanes gained → positions looked up →
 *          `assigned` → fetch
 *
 * When kafkajs gives up (a broker gone for long, a coordinator that moves), the consumer is run again with backoff, for ever. Only what
 * waiting can't mend fails the source: refused authentication, a wrong configuration, a batch that can't be framed, a bug. Meanwhile
 * `trouble` says what is the matter.
 */
import { hostname } from 'node:os'
import type { Cluster, Consumer } from 'kafkajs'
import { backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CLIENT_ID_DEFAULT } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import type { LowWaterMark, Source, SourceHandler } from '../source/source.ts'
import { coPartitionAssigner } from './co-partition-assigner.ts'
import { evictFormerMembers } from './former-member.ts'
import { FramePool } from './frame-pool.ts'
import { CLIENT_BACKOFF, CLIENT_RETRY, type KafkaClientOptions, kafkaClient } from './kafka-client.ts'
import { looksLikeBug, toCtrError } from './kafka-errors.ts'
import { adaptCluster, dropConnections, type Membership } from './kafkajs-adapter.ts'
import type { Lane } from './lane.ts'
import { type LaneControl, LaneGroup, type LaneGroupOptions } from './lane-group.ts'
import { encodeOffsetMetadata } from './offset-metadata.ts'

/**
 * `topics`: their order gives the topicIndex. `startFrom`: applies to a partition's first assignment in this process, later ones go by the
 * committed offset. `bounded`: every partition is read up to the end offset it has when it is first assigned. `onCorruptBatch`: what to do
 * with a batch that can't be framed; 'stop' when not given.
 */
export interface KafkaSourceOptions extends KafkaClientOptions, LaneGroupOptions {
  readonly fetchBytesPerPartition: number
  readonly maxWaitMs: number
  readonly sessionTimeoutMs: number
  readonly metadataMaxAgeMs: number
}

const PROCESS = { host: hostname(), pid: process.pid }
/** A member hears of a rebalance at its next heartbeat, and everybody waits for the last one: this is what a rebalance takes. */
const HEARTBEAT_MS = 500
const REBALANCE_MIN_MS = 60_000
const CLOSE_MAX_MS = 10_000
const CLOSE_WILLING_MS = 5_000
/** A fetch is answered at once when this much is there, else after `maxWaitMs`. */
const FETCH_MIN_BYTES = 64 * 1024
/** Of one response: enough for the round trip to be small beside it, little enough to stay in the cache. */
const FETCH_MAX_BYTES = 16 * 1024 * 1024
/**
 * They take turns anyway, and kafkajs makes as many objects in every round, whatever comes. One that must wait is let go after a second,
 * so with n partitions a response that nobody has room for holds kafkajs for n / 8 seconds.
 */
const LANES_AT_ONCE = 8
/** With pauses of up to 2 s: a broker that restarts finds the member it knows, instead of waiting its session out. */
const CONSUMER_RETRIES = 30
const COMMIT_MAX_MS = 5_000
const BUGS_MAX = 3

/** A source that reads `topics` as a member of a consumer group. Throws CTR_KAFKA_VERSION when kafkajs is not the pinned one. */
export function kafkaSource(options: KafkaSourceOptions): Source {
  return new KafkaSource(options)
}

class KafkaSource implements Source {
  readonly #options: KafkaSourceOptions
  readonly #consumer: Consumer
  readonly #cluster: Cluster
  readonly #membership: Membership
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
  /** kafkajs takes commits of a consumer that is no member at present, and does nothing. */
  #joined = false
  /** What ends meanwhile was meant to end. */
  #reconnecting = false

  constructor(options: KafkaSourceOptions) {
    this.#options = options
    const pool = new FramePool()
    let adopted: Cluster | undefined
    this.#consumer = kafkaClient(options, pool).consumer({
      groupId: options.groupId,
      partitionAssigners: [
        coPartitionAssigner({
          adopt: (cluster) => {
            adopted = cluster
          },
          describe: () => ({ ...this.#owned, ...PROCESS }),
          dealt: (deal) => options.logger.info(deal, 'dealt the tasks out to the members of the consumer group'),
        }),
      ],
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: Math.max(REBALANCE_MIN_MS, options.sessionTimeoutMs),
      heartbeatInterval: HEARTBEAT_MS,
      metadataMaxAge: options.metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      maxBytesPerPartition: options.fetchBytesPerPartition,
      minBytes: Math.min(FETCH_MIN_BYTES, options.fetchBytesPerPartition),
      maxBytes: Math.max(FETCH_MAX_BYTES, options.fetchBytesPerPartition),
      maxWaitTimeInMs: options.maxWaitMs,
      retry: { ...CLIENT_RETRY, retries: CONSUMER_RETRIES, restartOnFailure: async () => false },
    })
    if (adopted === undefined) throw new CtrError('CTR_KAFKA_VERSION', 'kafkajs no longer makes its partition assigners with the consumer')
    this.#cluster = adopted
    this.#membership = adaptCluster(this.#cluster, pool, {
      endOffset: (topic, partition, endOffset) => this.#lanes?.endOffset(topic, partition, endOffset),
      outOfRange: (topic, partition) => this.#lanes?.outOfRange(topic, partition),
    })
    this.#consumer.on('consumer.group_join', ({ payload }) => {
      this.#crashes = 0
      this.#trouble = undefined
      this.#joined = true
      const assignment = payload.memberAssignment as unknown as Record<string, number[]>
      this.#owned = { tasks: [...new Set(Object.values(assignment).flat())], generation: this.#membership.generation }
      this.#lanes?.joined(assignment)
    })
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
        if (!failure.retriable) throw failure
        this.#trouble = failure.message
        this.#options.logger.error({ code: failure.code, attempt }, `${failure.message}; trying again`)
        await sleep(backoffMs(attempt + 1, CLIENT_BACKOFF), this.#stopped.signal)
      } finally {
        connecting.catch(() => {})
      }
    }
    if (this.#stopped.signal.aborted) return
    const counts = this.#options.topics.map((topic) => [topic, this.#cluster.findTopicPartitionMetadata(topic).length] as const)
    if (new Set(counts.map(([, count]) => count)).size > 1) {
      const remedy = 'partition i of every topic is read together, so they should have as many, and be keyed alike'
      this.#options.logger.warn({ partitions: Object.fromEntries(counts) }, `kafka.topics differ in their number of partitions: ${remedy}`)
    }
    this.#lanes = new LaneGroup(this.#options, this.#control(handler), new Map(counts))
    const { clientId, groupId, logger } = this.#options
    const self = { clientId, named: clientId !== CLIENT_ID_DEFAULT, ...PROCESS }
    await Promise.race([evictFormerMembers(this.#cluster, groupId, self, logger), stopped])
    if (!this.#stopped.signal.aborted) await this.#run()
  }

  pause(topicIndex: number, partition: number): void {
    this.#lanes?.setPaused(topicIndex, partition, true)
  }

  resume(topicIndex: number, partition: number): void {
    this.#lanes?.setPaused(topicIndex, partition, false)
  }

  async refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void> {
    await this.#lanes?.refreshEndOffsets(partitions)
  }

  async commit(marks: readonly LowWaterMark[]): Promise<boolean> {
    const own = marks.flatMap(({ topicIndex, partition, offset, ...metadata }) => {
      const lane = this.#lanes?.at(topicIndex, partition)
      if (lane === undefined) return []
      return [{ topic: lane.topic, partition, offset: String(offset), metadata: encodeOffsetMetadata(metadata) }]
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
    if (await within(CLOSE_WILLING_MS, left)) return
    // Something waits for an answer that may not come: without it the member can leave its group, and nobody waits for its session to end.
    dropConnections(this.#cluster)
    await within(CLOSE_MAX_MS, left)
  }

  async #leave(): Promise<void> {
    try {
      await this.#membership.takeBackJoin(this.#options.groupId)
    } finally {
      await this.#consumer.disconnect()
    }
  }

  async #connect(): Promise<void> {
    await this.#consumer.connect()
    const missing: string[] = []
    for (const topic of this.#options.topics) {
      try {
        await this.#consumer.subscribe({ topic, fromBeginning: true })
      } catch (error) {
        if (toCtrError(error, this.#options.brokers).code !== 'CTR_KAFKA_TOPIC_MISSING') throw error
        missing.push(topic)
      }
    }
    if (missing.length === 0) return
    const where = `kafka.topics ${missing.join(', ')}: no such topic at kafka.brokers ${this.#options.brokers.join(', ')}`
    const remedy = 'create it, all topics with the same number of partitions, or correct kafka.topics'
    throw new CtrError('CTR_KAFKA_TOPIC_MISSING', `${where}; ${remedy}`, { retriable: true })
  }

  async #run(): Promise<void> {
    await this.#consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: LANES_AT_ONCE,
      eachBatch: async ({ batch }) => this.#lanes?.take(batch),
    })
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
      seek: (lane, offset) =>
        whileRunning(() => this.#consumer.seek({ topic: lane.topic, partition: lane.partition, offset: String(offset) })),
      hold: (lane, held) =>
        whileRunning(() => (held ? this.#consumer.pause(topicPartitions(lane)) : this.#consumer.resume(topicPartitions(lane)))),
    }
  }

  /** kafkajs has given up and disconnected. */
  async #recover(error: unknown): Promise<void> {
    this.#joined = false
    if (this.#closed.signal.aborted || this.#reconnecting) return
    const failure = toCtrError(error, this.#options.brokers)
    if (looksLikeBug(error)) this.#bugs++
    if (!failure.retriable || this.#bugs > BUGS_MAX) {
      this.#handler?.failed(failure)
      return
    }
    this.#trouble = failure.message
    const attempt = this.#crashes++
    this.#options.logger[attempt === 0 ? 'warn' : 'error']({ code: failure.code, attempt }, `${failure.message}; joining again`)
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

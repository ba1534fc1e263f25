/**
 * Produces ready-made record batches, undecoded, through a kafkajs client: its connections, authentication, metadata and timeouts.
 *
 * kafkajs' own producer takes message objects; this one sends the Produce request (version 7, Kafka 2.1 and newer) itself:
 *
 *   | transactional_id = null i16 | acks = -1 i16 | timeout i32 | topics = 1 i32 | topic string | partitions = 1 i32 | partition i32 |
 *   | bytes i32 | record batch ... |
 *
 * Delivery: acknowledged by all in-sync replicas, retried until DELIVERY_MAX_MS. A batch that carries the producer's identity and its
 * partition's sequence is written once however often it is sent; the caller sends those of one partition one after the other.
 */
import type { Broker, Cluster, Kafka } from 'kafkajs'
import { type Backoff, backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { createTopics } from './create-topics.ts'
import { FramePool } from './frame-pool.ts'
import { frameSocketFactory } from './frame-socket.ts'
import { clusterOf, type KafkaClientOptions, kafkaClient } from './kafka-client.ts'
import { toCtrError } from './kafka-errors.ts'
import { readInternals } from './kafkajs-adapter.ts'
import { tellingSilence } from './silence.ts'
import { Tails, tailSocketFactory } from './tail-socket.ts'

const PRODUCE_API_KEY = 0
const PRODUCE_VERSION = 7
const DELIVERY_MAX_MS = 120_000
/** How long a cluster that has just started may take to elect leaders and load its coordinators. */
const SETTLE_MAX_MS = 30_000
const BACKOFF: Backoff = { firstMs: 100, maxMs: 2000, shares: [1, 1] }

/** Of each of so many partitions the last record is looked at. */
const LOOKED_AT_MAX = 8
const LOOK_BYTES = 1024 * 1024
const LOOK_MAX_MS = 1_000

/** For the topic's limit, or for a segment. */
const TOO_LARGE: readonly unknown[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']
/** A batch with this sequence is there already: an earlier try succeeded unheard. */
const DUPLICATE_SEQUENCE_NUMBER = 46

/** The identity that batches carry so that a retry is recognised. */
export interface ProducerIdentity {
  readonly id: number
  readonly epoch: number
}

/** A topic and how many partitions it has. */
export interface TopicPartitions {
  readonly topic: string
  readonly partitions: number
  /** It was not there before. */
  readonly created: boolean
}

interface ProduceAnswer {
  readonly errorCode: number
  readonly baseOffset: number
}

interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly { readonly messages: readonly { readonly value: Buffer | null }[] }[] }[]
}

interface ConnectionPool {
  send(protocol: {
    request: object
    response: { decode(body: Buffer): Promise<object>; parse(decoded: object): Promise<object> }
  }): Promise<object>
}

type ProduceBroker = Broker & {
  readonly connectionPool: ConnectionPool
  initProducerId(request: { transactionalId: null; transactionTimeout: number }): Promise<{ producerId: string; producerEpoch: number }>
}

export class BatchProducer {
  readonly #options: KafkaClientOptions
  readonly #kafka: Kafka
  readonly #cluster: Cluster
  readonly #tails = new Tails()
  readonly #patienceMs: number
  #reached = false
  #closed = false

  /** A request that fails in a way that passes is tried again for `patienceMs`. */
  constructor(options: KafkaClientOptions, patienceMs = DELIVERY_MAX_MS) {
    this.#options = options
    this.#patienceMs = patienceMs
    const pool = new FramePool()
    this.#kafka = kafkaClient(options, pool, tailSocketFactory(frameSocketFactory(pool), this.#tails))
    this.#cluster = clusterOf(this.#kafka)
  }

  /** Connects and gets an identity. Rejects with CTR_KAFKA_UNREACHABLE, CTR_KAFKA_AUTH or CTR_KAFKA_VERSION. */
  async connect(): Promise<ProducerIdentity> {
    await this.reach()
    return this.#explained(async () => {
      const broker = (await this.#cluster.findControllerBroker()) as ProduceBroker
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionalId: null, transactionTimeout: 60_000 })
      return { id: Number(producerId), epoch: producerEpoch }
    })
  }

  /** Connects, for batches that carry no identity. Rejects as `connect` does. */
  async reach(): Promise<void> {
    await this.#explained(async () => {
      const { brokers, logger } = this.#options
      await tellingSilence(brokers, (message) => logger.warn({ code: 'CTR_KAFKA_UNREACHABLE' }, message), this.#cluster.connect())
      // Later it would only say that a topic is gone, which `prepareTopics` mends.
      if (!this.#reached) await this.#cluster.refreshMetadata()
      this.#reached = true
    })
  }

  /** Creates the topics that don't exist; tells how many partitions each has then. `config` is for those created. */
  async prepareTopics(topics: readonly string[], partitions: number, config: Readonly<Record<string, string>>): Promise<TopicPartitions[]> {
    return this.#explained(async () => {
      const admin = this.#kafka.admin()
      await admin.connect()
      try {
        const existing = new Set(await admin.listTopics())
        const missing = topics.filter((topic) => !existing.has(topic))
        const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
        if (missing.length > 0) {
          const made = missing.map((topic) => ({ topic, numPartitions: partitions, replicationFactor: -1, configEntries }))
          await createTopics(admin, made)
        }
        const { topics: metadata } = await admin.fetchTopicMetadata({ topics: [...topics] })
        await this.#cluster.addMultipleTargetTopics([...topics])
        if (missing.length > 0) await this.#cluster.refreshMetadata()
        return topics.map((topic) => {
          const partitions = metadata.find(({ name }) => name === topic)?.partitions.length ?? 0
          return { topic, partitions, created: missing.includes(topic) }
        })
      } finally {
        await admin.disconnect()
      }
    })
  }

  /** End offsets of a topic by partition number. */
  async endOffsets(topic: string): Promise<number[]> {
    return this.#explained(async () => {
      const admin = this.#kafka.admin()
      await admin.connect()
      try {
        const offsets: number[] = []
        for (const { partition, high } of await admin.fetchTopicOffsets(topic)) offsets[partition] = Number(high)
        return offsets
      } finally {
        await admin.disconnect()
      }
    })
  }

  /**
   * How many records a topic holds by its offsets, and the values of the last ones of some partitions, as far as kafkajs can read them:
   * not without the right to read, and not all compressions.
   */
  async lastValues(topic: string): Promise<{ readonly records: number; readonly values: readonly Buffer[] }> {
    return this.#explained(async () => {
      const admin = this.#kafka.admin()
      await admin.connect()
      try {
        const spans = (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
          partition,
          low: Number(low),
          high: Number(high),
        }))
        const filled = spans.filter(({ low, high }) => high > low)
        const values = await Promise.all(
          filled.slice(0, LOOKED_AT_MAX).map(({ partition, high }) => this.#valueBefore(topic, partition, high)),
        )
        return { records: filled.reduce((sum, { low, high }) => sum + high - low, 0), values: values.flatMap((value) => value ?? []) }
      } finally {
        await admin.disconnect()
      }
    })
  }

  async #valueBefore(topic: string, partition: number, end: number): Promise<Buffer | undefined> {
    try {
      const leader = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))[0] ?? ''
      const broker = await this.#cluster.findBroker({ nodeId: leader })
      const partitions = [{ partition, fetchOffset: String(end - 1), maxBytes: LOOK_BYTES }]
      const answer = (await broker.fetch({
        maxWaitTime: LOOK_MAX_MS,
        maxBytes: LOOK_BYTES,
        topics: [{ topic, partitions }],
      })) as FetchAnswer
      return answer.responses[0]?.partitions[0]?.messages.at(-1)?.value ?? undefined
    } catch (reason) {
      this.#options.logger.debug({ topic, partition, reason: String(reason) }, 'the last record can not be read')
      return undefined
    }
  }

  /**
   * Appends one record batch; resolves with its base offset (-1 when an earlier try turned out to have written it). The batch is not
   * copied: it must stay as it is until then.
   */
  async send(topic: string, partition: number, batch: Buffer): Promise<number> {
    const deadline = Date.now() + this.#patienceMs
    for (let failures = 1; ; failures++) {
      try {
        return await this.#attempt(topic, partition, batch)
      } catch (error) {
        const failure = this.#explain(error)
        const waitMs = backoffMs(failures, BACKOFF)
        if (!failure.retriable || this.#closed || Date.now() + waitMs > deadline) throw failure
        this.#options.logger.warn({ topic, partition, reason: failure.message }, 'sending again')
        await sleep(waitMs)
        await this.#cluster.refreshMetadata().catch((reason) => this.#options.logger.debug({ reason: String(reason) }, 'no fresh metadata'))
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#cluster.disconnect()
  }

  async #attempt(topic: string, partition: number, batch: Buffer): Promise<number> {
    const leader = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))[0]
    if (leader === undefined) throw new CtrError('CTR_KAFKA_TOPIC_MISSING', `${topic} has no partition ${partition}`, { retriable: true })
    const { connectionPool } = (await this.#cluster.findBroker({ nodeId: leader })) as ProduceBroker
    const head = produceHead(topic, partition, this.#options.requestTimeoutMs)
    const ticket = this.#tails.add(head, batch)
    const answer = (await connectionPool
      .send({ request: produceRequest(head), response: { decode: async (body) => decodeAnswer(body), parse: async (decoded) => decoded } })
      .finally(() => this.#tails.drop(ticket))) as ProduceAnswer
    if (answer.errorCode === 0 || answer.errorCode === DUPLICATE_SEQUENCE_NUMBER) return answer.baseOffset
    const cause = readInternals().createErrorFromCode(answer.errorCode) as Error & { retriable?: boolean; type?: string }
    if (TOO_LARGE.includes(cause.type)) {
      const remedy = "make batches smaller or raise the topic's max.message.bytes"
      throw new CtrError('CTR_USAGE', `${topic}/${partition} refuses a record batch of ${batch.length} bytes: ${remedy}`, { cause })
    }
    const message = `${topic}/${partition} refuses a record batch: ${cause.type ?? answer.errorCode}: ${cause.message}`
    throw new CtrError('CTR_KAFKA_CRASHED', message, { cause, retriable: cause.retriable ?? false })
  }

  /** Tries again while the cluster comes up: elects leaders, loads coordinators. Brokers that never answered are a failure at once. */
  async #explained<T>(action: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + Math.min(SETTLE_MAX_MS, this.#patienceMs)
    for (let failures = 1; ; failures++) {
      try {
        return await action()
      } catch (error) {
        const failure = this.#explain(error)
        const waitMs = backoffMs(failures, BACKOFF)
        if (!failure.retriable || !this.#reached || this.#closed || Date.now() + waitMs > deadline) throw failure
        await sleep(waitMs)
      }
    }
  }

  #explain(error: unknown): CtrError {
    return toCtrError(error, this.#options.brokers)
  }
}

/** Whether a smaller batch may go where `send` has rejected with `error`. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof CtrError && TOO_LARGE.includes((error.cause as { type?: unknown } | undefined)?.type)
}

/** Up to the batch's length, which comes with the batch. */
function produceHead(topic: string, partition: number, timeoutMs: number): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.alloc(26 + name.length)
  head.writeInt16BE(-1, 0)
  head.writeInt16BE(-1, 2)
  head.writeInt32BE(timeoutMs, 4)
  head.writeInt32BE(1, 8)
  head.writeInt16BE(name.length, 12)
  name.copy(head, 14)
  head.writeInt32BE(1, 14 + name.length)
  head.writeInt32BE(partition, 18 + name.length)
  return head
}

/** kafkajs wants an encoder; all it takes of one is `buf` and `buffer`. */
function produceRequest(head: Buffer): object {
  return {
    apiKey: PRODUCE_API_KEY,
    apiVersion: PRODUCE_VERSION,
    apiName: 'Produce',
    expectResponse: () => true,
    encode: async () => ({ buf: head, buffer: head }),
  }
}

/** | topics = 1 i32 | topic string | partitions = 1 i32 | partition i32 | error i16 | base offset i64 | append time i64 | … */
function decodeAnswer(body: Buffer): ProduceAnswer {
  const at = 4 + 2 + body.readInt16BE(4) + 4 + 4
  return { errorCode: body.readInt16BE(at), baseOffset: Number(body.readBigInt64BE(at + 2)) }
}

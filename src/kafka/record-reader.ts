/**
 * Reads topics without a group, record by record, up to the ends as they are when it begins: for letters and what is as small, not for
 * events. What an aborted transaction wrote is left out, and so is what an open one holds back.
 */
import kafkajs, { type Broker, type Cluster, CompressionTypes, type Kafka } from 'kafkajs'
import { CODEC } from '../batch/codec.ts'
import { decompress } from '../batch/decompress.ts'
import { sleep } from '../clock.ts'
import { LIMITS } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import { FramePool } from './frame-pool.ts'
import { clusterOf, type KafkaClientOptions, kafkaClient } from './kafka-client.ts'
import { toCtrError } from './kafka-errors.ts'

/** A record; the value is the reader's to keep. */
export interface TopicRecord {
  readonly partition: number
  readonly offset: number
  readonly value: Buffer | null
}

interface FetchedMessage {
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly isControlRecord: boolean
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean }
}

interface FetchedPartition {
  readonly lastStableOffset: string
  readonly abortedTransactions: readonly { readonly firstOffset: string; readonly producerId: string }[] | null
  readonly messages: readonly FetchedMessage[]
}

const PARTITION_BYTES = 1024 * 1024
const WAIT_MS = 200
const READ_COMMITTED = 1
/** A partition that gives nothing before its end, so often in a row. */
const NOTHING_MAX = 50

export class RecordReader {
  readonly #options: KafkaClientOptions
  readonly #kafka: Kafka
  readonly #cluster: Cluster

  constructor(options: KafkaClientOptions) {
    this.#options = options
    this.#kafka = kafkaClient(options, new FramePool())
    this.#cluster = clusterOf(this.#kafka)
    for (const [type, codec] of [
      [CompressionTypes.Snappy, CODEC.snappy],
      [CompressionTypes.LZ4, CODEC.lz4],
      [CompressionTypes.ZSTD, CODEC.zstd],
    ] as const) {
      kafkajs.CompressionCodecs[type] = () => ({ compress: notHere, decompress: async (bytes: Buffer) => unpacked(codec, bytes) })
    }
  }

  /** Rejects with CTR_KAFKA_UNREACHABLE or CTR_KAFKA_AUTH. */
  async connect(): Promise<void> {
    await this.#explained(() => this.#cluster.connect())
  }

  /** How many partitions each of these topics has; those that are not there are left out. */
  async partitionsOf(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#withAdmin(async (admin) => {
      const there = new Set(await admin.listTopics())
      const found = topics.filter((topic) => there.has(topic))
      if (found.length === 0) return new Map()
      const { topics: metadata } = await admin.fetchTopicMetadata({ topics: [...new Set(found)] })
      return new Map(metadata.map(({ name, partitions }) => [name, partitions.length]))
    })
  }

  /** The records of a topic that is there, partition after partition, each in its order. */
  async *records(topic: string): AsyncGenerator<TopicRecord> {
    const spans = await this.#withAdmin((admin) => admin.fetchTopicOffsets(topic))
    await this.#explained(async () => {
      await this.#cluster.addMultipleTargetTopics([topic])
      await this.#cluster.refreshMetadata()
    })
    for (const { partition, low, high } of spans) yield* this.#partition(topic, partition, Number(low), Number(high))
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect()
  }

  async *#partition(topic: string, partition: number, low: number, high: number): AsyncGenerator<TopicRecord> {
    const aborted = new AbortedRecords()
    let position = low
    for (let nothing = 0; position < high; ) {
      const fetched = await this.#explained(() => this.#fetch(topic, partition, position))
      const stable = Number(fetched.lastStableOffset)
      aborted.add(fetched.abortedTransactions ?? [])
      const before = position
      for (const message of fetched.messages) {
        const offset = Number(message.offset)
        const counts = aborted.isWhole(message, offset)
        if (offset < position || offset >= high) continue
        position = offset + 1
        if (counts) yield { partition, offset, value: message.value === null ? null : Buffer.from(message.value) }
      }
      if (fetched.messages.some(({ offset }) => Number(offset) >= high)) return
      if (position > before) nothing = 0
      else if (position >= stable && stable >= 0) return
      else if (++nothing > NOTHING_MAX) {
        throw new CtrError('CTR_KAFKA_CRASHED', `${topic}/${partition}: nothing comes from offset ${position} on, of ${high}`, {
          retriable: true,
        })
      } else await sleep(WAIT_MS)
    }
  }

  async #fetch(topic: string, partition: number, offset: number): Promise<FetchedPartition> {
    const leader = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))[0] ?? ''
    const broker = (await this.#cluster.findBroker({ nodeId: leader })) as Broker
    const partitions = [{ partition, fetchOffset: String(offset), maxBytes: PARTITION_BYTES }]
    const request = {
      maxWaitTime: WAIT_MS,
      minBytes: 1,
      maxBytes: PARTITION_BYTES,
      isolationLevel: READ_COMMITTED,
      topics: [{ topic, partitions }],
    }
    const answer = (await broker.fetch(request)) as { responses: readonly { partitions: readonly FetchedPartition[] }[] }
    const found = answer.responses[0]?.partitions[0]
    if (found === undefined) throw new CtrError('CTR_KAFKA_CRASHED', `${topic}/${partition} is missing in an answer`, { retriable: true })
    return found
  }

  async #withAdmin<T>(work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    return this.#explained(async () => {
      const admin = this.#kafka.admin()
      await admin.connect()
      try {
        return await work(admin)
      } finally {
        await admin.disconnect()
      }
    })
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw toCtrError(error, this.#options.brokers)
    }
  }
}

/** Which records of a partition an aborted transaction has written: those of its producer from its first offset to its marker. */
export class AbortedRecords {
  readonly #coming = new Map<string, { readonly firstOffset: number; readonly producerId: string }>()
  readonly #now = new Set<string>()
  readonly #seen = new Set<string>()

  /** What a fetch says of them; it may say so again. */
  add(transactions: readonly { readonly firstOffset: string; readonly producerId: string }[]): void {
    for (const { firstOffset, producerId } of transactions) {
      const key = `${producerId}/${firstOffset}`
      if (!this.#seen.has(key)) this.#coming.set(key, { firstOffset: Number(firstOffset), producerId })
    }
  }

  /** Whether a message is a record, and of no aborted transaction. Messages come in the order of their offsets. */
  isWhole({ isControlRecord, batchContext }: FetchedMessage, offset: number): boolean {
    for (const [key, { firstOffset, producerId }] of this.#coming) {
      if (firstOffset > offset) continue
      this.#coming.delete(key)
      this.#seen.add(key)
      this.#now.add(producerId)
    }
    const producerId = batchContext?.producerId ?? ''
    if (isControlRecord) this.#now.delete(producerId)
    return !isControlRecord && !(batchContext?.inTransaction === true && this.#now.has(producerId))
  }
}

async function unpacked(codec: number, bytes: Buffer): Promise<Buffer> {
  const whole = decompress(codec, bytes, LIMITS.eventMaxBytes * 8)
  if (whole === undefined) throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `a record batch of ${bytes.length} bytes decompresses to too many`)
  return Buffer.from(whole)
}

async function notHere(): Promise<Buffer> {
  throw new Error('this client reads')
}

/**
 * Reads topics without a group, for somebody who looks: nothing is joined, nothing is committed, and nobody's reading is disturbed. Batches
 * come as the engine's own source has them: committed transactions only, in the codec they were written in.
 */
import type { Broker, Cluster } from 'kafkajs'
import { backoffMs } from '../backoff.ts'
import type { Span } from '../batch/record-batches.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { FetchRequest } from './fetch-ahead.ts'
import type { DecodedFetch } from './fetch-response.ts'
import { topicNames } from './find-topics.ts'
import { FramePool } from './frame-pool.ts'
import { CLIENT_BACKOFF, clusterOf, type KafkaClientOptions, kafkaClient } from './kafka-client.ts'
import { toCtrError } from './kafka-errors.ts'
import { adaptReader } from './kafkajs-adapter.ts'
import { keyOf, listOffsets } from './start-position.ts'
import { insteadOf } from './topic-faults.ts'

const COMMITTED_ONLY = 1
const FETCH_BYTES = 4 * 1024 * 1024
/** Some twenty seconds. */
const FAILURES_MAX = 8
const PARTITION_BYTES = 1024 * 1024

/** Where to go on reading a partition: the next offset. */
export interface ReadPosition {
  readonly topic: string
  readonly partition: number
  offset: number
}

/** What a fetch has brought of one partition. The bytes are the caller's until its callback returns. */
export interface FetchedSpan {
  readonly position: ReadPosition
  readonly bytes: Buffer
  readonly span: Span
}

/** The first offset that is there, and the end that a reader of committed records can reach. */
export interface TopicSpan {
  readonly partition: number
  readonly earliest: number
  readonly latest: number
}

export class TopicReader {
  readonly #brokers: readonly string[]
  readonly #cluster: Cluster
  /** Partitions, by `keyOf`, of which what was asked for is gone. */
  readonly #gone = new Set<string>()
  /** Fetches in a row that have failed. */
  #failures = 0

  /** `maxBatchBytes`: what a batch may decompress to. */
  constructor(options: KafkaClientOptions, maxBatchBytes: number) {
    const pool = new FramePool()
    this.#brokers = options.brokers
    this.#cluster = clusterOf(kafkaClient(options, pool))
    adaptReader(this.#cluster, pool, {
      maxBatchBytes,
      answered: () => {},
      endOffset: () => {},
      outOfRange: (topic, partition) => void this.#gone.add(keyOf({ topic, partition })),
      otherTopic: (topic, partition) => void this.#gone.add(keyOf({ topic, partition })),
    })
  }

  /** Rejects with CTR_KAFKA_UNREACHABLE, CTR_KAFKA_AUTH or CTR_KAFKA_VERSION. */
  async connect(): Promise<void> {
    await this.#explained(async () => {
      await this.#cluster.connect()
      await this.#cluster.refreshMetadata()
    })
  }

  /** All topics that the user may know of, but Kafka's own. */
  async topics(): Promise<string[]> {
    const names = await this.#explained(() => topicNames(this.#cluster))
    return names.filter((name) => !name.startsWith('__')).toSorted()
  }

  /** Of each partition that has a leader. Rejects with CTR_KAFKA_TOPIC_MISSING, with the names that are nearest. */
  async spans(topic: string): Promise<TopicSpan[]> {
    return this.#explained(async () => {
      const there = await topicNames(this.#cluster)
      if (there.length > 0 && !there.includes(topic)) {
        const what = `no topic ${topic} at kafka.brokers ${this.#brokers.join(', ')}${insteadOf([topic], there)}`
        throw new CtrError('CTR_KAFKA_TOPIC_MISSING', `${what}; name one that is there`)
      }
      await this.#cluster.addMultipleTargetTopics([topic])
      const partitions = this.#cluster.findTopicPartitionMetadata(topic).filter(({ leader }) => leader >= 0)
      const all = partitions.map(({ partitionId: partition }) => ({ topic, partition }))
      if (all.length === 0) return []
      const [earliest, latest] = await Promise.all([listOffsets(this.#cluster, all, 'earliest'), listOffsets(this.#cluster, all, 'latest')])
      return all.map((one) => {
        const first = earliest.get(keyOf(one)) ?? 0
        return { partition: one.partition, earliest: first, latest: Math.max(first, latest.get(keyOf(one)) ?? 0) }
      })
    })
  }

  /** The first offset of each partition whose record is of that time or later; the end where there is none. */
  async offsetsAt(topic: string, spans: readonly TopicSpan[], timestamp: number): Promise<Map<number, number>> {
    const all = spans.map(({ partition }) => ({ topic, partition }))
    const found = await this.#explained(() => listOffsets(this.#cluster, all, timestamp))
    return new Map(
      spans.map(({ partition, latest }) => {
        const offset = found.get(keyOf({ topic, partition })) ?? -1
        return [partition, offset < 0 ? latest : offset]
      }),
    )
  }

  /**
   * One fetch of these partitions, all leaders at a time; `take` gets what has come. Positions move behind it, and to the first offset that
   * is there where theirs is gone. Resolves with whether anything has come, at the latest after `waitMs`.
   */
  async fetch(positions: readonly ReadPosition[], waitMs: number, take: (fetched: FetchedSpan) => void): Promise<boolean> {
    const byLeader = [...this.#byLeader(positions)]
    // All of them have ended before anything else is done: none hands on records behind the caller's back.
    const ended = await Promise.allSettled(byLeader.map(([nodeId, own]) => this.#fetchFrom(nodeId, own, waitMs, take)))
    const failed = ended.find((one) => one.status === 'rejected')
    if (failed !== undefined) return this.#tryAgain(toCtrError(failed.reason, this.#brokers))
    this.#failures = 0
    if (this.#gone.size > 0) await this.#goOn(positions)
    return ended.some((one) => one.status === 'fulfilled' && one.value)
  }

  /** A leader that moves, or a broker that restarts, is waited for. */
  async #tryAgain(failure: CtrError): Promise<false> {
    if (!failure.retriable || ++this.#failures > FAILURES_MAX) throw failure
    await sleep(backoffMs(this.#failures, CLIENT_BACKOFF))
    await this.#cluster.refreshMetadata().catch(() => undefined)
    return false
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => undefined)
  }

  #byLeader(positions: readonly ReadPosition[]): Map<string, ReadPosition[]> {
    const byLeader = new Map<string, ReadPosition[]>()
    for (const position of positions) {
      const { topic, partition } = position
      const [leader] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))
      if (leader === undefined) continue
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), position])
    }
    return byLeader
  }

  async #fetchFrom(
    nodeId: string,
    positions: readonly ReadPosition[],
    waitMs: number,
    take: (fetched: FetchedSpan) => void,
  ): Promise<boolean> {
    const broker = (await this.#cluster.findBroker({ nodeId })) as unknown as Omit<Broker, 'fetch'> & {
      fetch(request: FetchRequest): Promise<DecodedFetch>
    }
    const topics = [...new Set(positions.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: positions
        .filter((one) => one.topic === topic)
        .map(({ partition, offset }) => ({ partition, fetchOffset: String(offset), maxBytes: PARTITION_BYTES })),
    }))
    const answer = await broker.fetch({
      minBytes: 1,
      maxWaitTime: waitMs,
      maxBytes: FETCH_BYTES,
      isolationLevel: COMMITTED_ONLY,
      topics,
    })
    try {
      return handOn(answer, positions, take)
    } finally {
      answer.frame?.release()
    }
  }

  /** Retention, or a topic that was made again, has taken what was to be read. */
  async #goOn(positions: readonly ReadPosition[]): Promise<void> {
    const gone = positions.filter((position) => this.#gone.has(keyOf(position)))
    this.#gone.clear()
    await this.#explained(async () => {
      await this.#cluster.refreshMetadata()
      const earliest = await listOffsets(this.#cluster, gone, 'earliest')
      for (const position of gone) position.offset = earliest.get(keyOf(position)) ?? position.offset
    })
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw toCtrError(error, this.#brokers)
    }
  }
}

function handOn(answer: DecodedFetch, positions: readonly ReadPosition[], take: (fetched: FetchedSpan) => void): boolean {
  let found = false
  for (const { topicName, partitions } of answer.responses) {
    for (const { partition, messages } of partitions) {
      const position = positions.find((one) => one.topic === topicName && one.partition === partition)
      for (const { value } of position === undefined ? [] : messages) {
        const { bytes, walk } = value
        if (walk.corrupt !== undefined) {
          const where = `${topicName}/${partition}, offset ${walk.corrupt.offset}`
          throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `${where}: ${walk.corrupt.reason}`)
        }
        for (const span of walk.spans) take({ position: position as ReadPosition, bytes, span })
        if (walk.nextOffset > (position as ReadPosition).offset) {
          ;(position as ReadPosition).offset = walk.nextOffset
          found = true
        }
      }
    }
  }
  return found
}

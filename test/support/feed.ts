/** Records of the oracle's kind as record batches into a real Kafka, and dead letters out of it. */
import { pino } from 'pino'
import { BatchProducer } from '../../src/kafka/batch-producer.ts'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import type { ConfigTree } from '../../workshop/engine-process.ts'
import { createTopics, fresh, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'

const BATCH_RECORDS = 500

/** The two input topics of one test. */
export interface Topics {
  readonly impressions: string
  readonly clicks: string
  readonly dead: string
  readonly group: string
}

/** Creates a pair of input topics; names for dead letters and a group go with them. */
export async function freshTopics(brokers: string[], partitions: number, config: Record<string, string> = {}): Promise<Topics> {
  const id = fresh('t')
  const topics = { impressions: `${id}-impressions`, clicks: `${id}-clicks`, dead: `${id}-dead`, group: `${id}-group` }
  await createTopics(brokers, [topics.impressions, topics.clicks], partitions, { 'retention.ms': '-1', ...config })
  return topics
}

/** The configuration that reads them; nothing goes idle by itself. */
export function from(brokers: readonly string[], { impressions, clicks, dead, group }: Topics): ConfigTree {
  return {
    kafka: { brokers, groupId: group, topics: [impressions, clicks], sessionTimeout: '6s', maxWait: '50ms', commitInterval: '100ms' },
    time: { idleTimeout: '1h' },
    sink: { emitInterval: '100ms' },
    deadLetter: { topic: dead },
  }
}

/** The lists, each one partition of one topic, renamed to these topics and with the offsets that Kafka will give them. */
export function placed(lists: readonly (readonly OracleRecord[])[], topics: Topics): OracleRecord[][] {
  return lists.map((list) =>
    list.map((record, offset) => ({ ...record, topic: record.topic === 'clicks' ? topics.clicks : topics.impressions, offset })),
  )
}

/** Appends to topics, batch by batch, through one connection. */
export class Feeder {
  readonly #producer: BatchProducer
  readonly #topics: Topics

  private constructor(producer: BatchProducer, topics: Topics) {
    this.#producer = producer
    this.#topics = topics
  }

  static async connect(brokers: readonly string[], topics: Topics): Promise<Feeder> {
    const producer = new BatchProducer({
      brokers,
      clientId: 'feeder',
      connectionTimeoutMs: 5_000,
      requestTimeoutMs: 30_000,
      security: { protocol: 'PLAINTEXT' },
      logger: pino({ level: 'silent' }),
    })
    await producer.connect()
    const feeder = new Feeder(producer, topics)
    await feeder.refresh()
    return feeder
  }

  /** Learns of partitions that have been added. */
  async refresh(): Promise<void> {
    await this.#producer.prepareTopics([this.#topics.impressions, this.#topics.clicks], 1, {})
  }

  /** One record batch; the records are of one partition. */
  async append(records: readonly OracleRecord[], codec = 0): Promise<void> {
    const [first] = records
    if (first === undefined) return
    // The broker gives the offsets and refuses a batch that claims one.
    const batch = records.map((record, offset) => ({ ...record, offset }))
    await this.#producer.send(first.topic, first.partition, encodeBatch(batch, codec))
  }

  /** Whole partitions, side by side. */
  async appendAll(lists: readonly (readonly OracleRecord[])[], codec = 0, batchRecords = BATCH_RECORDS): Promise<void> {
    const one = async (list: readonly OracleRecord[]) => {
      for (let at = 0; at < list.length; at += batchRecords) await this.append(list.slice(at, at + batchRecords), codec)
    }
    await Promise.all(lists.map(one))
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }
}

/** Produces the records and disconnects. */
export async function feed(
  brokers: readonly string[],
  topics: Topics,
  lists: readonly (readonly OracleRecord[])[],
  codec = 0,
  batchRecords = BATCH_RECORDS,
): Promise<void> {
  const feeder = await Feeder.connect(brokers, topics)
  try {
    await feeder.appendAll(lists, codec, batchRecords)
  } finally {
    await feeder.close()
  }
}

/** At least `count` letters, in the order of the topic. */
export async function deadLetters(brokers: string[], topic: string, count: number): Promise<DeadLetter[]> {
  return withSource(sourceOptions(brokers, [topic], { startFrom: 'earliest' }), async (taker) => {
    await until(`${count} dead letters`, () => taker.count >= count)
    return taker.values('0/0').map((value) => JSON.parse(value ?? '') as DeadLetter)
  })
}

/** An event's bytes as the example has them. */
export function event(product: string, type: 'impression' | 'click', timestamp: number | string): Buffer {
  return Buffer.from(JSON.stringify({ event_id: 'e-1', user_id: 'u-1', product_id: product, event_type: type, timestamp, session_id: 's' }))
}

/** One event as a record that is as old as the event; its offset is Kafka's to give. */
export function record(topic: string, product: string, type: 'impression' | 'click', time: number, partition = 0): OracleRecord {
  return { topic, partition, offset: 0, recordTimestamp: time, value: event(product, type, time) }
}

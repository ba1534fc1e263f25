import { Writable } from 'node:stream'
import kafkajs from 'kafkajs'
import { pino } from 'pino'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { describe as describeResult, loadVerb } from '../../src/cli/load.ts'
import type { KafkaClientOptions } from '../../src/kafka/kafka-client.ts'
import { GENERATE_DEFAULTS } from '../../src/load/generate.ts'
import { generatorSource } from '../../src/load/generator-source.ts'
import { type LoadResult, type ProduceLoadOptions, produceLoad } from '../../src/load/produce.ts'
import { SASL_USERS, startBroker } from '../../workshop/kafka-broker.ts'
import { CollectingHandler } from '../support/collecting-handler.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const START = 1_659_304_800_000
const FOREVER = { 'retention.ms': '-1' }

let brokers: string[] = []
let number = 0

beforeAll(async () => {
  brokers = await sharedBrokers()
})

function topicPair(): string[] {
  const name = `load-${process.pid}-${Date.now()}-${number++}`
  return [`${name}-impressions`, `${name}-clicks`]
}

function client(addresses: readonly string[]): KafkaClientOptions {
  const logger = pino(new Writable({ write: (_chunk, _encoding, done) => done() }))
  return {
    brokers: addresses,
    clientId: 'load-test',
    connectionTimeoutMs: 5000,
    requestTimeoutMs: 15_000,
    security: { protocol: 'PLAINTEXT' },
    logger,
  }
}

function load(options: Partial<ProduceLoadOptions>): Promise<LoadResult> {
  return produceLoad({ kafka: client(brokers), topics: topicPair(), partitions: 2, rate: 0, topicConfig: FOREVER, ...options })
}

/** All records of a topic by partition, read with kafkajs as it is. */
async function readAll(topic: string, count: number): Promise<string[][]> {
  const consumer = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).consumer({ groupId: `read-${topic}` })
  const records: string[][] = []
  let read = 0
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    const eachBatch = async ({ batch }: kafkajs.EachBatchPayload) => {
      for (const { key, value, timestamp } of batch.messages) {
        records[batch.partition] ??= []
        records[batch.partition]?.push(`${timestamp} ${key} ${value}`)
        read++
      }
      if (read >= count) resolve()
    }
    consumer.on('consumer.crash', ({ payload }) => payload.restart || reject(payload.error))
    consumer.run({ eachBatch }).catch(reject)
    if (count === 0) resolve()
  })
  await consumer.disconnect()
  return records
}

describe('produced events', () => {
  test('are in Kafka exactly as the generator source makes them of the same options', async () => {
    const topics = topicPair()
    const generate = { seed: 11, lateShare: 0.02, invalidShare: 0.05, products: 50 }
    const result = await load({ topics, generate, count: 20_000, startTime: START, eventRate: 5000, batchBytes: 32 * 1024 })
    expect(result).toMatchObject({ events: 20_000, complete: true })
    expect(result.impressions + result.clicks + result.invalid).toBe(20_000)

    const handler = new CollectingHandler()
    const source = generatorSource({
      ...GENERATE_DEFAULTS,
      ...generate,
      topics: 2,
      partitions: 2,
      rate: 0,
      count: 20_000,
      startTime: START,
      eventRate: 5000,
      clock: Date.now,
    })
    await source.start(handler)
    await handler.ended()
    await source.close()
    for (const [topicIndex, topic] of topics.entries()) {
      const sent = result.partitions.filter((partition) => partition.topic === topic).reduce((sum, partition) => sum + partition.sent, 0)
      const records = await readAll(topic, sent)
      for (const partition of [0, 1]) {
        const expected = handler.records
          .get(`${topicIndex}/${partition}`)
          ?.map(({ timestamp, key, value }) => `${timestamp} ${key} ${value}`)
        expect(records[partition] ?? []).toEqual(expected)
      }
    }
  })

  test('are the same in every partition whatever the number of threads', async () => {
    const options = { generate: { seed: 3, products: 40 }, partitions: 5, count: 8000, startTime: START, batchBytes: 8192 }
    const made = async (threads: number) => {
      const topics = topicPair()
      const result = await load({ ...options, topics, threads })
      expect(result).toMatchObject({ events: 8000, complete: true, threads })
      expect(result.latencyMs.p50).toBeGreaterThan(0)
      expect(result.cpuSeconds).toBeGreaterThan(0)
      const sent = (topic: string) => result.partitions.reduce((sum, one) => sum + (one.topic === topic ? one.sent : 0), 0)
      return Promise.all(topics.map((topic) => readAll(topic, sent(topic))))
    }
    expect(await made(3)).toEqual(await made(1))
  })

  test('are added to topics that exist, whose number of partitions holds', async () => {
    const topics = topicPair()
    const first = await load({ topics, count: 3000 })
    const second = await load({ topics, count: 2000, partitions: 7 })
    expect(second.complete).toBe(true)
    expect(second.partitions.map(({ startOffset }) => startOffset)).toEqual(first.partitions.map(({ endOffset }) => endOffset))
    expect(second.partitions.length).toBe(4)
  })

  test.each([
    ['gzip', 1],
    ['snappy', 2],
    ['lz4', 3],
    ['zstd', 4],
  ])('compressed with %s are accepted by the broker', async (_, codec) => {
    expect(await load({ count: 60_000, codec, batchBytes: 262_144, startTime: START })).toMatchObject({ events: 60_000, complete: true })
  })

  test('may all go to one topic', async () => {
    const [topic = ''] = topicPair()
    const { partitions, complete } = await load({ topics: [topic], count: 1000 })
    expect(complete).toBe(true)
    expect(partitions.map((partition) => partition.topic)).toEqual([topic, topic])
  })

  test('keep to the rate, until the duration is over', async () => {
    const progress: number[] = []
    const { events, seconds, complete } = await load({ rate: 2000, durationMs: 2500, onProgress: ({ events }) => progress.push(events) })
    expect(complete).toBe(true)
    expect(seconds).toBeGreaterThan(2.4)
    expect(events / seconds).toBeGreaterThan(1500)
    expect(events / seconds).toBeLessThan(2100)
    expect(progress.length).toBe(2)
  })

  test('are all delivered when a signal ends the load', async () => {
    const stop = new AbortController()
    const loading = load({ rate: 5000, signal: stop.signal, onProgress: () => stop.abort() })
    const { events, complete } = await loading
    expect(events).toBeGreaterThan(2000)
    expect(complete).toBe(true)
  })

  test('are there once each although the broker was killed and restarted in between', async () => {
    const broker = await startBroker({ own: true })
    try {
      const begun = Promise.withResolvers<void>()
      const onProgress = ({ events }: { events: number }) => void (events > 0 && begun.resolve())
      const loading = load({ kafka: client(broker.brokers), rate: 20_000, count: 120_000, batchBytes: 16 * 1024, onProgress })
      const settled = loading.catch(() => undefined)
      await Promise.race([begun.promise, settled])
      await broker.kill()
      await broker.restart()
      await settled
      const { events, partitions } = await loading
      expect(events).toBe(120_000)
      // Nothing twice and nothing missing: what was in the page cache outlives the process.
      for (const { startOffset, endOffset, sent } of partitions) expect(endOffset - startOffset).toBe(sent)
    } finally {
      await broker.stop()
    }
  }, 120_000)
})

test.each(['PLAIN', 'SCRAM-SHA-512'] as const)(
  'a load goes over TLS, behind a password by %s',
  async (mechanism) => {
    const broker = await startBroker({ sasl: true })
    try {
      const user = mechanism === 'PLAIN' ? SASL_USERS.plain : SASL_USERS.scram
      const security = { protocol: 'SASL_SSL', sasl: { mechanism, ...user }, ssl: { ca: broker.caPem } } as const
      const kafka = { ...client(broker.saslBrokers), security }
      expect(await load({ kafka, count: 40_000, threads: 2 })).toMatchObject({ events: 40_000, complete: true, threads: 2 })
    } finally {
      await broker.stop()
    }
  },
  120_000,
)

test('a load tells of records that no load has made, and of nothing else', async () => {
  const [own = '', foreign = ''] = topicPair()
  const told: string[] = []
  const onForeign = (line: string) => void told.push(line)
  for (const codec of [0, 1]) await load({ topics: [own], count: 50, codec, onForeign })
  await load({ topics: [own], count: 50, generate: { keys: 'camel', invalidShare: 0 }, onForeign })
  await load({ topics: [own], count: 1, onForeign })
  expect(told).toEqual([])

  const producer = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer()
  await producer.connect()
  await load({ topics: [foreign], count: 10 })
  for (const partition of [0, 1])
    await producer.send({ topic: foreign, messages: [{ partition, value: '{"event_id":"e-1","product_id":"shoe"}' }] })
  await producer.disconnect()
  await load({ topics: [foreign], count: 10, onForeign })
  expect(told).toEqual([
    expect.stringMatching(/^topic \S+ holds 12 records, and the last ones are none of ctr load's: .*; --topics names others$/),
  ])
})

describe('a load is refused', () => {
  test('when its topics differ in partitions', async () => {
    const [one = '', two = ''] = topicPair()
    await load({ topics: [one], partitions: 1, count: 10 })
    await load({ topics: [two], partitions: 3, count: 10 })
    const refused = load({ topics: [one, two], count: 10 })
    await expect(refused).rejects.toMatchObject({
      code: 'CTR_USAGE',
      message: `${one} has 1, ${two} has 3 partitions; topics of one input must have the same number: create them anew, or name others`,
    })
  })

  test('when its batches are larger than the topic takes', async () => {
    const refused = load({ count: 1000, topicConfig: { 'max.message.bytes': '2000' } })
    await expect(refused).rejects.toMatchObject({
      code: 'CTR_USAGE',
      message: expect.stringMatching(/refuses a record batch of \d+ bytes: make batches smaller/),
    })
  })

  test.each([[[]], [['a', 'b', 'c']], [['a', 'a']]])('for the topics %j', async (topics) => {
    await expect(load({ topics, count: 1 })).rejects.toMatchObject({ code: 'CTR_USAGE' })
  })

  test.each([0, 999_999_999_999, 1_000_000_121_999, 9_999_999_999_999, 1e300])(
    'for a start time of %d, which has not 13 digits all along',
    async (startTime) => {
      await expect(load({ startTime, count: 1 })).rejects.toMatchObject({
        code: 'CTR_USAGE',
        message: expect.stringContaining('--start-time'),
      })
    },
  )

  test('when no broker answers, naming it', async () => {
    const refused = load({ kafka: { ...client(['127.0.0.1:1']), connectionTimeoutMs: 300 }, count: 1 })
    await expect(refused).rejects.toMatchObject({ code: 'CTR_KAFKA_UNREACHABLE', message: expect.stringContaining('127.0.0.1:1') })
  })
})

describe('ctr load', () => {
  const OPTIONS = {
    set: [],
    rate: 0,
    products: 100,
    popularity: 'zipf',
    skew: 1,
    users: 1000,
    partitions: 2,
    clicks: 0.2,
    late: 0,
    lateBy: 60_000,
    invalid: 0,
    duplicates: 0,
    newProducts: 0,
    disorder: 2000,
    keys: 'snake',
    userIds: 'number',
    eventBytes: 0,
    codec: 'none',
    seed: 1,
    batchBytes: 65_536,
  } as const

  test('produces to the brokers and topics named, says what it did, and ends with 0', async () => {
    const lines: string[] = []
    const log = vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(line))
    const topics = topicPair()
    try {
      expect(await loadVerb({ ...OPTIONS, brokers: brokers.join(','), topics: topics.join(','), count: 5000, startTime: START })).toBe(0)
    } finally {
      log.mockRestore()
    }
    expect(lines[0]).toMatch(/^5,000 events in .*: [\d,]+ events\/s$/)
    expect(lines[2]).toMatch(/^ {2}acknowledged after [\d.]+ ms \(p50\), [\d.]+ ms \(p99\), [\d.]+ ms at most$/)
    expect(lines[3]).toMatch(/^ {2}[\d.]+ CPU s per million events, [12] threads?$/)
    expect(lines.slice(4).map((line) => line.split(':')[0]?.trim())).toEqual(topics.flatMap((topic) => [`${topic}/0`, `${topic}/1`]))
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    const described = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topics[0] ?? '', configNames: ['retention.ms'] }],
    })
    await admin.disconnect()
    expect(described.resources[0]?.configEntries[0]?.configValue).toBe('-1')
  })

  test('refuses a wrong broker address as a configuration fault', async () => {
    await expect(loadVerb({ ...OPTIONS, brokers: 'nonsense', count: 1 })).rejects.toMatchObject({ code: 'CTR_CONFIG' })
  })

  test('says where an end offset did not grow by what was sent', () => {
    const partition = { topic: 't', partition: 0, startOffset: 100, endOffset: 150, sent: 40 }
    const drawn = { impressions: 30, clicks: 9, invalid: 1, duplicates: 3 }
    const measured = { events: 40, seconds: 2, latencyMs: { p50: 1.23, p99: 4.56, max: 7.89 }, cpuSeconds: 0.00002, threads: 1 }
    const result = { ...measured, ...drawn, partitions: [partition], complete: false }
    expect(describeResult(result)).toEqual([
      '40 events in 2.0 s: 20 events/s',
      '  30 impressions, 9 clicks, 1 invalid; 3 of them repeat the one before',
      '  acknowledged after 1.2 ms (p50), 4.6 ms (p99), 7.9 ms at most',
      '  0.50 CPU s per million events, 1 thread',
      '  t/0: 40 records, end offset 150  <- the end offset grew by 50',
      'The end offsets did not grow by exactly what was sent: does something else write to these topics?',
    ])
  })
})

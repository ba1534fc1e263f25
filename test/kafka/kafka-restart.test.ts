import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Broker, startBroker } from '../../workshop/kafka-broker.ts'
import { createTopics, fresh, produce, sourceOptions, Taker, until, withSource } from '../../workshop/kafka-harness.ts'

let broker: Broker

beforeAll(async () => {
  broker = await startBroker({ own: true })
})
afterAll(async () => {
  await broker?.stop()
})

const numbered = (from: number, count: number) => Array.from({ length: count }, (_, at) => `${from + at}`)

async function twoTopics(): Promise<string[]> {
  const topics = [fresh('impressions'), fresh('clicks')]
  await createTopics(broker.brokers, topics, 2)
  return topics
}

test.each([
  ['restarted', async () => broker.restart()],
  ['killed and started again', async () => broker.kill().then(() => broker.restart())],
])(
  'a broker %s in the middle costs no record and repeats none',
  async (_name, disturb) => {
    const topics = await twoTopics()
    const all = async (round: number) => {
      for (const topic of topics) for (const partition of [0, 1]) await produce(broker.brokers, topic, partition, numbered(round * 50, 50))
    }
    for (let round = 0; round < 4; round++) await all(round)
    const taker = new Taker()
    taker.gate = () => new Promise((resolve) => setTimeout(resolve, 20))
    await withSource(
      sourceOptions(broker.brokers, topics, { fetchBytesPerPartition: 1_000, metadataMaxAgeMs: 2_000 }),
      async (_taker, source) => {
        await until('some records', () => taker.count > 100)
        await disturb()
        await all(4)
        await until('all records', () => taker.count >= 1_000, 60_000)
        for (const key of ['0/0', '0/1', '1/0', '1/1']) expect(taker.values(key)).toEqual(numbered(0, 250))
        expect(taker.failures).toEqual([])
        expect(taker.overlaps).toBe(0)
        await source.commit([{ topicIndex: 0, partition: 0, offset: 250, maxEventTime: 5 }])
      },
      taker,
    )
  },
  120_000,
)

test('a broker that is down for longer than kafkajs tries costs nothing either', async () => {
  const topics = await twoTopics()
  for (const topic of topics) await produce(broker.brokers, topic, 0, numbered(0, 50))
  await withSource(sourceOptions(broker.brokers, topics), async (taker) => {
    await until('the first', () => taker.count === 100)
    await broker.kill()
    await new Promise((resolve) => setTimeout(resolve, 12_000))
    await broker.restart()
    for (const topic of topics) await produce(broker.brokers, topic, 0, numbered(50, 50))
    await until('the rest', () => taker.count >= 200, 60_000)
    for (const key of ['0/0', '1/0']) expect(taker.values(key)).toEqual(numbered(0, 100))
    expect(taker.failures).toEqual([])
  })
}, 120_000)

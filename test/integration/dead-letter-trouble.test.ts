/** The topic for dead letters is missing, goes away, refuses: what the user sees, and that no letter is lost. */
import kafkajs from 'kafkajs'
import { expect, onTestFinished, test } from 'vitest'
import { type EngineProcess, into, merged, startEngine } from '../../workshop/engine-process.ts'
import { createTopics, fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { deadLetters, Feeder, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

async function live(topics: Topics): Promise<{ engine: EngineProcess; reject(count: number): Promise<void> }> {
  const engine = startEngine(['run'], { config: merged(from(brokers, topics), into(clickhouse, fresh('tenant'))) })
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  await engine.ready()
  const broken = { ...record(topics.clicks, 'p', 'click', Date.now()), value: Buffer.from('{') }
  return { engine, reject: (count) => feeder.append(Array.from({ length: count }, () => broken)) }
}

async function admin() {
  const client = plainClient(brokers).admin()
  await client.connect()
  onTestFinished(() => client.disconnect())
  return client
}

test('a topic that is missing is created with the first letter, and again when it is deleted in the middle', async () => {
  const topics = await freshTopics(brokers, 1)
  const { engine, reject } = await live(topics)
  const created = () => engine.logs.filter(({ msg }) => msg === 'created the topic for dead letters').length
  await reject(3)
  await engine.until('created', () => created() === 1)
  expect(await deadLetters(brokers, topics.dead, 3)).toHaveLength(3)

  await (await admin()).deleteTopics({ topics: [topics.dead] })
  await reject(2)
  await engine.until('created again', () => created() === 2)
  await engine.ready()
  const letters = await deadLetters(brokers, topics.dead, 2)
  expect(letters.map(({ offset }) => offset)).toEqual([3, 4])
  expect([await engine.terminate(), engine.complaints]).toEqual([0, []])
})

test('brokers that refuse the letters: not ready with the reason, offsets wait, and everything comes when they take them', async () => {
  const topics = await freshTopics(brokers, 1)
  // Not even the shortest letter is as short as that.
  await createTopics(brokers, [topics.dead], 1, { 'max.message.bytes': '100' })
  const { engine, reject } = await live(topics)
  await reject(2)
  const reason = `dead letters not delivered to topic ${topics.dead}`
  await engine.until('/readyz says so', async () => (await engine.readiness()).reasons.join().includes(reason))
  expect((await engine.readiness()).status).toBe(503)
  expect(engine.logs.find(({ msg }) => msg.includes(reason))).toMatchObject({ level: 'error', code: 'CTR_DEAD_LETTER', waiting: 2 })
  const asked = await admin()
  const committed = async () => {
    const [topic] = await asked.fetchOffsets({ groupId: topics.group, topics: [topics.clicks] })
    return Number(topic?.partitions[0]?.offset)
  }
  expect(await committed()).toBeLessThanOrEqual(0)

  const configEntries = [{ name: 'max.message.bytes', value: '1000000' }]
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topics.dead, configEntries }
  await asked.alterConfigs({ validateOnly: false, resources: [resource] })
  await engine.ready()
  expect((await deadLetters(brokers, topics.dead, 2)).map(({ offset }) => offset)).toEqual([0, 1])
  await engine.until('committed', async () => (await committed()) === 2)
  expect([await engine.terminate(), engine.complaints]).toEqual([0, []])
})

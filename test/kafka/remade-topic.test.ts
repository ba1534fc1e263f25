/** Topics that are deleted and made again under a source that reads them, and between two of them. */
import { expect, test } from 'vitest'
import {
  createTopics,
  fresh,
  plainClient,
  produce,
  recordingLogger,
  sourceOptions,
  until,
  withSource,
} from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const brokers = await sharedBrokers()
const TRIES_MAX = 500

const numbered = (word: string, count: number) => Array.from({ length: count }, (_, at) => `${word}-${at}`)

/** Deletes the topic and makes it again as soon as the broker lets, with records. */
async function remake(topic: string, values: readonly string[], partitions = 1): Promise<void> {
  const admin = plainClient(brokers).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: [topic] })
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const made = await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] }).catch(() => false)
      if (made) break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (let partition = 0; partition < partitions; partition++) await produce(brokers, topic, partition, values)
  } finally {
    await admin.disconnect()
  }
}

test('a topic made again under its reader is read from its first record, and nothing of it is taken for the old one', async () => {
  const [topic, other] = [fresh('remade'), fresh('other')]
  await createTopics(brokers, [topic, other], 1)
  await produce(brokers, topic, 0, numbered('old', 100))
  const { logger, lines } = recordingLogger()
  await withSource(sourceOptions(brokers, [topic, other], { logger }), async (taker, source) => {
    await until('the old records', () => taker.count === 100)
    const [before] = taker.assignments
    await remake(topic, numbered('new', 300))
    await until('the new records', () => taker.values('0/0').length >= 300, 60_000)
    expect(taker.values('0/0')).toEqual(numbered('new', 300))
    expect(taker.values('0/0 before')).toEqual(numbered('old', 100))
    expect(taker.replacements).toMatchObject([{ topicIndex: 0, partition: 0, position: 0, remade: 1 }])
    expect(before?.topicId).toMatch(/^[\w-]{22}$/)
    expect(taker.replacements[0]?.topicId).not.toBe(before?.topicId)
    // The task has not left, and the other topic goes on.
    expect(taker.assignments.filter(({ topicIndex }) => topicIndex === 1).length).toBe(1)
    await produce(brokers, other, 0, ['there'])
    await until('a record of the other topic', () => taker.values('1/0').length === 1)
    expect(lines.some((line) => line.includes(`topic ${topic} was deleted and made again`))).toBe(true)
    await source.commit([{ topicIndex: 0, partition: 0, offset: 300, maxEventTime: 5, facts: { topicId: taker.replacements[0]?.topicId } }])
  })
})

test('a mark of the old topic is not taken for one of the new, also when it was committed after that was made', async () => {
  const topic = fresh('remade')
  await createTopics(brokers, [topic], 1)
  await produce(brokers, topic, 0, numbered('old', 10))
  const options = sourceOptions(brokers, [topic])
  let topicId: string | undefined
  await withSource(options, async (taker, source) => {
    await until('the old records', () => taker.count === 10)
    topicId = taker.assignments[0]?.topicId
    // Nothing is fetched meanwhile: the source does not hear of it.
    source.pause(0, 0)
    await remake(topic, numbered('new', 20))
    const mark = { topicIndex: 0, partition: 0, offset: 10, maxEventTime: 5, facts: { topicId } }
    let committed = false
    for (let tries = 0; tries < TRIES_MAX && !committed; tries++) committed = await source.commit([mark])
    expect(committed).toBe(true)
  })
  await withSource(options, async (taker) => {
    await until('the new records', () => taker.count >= 20)
    expect(taker.values('0/0')).toEqual(numbered('new', 20))
    expect(taker.assignments).toMatchObject([{ position: 0, remade: 1, loss: expect.stringContaining(`is of ${topicId}`) }])
  })
})

test('it is found out within kafka.metadataMaxAge for a partition that is paused', async () => {
  const topic = fresh('remade')
  await createTopics(brokers, [topic], 1)
  await produce(brokers, topic, 0, ['old'])
  await withSource(sourceOptions(brokers, [topic], { metadataMaxAgeMs: 500 }), async (taker, source) => {
    await until('the old record', () => taker.count === 1)
    source.pause(0, 0)
    await remake(topic, ['new', 'newer'])
    await until('the replacement', () => taker.replacements.length === 1, 30_000)
    await until('the new records', () => taker.values('0/0').length === 2)
  })
})

import { pino } from 'pino'
import { beforeAll, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import { DEAD_LETTERS } from '../../src/output/output.ts'
import { topicOutput } from '../../src/output/topic-output.ts'
import { createTopics, fresh, plainClient, recordingLogger, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { letterOf, outputRecord } from '../support/output-records.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

let brokers: string[]
beforeAll(async () => {
  brokers = await sharedBrokers()
})

function optionsFor(topic: string, at = brokers) {
  const { clientId, connectionTimeoutMs, requestTimeoutMs, security } = sourceOptions(at, [])
  return { brokers: at, clientId, connectionTimeoutMs, requestTimeoutMs, security, topic, logger: pino({ level: 'silent' }) }
}

async function readAll(topic: string, count: number): Promise<DeadLetter[]> {
  return withSource(sourceOptions(brokers, [topic]), async (taker) => {
    await until(`${count} letters`, () => taker.count >= count)
    return [...taker.taken.values()].flat().map(({ value }) => JSON.parse(value ?? '') as DeadLetter)
  })
}

test('the topic is created, and records are in it when delivered', async () => {
  const topic = fresh('dead')
  const output = topicOutput(optionsFor(topic), DEAD_LETTERS)
  for (let offset = 0; offset < 1_000; offset++) output.put(outputRecord(offset, `raw ${offset}`))
  await output.delivered()
  await output.close()
  const letters = await readAll(topic, 1_000)
  expect(letters.toSorted((one, other) => one.offset - other.offset)).toEqual(
    Array.from({ length: 1_000 }, (_, offset) => letterOf(offset, `raw ${offset}`)),
  )
})

test('a topic that is created keeps its records for so long, and one that is there stays as it is', async () => {
  const topics = [fresh('kept'), fresh('there')]
  await createTopics(brokers, topics.slice(1), 1, { 'retention.ms': '3600000' })
  for (const topic of topics) {
    const output = topicOutput({ ...optionsFor(topic), retentionMs: 86_400_000 }, DEAD_LETTERS)
    output.put(outputRecord(1))
    await output.delivered()
    await output.close()
  }
  const admin = plainClient(brokers).admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: 2, name, configNames: ['retention.ms'] })),
  })
  await admin.disconnect()
  expect(resources.map(({ configEntries }) => configEntries[0]?.configValue)).toEqual(['86400000', '3600000'])
})

test('a record too large for its topic is shortened, the others stay whole', async () => {
  const topic = fresh('small')
  await createTopics(brokers, [topic], 1, { 'max.message.bytes': '4000' })
  const output = topicOutput(optionsFor(topic), DEAD_LETTERS)
  output.put(outputRecord(1, 'short'))
  output.put(outputRecord(2, 'long '.repeat(2_000)))
  output.put(outputRecord(3, 'short'))
  await output.delivered()
  await output.close()
  const letters = await readAll(topic, 3)
  expect(letters.map(({ offset, rawTruncated }) => [offset, rawTruncated])).toEqual([
    [1, false],
    [2, true],
    [3, false],
  ])
  expect(letters[1]?.rawData.startsWith('long long ')).toBe(true)
})

test('without a broker records wait, are reported, and closing says that they were not delivered', async () => {
  const { logger, lines } = recordingLogger()
  const output = topicOutput({ ...optionsFor('any', ['127.0.0.1:1']), logger }, DEAD_LETTERS)
  output.put(outputRecord(1, 'raw'))
  const claim = expect(output.delivered()).rejects.toMatchObject({ code: 'CTR_DEAD_LETTER' })
  await until('a report', () => lines.some((line) => line.startsWith('dead letters not delivered to topic any: kafka.brokers 127.0.0.1:1')))
  await output.close()
  await claim
}, 30_000)

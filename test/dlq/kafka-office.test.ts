import { pino } from 'pino'
import { beforeAll, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/dlq/dead-letter.ts'
import { kafkaOffice } from '../../src/dlq/kafka-office.ts'
import { createTopics, fresh, recordingLogger, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

let brokers: string[]
beforeAll(async () => {
  brokers = await sharedBrokers()
})

function letter(offset: number, rawData: string): DeadLetter {
  return {
    source: 'ctr/test',
    rawTopic: 'clicks',
    partition: 3,
    offset,
    errorCode: 'VALIDATION_ERROR',
    errorMessage: 'no product',
    rawData,
    rawEncoding: 'utf8',
    rawTruncated: false,
    eventTimeMillisUtc: 1_700_000_000_000,
    createdAtUtc: '2026-01-01T00:00:00.000Z',
  }
}

function officeOptions(topic: string, at = brokers) {
  const { clientId, connectionTimeoutMs, requestTimeoutMs, security } = sourceOptions(at, [])
  return { brokers: at, clientId, connectionTimeoutMs, requestTimeoutMs, security, topic, logger: pino({ level: 'silent' }) }
}

async function readAll(topic: string, count: number): Promise<DeadLetter[]> {
  return withSource(sourceOptions(brokers, [topic]), async (taker) => {
    await until(`${count} letters`, () => taker.count >= count)
    return [...taker.taken.values()].flat().map(({ value }) => JSON.parse(value ?? '') as DeadLetter)
  })
}

test('the topic is created, and letters are in it when settled', async () => {
  const topic = fresh('dead')
  const office = kafkaOffice(officeOptions(topic))
  for (let offset = 0; offset < 1_000; offset++) office.put(letter(offset, `raw ${offset}`))
  await office.settled()
  await office.close()
  const letters = await readAll(topic, 1_000)
  expect(letters.toSorted((one, other) => one.offset - other.offset)).toEqual(
    Array.from({ length: 1_000 }, (_, offset) => letter(offset, `raw ${offset}`)),
  )
})

test('a letter too large for its topic is shortened, the others stay whole', async () => {
  const topic = fresh('small')
  await createTopics(brokers, [topic], 1, { 'max.message.bytes': '4000' })
  const office = kafkaOffice(officeOptions(topic))
  office.put(letter(1, 'short'))
  office.put(letter(2, 'long '.repeat(2_000)))
  office.put(letter(3, 'short'))
  await office.settled()
  await office.close()
  const letters = await readAll(topic, 3)
  expect(letters.map(({ offset, rawTruncated }) => [offset, rawTruncated])).toEqual([
    [1, false],
    [2, true],
    [3, false],
  ])
  expect(letters[1]?.rawData.startsWith('long long ')).toBe(true)
})

test('without a broker letters wait, are reported, and closing says that they were not delivered', async () => {
  const { logger, lines } = recordingLogger()
  const office = kafkaOffice({ ...officeOptions('any', ['127.0.0.1:1']), logger })
  office.put(letter(1, 'raw'))
  const claim = expect(office.settled()).rejects.toMatchObject({ code: 'CTR_DEAD_LETTER' })
  await until('a report', () => lines.some((line) => line.startsWith('dead letters not delivered to topic any: kafka.brokers 127.0.0.1:1')))
  await office.close()
  await claim
}, 30_000)

import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaSecurity } from '../../src/kafka/kafka-client.ts'
import { kafkaSource } from '../../src/kafka/kafka-source.ts'
import { DEAD_LETTERS } from '../../src/output/output.ts'
import { topicOutput } from '../../src/output/topic-output.ts'
import { type Broker, SASL_USERS, startBroker } from '../../workshop/kafka-broker.ts'
import { createTopics, fresh, produce, sourceOptions, Taker, until, withSource } from '../../workshop/kafka-harness.ts'
import { outputRecord } from '../support/output-records.ts'

let broker: Broker
let topic: string
const large = 'x'.repeat(1_000)
const values = (partition: number) => Array.from({ length: 500 }, (_, at) => `${partition}.${at}.${large}`)

beforeAll(async () => {
  broker = await startBroker({ sasl: true })
  topic = fresh('topic')
  await createTopics(broker.brokers, [topic], 3)
  for (const partition of [0, 1, 2]) await produce(broker.brokers, topic, partition, values(partition))
})
afterAll(async () => {
  await broker?.stop()
})

function saslSsl(
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
  password?: string,
  ca: string | undefined = broker.caPem,
): KafkaSecurity {
  const user = mechanism === 'PLAIN' ? SASL_USERS.plain : SASL_USERS.scram
  return { protocol: 'SASL_SSL', sasl: { mechanism, username: user.username, password: password ?? user.password }, ssl: { ca } }
}

async function refusal(security: KafkaSecurity): Promise<unknown> {
  const source = kafkaSource(sourceOptions(broker.saslBrokers, [topic], { security }))
  try {
    return await source.start(new Taker()).then(
      () => 'accepted',
      (error: unknown) => error,
    )
  } finally {
    await source.close()
  }
}

describe.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('SASL_SSL with %s', (mechanism) => {
  test('delivers frames of every size through TLS', async () => {
    const options = { security: saslSsl(mechanism), fetchBytesPerPartition: 700_000 }
    await withSource(sourceOptions(broker.saslBrokers, [topic], options), async (taker, source) => {
      await until('all records', () => taker.count >= 1_500)
      for (const partition of [0, 1, 2]) expect(taker.values(`0/${partition}`).slice(0, 500)).toEqual(values(partition))
      const { count } = taker
      await produce(broker.brokers, topic, 0, ['small'])
      await until('a small frame', () => taker.count === count + 1)
      await source.commit([{ topicIndex: 0, partition: 0, offset: 1, maxEventTime: undefined }])
    })
  })

  test('a wrong password rejects start, naming the keys', async () => {
    expect(await refusal(saslSsl(mechanism, 'wrong'))).toMatchObject({
      code: 'CTR_KAFKA_AUTH',
      message: expect.stringContaining('kafka.security.sasl.mechanism, username and password'),
    })
  })
})

test('a certificate of an unknown authority rejects start, naming the key', async () => {
  const security: KafkaSecurity = { ...saslSsl('PLAIN'), ssl: {} }
  expect(await refusal(security)).toMatchObject({ code: 'CTR_KAFKA_AUTH', message: expect.stringContaining('kafka.security.ssl.ca') })
})

test('dead letters go through SASL_SSL too', async () => {
  const { clientId, connectionTimeoutMs, requestTimeoutMs } = sourceOptions([], [])
  const options = {
    brokers: broker.saslBrokers,
    clientId,
    connectionTimeoutMs,
    requestTimeoutMs,
    security: saslSsl('SCRAM-SHA-512'),
    topic: fresh('dead'),
    logger: pino({ level: 'silent' }),
  }
  const output = topicOutput(options, DEAD_LETTERS)
  output.put(outputRecord(0))
  await output.delivered()
  await output.close()
})

test('plain text to the TLS listener is waited out, with a message that names the protocol', async () => {
  const lines: string[] = []
  const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) })
  const source = kafkaSource(sourceOptions(broker.saslBrokers, [topic], { logger, connectionTimeoutMs: 1_000 }))
  const started = source.start(new Taker())
  await until('a message', () => lines.some((line) => line.includes('kafka.security.protocol')), 30_000)
  await source.stop()
  await started
  await source.close()
})

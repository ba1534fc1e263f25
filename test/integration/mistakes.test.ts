/**
 * Mistakes that take a server to show: what is wrong is told within seconds, with its key and a remedy, however long it is tried again. A
 * new one is a row.
 */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import type { KafkaSecurity } from '../../src/kafka/kafka-client.ts'
import { kafkaSource } from '../../src/kafka/kafka-source.ts'
import { createTopics, fresh, sourceOptions, Taker, until } from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const TOLD_MAX_MS = 5_000
const brokers = await sharedBrokers()
const [two, three] = [fresh('two'), fresh('three')]

/** Takes connections and answers nothing. */
const silent = createServer()
const web = createHttpServer((_, response) => response.end('hello'))
beforeAll(async () => {
  for (const server of [silent, web]) await once(server.listen(0, '127.0.0.1'), 'listening')
  await createTopics(brokers, [two], 2)
  await createTopics(brokers, [three], 3)
})
afterAll(() => {
  silent.close()
  web.close()
})
const at = (server: typeof silent) => [`127.0.0.1:${(server.address() as AddressInfo).port}`]

interface Wrong {
  readonly what: string
  readonly brokers?: () => string[]
  readonly topics?: () => string[]
  readonly security?: KafkaSecurity
  /** The code of the failure, when it is none that is tried again. */
  readonly fails?: string
  readonly says: readonly string[]
}

const SASL = { mechanism: 'PLAIN', username: 'u', password: 'p' } as const

const WRONG: readonly Wrong[] = [
  {
    what: 'nobody listens',
    brokers: () => ['127.0.0.1:1'],
    says: ['kafka.brokers 127.0.0.1:1', 'ECONNREFUSED', 'check that the brokers run'],
  },
  { what: 'a host that is not known', brokers: () => ['no.such.invalid:1'], says: ['kafka.brokers no.such.invalid:1', 'kafka.brokers'] },
  {
    what: 'nothing answers',
    brokers: () => at(silent),
    says: ['kafka.brokers 127.0.0.1', 'no answer for 3 s', 'nothing drops what is sent'],
  },
  {
    what: 'a web server',
    brokers: () => at(web),
    says: ['kafka.brokers 127.0.0.1', 'this is not a Kafka listener', 'kafka.security.protocol'],
  },
  { what: 'TLS to a plain listener', security: { protocol: 'SSL' }, says: ['secure TLS connection', 'kafka.security.protocol'] },
  {
    what: 'a password to a listener that takes none',
    security: { protocol: 'SASL_PLAINTEXT', sasl: SASL },
    fails: 'CTR_KAFKA_AUTH',
    says: ['kafka.brokers', 'takes no user and password', 'kafka.security.protocol'],
  },
  {
    what: 'a topic is misspelt',
    topics: () => [two.replace('two', 'tow')],
    says: ['kafka.topics', 'no such topic', `, but ${two}`, 'correct kafka.topics'],
  },
  {
    what: 'topics have unequal partitions',
    topics: () => [two, three],
    fails: 'CTR_CONFIG',
    says: [`${two} has 2, ${three} has 3`, 'kafka.onUnequalPartitions'],
  },
]

test.concurrent.each(WRONG)('$what', { timeout: 30_000 }, async ({ says, fails, security, ...wrong }) => {
  const told: string[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => void told.push((JSON.parse(line) as { msg: string }).msg) })
  const more = { logger, requestTimeoutMs: 30_000, connectionTimeoutMs: 10_000, ...(security === undefined ? {} : { security }) }
  const source = kafkaSource(sourceOptions(wrong.brokers?.() ?? brokers, wrong.topics?.() ?? [two], more))
  const outcome = source.start(new Taker()).then(
    () => 'started',
    (error: { code: string; message: string }) => {
      told.push(error.message)
      return error.code
    },
  )
  try {
    await until(`it says ${says.join()}`, () => told.some((line) => says.every((part) => line.includes(part))), TOLD_MAX_MS)
    expect(await Promise.race([outcome, sleep(fails === undefined ? 0 : TOLD_MAX_MS).then(() => undefined)])).toBe(fails)
    if (fails === undefined) expect(source.trouble).toBeDefined()
  } finally {
    await source.close()
  }
})

test('topics with unequal partitions are read when they are let', async () => {
  const taker = new Taker()
  const source = kafkaSource(sourceOptions(brokers, [two, three], { onUnequalPartitions: 'read' }))
  try {
    await source.start(taker)
    await until('all partitions', () => taker.assignedNow.size === 5)
  } finally {
    await source.close()
  }
})

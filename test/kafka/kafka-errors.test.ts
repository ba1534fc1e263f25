import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { CtrError } from '../../src/errors.ts'
import { looksLikeBug, toCtrError } from '../../src/kafka/kafka-errors.ts'

const errors = createRequire(import.meta.url)('kafkajs/src/errors') as Record<string, new (...args: unknown[]) => Error>
const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error }

const connection = (code?: string) => new errors.KafkaJSConnectionError!('Connection error: no', { broker: 'b', code })
const exceeded = (cause: Error) => new errors.KafkaJSNumberOfRetriesExceeded!(cause, { retryCount: 5, retryTime: 1 })

test.each([
  ['a wrong password', new errors.KafkaJSSASLAuthenticationError!('Authentication failed'), 'CTR_KAFKA_AUTH', false],
  ['a wrong password behind retries', exceeded(new errors.KafkaJSSASLAuthenticationError!('no')), 'CTR_KAFKA_AUTH', false],
  ['a mechanism that is not enabled', createErrorFromCode(33), 'CTR_KAFKA_AUTH', false],
  ['a password that is not asked for', createErrorFromCode(34), 'CTR_KAFKA_AUTH', false],
  ['an untrusted certificate', exceeded(connection('SELF_SIGNED_CERT_IN_CHAIN')), 'CTR_KAFKA_AUTH', false],
  ['a group that is not ours', createErrorFromCode(30), 'CTR_KAFKA_AUTH', false],
  ['a topic that is not ours', createErrorFromCode(29), 'CTR_KAFKA_AUTH', false],
  [
    'a topic that may not be made',
    new errors.KafkaJSAggregateError!('Topic creation errors', [createErrorFromCode(29)]),
    'CTR_KAFKA_AUTH',
    false,
  ],
  ['a missing topic', createErrorFromCode(3), 'CTR_KAFKA_TOPIC_MISSING', true],
  ['a refused connection', connection('ECONNREFUSED'), 'CTR_KAFKA_UNREACHABLE', true],
  ['a refused connection behind retries', exceeded(connection('ECONNREFUSED')), 'CTR_KAFKA_UNREACHABLE', true],
  ['a coordinator that is loading', createErrorFromCode(14), 'CTR_KAFKA_UNREACHABLE', true],
  ['a group of another kind', createErrorFromCode(23), 'CTR_KAFKA_CRASHED', false],
  ['a broker that is too old', createErrorFromCode(35), 'CTR_KAFKA_VERSION', false],
  ['anything else', new Error('strange'), 'CTR_KAFKA_CRASHED', true],
  ['no error at all', 'strange', 'CTR_KAFKA_CRASHED', true],
] as const)('%s', (_name, error, code, retriable) => {
  expect(toCtrError(error, ['b:9092'])).toMatchObject({ code, retriable, message: expect.stringContaining('kafka.brokers b:9092') })
})

test('brokers that answer, but have no coordinator yet, are not suspected of being away', () => {
  for (const error of [createErrorFromCode(15), exceeded(createErrorFromCode(16)), new errors.KafkaJSGroupCoordinatorNotFound!('no')]) {
    const { message } = toCtrError(error, ['b:9092'])
    expect(message).toMatch(/there is no coordinator of the group at present: .*; new and restarted brokers take a moment for that/)
    expect(message).not.toContain('check that the brokers run')
  }
})

test('a CtrError stays what it is', () => {
  const error = new CtrError('CTR_KAFKA_VERSION', 'old')
  expect(toCtrError(error, [])).toBe(error)
})

test('a TypeError behind kafkajs wrappers is a bug, a lost connection is none', () => {
  const wrapped = new errors.KafkaJSNonRetriableError!('x', { cause: new TypeError('undefined is not a function') })
  expect(looksLikeBug(wrapped)).toBe(true)
  expect(looksLikeBug(connection())).toBe(false)
})

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { KAFKAJS_VERSION, mendKafkajs, readInternals } from '../../src/kafka/kafkajs-adapter.ts'

const require = createRequire(import.meta.url)

/** The real modules, but for what `changes` says. */
const pretending = (changes: Record<string, unknown>) => (path: string) => (path in changes ? changes[path] : require(path))

test('the installed kafkajs is the pinned one, and package.json pins it exactly', () => {
  expect(readInternals().version).toBe(KAFKAJS_VERSION)
  const { dependencies } = require('../../package.json') as { dependencies: Record<string, string> }
  expect(dependencies.kafkajs).toBe(KAFKAJS_VERSION)
})

test('another version is refused, with what to install', () => {
  expect(() => readInternals(pretending({ 'kafkajs/package.json': { version: '2.3.0' } }))).toThrow(
    expect.objectContaining({ code: 'CTR_KAFKA_VERSION', message: 'kafkajs 2.3.0 is installed: install exactly kafkajs 2.2.4 (npm ci)' }),
  )
})

test.each(['kafkajs/src/network/connection', 'kafkajs/src/network/requestQueue', 'kafkajs/src/protocol/error'])(
  'a changed %s is refused',
  (path) => {
    expect(() => readInternals(pretending({ [path]: {} }))).toThrow(expect.objectContaining({ code: 'CTR_KAFKA_VERSION' }))
  },
)

test('what we use is still there: findBroker, fetch, requests of groups, the connection pool, the batch as it reads a message', () => {
  const Cluster = require('kafkajs/src/cluster') as { prototype: Record<string, unknown> }
  const Broker = require('kafkajs/src/broker') as { prototype: Record<string, unknown> }
  const Pool = require('kafkajs/src/network/connectionPool') as { prototype: Record<string, unknown> }
  const Batch = require('kafkajs/src/consumer/batch') as new (...args: unknown[]) => Record<string, unknown> & { lastOffset(): string }
  for (const method of ['findBroker', 'findGroupCoordinator', 'fetchTopicsOffset', 'refreshMetadata'])
    expect(Cluster.prototype[method]).toBeTypeOf('function')
  for (const method of ['fetch', 'apiVersions', 'disconnect', 'joinGroup', 'syncGroup', 'offsetFetch', 'describeGroups', 'leaveGroup'])
    expect(Broker.prototype[method]).toBeTypeOf('function')
  const BrokerPool = require('kafkajs/src/cluster/brokerPool') as { prototype: Record<string, unknown> }
  expect(BrokerPool.prototype.findConnectedBroker).toBeTypeOf('function')
  for (const method of ['send', 'getConnection']) expect(Pool.prototype[method]).toBeTypeOf('function')
  const message = { offset: '9', value: 'records', key: null, isControlRecord: false, batchContext: {} }
  const batch = new Batch('t', '5', { partition: 0, highWatermark: '20', abortedTransactions: [], messages: [message] })
  expect(batch).toMatchObject({ fetchedOffset: '5', rawMessages: [message], messages: [message] })
  expect(batch.lastOffset()).toBe('9')
})

test('a mended request queue arms no timer with a negative time', () => {
  const script = `
    import { createRequire } from 'node:module'
    import { mendKafkajs } from './src/kafka/kafkajs-adapter.ts'
    if (process.argv[1] === 'mend') mendKafkajs()
    const RequestQueue = createRequire(process.cwd() + '/x.js')('kafkajs/src/network/requestQueue')
    const logger = { debug() {}, warn() {} }
    const limits = { maxInFlightRequests: 1, requestTimeout: 1000, enforceRequestTimeout: false }
    new RequestQueue({ ...limits, clientId: '', broker: '', logger }).checkPendingRequests()
    setTimeout(() => process.exit(), 100)`
  const warnings = (...args: string[]) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script, ...args], { encoding: 'utf8', timeout: 20_000 }).stderr
  expect(warnings()).toContain('TimeoutNegativeWarning')
  expect(warnings('mend')).toBe('')
})

test('a mended queue still sends what waited for a free slot', async () => {
  mendKafkajs()
  const RequestQueue = require('kafkajs/src/network/requestQueue') as new (
    options: unknown,
  ) => { push(request: unknown): void; fulfillRequest(response: unknown): void; destroy(): void; throttledUntil: number }
  const logger = { debug() {}, warn() {} }
  const queue = new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    enforceRequestTimeout: false,
    clientId: '',
    broker: '',
    logger,
  })
  const sent: number[] = []
  queue.throttledUntil = Date.now() + 60
  for (const correlationId of [1, 2]) {
    const entry = { correlationId, resolve() {}, reject() {} }
    queue.push({ entry, expectResponse: true, sendRequest: () => void sent.push(correlationId) })
  }
  expect(sent).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(sent).toEqual([1])
  queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 })
  expect(sent).toEqual([1, 2])
  queue.destroy()
})

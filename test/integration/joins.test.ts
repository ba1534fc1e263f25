/**
 * Processes that die while they join, under the names that all have by default, at a broker that waits for more members as Kafka's own
 * default is. The next process must neither share its tasks with the dead nor wait for them, and a bounded run must be whole or fail.
 */
import type { Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { readSign } from '../../src/proof-of-life.ts'
import { type EngineProcess, into, merged, runEngine, startEngine } from '../../workshop/engine-process.ts'
import { type Broker, startBroker } from '../../workshop/kafka-broker.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { runOracle } from '../../workshop/oracle.ts'
import { feed, freshTopics, from, placed } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const PARTITIONS = 3
const REBALANCE_DELAY_MS = 3_000
const clickhouse = await sharedClickHouse()
let broker: Broker
let admin: Admin

beforeAll(async () => {
  broker = await startBroker({ own: true, properties: { 'group.initial.rebalance.delay.ms': String(REBALANCE_DELAY_MS) } })
  admin = plainClient(broker.brokers).admin()
  await admin.connect()
}, 60_000)
afterAll(async () => {
  await admin.disconnect()
  await broker.stop()
})

/** Until the coordinator counts the process as a member, which has not joined yet. */
async function joining(engine: EngineProcess, group: string): Promise<void> {
  await engine.until('it joins', async () => {
    const { groups } = await admin.describeGroups([group])
    return groups[0]?.members.some(({ clientId }) => readSign(clientId)?.pid === engine.pid)
  })
}

test('killed while joining, three times in a row: the next run has all tasks, and a bounded one all rows', async () => {
  const topics = await freshTopics(broker.brokers, PARTITIONS)
  const tenant = fresh('tenant')
  // A session that outlives the test: nothing is ever mended by its end.
  const config = merged(from(broker.brokers, topics), into(clickhouse, tenant), { kafka: { sessionTimeout: '5m' } })
  const lists = placed(makeRecords({ seed: 3, partitions: PARTITIONS, records: 2_000, products: 20 }), topics)
  await feed(broker.brokers, topics, lists)
  const killOne = async (laterMs: number) => {
    const engine = startEngine(['run'], { config })
    await joining(engine, topics.group)
    await sleep(laterMs)
    engine.signal('SIGKILL')
    await engine.exit()
  }
  for (const laterMs of [0, 300, 1_000]) await killOne(laterMs)

  const startedAt = performance.now()
  const live = startEngine(['run'], { config })
  await live.until('all tasks', () => live.logs.filter(({ msg }) => msg.startsWith('the task begins')).length === PARTITIONS)
  const allTasksMs = performance.now() - startedAt
  console.log(`all tasks ${Math.round(allTasksMs)} ms after the start`)
  // Three seconds above the broker's delay on a machine that does nothing else.
  expect(allTasksMs).toBeLessThan(REBALANCE_DELAY_MS + 12_000)
  live.signal('SIGKILL')
  await live.exit()
  await killOne(0)

  const last = await runEngine(['run', '--until-end'], { config })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  expect(last.stdout).toMatch(/^ {2}tasks +3 of 3$/m)
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
}, 90_000)

test('a bounded run beside one that lives refuses at once with 2, and disturbs it not at all', async () => {
  const topics = await freshTopics(broker.brokers, PARTITIONS)
  const config = merged(from(broker.brokers, topics), into(clickhouse, fresh('tenant')))
  const live = startEngine(['run'], { config })
  onTestFinished(() => live.signal('SIGKILL'))
  await live.logged('joined the consumer group')
  const refused = await runEngine(['run', '--until-end'], { config })
  expect(await refused.exit()).toBe(2)
  const complaint = refused.complaints.join(' ')
  expect(complaint).toContain(`ctr: CTR_GROUP_BUSY: kafka.groupId ${topics.group}: a member in it: ctr (pid ${live.pid} of `)
  expect(complaint).toContain('tasks 0, 1, 2; a run with --until-end needs the group for itself')
  expect(live.logs.filter(({ msg }) => msg === 'joined the consumer group')).toHaveLength(1)
  expect(await live.terminate()).toBe(0)
}, 60_000)

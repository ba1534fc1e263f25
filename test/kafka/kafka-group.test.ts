/** Several members of one group, in one process. */
import type { Cluster } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { coPartitionAssigner } from '../../src/kafka/co-partition-assigner.ts'
import { kafkaSource } from '../../src/kafka/kafka-source.ts'
import { findCoordinator } from '../../src/kafka/kafkajs-adapter.ts'
import { readSign } from '../../src/proof-of-life.ts'
import {
  createTopics,
  fresh,
  plainClient,
  produce,
  recordingLogger,
  sourceOptions,
  Taker,
  until,
  withSource,
} from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const brokers = await sharedBrokers()

const numbered = (from: number, count: number) => Array.from({ length: count }, (_, at) => `${from + at}`)

describe('two members', () => {
  test('share the partitions by number, and the one that stays takes over where the other committed', async () => {
    const topics = [fresh('impressions'), fresh('clicks')]
    await createTopics(brokers, topics, 4)
    const options = sourceOptions(brokers, topics)
    await withSource(options, async (one) => {
      await until('all eight', () => one.assignedNow.size === 8)
      for (const topic of topics)
        for (let partition = 0; partition < 4; partition++) await produce(brokers, topic, partition, numbered(0, 10))
      await until('all records', () => one.count === 80)
      await withSource({ ...options, clientId: 'other' }, async (other, otherSource) => {
        await until('half each', () => one.assignedNow.size === 4 && other.assignedNow.size === 4)
        for (const taker of [one, other]) {
          const tasks = [...taker.assignedNow.values()].map(({ topicIndex, partition }) => [topicIndex, partition] as const)
          const of = (index: number) =>
            tasks
              .filter(([topicIndex]) => topicIndex === index)
              .map(([, partition]) => partition)
              .toSorted()
          expect(of(0)).toEqual(of(1))
        }
        await until('the other reads its half from the beginning', () => other.count === 40)
        await otherSource.commit([...other.assignedNow.values()].map((mark) => ({ ...mark, offset: 10 })))
      })
      await until('all eight again', () => one.assignedNow.size === 8, 30_000)
      const back = one.assignments.slice(8)
      expect(back.map(({ position }) => position)).toEqual([10, 10, 10, 10])
      await produce(brokers, topics[0] ?? '', 0, ['more'])
      await until('more', () => one.count === 81)
      expect(one.overlaps).toBe(0)
    })
  })

  test('a member for whom there is no partition is told so', async () => {
    const topic = fresh('topic')
    await createTopics(brokers, [topic], 1)
    const options = sourceOptions(brokers, [topic])
    const counts: number[] = []
    class Counting extends Taker {
      override assigned(partitions: Parameters<Taker['assigned']>[0]): void {
        counts.push(partitions.length)
        super.assigned(partitions)
      }
    }
    await withSource(
      options,
      () =>
        withSource(
          { ...options, clientId: 'other' },
          () => until('both are told', () => counts.includes(0) && counts.includes(1)),
          new Counting(),
        ),
      new Counting(),
    )
  })
})

test('tasks stay where they are when a member joins and when it leaves', async () => {
  const topic = fresh('topic')
  await createTopics(brokers, [topic], 6)
  const options = sourceOptions(brokers, [topic])
  const tasksOf = (taker: Taker) => [...taker.assignedNow.values()].map(({ partition }) => partition)
  await withSource({ ...options, clientId: 'a' }, async (a) => {
    await until('all at first', () => tasksOf(a).length === 6)
    await withSource({ ...options, clientId: 'b' }, async (b) => {
      await until('three each', () => tasksOf(a).length === 3 && tasksOf(b).length === 3)
      const before = { a: tasksOf(a), b: tasksOf(b) }
      await withSource({ ...options, clientId: 'c' }, async (c) => {
        await until('two each', () => [a, b, c].every((taker) => tasksOf(taker).length === 2))
        expect(before.a).toEqual(expect.arrayContaining(tasksOf(a)))
        expect(before.b).toEqual(expect.arrayContaining(tasksOf(b)))
      })
      await until('three each again', () => tasksOf(a).length === 3 && tasksOf(b).length === 3)
      expect([a.assignments.length, b.assignments.length]).toEqual([6 + 1, 3 + 1])
    })
    await until('all', () => tasksOf(a).length === 6)
    expect(a.assignments).toHaveLength(6 + 1 + 3)
  })
})

test('a member that the group has given up on commits nothing, joins again, and reads on', async () => {
  const topic = fresh('topic')
  await createTopics(brokers, [topic], 2)
  const { logger, lines } = recordingLogger()
  const options = sourceOptions(brokers, [topic], { logger })
  await withSource(options, async (taker, source) => {
    await until('assigned', () => taker.assignedNow.size === 2)
    for (const partition of [0, 1]) await produce(brokers, topic, partition, numbered(0, 10))
    await until('all read', () => taker.count === 20)
    const mark = { topicIndex: 0, partition: 0, offset: 5, maxEventTime: undefined }
    // On a broker that has just started, the coordinator may not answer who the former member was.
    const before = lines.length
    await expel(options.groupId, options.clientId)
    expect(await source.commit([mark])).toBe(false)
    expect(lines.slice(before)).toEqual(['offsets not committed; the next commit covers them'])
    for (const giveUpAt = performance.now() + 20_000; !(await source.commit([mark])); )
      if (performance.now() > giveUpAt) throw new Error('it does not join again')
    for (const partition of [0, 1]) await produce(brokers, topic, partition, numbered(10, 10))
    await until('the rest', () => taker.count === 40)
    for (const key of ['0/0', '0/1']) expect(taker.values(key)).toEqual(numbered(0, 20))
    expect([taker.assignments.length, taker.failures]).toEqual([2, []])
  })
})

test('a source that is closed while it waits to join leaves no member behind', async () => {
  const topic = fresh('topic')
  await createTopics(brokers, [topic], 2)
  const options = sourceOptions(brokers, [topic], { sessionTimeoutMs: 20_000 })
  await withSource({ ...options, clientId: 'a' }, async (a) => {
    await until('all', () => a.assignedNow.size === 2)
    // A member that hears of rebalances late makes the next join wait.
    const slow = plainClient(brokers).consumer({ groupId: options.groupId, partitionAssigners: [silentAssigner], heartbeatInterval: 8_000 })
    await slow.connect()
    await slow.subscribe({ topic })
    await slow.run({ eachMessage: async () => {} })
    await until('shared', () => a.assignedNow.size === 1)
    const b = kafkaSource({ ...options, clientId: 'b' })
    const started = b.start(new Taker())
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const from = performance.now()
    await b.close()
    await started
    expect(performance.now() - from).toBeLessThan(2_000)
    const admin = plainClient(brokers).admin()
    await admin.connect()
    const { groups } = await admin.describeGroups([options.groupId])
    expect(groups[0]?.members.map(({ clientId }) => readSign(clientId)?.client ?? clientId).toSorted()).toEqual(['a', 'plain'])
    await admin.disconnect()
    await slow.disconnect()
    await until('all again', () => a.assignedNow.size === 2)
  })
})

const silentAssigner = coPartitionAssigner({ adopt: () => {}, describe: () => ({ tasks: [], generation: -1, host: 'elsewhere', pid: 1 }) })

/** Makes the group's members of this name leave, as the coordinator does when their sessions end. */
async function expel(groupId: string, clientId: string): Promise<void> {
  let cluster: Cluster | undefined
  const facts = { tasks: [], generation: -1, host: 'elsewhere', pid: 1 }
  const adopt = (adopted: Cluster) => {
    cluster = adopted
  }
  const consumer = plainClient(brokers).consumer({ groupId, partitionAssigners: [coPartitionAssigner({ adopt, describe: () => facts })] })
  await consumer.connect()
  const coordinator = await findCoordinator(cluster!, groupId)
  const { groups } = await coordinator.describeGroups({ groupIds: [groupId] })
  const named = groups.flatMap(({ members }) => members).filter((member) => readSign(member.clientId)?.client === clientId)
  for (const { memberId } of named) await coordinator.leaveGroup({ groupId, memberId })
  await consumer.disconnect()
}

import { expect, test } from 'vitest'
import { assignTasks, type Claimant, coPartitionAssigner } from '../../src/kafka/co-partition-assigner.ts'
import type { MemberFacts } from '../../src/kafka/member-facts.ts'

interface Case {
  readonly what: string
  readonly taskCount: number
  /** Owned tasks, and their generation when it isn't 1; undefined for a member that says nothing. */
  readonly members: Readonly<Record<string, readonly number[] | readonly [tasks: readonly number[], generation: number] | undefined>>
  readonly expected: Readonly<Record<string, readonly number[]>>
}

const CASES: readonly Case[] = [
  { what: 'one member gets all', taskCount: 3, members: { a: undefined }, expected: { a: [0, 1, 2] } },
  { what: 'new members are dealt to in turn', taskCount: 5, members: { b: [], a: [] }, expected: { a: [0, 2, 4], b: [1, 3] } },
  { what: 'what fits stays', taskCount: 4, members: { a: [2, 3], b: [0, 1] }, expected: { a: [2, 3], b: [0, 1] } },
  {
    what: 'one that joins gets its share, spread over all tasks, and the rest stays',
    taskCount: 8,
    members: { a: [0, 1, 2, 3, 4, 5, 6, 7], b: [] },
    expected: { a: [1, 3, 5, 7], b: [0, 2, 4, 6] },
  },
  { what: 'what one leaves is dealt out', taskCount: 6, members: { a: [0, 1], b: [4, 5] }, expected: { a: [0, 1, 2], b: [3, 4, 5] } },
  {
    what: 'the one more than the others is for those that own most',
    taskCount: 5,
    members: { a: [0], b: [1, 2], c: [3, 4] },
    expected: { a: [0], b: [1, 2], c: [3, 4] },
  },
  {
    what: 'the newest generation wins: the other has slept',
    taskCount: 4,
    members: { a: [[0, 1], 6], b: [[0, 1, 2, 3], 7] },
    expected: { a: [0, 2], b: [1, 3] },
  },
  {
    what: 'of the same generation the lowest id wins',
    taskCount: 2,
    members: { b: [0, 1], a: [0, 1] },
    expected: { a: [1], b: [0] },
  },
  {
    what: 'a member that says nothing owns nothing and gets its share',
    taskCount: 4,
    members: { a: undefined, b: [0, 1, 2, 3] },
    expected: { a: [0, 2], b: [1, 3] },
  },
  { what: 'tasks that are no more are nobody’s', taskCount: 2, members: { a: [0, 7], b: [1, 8] }, expected: { a: [0], b: [1] } },
  { what: 'tasks are added', taskCount: 4, members: { a: [0], b: [1] }, expected: { a: [0, 2], b: [1, 3] } },
  { what: 'a member too many gets nothing', taskCount: 2, members: { a: [], b: [0], c: [1] }, expected: { a: [], b: [0], c: [1] } },
  { what: 'no task at all', taskCount: 0, members: { a: [0], b: [] }, expected: { a: [], b: [] } },
]

test.each(CASES)('$what', ({ taskCount, members, expected }) => {
  const claimants = Object.entries(members).map(([memberId, said]): Claimant => {
    const [first, generation] = said ?? []
    if (said === undefined) return { memberId, owned: undefined }
    if (Array.isArray(first)) return { memberId, owned: { tasks: first, generation: generation as number } }
    return { memberId, owned: { tasks: said as readonly number[], generation: 1 } }
  })
  expect(Object.fromEntries(assignTasks(claimants, taskCount))).toEqual(expected)
  expect(Object.fromEntries(assignTasks(claimants.toReversed(), taskCount))).toEqual(expected)
})

test('the leader deals by what members said, and each topic has the partitions that it has', async () => {
  const facts = (tasks: number[]): MemberFacts => ({ tasks, generation: 3, host: 'h', pid: 1 })
  const partitions: Record<string, number> = { impressions: 4, clicks: 2 }
  const cluster = { findTopicPartitionMetadata: (topic: string) => Array.from({ length: partitions[topic] ?? 0 }) }
  const deals: object[] = []
  const assigner = (tasks: number[]) => {
    const dead = async (ids: readonly string[]) => new Set(ids.filter((id) => id.startsWith('dead')))
    const hooks = { adopt: () => {}, describe: () => facts(tasks), dead, dealt: (deal: object) => void deals.push(deal) }
    return coPartitionAssigner(hooks)({ cluster, groupId: '', logger: undefined } as never)
  }
  const topics = ['impressions', 'clicks']
  const member = (memberId: string, tasks: number[]) => ({ memberId, memberMetadata: assigner(tasks).protocol({ topics }).metadata })
  const old = { memberId: 'old', memberMetadata: Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]) }
  const leader = assigner([])
  const { default: kafkajs } = await import('kafkajs')
  const deal = async (members: { memberId: string; memberMetadata: Buffer }[]) => {
    const assigned = await leader.assign({ members, topics })
    return Object.fromEntries(
      assigned.map((one) => [one.memberId, kafkajs.AssignerProtocol.MemberAssignment.decode(one.memberAssignment)?.assignment]),
    )
  }
  expect(await deal([member('a', [1, 2]), member('b', [0, 3])])).toEqual({
    a: { impressions: [1, 2], clicks: [1] },
    b: { impressions: [0, 3], clicks: [0] },
  })
  expect(await deal([old, member('b', [0, 1, 2, 3])])).toEqual({
    old: { impressions: [0, 2], clicks: [0] },
    b: { impressions: [1, 3], clicks: [1] },
  })
  expect(await deal([member('dead', [0, 1, 2, 3]), member('b', [])])).toEqual({ b: { impressions: [0, 1, 2, 3], clicks: [0, 1] } })
  expect(deals).toEqual([
    { members: 2, tasks: 4, moved: 0 },
    { members: 2, tasks: 4, moved: 2 },
    { members: 1, tasks: 4, moved: 0 },
  ])
})

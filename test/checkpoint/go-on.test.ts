import { expect, test } from 'vitest'
import { goOnFrom } from '../../src/checkpoint/go-on.ts'
import type { OfferedPartition } from '../../src/source/source.ts'
import type { TaskFacts } from '../../src/window/facts.ts'

const TOTALS = { first: 0, read: 20, counted: 20, late: 0, invalid: {} }
const windowAt = (end: number, events: number) => ({ end, events, offset: 12, maxEventTime: 5, totals: TOTALS })
const partition = (topic: string, topicId: string | undefined) => {
  return { topic, partition: 0, topicId, position: 20, maxEventTime: 9, totals: TOTALS, windows: [windowAt(10, 3), windowAt(20, 5)] }
}
const KEPT: TaskFacts = { task: 0, published: 4, partitions: [partition('a', 'A'), partition('b', 'B')] }

function offer(topicIndex: number, topicId: string | undefined, earliest = 0): OfferedPartition {
  const at = { position: 0, maxEventTime: undefined, endOffset: undefined, earliest, latest: 100, origin: 'none' } as const
  return { topicIndex, partition: 0, topicId, ...at }
}

test('a task of which Kafka has everything goes on as it is', () => {
  expect(goOnFrom(KEPT, [offer(0, 'A'), offer(1, 'B', 20)], ['a', 'b'])).toEqual(KEPT)
})

test('of state that knows no ids, the topics that are there are taken for those that were', () => {
  const kept = { ...KEPT, partitions: [partition('a', undefined)] }
  expect(goOnFrom(kept, [offer(0, 'A')], ['a', 'b']).partitions).toEqual([partition('a', 'A')])
})

test('where a topic was made again its partition begins anew, and what was counted stays', () => {
  const { partitions, orphans, published } = goOnFrom(KEPT, [offer(0, 'C', 2), offer(1, 'B')], ['a', 'b'])
  const nothing = { first: 2, read: 0, counted: 0, late: 0, invalid: {} }
  const anew = {
    topic: 'a',
    partition: 0,
    topicId: 'C',
    remade: 1,
    position: 2,
    maxEventTime: null,
    totals: nothing,
    windows: [],
    isNew: true,
  }
  expect(partitions).toEqual([anew, partition('b', 'B')])
  expect(orphans).toEqual([
    { end: 10, events: 3 },
    { end: 20, events: 5 },
  ])
  expect(published).toBe(4)
})

test('again and again: orphans add up', () => {
  const once = goOnFrom(KEPT, [offer(0, 'C'), offer(1, 'B')], ['a', 'b'])
  const twice = goOnFrom(once, [offer(0, 'C'), offer(1, 'D')], ['a', 'b'])
  expect(twice.partitions.map(({ topicId, remade }) => [topicId, remade])).toEqual([
    ['C', 1],
    ['D', 1],
  ])
  expect(twice.orphans).toEqual([
    { end: 10, events: 6 },
    { end: 20, events: 10 },
  ])
})

test('a topic was made again as often as the group has seen, where that was more often than what was kept says', () => {
  const [one] = goOnFrom(KEPT, [{ ...offer(0, 'D'), remade: 2 }, offer(1, 'B')], ['a', 'b']).partitions
  expect(one).toMatchObject({ topicId: 'D', remade: 2 })
})

test.each([
  [20, undefined],
  [21, 1],
  [25, 5],
])('with the first record at %i of a partition that stands at 20, %s are missing', (earliest, missing) => {
  const [one] = goOnFrom(KEPT, [offer(0, 'A', earliest), offer(1, 'B')], ['a', 'b']).partitions
  expect(one).toMatchObject({ position: earliest, maxEventTime: 9, totals: TOTALS, windows: [{ end: 10 }, { end: 20 }] })
  expect(one?.missing).toBe(missing)
  if (missing !== undefined) expect(one?.loss).toContain(`records 20 to ${earliest - 1} are gone`)
})

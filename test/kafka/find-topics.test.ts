import { expect, test } from 'vitest'
import { checkPartitions } from '../../src/kafka/find-topics.ts'
import { insteadOf } from '../../src/kafka/topic-faults.ts'

test.each([
  [['impresions'], ['impressions', 'clicks', '__consumer_offsets'], ', but impressions'],
  [['clicks'], ['clicks-v2', 'clicks-v1', 'views'], ', but clicks-v1, clicks-v2'],
  [['web_events'], ['web.events', 'a'], ', but web.events'],
  [['imp', 'clcks'], ['clicks', 'impressions'], ', but impressions, clicks'],
  [['views'], ['orders'], '; there is orders'],
  [['views'], ['b', 'a'], '; there are a, b'],
  [['views'], Array.from({ length: 11 }, (_, i) => `orders-${i}`), ''],
  [['views'], ['__consumer_offsets'], ', and none at all'],
])('instead of %j, where there are %j, the message says %j', (missing, there, says) => {
  expect(insteadOf(missing, there)).toBe(says)
})

test('topics with as many partitions pass, others only when they are let', () => {
  const equal = new Map([
    ['a', 2],
    ['b', 2],
  ])
  const unequal = new Map([
    ['a', 2],
    ['b', 3],
  ])
  expect(() => checkPartitions(equal, 'stop')).not.toThrow()
  expect(() => checkPartitions(new Map([['a', 2]]), 'stop')).not.toThrow()
  expect(() => checkPartitions(unequal, 'read')).not.toThrow()
  expect(() => checkPartitions(unequal, 'stop')).toThrow(/a has 2, b has 3; .*add partitions .*, or set kafka\.onUnequalPartitions to read/)
})

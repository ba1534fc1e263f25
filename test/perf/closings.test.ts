import { expect, test } from 'vitest'
import { Closings } from '../../perf/closings.ts'

const OPTIONS = { topics: ['a', 'b'], windowSize: 10, outOfOrderness: 5 }

test('a window is closed by the record that lifts the last of its partitions over its end', () => {
  const closings = new Closings(OPTIONS)
  closings.add('a', 0, 24, 100)
  closings.add('b', 0, 24, 101)
  expect(closings.closedAt(0, 20)).toBeUndefined()
  closings.add('a', 0, 25, 102)
  expect(closings.closedAt(0, 20)).toBeUndefined()
  closings.add('b', 0, 25, 103)
  expect(closings.closedAt(0, 20)).toBe(103)
  closings.add('a', 0, 99, 104)
  expect(closings.closedAt(0, 20)).toBe(103)
})

test('one record may close several windows, and older events close none', () => {
  const closings = new Closings(OPTIONS)
  closings.add('a', 1, 16, 100)
  closings.add('b', 1, 46, 101)
  closings.add('a', 1, 36, 102)
  closings.add('a', 1, 1, 103)
  expect([10, 20, 30, 40].map((end) => closings.closedAt(1, end))).toEqual([101, 102, 102, undefined])
})

test('windows that ended before the first record are closed by it', () => {
  const closings = new Closings(OPTIONS)
  closings.add('a', 0, 100, 7)
  closings.add('b', 0, 100, 8)
  expect(closings.closedAt(0, 10)).toBe(8)
})

test('a partition without a record holds its task, and no other', () => {
  const closings = new Closings(OPTIONS)
  for (const [topic, partition] of [
    ['a', 0],
    ['b', 0],
    ['a', 1],
  ] as const)
    closings.add(topic, partition, 100, 1)
  expect([closings.closedAt(0, 90), closings.closedAt(1, 90)]).toEqual([1, undefined])
})

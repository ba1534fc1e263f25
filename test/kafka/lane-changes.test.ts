import { expect, test } from 'vitest'
import { Lane } from '../../src/kafka/lane.ts'
import { changesOf } from '../../src/kafka/lane-changes.ts'

/** As `topic/partition`, from lanes 0 and 1 of topics a and b. */
function changes(assignment: Record<string, number[]>, lanes = ['a/0', 'a/1', 'b/0', 'b/1']) {
  const have = new Map(lanes.map((key) => [key, new Lane(key.slice(0, 1), 0, Number(key.slice(2)))]))
  const { lost, gained } = changesOf(have, assignment)
  return { lost: lost.map(([key]) => key), gained: gained.map(({ topic, partition }) => `${topic}/${partition}`) }
}

test('the same assignment changes nothing', () => {
  expect(changes({ a: [1, 0], b: [0, 1] })).toEqual({ lost: [], gained: [] })
})

test('a task of which a partition goes leaves as a whole, and what is left of it comes again', () => {
  expect(changes({ a: [0, 1], b: [0] })).toEqual({ lost: ['a/1', 'b/1'], gained: ['a/1'] })
})

test('a task of which a partition comes begins again as a whole', () => {
  expect(changes({ a: [0, 1], b: [0, 1], c: [1] })).toEqual({ lost: ['a/1', 'b/1'], gained: ['a/1', 'b/1', 'c/1'] })
})

test('the first assignment gains all, and an empty one loses all', () => {
  expect(changes({ a: [3], b: [3] }, [])).toEqual({ lost: [], gained: ['a/3', 'b/3'] })
  expect(changes({})).toEqual({ lost: ['a/0', 'a/1', 'b/0', 'b/1'], gained: [] })
})

import { describe, expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { assertMarks, Barriers, sameMarks } from '../../src/checkpoint/barriers.ts'
import { Partition } from '../../src/window/partition.ts'
import { Task } from '../../src/window/task.ts'
import { RULES } from '../../workshop/memory-run.ts'

const mark = { topicIndex: 0, partition: 1, offset: 5, maxEventTime: 9 }

test('a cut is safe only when the sink has acknowledged its barrier and the letters are settled', async () => {
  const barriers = new Barriers()
  const letters = Promise.withResolvers<void>()
  let safe = false
  const cut = barriers
    .cut(() => letters.promise)
    .then(() => {
      safe = true
    })
  barriers.acknowledge(0)
  barriers.acknowledge(2)
  letters.resolve()
  await new Promise(setImmediate)
  expect(safe).toBe(false)
  barriers.acknowledge(1)
  await cut
  expect(barriers.next).toBe(2)
})

test('letters that are not settled hold the cut back, also those that came with the acknowledgement', async () => {
  const barriers = new Barriers()
  let letters = Promise.resolve()
  let safe = false
  const cut = barriers
    .cut(() => letters)
    .then(() => {
      safe = true
    })
  const parked = Promise.withResolvers<void>()
  letters = parked.promise
  barriers.acknowledge(1)
  await new Promise(setImmediate)
  expect(safe).toBe(false)
  parked.resolve()
  await cut
})

test('two barriers at once are a bug', async () => {
  const barriers = new Barriers()
  void barriers.cut(async () => {})
  await expect(barriers.cut(async () => {})).rejects.toThrow(BugError)
})

test.each([
  [[mark], [mark], true],
  [[mark], [{ ...mark }], true],
  [[mark], [], false],
  [[mark], [{ ...mark, offset: 6 }], false],
  [[mark], [{ ...mark, maxEventTime: undefined }], false],
  [[mark], [{ ...mark, partition: 2 }], false],
  [[mark], [{ ...mark, facts: { idleSince: 1 } }], false],
  [[{ ...mark, facts: { candidates: 'a' } }], [{ ...mark, facts: { candidates: 'b' } }], false],
  [[{ ...mark, facts: { candidates: 'a', windowsFrom: 1 } }], [{ ...mark, facts: { windowsFrom: 1, candidates: 'a' } }], true],
])('marks %j and %j are the same: %s', (a, b, same) => expect(sameMarks(a, b)).toBe(same))

describe('a low-water mark', () => {
  const taskOf = (position: number) => {
    const task = new Task(1, RULES)
    task.partitions.push(new Partition(0, 1, { position, maxEventTime: undefined }, [], 0))
    return task
  }
  const markAt = (offset: number) => ({ ...mark, offset })

  test('may stay and go on to the position, but neither back nor past it', () => {
    const last = new WeakMap<Partition, number>()
    const tasks = [taskOf(10)]
    for (const offset of [5, 5, 6, 10]) assertMarks([markAt(offset)], tasks, last)
    expect(() => assertMarks([markAt(9)], tasks, last)).toThrow('never goes back {"topicIndex":0,"partition":1,"offset":9,"last":10')
    expect(() => assertMarks([markAt(11)], tasks, last)).toThrow('lies in what was read')
  })

  test('lies further back when its partition has left and come again', () => {
    const last = new WeakMap<Partition, number>()
    assertMarks([markAt(9)], [taskOf(10)], last)
    expect(() => assertMarks([markAt(3)], [taskOf(3)], last)).not.toThrow()
  })

  test('of a partition that is not there is a bug', () => {
    expect(() => assertMarks([markAt(0)], [], new WeakMap())).toThrow('a mark is of a partition that this process has')
    expect(() => assertMarks([{ ...mark, topicIndex: 1 }], [taskOf(10)], new WeakMap())).toThrow(BugError)
  })
})

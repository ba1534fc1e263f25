import { expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { Barriers, sameMarks } from '../../src/checkpoint/barriers.ts'

const mark = { topicIndex: 0, partition: 1, offset: 5, maxEventTime: 9 }

test('marks are safe only when the sink has acknowledged their barrier and the letters are settled', async () => {
  const barriers = new Barriers()
  const letters = Promise.withResolvers<void>()
  let safe = false
  const cut = barriers.cut([mark], letters.promise).then((marks) => {
    safe = true
    return marks
  })
  barriers.acknowledge(0)
  barriers.acknowledge(2)
  letters.resolve()
  await new Promise(setImmediate)
  expect(safe).toBe(false)
  barriers.acknowledge(1)
  expect(await cut).toEqual([mark])
  expect(barriers.next).toBe(2)
})

test('letters that are not settled hold the marks back', async () => {
  const barriers = new Barriers()
  const letters = Promise.withResolvers<void>()
  let safe = false
  const cut = barriers.cut([mark], letters.promise).then(() => {
    safe = true
  })
  barriers.acknowledge(1)
  await new Promise(setImmediate)
  expect(safe).toBe(false)
  letters.resolve()
  await cut
})

test('two barriers at once are a bug', async () => {
  const barriers = new Barriers()
  void barriers.cut([], Promise.resolve())
  await expect(barriers.cut([], Promise.resolve())).rejects.toThrow(BugError)
})

test.each([
  [[mark], [mark], true],
  [[mark], [{ ...mark }], true],
  [[mark], [], false],
  [[mark], [{ ...mark, offset: 6 }], false],
  [[mark], [{ ...mark, maxEventTime: undefined }], false],
  [[mark], [{ ...mark, partition: 2 }], false],
])('marks %j and %j are the same: %s', (a, b, same) => expect(sameMarks(a, b)).toBe(same))

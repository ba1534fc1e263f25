import { expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { Barriers, sameMarks } from '../../src/checkpoint/barriers.ts'

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
])('marks %j and %j are the same: %s', (a, b, same) => expect(sameMarks(a, b)).toBe(same))

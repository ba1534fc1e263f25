import { describe, expect, test } from 'vitest'
import { decideStart } from '../../src/kafka/start-position.ts'

const metadata = { maxEventTime: 77, totals: { first: 0, read: 15, counted: 15, late: 0, invalid: {} } }
const facts = { earliest: 10, latest: 20, committed: undefined, metadata, atTimestamp: undefined }
const nothing = { maxEventTime: undefined, totals: undefined, warning: undefined }

describe('committed', () => {
  test('is the earliest offset when the group has none', () => {
    expect(decideStart('committed', facts)).toEqual({ ...nothing, position: 10, origin: 'none' })
  })
  test.each([10, 15, 20])('offset %i within the log is taken, with its event time', (committed) => {
    expect(decideStart('committed', { ...facts, committed })).toEqual({ ...nothing, ...metadata, position: committed, origin: 'mark' })
  })
  test('an offset that somebody else has set is taken as it is', () => {
    const start = decideStart('committed', { ...facts, committed: 15, metadata: undefined })
    expect(start).toEqual({ ...nothing, position: 15, origin: 'foreign' })
  })
  test('an offset that retention has passed falls to the earliest, says what is lost, and knows no event time', () => {
    const start = decideStart('committed', { ...facts, committed: 9 })
    expect(start).toMatchObject({ position: 10, maxEventTime: undefined })
    expect(start.warning).toContain('records 9 to 9 are gone')
  })
  test('an offset past the end falls to the earliest and says so', () => {
    const start = decideStart('committed', { ...facts, committed: 21 })
    expect(start).toMatchObject({ position: 10, maxEventTime: undefined })
    expect(start.warning).toContain('21 is past the end 20')
  })
})

test('earliest, latest and timestamp disregard what is committed and know no event time', () => {
  const committed = { ...facts, committed: 15, atTimestamp: 12 }
  expect(decideStart('earliest', committed)).toEqual({ ...nothing, position: 10, origin: 'asked' })
  expect(decideStart('latest', committed)).toEqual({ ...nothing, position: 20, origin: 'asked' })
  expect(decideStart('timestamp', committed)).toEqual({ ...nothing, position: 12, origin: 'asked' })
  expect(decideStart('timestamp', { ...committed, atTimestamp: undefined }).position).toBe(20)
})

test('the incarnation and the facts of a mark go with its offset, and with no other start', () => {
  const known = { maxEventTime: 5, incarnation: 3, facts: { topicId: 'A'.repeat(22), idleSince: 7 } }
  const start = decideStart('committed', { ...facts, committed: 15, metadata: known })
  expect([start.incarnation, start.carried]).toEqual([3, { offset: 15, facts: known.facts }])
  for (const committed of [9, 21]) expect(decideStart('committed', { ...facts, committed, metadata: known }).carried).toBeUndefined()
  expect(decideStart('earliest', { ...facts, committed: 15, metadata: known }).carried).toBeUndefined()
})

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

describe('earliest, latest and timestamp', () => {
  const known = { ...facts, atTimestamp: 12 }
  test.each([
    ['earliest', 10],
    ['latest', 20],
    ['timestamp', 12],
  ] as const)('%s is for partitions that the group has no offset of', (startFrom, position) => {
    expect(decideStart(startFrom, known)).toEqual({ ...nothing, position, origin: 'none' })
    expect(decideStart(startFrom, { ...known, committed: 15 })).toEqual({ ...nothing, ...metadata, position: 15, origin: 'mark' })
    expect(decideStart(startFrom, { ...known, committed: 15, metadata: undefined })).toMatchObject({ position: 15, origin: 'foreign' })
  })
  test('a time after the last record is the end', () => {
    expect(decideStart('timestamp', facts).position).toBe(20)
  })
})

describe('a reset', () => {
  const known = { ...facts, committed: 15, atTimestamp: 12 }
  test.each([
    ['earliest', 10, 'records 10 to 14 are read again'],
    ['latest', 20, 'records 15 to 19 are passed over'],
    [1_700_000_000_000, 12, '--reset 2023-11-14T22:13:20.000Z: reading from 12'],
  ] as const)('to %s goes before everything, knows no event time and says what it costs', (reset, position, warning) => {
    const start = decideStart('committed', known, reset)
    expect(start).toEqual({ ...nothing, position, origin: 'asked', warning: expect.stringContaining(warning) })
  })
})

test('the incarnation and the facts of a mark go with its offset, and with no other start', () => {
  const known = { maxEventTime: 5, incarnation: 3, facts: { topicId: 'A'.repeat(22), idleSince: 7 } }
  const start = decideStart('committed', { ...facts, committed: 15, metadata: known })
  expect([start.incarnation, start.carried]).toEqual([3, { offset: 15, facts: known.facts }])
  for (const committed of [9, 21]) expect(decideStart('committed', { ...facts, committed, metadata: known }).carried).toBeUndefined()
  expect(decideStart('committed', { ...facts, committed: 15, metadata: known }, 'earliest').carried).toBeUndefined()
})

describe('a topic that was made again', () => {
  const [was, is] = ['A'.repeat(22), 'B'.repeat(22)]
  const at = (mark: object, topicId: string | undefined = is, committed = 15) =>
    decideStart('committed', { ...facts, committed, topicId, metadata: { ...metadata, incarnation: 2, facts: mark } })

  test('begins anew at its first record, counts how often, and says what a start without a checkpoint lacks', () => {
    const start = at({ topicId: was, remade: 3 })
    expect(start).toMatchObject({ position: 10, remade: 4, lost: true, origin: 'mark', incarnation: 2 })
    expect([start.maxEventTime, start.totals, start.carried]).toEqual([undefined, undefined, undefined])
    expect(start.loss).toContain('rebuilt in part unless a checkpoint has them')
    // Also where the old offset would fit, or would not.
    expect(at({ topicId: was }, is, 99)).toMatchObject({ position: 10, remade: 1 })
  })

  test.each([
    ['the same', { topicId: is }, is],
    ['not known to the mark', {}, is],
    ['not known to the brokers', { topicId: was }, undefined],
  ])('is told from one whose id is %s', (_, mark, topicId) => {
    expect(decideStart('committed', { ...facts, committed: 15, topicId, metadata: { ...metadata, facts: mark } })).toMatchObject({
      position: 15,
      remade: undefined,
      maxEventTime: 77,
    })
  })

  test('while its old windows are open, marks say that only a checkpoint has them', () => {
    const start = at({ topicId: is, remade: 1, orphansUntil: 1_700_000_010_000 })
    expect(start).toMatchObject({
      position: 15,
      remade: 1,
      lost: true,
      loss: expect.stringContaining('windows up to 2023-11-14T22:13:30.000Z'),
    })
  })
})

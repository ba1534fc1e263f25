import { describe, expect, test } from 'vitest'
import { decodeOffsetMetadata, encodeOffsetMetadata } from '../../src/kafka/offset-metadata.ts'
import { decideStart } from '../../src/kafka/start-position.ts'

const facts = { earliest: 10, latest: 20, committed: undefined, maxEventTime: 77, atTimestamp: undefined }

describe('committed', () => {
  test('is the earliest offset when the group has none', () => {
    expect(decideStart('committed', facts)).toEqual({ position: 10, maxEventTime: undefined, warning: undefined })
  })
  test.each([10, 15, 20])('offset %i within the log is taken, with its event time', (committed) => {
    expect(decideStart('committed', { ...facts, committed })).toEqual({ position: committed, maxEventTime: 77, warning: undefined })
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
  expect(decideStart('earliest', committed)).toEqual({ position: 10, maxEventTime: undefined, warning: undefined })
  expect(decideStart('latest', committed)).toEqual({ position: 20, maxEventTime: undefined, warning: undefined })
  expect(decideStart('timestamp', committed)).toEqual({ position: 12, maxEventTime: undefined, warning: undefined })
  expect(decideStart('timestamp', { ...committed, atTimestamp: undefined }).position).toBe(20)
})

test('offset metadata is read back, also when there is no event time', () => {
  for (const time of [undefined, 0, -5, 1_700_000_000_123]) expect(decodeOffsetMetadata(encodeOffsetMetadata(time))).toBe(time)
  expect(encodeOffsetMetadata(1_700_000_000_123)).toBe('{"v":1,"maxEventTime":1700000000123}')
})

test.each([
  null,
  undefined,
  '',
  'other',
  '{',
  '{"v":2,"maxEventTime":5}',
  '{"v":1,"maxEventTime":"5"}',
  '{"v":1,"maxEventTime":1.5}',
  '{"v":1}',
  '[1]',
  '{}',
])('metadata %j of somebody else says nothing', (text) => {
  expect(decodeOffsetMetadata(text)).toBeUndefined()
})

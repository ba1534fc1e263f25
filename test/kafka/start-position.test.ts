import { describe, expect, test } from 'vitest'
import { decodeOffsetMetadata, encodeOffsetMetadata } from '../../src/kafka/offset-metadata.ts'
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

const LEDGER = { first: 3, read: 12, counted: 9, late: 1, invalid: { TYPE: 2 } }

test('offset metadata is read back, also when there is no event time, and that of older versions', () => {
  for (const maxEventTime of [undefined, 0, -5, 1_700_000_000_123]) {
    for (const totals of [undefined, LEDGER]) {
      expect(decodeOffsetMetadata(encodeOffsetMetadata({ maxEventTime, totals }))).toEqual({ maxEventTime, totals })
    }
  }
  const text = '{"v":1,"maxEventTime":1700000000123,"ledger":{"first":3,"read":12,"counted":9,"late":1,"invalid":{"TYPE":2}}}'
  expect(encodeOffsetMetadata({ maxEventTime: 1_700_000_000_123, totals: LEDGER })).toBe(text)
  expect(decodeOffsetMetadata('{"v":1,"maxEventTime":1700000000123}')).toEqual({ maxEventTime: 1_700_000_000_123, totals: undefined })
})

test.each([null, undefined, '', 'other', '{', '{"v":2,"maxEventTime":5}', '[1]', '{}'])(
  'metadata %j of somebody else says nothing',
  (text) => {
    expect(decodeOffsetMetadata(text)).toBeUndefined()
  },
)

test.each([
  '{"v":1,"maxEventTime":"5"}',
  '{"v":1,"maxEventTime":1.5}',
  '{"v":1}',
  '{"v":1,"ledger":{"first":-1,"read":0,"counted":0,"late":0,"invalid":{}}}',
  '{"v":1,"ledger":{"first":1,"read":0,"counted":0,"late":0}}',
  '{"v":1,"ledger":{"first":1,"read":0,"counted":0,"late":0,"invalid":{"TYPE":"1"}}}',
])('what does not fit in metadata %j is left out', (text) => {
  expect(decodeOffsetMetadata(text)).toEqual({ maxEventTime: undefined, totals: undefined })
})

test('the lineage of a task travels with its marks, unless it is the first', () => {
  const text = encodeOffsetMetadata({ maxEventTime: 5, lineage: 3 })
  expect(text).toBe('{"v":1,"maxEventTime":5,"lineage":3}')
  expect(decodeOffsetMetadata(text)).toEqual({ maxEventTime: 5, lineage: 3 })
  expect(encodeOffsetMetadata({ maxEventTime: 5, lineage: 0 })).toBe('{"v":1,"maxEventTime":5}')
  for (const odd of ['-1', '1.5', '"2"']) expect(decodeOffsetMetadata(`{"v":1,"lineage":${odd}}`)?.lineage).toBeUndefined()
  expect(decideStart('committed', { ...facts, committed: 15, metadata: { maxEventTime: 5, lineage: 3 } }).lineage).toBe(3)
})

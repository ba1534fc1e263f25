/** Lines as consumers of the dead letters read them: they must never change. */
import { expect, test } from 'vitest'
import { deadLetterOf } from '../../src/output/dead-letter.ts'
import { refusedRow } from '../../src/output/refused-row.ts'
import { outputRecord } from '../support/output-records.ts'

const line = (...given: Parameters<typeof outputRecord>) => JSON.stringify(deadLetterOf(outputRecord(...given)))

test('an event', () => {
  const bytes = Buffer.from('{"product_id":"ü","timestamp":4102444800000}')
  const given = { reason: 'FUTURE', message: 'too far', bytes, eventTime: 4_102_444_800_000, truncated: true }
  expect(line(17, '', given)).toBe(
    '{"source":"ctr/test","rawTopic":"clicks","partition":3,"offset":17,"errorCode":"VALIDATION_ERROR","errorMessage":"too far",' +
      '"rawData":"{\\"product_id\\":\\"ü\\",\\"timestamp\\":4102444800000}","rawEncoding":"utf8","rawTruncated":true,' +
      '"eventTimeMillisUtc":4102444800000,"createdAtUtc":"2026-01-01T00:00:00.000Z"}',
  )
})

test('bytes that are no text, without a time; key, headers and timestamp of the record are not in it', () => {
  const envelope = () => ({ key: Buffer.from('k'), headers: [['h', null]] as const, timestamp: 7 })
  expect(line(0, '', { bytes: Buffer.from([0xff, 0, 1]), reason: 'NOT_UTF8', message: 'no', envelope })).toBe(
    '{"source":"ctr/test","rawTopic":"clicks","partition":3,"offset":0,"errorCode":"DESERIALIZATION_ERROR","errorMessage":"no",' +
      '"rawData":"/wAB","rawEncoding":"base64","rawTruncated":false,"eventTimeMillisUtc":null,"createdAtUtc":"2026-01-01T00:00:00.000Z"}',
  )
})

test('a late event', () => {
  expect(line(1, '{}', { kind: 'late', reason: 'LATE', message: 'too late', eventTime: 5, lateMs: 7 })).toBe(
    '{"source":"ctr/test","rawTopic":"clicks","partition":3,"offset":1,"errorCode":"LATE_EVENT","errorMessage":"too late",' +
      '"rawData":"{}","rawEncoding":"utf8","rawTruncated":false,"eventTimeMillisUtc":5,' +
      '"createdAtUtc":"2026-01-01T00:00:00.000Z","lateMs":7}',
  )
})

test('a row', () => {
  const row = {
    tenant: 'default',
    productId: 'p"1',
    windowStart: Date.UTC(2024, 0, 2),
    windowEnd: Date.UTC(2024, 0, 2, 0, 0, 10),
    task: 5,
    impressions: 4,
    clicks: 1,
    ctr: 0.25,
    version: 5,
    emittedAt: Date.UTC(2024, 0, 2, 0, 0, 16, 7),
    code: 469,
    reason: 'a constraint',
  }
  expect(JSON.stringify(deadLetterOf(refusedRow(row, 'ctr/test', Date.UTC(2026, 0, 1))))).toBe(
    '{"source":"ctr/test","rawTopic":"","partition":5,"offset":-1,"errorCode":"ROW_REFUSED",' +
      '"errorMessage":"ClickHouse refuses the row for what it holds: a constraint","rawData":"{\\"tenant\\":\\"default\\",' +
      '\\"product_id\\":\\"p\\\\\\"1\\",\\"window_start\\":\\"2024-01-02 00:00:00.000\\",\\"window_end\\":\\"2024-01-02 00:00:10.000\\",' +
      '\\"task\\":5,\\"impressions\\":4,\\"clicks\\":1,\\"ctr\\":0.25,\\"version\\":5,\\"emitted_at\\":\\"2024-01-02 00:00:16.007\\"}",' +
      '"rawEncoding":"utf8","rawTruncated":false,"eventTimeMillisUtc":1704153600000,"createdAtUtc":"2026-01-01T00:00:00.000Z"}',
  )
})

test.each([
  ['EMPTY', 'INVALID_EVENT'],
  ['NOT_UTF8', 'DESERIALIZATION_ERROR'],
  ['NOT_JSON', 'DESERIALIZATION_ERROR'],
  ['NOT_OBJECT', 'VALIDATION_ERROR'],
  ['PRODUCT', 'VALIDATION_ERROR'],
  ['TIME_RANGE', 'VALIDATION_ERROR'],
  ['BATCH_TOO_LARGE', 'BATCH_TOO_LARGE'],
  ['CORRUPT_BATCH', 'CORRUPT_BATCH'],
  ['ROW_REFUSED', 'ROW_REFUSED'],
])('reason %s has the code %s', (reason, code) => expect(deadLetterOf(outputRecord(0, '', { reason })).errorCode).toBe(code))

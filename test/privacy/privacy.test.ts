import { expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { FIELD_PRODUCT, FIELD_TYPE, FIELD_USER } from '../../src/format/event-rules.ts'
import { REASON_TEXT, REASONS } from '../../src/format/reasons.ts'
import { TOO_FAR_DETAIL } from '../../src/ingest/event-counter.ts'
import { Privacy, privacyOf, wholeOf } from '../../src/privacy/privacy.ts'
import { toldMessage } from '../../src/privacy/told-details.ts'

const KEY = { id: 'k1', secret: 'a key of thirty-two bytes or more' }

function privacy(config: object, payload: 'masked' | 'none' = 'masked'): Privacy {
  return new Privacy(configSchema.parse(config), payload, KEY)
}

const text = (bytes: string | Buffer, topic: string, whole: Parameters<Privacy['value']>[2], of: Privacy) =>
  of.value(Buffer.from(bytes), topic, whole)?.text

test('by default there is none', () => {
  expect(privacyOf(configSchema.parse({}))).toBeUndefined()
  expect(privacyOf(configSchema.parse({ privacy: { payload: 'masked' } }))?.payload).toBe('masked')
})

test('a topic is read as the configuration has it, and one that it does not name as all are', () => {
  const own = privacy({
    kafka: { topics: ['impressions', { name: 'orders', events: { fields: { product: 'items[].sku', time: 'at' } } }] },
    privacy: { keep: ['items[].sku', 'product_id'] },
  })
  expect(text('{"product_id":"p","at":1}', 'impressions', 'record', own)).toMatch(/^\{"product_id":"p","\*\*\*name:/)
  expect(text('{"product_id":"p","at":1}', 'orders', 'record', own)).toMatch(/^\{"product_id":"p","at":"\*\*\*number:/)
  expect(text('{"product_id":"p","at":1}', 'a file', 'record', own)).toMatch(/^\{"product_id":"p","\*\*\*name:/)
  // An element is what lies in the array; alone, and as a part of its record.
  expect(text('{"sku":"s","user":"ann"}', 'orders', 'element', own)).toMatch(/^\{"sku":"s","\*\*\*name:/)
  expect(text('{"items":[{"sku":"s"}]}', 'orders', 'record', own)).toBe('{"items":[{"sku":"s"}]}')
  expect(text('{"sku":"s"}', 'orders', 'record', own)).toMatch(/^\{"\*\*\*name:/)
})

test('a field stays when each place that it may have does', () => {
  const one = privacy({ privacy: { keep: ['product_id', 'event_type', 'eventType'] } })
  expect([FIELD_PRODUCT, FIELD_TYPE, FIELD_USER].map((field) => one.keeps(field, 'clicks'))).toEqual([false, true, false])
  const none = privacy({ privacy: { keep: ['event_type', 'eventType'] } }, 'none')
  expect(none.keeps(FIELD_TYPE, 'clicks')).toBe(false)
})

test('binary formats, batches and what stands before JSON', () => {
  const topics = [
    { name: 'a', format: 'avro' },
    { name: 'p', format: 'protobuf' },
    { name: 'j', format: 'json-schema' },
  ]
  const own = privacy({ kafka: { topics }, schemaRegistry: { url: 'http://localhost:1' } })
  for (const topic of ['a', 'p']) expect(text('\0\0\0\0\x01ann', topic, 'record', own)).toMatch(/^\*\*\*bytes:k1:[0-9a-f]{16}:8$/)
  expect(text('{"user_id":"ann"}', 'j', 'batch', own)).toMatch(/^\*\*\*bytes:k1:[0-9a-f]{16}:17$/)
  for (const lead of ['\0\0\0\0\x11', '\0\0\0\0\0\0\0\0\x11', `\x03\0${'\x11'.repeat(16)}`, '']) {
    const found = own.value(Buffer.from(`${lead}{"user_id":ann}`), 'j', 'record')
    expect(found?.text).toMatch(/^\{"user_id":\*\*\*rest:k1:[0-9a-f]{16}:4$/)
    expect(found?.faultAt).toBe(lead.length + 11)
  }
})

test('of a row all stays but a product that does not stay in events', () => {
  const row = '{"tenant":"t","product_id":"ann","task":3,"impressions":7,"ctr":null}'
  const kept = privacy({ privacy: { keep: ['product_id', 'productId'] } })
  expect(text(row, '', 'row', kept)).toBe(row)
  expect(text(row, '', 'row', privacy({}))).toMatch(
    /^\{"tenant":"t","product_id":"\*\*\*text:k1:[0-9a-f]{16}","task":3,"impressions":7,"ctr":null\}$/,
  )
})

test('with none nothing of a value is told', () => {
  expect(privacy({}, 'none').value(Buffer.from('{}'), 'clicks', 'record')).toBeUndefined()
})

test('what bytes are follows from the reason', () => {
  expect(['ROW_REFUSED', 'CORRUPT_BATCH', 'BATCH_TOO_LARGE', 'NOT_JSON'].map((reason) => wholeOf(reason, undefined))).toEqual([
    'row',
    'batch',
    'batch',
    'record',
  ])
  expect(wholeOf('TIME', 0)).toBe('element')
})

test('of details what may quote the input is cut out, and what can not is told', () => {
  for (const reason of REASONS) expect(toldMessage(reason, REASON_TEXT[reason])).toBe(REASON_TEXT[reason])
  const told = (reason: (typeof REASONS)[number], detail: string) =>
    toldMessage(reason, `${REASON_TEXT[reason]}: ${detail}`).slice(REASON_TEXT[reason].length + 2)
  expect(told('FRAME', 'it begins with the bytes 616e6e4065')).toBe('***')
  expect(told('NOT_AVRO', 'at byte 7: a text or bytes of length 7308604897 run past the end')).toBe('at byte 7: ***')
  expect(told('CORRUPT_BATCH', 'whatever ann@example.org says')).toBe('***')
  expect(told('FUTURE', `${TOO_FAR_DETAIL} ann`)).toBe('***')
  for (const [reason, detail] of [
    ['FRAME', 'it can not be decompressed'],
    ['FUTURE', TOO_FAR_DETAIL],
    ['BATCH_TOO_LARGE', '1000 bytes become more than kafka.maxBatchBytes (64MiB); raise it to read the batch'],
    ['CORRUPT_BATCH', '17 bytes lie behind its last record'],
    ['SCHEMA_MISMATCH', 'schema 17: it has no field product_id'],
  ] as const)
    expect(told(reason, detail)).toBe(detail)
  // Whatever stands where a frame would be is taken for the name of a schema.
  expect(told('SCHEMA_UNKNOWN', 'glue:616e6e40-6578-616d-706c-652e6f726700')).toBe('glue:***')
  expect(told('SCHEMA_UNKNOWN', 'id:1784770149')).toBe('id:***')
  expect(toldMessage('LATE', 'the window of the event was closed for good')).toBe('the window of the event was closed for good')
  expect(toldMessage('ROW_REFUSED', "ClickHouse refuses the row for what it holds: product_id = 'ann'")).toBe(
    'ClickHouse refuses the row for what it holds: ***',
  )
  expect(toldMessage('WHATEVER', 'ann')).toBe('***')
})

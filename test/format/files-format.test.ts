import avsc from 'avsc'
import { expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { FileSchemas } from '../../src/format/file-schemas.ts'
import { formatsOf } from '../../src/format/format.ts'
import { schemaHeader, schemaHeaderEnd } from '../../src/format/frames.ts'
import { bothParsers } from '../../workshop/both-parsers.ts'

const TIME = 1_790_000_000_123
const EVENT = { product_id: 'p-7', event_type: 'click', timestamp: TIME }
const COUNTED = { verdict: 'VALID', product: 'p-7', click: true, time: TIME }
const schema = (time: string) => ({
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'product_id', type: 'string' },
    { name: 'event_type', type: 'string' },
    { name: 'timestamp', type: { type: 'long', logicalType: time } },
  ],
})

test('records are read by the schema that their header names, and those without as JSON, however they are mixed', () => {
  const schemas = new FileSchemas(EVENTS_DEFAULT)
  const [format] = formatsOf([{ format: 'json', events: EVENTS_DEFAULT, ofFiles: true }], schemas) as [EventFormat]
  const [ms, us] = ['timestamp-millis', 'timestamp-micros'].map((time) => {
    const { headers } = schemas.open(JSON.stringify(schema(time)))
    const at = schemaHeader(headers, 0, headers.length)
    expect(schemaHeaderEnd[0]).toBe(headers.length)
    const header = ['__value_schema_id', headers.subarray(at)] as const
    return { header, type: avsc.Type.forSchema(schema(time) as never) }
  }) as [Kind, Kind]
  const json = Buffer.from(JSON.stringify(EVENT))
  for (let i = 0; i < 3; i++) {
    expect(bothParsers(format, ms.type.toBuffer(EVENT), [ms.header])).toEqual({ exact: COUNTED, fast: COUNTED })
    const micros = us.type.toBuffer({ ...EVENT, timestamp: TIME * 1000 })
    expect(bothParsers(format, micros, [us.header])).toEqual({ exact: COUNTED, fast: COUNTED })
    expect(bothParsers(format, json)).toEqual({ exact: COUNTED, fast: COUNTED })
  }
  expect(bothParsers(format, json, [ms.header]).exact.verdict).toBe('NOT_AVRO')
  expect(format.detail).toMatch(/^at byte \d+: /)
  expect(bothParsers(format, Buffer.from('p')).exact.verdict).toBe('NOT_JSON')
  const unknown = Uint8Array.from(ms.header[1])
  unknown[1]! ^= 1
  expect(bothParsers(format, json, [['__value_schema_id', unknown]]).exact.verdict).toBe('SCHEMA_UNKNOWN')
})

interface Kind {
  readonly header: readonly [string, Uint8Array]
  readonly type: avsc.Type
}

test('a schema that can not be used is refused in words, and the time of a value is read by it', () => {
  const schemas = new FileSchemas(EVENTS_DEFAULT)
  const type = schema('timestamp-millis')
  const { timeOf } = schemas.open(JSON.stringify(type))
  const value = avsc.Type.forSchema(type as never).toBuffer(EVENT)
  expect(timeOf(Buffer.concat([Buffer.from('ab'), value]), 2, 2 + value.length)).toBe(TIME)
  expect(timeOf(value, 0, value.length - 1)).toBe(0)
  for (const [text, words] of [
    ['', /^has a schema that can't be used: /],
    ['{"type":"record"}', /^has a schema that can't be used: /],
    ['"string"', /it is a schema of string, where a record is wanted/],
  ] as const) {
    expect(() => schemas.open(text)).toThrow(expect.objectContaining({ code: 'CTR_INPUT', message: expect.stringMatching(words) }))
  }
})

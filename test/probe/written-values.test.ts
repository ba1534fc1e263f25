import avsc from 'avsc'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import type { WriterSchema } from '../../src/format/schemas.ts'
import { configText, environmentText } from '../../src/probe/config-text.ts'
import { describeTopic } from '../../src/probe/describe.ts'
import type { ComingSchemas } from '../../src/probe/judge.ts'
import { reportOn } from '../../src/probe/report.ts'
import type { SampledRecord } from '../../src/probe/sampled-record.ts'
import { readWritten } from '../../src/probe/written-values.ts'
import { recordOf } from '../../workshop/both-parsers.ts'
import { temporaryFile } from '../support/config-file.ts'

const T0 = 1_790_000_000_000
const SCHEMA = {
  type: 'record',
  name: 'Shown',
  fields: [
    { name: 'eventUuid', type: 'string' },
    {
      name: 'meta',
      type: { type: 'record', name: 'Meta', fields: [{ name: 'occurredAt', type: { type: 'long', logicalType: 'timestamp-micros' } }] },
    },
    { name: 'action', type: { type: 'enum', name: 'Action', symbols: ['SHOWN', 'TAPPED', 'SHARED'] } },
    { name: 'skuId', type: ['null', 'long'] },
    { name: 'visitor', type: ['null', 'string'] },
    { name: 'weights', type: { type: 'map', values: 'double' } },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'hash', type: 'bytes' },
    { name: 'self', type: ['null', 'Meta'] },
  ],
}
const TYPE = avsc.Type.forSchema(SCHEMA as never)
const ACTIONS = ['SHOWN', 'SHOWN', 'SHOWN', 'TAPPED', 'SHARED'] as const

const events = Array.from({ length: 120 }, (_, i) => ({
  eventUuid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
  meta: { occurredAt: (T0 + i * 1000) * 1000 },
  action: ACTIONS[i % 5],
  skuId: 9_000_000 + (i % 9),
  visitor: i % 3 === 0 ? null : `v${i % 17}`,
  weights: { a: 1.5 },
  tags: ['x', 'y'],
  hash: Buffer.from([0xff, 0x00]),
  self: i % 2 === 0 ? null : { occurredAt: 5 },
}))

const framed = (id: number, value: Uint8Array) => Buffer.from([0, 0, 0, 0, id, ...value])

function sample(values: readonly Buffer[]): SampledRecord[] {
  return values.map((value, i) => ({
    topic: 't',
    partition: 0,
    offset: i,
    timestamp: T0 + i * 1000 + 250,
    key: null,
    headers: [],
    value,
    headerBytes: Uint8Array.of(0),
  }))
}

/** Answers after it was asked, as a registry does. */
function coming(
  answers: { readonly [key: string]: string | Error },
  type: WriterSchema['type'] = 'avro',
): ComingSchemas & { readonly asked: string[] } {
  const here = new Set<string>()
  const asked: string[] = []
  return {
    asked,
    find(key) {
      asked.push(key)
      const answer = answers[key]
      if (here.has(key) && typeof answer === 'string') return { type, text: answer, references: [] }
      here.add(key)
      return undefined
    },
    unfit: () => {},
    arrival: async () => {},
    troubleOf(key) {
      const answer = answers[key]
      return answer instanceof Error ? { code: 'CTR_REGISTRY_UNREACHABLE', message: answer.message } : undefined
    },
  }
}

const topic = (records: SampledRecord[]) => ({ topic: 't', partitions: 1, available: records.length, records })

test('of values in Avro the mapping is proposed by the names and values of the schema that they name', async () => {
  const records = sample(events.map((event) => framed(7, TYPE.toBuffer(event))))
  const { reading, trouble } = await readWritten(records, coming({ 'id:7': JSON.stringify(SCHEMA) }))
  expect(trouble).toBeUndefined()
  const report = reportOn(topic(records), reading)
  expect(report).toMatchObject({
    format: 'avro',
    looksCountable: true,
    counted: 96,
    ignored: 24,
    impressions: 72,
    clicks: 24,
    products: 9,
    mapping: {
      fields: { product: ['skuId'], user: ['visitor'], type: ['action'], time: ['meta.occurredAt'] },
      types: { impression: ['SHOWN'], click: ['TAPPED'] },
    },
  })
  expect(report.warnings.join()).not.toMatch(/schema registry|no JSON/)
  expect(describeTopic(report).join('\n')).toMatch(/format +100.00 % avro[\s\S]*product +skuId \(integer, 9 different\)/)
  const registry = { url: 'http://registry:8081', auth: { token: `$\{SCHEMA_REGISTRY_TOKEN}` } }
  const text = configText({ reports: [report], brokers: 'b:9092', registry, schema: './s', today: '2026-01-01' })
  const written = loadConfig({ file: temporaryFile(text), sets: ['schemaRegistry.auth.token=x'], env: { SCHEMA_REGISTRY_TOKEN: 'x' } })
  expect(written.kafka.topics[0]).toMatchObject({ name: 't', format: 'avro', events: { fields: { product: ['skuId'] } } })
  expect(written.schemaRegistry).toMatchObject({ url: ['http://registry:8081'], auth: { token: 'x' } })
  expect(environmentText('b', [], { url: 'http://r', secrets: ['SCHEMA_REGISTRY_TOKEN'] })).toMatch(
    /\nSCHEMA_REGISTRY_URL=http:\/\/r\nSCHEMA_REGISTRY_TOKEN=\n/,
  )
})

test('values of several schemas and of the header are read each by its own; one that does not come is told', async () => {
  const other = { ...SCHEMA, fields: SCHEMA.fields.map((field) => (field.name === 'skuId' ? { name: 'skuId', type: 'string' } : field)) }
  const otherType = avsc.Type.forSchema(other as never)
  const values = events.map((event, i) =>
    i % 2 === 0 ? framed(7, TYPE.toBuffer(event)) : framed(8, otherType.toBuffer({ ...event, skuId: `s-${i % 9}` })),
  )
  const schemas = { 'id:7': JSON.stringify(SCHEMA), 'id:8': JSON.stringify(other) }
  const both = await readWritten(sample(values), coming(schemas))
  expect(both.reading?.objects.every((object) => object !== undefined)).toBe(true)
  expect(reportOn(topic(sample(values)), both.reading)).toMatchObject({ counted: 96, products: 18 })
  const one = await readWritten(sample(values), coming({ ...schemas, 'id:8': new Error('gone fishing') }))
  expect(one.trouble).toBe('gone fishing')
  expect(one.reading?.objects.filter((object) => object !== undefined)).toHaveLength(60)
  const none = await readWritten(sample(values), coming({ 'id:7': new Error('down') }))
  expect(none).toEqual({ reading: undefined, trouble: 'down' })
  expect(reportOn(topic(sample(values))).warnings.join()).toMatch(/say kafka.topics\[\].format: avro or protobuf/)
})

test('damaged values, other frames and schemas that are none cost nothing but themselves', async () => {
  const good = events.map((event) => framed(7, TYPE.toBuffer(event)))
  const damaged = [
    framed(7, TYPE.toBuffer(events[0]).subarray(0, 20)),
    framed(7, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    framed(9, Buffer.from('?')),
    Buffer.from('{"a":1}'),
    Buffer.from([3, 0, ...Buffer.alloc(30)]),
  ]
  const schemas = coming({ 'id:7': JSON.stringify(SCHEMA), 'id:9': '{"type":"nothing"}' })
  const { reading } = await readWritten(sample([...good, ...damaged]), schemas)
  expect(reading?.objects.map((object) => object !== undefined)).toEqual([...good.map(() => true), ...damaged.map(() => false)])
  expect(new Set(schemas.asked)).toEqual(new Set(['id:7', 'id:9']))
})

test('plain JSON with a header that names a schema asks no registry', async () => {
  const schemas = coming({})
  const header = ['__value_schema_id', Buffer.concat([Uint8Array.of(1), Buffer.alloc(16, 7)])] as const
  const { bytes, start } = recordOf(Buffer.from('{"a":1}'), [header])
  const [record] = sample([Buffer.from('{"a":1}')])
  const headerBytes = bytes.subarray(start + 7)
  expect(await readWritten([{ ...record!, headers: [header], headerBytes }], schemas)).toEqual({ reading: undefined, trouble: undefined })
  expect(schemas.asked).toEqual([])
  const value = TYPE.toBuffer(events[0])
  const avro = { ...record!, value, headers: [header], headerBytes }
  await readWritten([avro], coming({ 'guid:07070707-0707-0707-0707-070707070707': new Error('asked') })).then(({ trouble }) =>
    expect(trouble).toBe('asked'),
  )
})

test('JSON behind a frame needs no registry, and its lists are no records of several events', async () => {
  const values = events.map(({ action, skuId, meta }) =>
    framed(
      3,
      Buffer.from(
        JSON.stringify({ kind: action, at: meta.occurredAt / 1000, product: { id: skuId }, items: [{ product_id: 'x' }], clicked: true }),
      ),
    ),
  )
  const { reading, trouble } = await readWritten(sample(values), undefined)
  expect([reading?.format, trouble]).toEqual(['json-schema', undefined])
  const report = reportOn(topic(sample(values)), reading)
  expect(report).toMatchObject({
    format: 'json-schema',
    counted: 96,
    mapping: { fields: { product: ['product.id'], type: ['kind'], time: ['at'] } },
  })
  const text = configText({ reports: [report], brokers: 'b:9092', schema: './s', today: '2026-01-01' })
  expect(parse(text)).toMatchObject({ kafka: { topics: [{ format: 'json-schema' }] } })
  expect(text).not.toContain('schemaRegistry')
})

const PROTO = `syntax = "proto3"; package shop;
  import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
  message Other { string id = 1; }
  message Shown { enum Action { SHOWN = 0; TAPPED = 1; SHARED = 2; }
    google.protobuf.Timestamp at = 1; Action action = 2; Article article = 3; google.protobuf.StringValue visitor = 4;
    repeated string tags = 5; map<string, string> labels = 6; sint32 delta = 7; double weight = 8; bytes raw = 9; fixed64 trace = 10;
    message Article { int64 sku = 1; bool sale = 2; }
  }`

test('so it is with Protobuf, whose frames say which message it is', async () => {
  const type = protobuf.parse(PROTO, { keepCase: true }).root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')?.nested ?? {})
  type.addJSON(protobuf.common.get('google/protobuf/wrappers.proto')?.nested ?? {})
  const shown = type.lookupType('shop.Shown')
  const values = events.map(({ action, skuId, visitor }, i) => {
    const event = {
      at: { seconds: (T0 + i * 1000) / 1000, nanos: 0 },
      action: ['SHOWN', 'TAPPED', 'SHARED'].indexOf(action ?? ''),
      article: { sku: skuId, sale: i % 2 === 0 },
      visitor: visitor === null ? null : { value: visitor },
      tags: ['a', 'b'],
      labels: { app: 'ios' },
      delta: -i,
      weight: 0.5,
      raw: Buffer.from([1, 2]),
      trace: 7,
    }
    const bytes = shown.encode(shown.fromObject(event)).finish()
    return i % 2 === 0 ? framed(7, Buffer.from([2, 2, ...bytes])) : framed(8, Buffer.from([2, 2, ...bytes]))
  })
  const schemas = coming({ 'id:7': PROTO, 'id:8': PROTO }, 'protobuf')
  const { reading, trouble } = await readWritten(sample(values), schemas)
  expect([reading?.format, trouble]).toEqual(['protobuf', undefined])
  expect(reading?.objects[0]).toMatchObject({
    at: new Date(T0).toISOString(),
    labels: { app: 'ios' },
    article: { sale: true },
  })
  const report = reportOn(topic(sample(values)), reading)
  expect(report).toMatchObject({
    format: 'protobuf',
    counted: 96,
    ignored: 24,
    clicks: 24,
    mapping: {
      fields: { product: ['article.sku'], user: ['visitor'], type: ['action'], time: ['at'] },
      types: { impression: ['SHOWN'], click: ['TAPPED'] },
    },
  })
  const cut = values.map((value) => value.subarray(0, 20))
  expect((await readWritten(sample(cut), schemas)).reading).toBeUndefined()
})

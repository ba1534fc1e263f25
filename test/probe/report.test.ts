/** What is said of a topic, and the configuration that is proposed for it. */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { configText, environmentText } from '../../src/probe/config-text.ts'
import { describeTopic } from '../../src/probe/describe.ts'
import { encodingOf, encodingRemedy } from '../../src/probe/frames.ts'
import { reportOn, type TopicReport } from '../../src/probe/report.ts'
import type { SampledRecord } from '../../src/probe/sampled-record.ts'
import { temporaryFile } from '../support/config-file.ts'
import { PRODUCER_SHAPES } from './producer-shapes.ts'
import { UNSEEN_SHAPES } from './unseen-shapes.ts'

const START = Date.UTC(2024, 10, 28, 13, 20)

function records(values: readonly (string | Buffer | null)[], timestampOf = (i: number) => START + i * 100): SampledRecord[] {
  return values.map((value, offset) => {
    const bytes = value === null ? null : Buffer.from(value as string)
    return { topic: 't', partition: 0, offset, timestamp: timestampOf(offset), key: null, headers: [], value: bytes }
  })
}

const report = (values: readonly (string | Buffer | null)[], timestampOf?: (i: number) => number) =>
  reportOn({ topic: 't', partitions: 1, available: values.length, records: records(values, timestampOf) })

const shaped = (topic: string, partitions = 1): TopicReport => {
  const all = { ...PRODUCER_SHAPES, ...UNSEEN_SHAPES }[topic] ?? []
  const list = all.map(({ text, events, timestamp }, offset) => {
    const time = timestamp ?? events[0]?.time ?? START
    return { topic, partition: 0, offset, timestamp: time, key: null, headers: [], value: Buffer.from(text) }
  })
  return reportOn({ topic, partitions, available: 1000, records: list })
}

const text = (...reports: TopicReport[]) => configText({ reports, brokers: 'b:9092', schema: './s.json', today: '2024-11-28' })

const plain = (i: number, type: string, time: number) => JSON.stringify({ product_id: `p${i % 9}`, event_type: type, timestamp: time })

describe('the configuration', () => {
  test('of every shape loads without a variable, and with those of the example', () => {
    for (const topic of [...Object.keys(PRODUCER_SHAPES), ...Object.keys(UNSEEN_SHAPES)]) {
      const one = shaped(topic)
      const file = temporaryFile(text(one), 'ctr.yaml')
      const config = loadConfig({ file, env: {} })
      expect(config.kafka.topics.map(({ name }) => name)).toEqual([topic])
      expect(config.clickhouse.url).toBeUndefined()
      const variables = environmentText('b:9092', []).matchAll(/^(\w+)=(.*)$/gm)
      const env = Object.fromEntries([...variables].map(([, name = '', value = '']) => [name, value]))
      expect(loadConfig({ file, env })).toEqual(config)
    }
  })

  test('takes what records say literally, though it looks like a variable', () => {
    const variable = (name: string) => `$\{${name}}`
    const types = [`view_${variable('variant')}`, `click ${variable('CLICKHOUSE_PASSWORD')}`, `click $${variable('variant')}`]
    const values = Array.from({ length: 90 }, (_, i) => plain(i, types[i % 3] ?? '', START + i * 100))
    const one = report(values)
    const env = { CLICKHOUSE_PASSWORD: 'secret' }
    const { kafka, clickhouse } = loadConfig({ file: temporaryFile(text(one), 'ctr.yaml'), env })
    expect(clickhouse.password).toBe('secret')
    const { impression, click } = kafka.topics[0]?.events?.types ?? {}
    expect([impression, click].flat()).toEqual(types)
  })

  test('says nothing of events that the engine takes as they are', () => {
    const values = Array.from({ length: 100 }, (_, i) => plain(i, i % 4 === 0 ? 'click' : 'view', START + i * 100))
    const one = report(values)
    expect(one.mapping).toBeUndefined()
    expect(parse(text(one))).toMatchObject({ kafka: { topics: [{ name: 't' }] } })
    expect(text(one)).not.toContain('events:')
  })

  test('reads topics of unequal partitions knowingly, and puts no other topic under it', () => {
    expect(parse(text(shaped('sessions-flat', 3), shaped('adlog', 4)))).toMatchObject({ kafka: { onUnequalPartitions: 'read' } })
    expect(text(shaped('sessions-flat', 3), shaped('adlog', 3))).not.toContain('onUnequalPartitions')
  })

  test('has room for the disorder that was seen, and windows in which there is something to see', () => {
    const values = (disorderMs: number) =>
      Array.from({ length: 200 }, (_, i) => plain(i, 'view', START + i * 100 - (i % 50 === 49 ? disorderMs : 0)))
    const read = (one: TopicReport) => parse(text(one)) as { time: { outOfOrderness: string }; window: { size: string } }
    expect(read(report(values(0)))).toMatchObject({ time: { outOfOrderness: '5s' }, window: { size: '1m' } })
    expect(read(report(values(20_000), (i) => START + i))).toMatchObject({ time: { outOfOrderness: '30s' }, window: { size: '10s' } })
    expect(read(report(values(200_000), (i) => START + i * 600_000))).toMatchObject({
      time: { outOfOrderness: '5m' },
      window: { size: '1h' },
    })
  })

  test('says of the offset of local times that it does not follow summer time', () => {
    const one = shaped('ereignisse')
    expect(parse(text(one))).toMatchObject({ kafka: { topics: [{ events: { time: { zone: '+01:00' } } }] } })
    expect(text(one)).toMatch(/# .*this offset, which does not follow summer time: if the clock does, write Europe\/Berlin or so/)
    expect(one.warnings.join('\n')).toMatch(/are of \+01:00 now: an offset does not follow summer time; .* events\.time\.zone/)
    expect(shaped('debezium').warnings.join('\n')).not.toContain('summer time')
  })

  test('takes clocks that are minutes ahead, and guesses what clicks will be called', () => {
    const ahead = report(
      Array.from({ length: 100 }, (_, i) => plain(i, 'click', START + 180_000 + i)),
      (i) => START + i,
    )
    expect(ahead.counted).toBe(100)
    expect(parse(text(ahead))).toMatchObject({ time: { futureTolerance: '5m' } })
    const shown = shaped('shop-behaviour')
    expect(shown.warnings.join()).toContain('there is no click in the sample')
    expect(parse(text(shown))).toMatchObject({
      kafka: { topics: [{ events: { types: { impression: ['view'], click: ['click', 'clicks'] } } }] },
    })
  })
})

describe('what is said', () => {
  test('of a topic: format, places, types with counts, unit, rate, disorder', () => {
    const lines = describeTopic(shaped('debezium')).join('\n')
    expect(lines).toMatch(/debezium: 1 partitions, 1,000 records, looked at the last 40/)
    expect(lines).toMatch(/format +100\.00 % json\n +keys +none\n +envelope +debezium/)
    expect(lines).toMatch(/product +after\.sku \(integer, \d+ different\)/)
    expect(lines).toMatch(/time +after\.created_at \(microseconds\)/)
    expect(lines).toMatch(/type +after\.kind \(impressions: "IMPRESSION" \d+; clicks: "CLICK" \d+/)
    expect(lines).toMatch(/rate .*\n +disorder /)
  })

  test.each([
    [
      'Avro behind five bytes',
      Buffer.of(0, 0, 0, 0, 17, 2, 4),
      /schema registry \(Avro or Protobuf\), of the schemas 17; say kafka\.topics/,
    ],
    ['JSON behind five bytes', Buffer.concat([Buffer.of(0, 0, 0, 0, 17), Buffer.from('{}')]), /is JSON behind them, of the schemas 17/],
    ['Glue', Buffer.concat([Buffer.of(3, 0), Buffer.alloc(16, 9), Buffer.from('x')]), /AWS Glue schema registry/],
    ['arrays', '[{"a":1}]', /each value is a JSON array/],
    ['JSON twice', JSON.stringify('{"a":1}'), /encoded twice/],
    ['CSV', 'p1,click,2024', /text but not JSON/],
    ['gzip', Buffer.of(0x1f, 0x8b, 8), /compressed by the producer itself/],
    ['something else', Buffer.of(0x93, 1, 2, 3), /neither JSON nor text/],
  ])('of values that are %s', (_, value, warning) => {
    const one = report([value, value])
    expect(one.warnings[0]).toMatch(warning)
    expect(one).toMatchObject({ counted: 0, looksCountable: false })
  })

  test('of JSON within a text, of a topic without types, and of one without records', () => {
    const nested = report(Array.from({ length: 20 }, (_, i) => JSON.stringify({ message: plain(i, 'click', START) })))
    expect(nested.warnings.join('\n')).toContain('message holds JSON as a text')
    const untyped = report(Array.from({ length: 20 }, (_, i) => JSON.stringify({ product_id: `p${i % 3}`, ts: START + i })))
    expect(untyped.warnings.join('\n')).toContain('nothing says what is an impression and what a click')
    expect(untyped.looksCountable).toBe(false)
    expect(report([]).warnings).toEqual(['there is no record in it yet: what is proposed is what the engine takes by default'])
    expect(report([null, null])).toMatchObject({ counted: 0, looksCountable: false })
  })

  test('a header with a schema’s id tells a frame without one in the value', () => {
    expect(encodingOf(Buffer.of(2, 4, 9), [['__value_schema_id', Buffer.alloc(17)]])).toBe('confluent')
    expect(encodingOf(Buffer.from('{"a":NaN}'))).toBe('json')
    expect(encodingOf(Buffer.from('{"a":'))).toBe('json')
  })

  test('of a frame names the formats that can read it, where there are some', () => {
    expect(encodingRemedy('confluent', ['json'])).not.toContain('kafka.topics')
    expect(encodingRemedy('confluent', ['json', 'avro', 'json-schema', 'protobuf'])).toContain('kafka.topics[].format: avro or protobuf')
    expect(encodingRemedy('confluent json', ['json', 'avro', 'json-schema'])).toContain('kafka.topics[].format: json-schema')
    expect(encodingRemedy('json', ['json', 'avro'])).toBeUndefined()
  })

  test('of keys, and that rows scatter where they are not the product', () => {
    const values = Array.from({ length: 40 }, (_, i) => plain(i, 'click', START + i))
    const keyed = (key: (i: number) => string | null) => {
      const list = records(values).map((record, i) => ({ ...record, key: key(i) === null ? null : Buffer.from(key(i) ?? '') }))
      return reportOn({ topic: 't', partitions: 2, available: 40, records: list })
    }
    expect(describeTopic(keyed((i) => `p${i % 9}`)).join('\n')).toMatch(/keys +100\.00 % are the product's id/)
    expect(keyed((i) => `p${i % 9}`).warnings.join()).not.toContain('keyed by product')
    expect(describeTopic(keyed(() => null)).join('\n')).toMatch(/keys +none/)
    expect(keyed((i) => `u${i}`).warnings.join()).toContain('records are not keyed by product')
  })

  test('the dead letters of an engine are no topic to count', () => {
    const letter = (i: number) =>
      JSON.stringify({
        rawTopic: 'clicks',
        errorCode: 'X',
        rawData: plain(i, 'click', START),
        product_id: 'p',
        event_type: 'click',
        timestamp: START,
      })
    expect(report(Array.from({ length: 20 }, (_, i) => letter(i)))).toMatchObject({ counted: 20, looksCountable: false })
  })
})

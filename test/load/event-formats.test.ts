import avsc from 'avsc'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import { EventEncoder, encodeEvent, LOAD_SCHEMAS, type LoadFormat } from '../../src/load/event-formats.ts'
import { EventGenerator, GENERATE_DEFAULTS, type GenerateOptions, IGNORED_KINDS, INVALID_KINDS } from '../../src/load/generate.ts'

const FORMATS: readonly LoadFormat[] = ['avro', 'json-schema', 'protobuf']
const FROM = Date.UTC(2026, 0, 1)
const IDS = [0x01020304, 17]

/** Both of `count` events: as JSON, and as their topic has them. */
function made(format: LoadFormat, options: Partial<GenerateOptions>, count: number) {
  const generator = new EventGenerator({ ...GENERATE_DEFAULTS, ...options })
  const encoder = new EventEncoder({ format, schemaIds: IDS })
  return Array.from({ length: count }, (_, i) => {
    generator.next(FROM + i * 1000)
    const topic = generator.click ? 1 : 0
    const json = Buffer.alloc(Math.max(0, generator.valueBytes))
    generator.writeValue(json, 0)
    const value = encoder.encode(generator, topic)
    return { json: generator.valueBytes < 0 ? undefined : json, value: value && Buffer.from(value), topic }
  })
}

test.each(FORMATS)('%s: what is copied is what the parsed event would be, and invalid events are as they are', (format) => {
  const kinds = [...INVALID_KINDS, ...IGNORED_KINDS]
  const shape = { envelope: 'none' as const, fields: {}, types: ['a "view"', 'click'] as const }
  for (const options of [{ keys: 'mixed' as const, invalidShare: 0.3, invalidKinds: kinds, duplicateShare: 0.1 }, { shape }]) {
    for (const { json, value, topic } of made(format, options, 1000)) {
      expect(value).toEqual(json && encodeEvent(format, IDS[topic] ?? 0, json))
    }
  }
})

test('avsc and protobufjs read what was drawn', () => {
  const type = avsc.Type.forSchema(JSON.parse(LOAD_SCHEMAS.avro) as avsc.Schema)
  const message = protobuf.parse(LOAD_SCHEMAS.protobuf, { keepCase: true }).root.lookupType('shop.Event')
  for (const { json, value, topic } of made('avro', { userIds: 'email' }, 100)) {
    expect([...(value?.subarray(0, 5) ?? [])]).toEqual(topic === 0 ? [0, 1, 2, 3, 4] : [0, 0, 0, 0, 17])
    expect({ ...type.fromBuffer(value?.subarray(5) ?? Buffer.alloc(0)) }).toEqual({ ...JSON.parse(String(json)), page_url: null })
  }
  for (const { json, value } of made('protobuf', { userIds: 'email' }, 100)) {
    expect(message.toObject(message.decode(value?.subarray(6) ?? Buffer.alloc(0)), { longs: Number })).toEqual(JSON.parse(String(json)))
  }
})

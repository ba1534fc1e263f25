import { describe, expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { eventRules } from '../../src/format/event-rules.ts'
import { formatsOf } from '../../src/format/format.ts'
import { FramedFormat } from '../../src/format/framed-format.ts'
import { PROTOBUF } from '../../src/format/proto-format.ts'
import type { SchemaFormat } from '../../src/format/schema-format.ts'
import { bothParsers, type Headers } from '../../workshop/both-parsers.ts'
import { eventsWith, PLAIN_RULES } from '../../workshop/plain-rules.ts'

const TIME = 1_700_000_000_123
const FRAME = [0, 0, 0, 0, 17]
const EVENT = `message Event { enum Type { NONE = 0; CLICK = 1; IMPRESSION = 2; }
  string product_id = 1;
  Type event_type = 2;
  int64 timestamp = 3;
}`
const COUNTED = { verdict: 'VALID', product: 'p', click: true, time: TIME }
const PRODUCT = [10, 1, 0x70]
const CLICK = [16, 1]
const TIMESTAMP = [24, ...varint(BigInt(TIME))]
const VALUE = [...PRODUCT, ...CLICK, ...TIMESTAMP]

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

function reader(text: string, rules = PLAIN_RULES, references: readonly { name: string; text: string }[] = []): FramedFormat {
  const schemas = {
    find: () => ({ type: 'protobuf' as const, text: `syntax = "proto3"; package shop;\n${text}`, references }),
    unfit: () => {},
  }
  return new FramedFormat(PROTOBUF, rules, 'auto', { schemas, file: undefined, message: '' })
}

const said = (format: EventFormat, bytes: readonly number[], headers: Headers = []) => bothParsers(format, Uint8Array.from(bytes), headers)
const both = (said: object) => ({ exact: said, fast: said })

describe('the message of a value', () => {
  const text = `message First { string a = 1; message Inner { string b = 1; } ${EVENT} }\n${EVENT.replace('Event', 'Second')}`

  test.each([
    ['is the second within the first', [4, 0, 2]],
    ['is the second', [2, 2]],
  ])('%s by the indexes %o', (_, indexes) => {
    expect(said(reader(text), [...FRAME, ...indexes, ...VALUE])).toEqual(both(COUNTED))
  })

  test('is the first by a single 0, or by its index', () => {
    const format = reader(EVENT)
    expect(said(format, [...FRAME, 0, ...VALUE])).toEqual(both(COUNTED))
    expect(said(format, [...FRAME, 2, 0, ...VALUE])).toEqual(both(COUNTED))
  })

  test.each([
    ['that are cut off', [4, 0], 'FRAME'],
    ['of a count below zero', [1, 0], 'FRAME'],
    ['of a message that there is not', [2, 14, ...VALUE], 'SCHEMA_MISMATCH'],
    ['below zero', [2, 1, ...VALUE], 'SCHEMA_MISMATCH'],
  ])('is none by indexes %s', (_, bytes, verdict) => {
    expect(said(reader(EVENT), [...FRAME, ...bytes]).exact.verdict).toBe(verdict)
  })

  test('is the same however many bytes say it', () => {
    const format = reader(text)
    for (const indexes of [
      [2, 2],
      [2, 0x82, 0],
      [4, 0x80, 0, 2],
      [4, 0, 0x82, 0],
      [4, 0, 2],
    ]) {
      expect(said(format, [...FRAME, ...indexes, ...VALUE]).exact).toEqual(COUNTED)
    }
    expect(said(format, [...FRAME, 2, 2, ...VALUE])).toEqual(both(COUNTED))
  })

  test('costs no reading of the schema, whatever the indexes, nor the readers of those that there are', () => {
    let [read, made] = [0, 0]
    const counting: SchemaFormat = {
      ...PROTOBUF,
      read(schema, rules) {
        read++
        const types = PROTOBUF.read(schema, rules)
        return {
          open(preamble, message) {
            const opened = types.open(preamble, message)
            made++
            return opened
          },
        }
      },
    }
    const asked: string[] = []
    const schemas = {
      find(key: string) {
        asked.push(key)
        return { type: 'protobuf' as const, text: `syntax = "proto3"; package shop;\n${text}`, references: [] }
      },
      unfit: () => {},
    }
    const format = new FramedFormat(counting, PLAIN_RULES, 'auto', { schemas, file: undefined, message: '' })
    expect(said(format, [...FRAME, 2, 2, ...VALUE])).toEqual(both(COUNTED))
    for (let index = 2; index < 600; index++) {
      const { exact } = said(format, [...FRAME, 2, ...varint(BigInt(index * 2)), ...VALUE])
      expect(exact.verdict).toBe('SCHEMA_MISMATCH')
    }
    for (const spelled of [[0x82, 0], [2]]) expect(said(format, [...FRAME, 2, ...spelled, ...VALUE]).exact).toEqual(COUNTED)
    expect(said(format, [...FRAME, 0, ...VALUE]).exact.verdict).toBe('SCHEMA_MISMATCH')
    expect({ read, made, asked }).toEqual({ read: 1, made: 1, asked: ['id:17'] })
  })

  test('is named in the header when the schema is', () => {
    const header = (...behind: number[]): Headers => [
      ['__value_schema_id', Uint8Array.from([1, ...Array.from({ length: 16 }, (_, i) => i), ...behind])],
    ]
    const format = reader(text)
    expect(said(format, VALUE, header(4, 0, 2))).toEqual(both(COUNTED))
    expect(said(format, VALUE, header(2, 2))).toEqual(both(COUNTED))
    expect(said(reader(EVENT), VALUE, header())).toEqual(both(COUNTED))
    expect(said(format, VALUE, header()).exact.verdict).toBe('SCHEMA_MISMATCH')
  })

  test('is found among those of a file that refers to others, and by what these define', () => {
    const own = `import "ids.proto"; import "google/protobuf/timestamp.proto";
      message Event { shop.Ids ids = 1; string event_type = 2; google.protobuf.Timestamp timestamp = 3; }`
    const ids = {
      name: 'ids.proto',
      text: 'syntax = "proto3"; package shop; message Before { string x = 1; } message Ids { string product_id = 4; }',
    }
    const rules = eventRules(eventsWith({ fields: { product: 'ids.product_id' } }))
    const seconds = [8, ...varint(BigInt(Math.floor(TIME / 1000)))]
    const nanos = [16, ...varint(123_999_999n)]
    const bytes = [10, 3, 34, 1, 0x70, 18, 5, ...Buffer.from('click'), 26, seconds.length + nanos.length, ...seconds, ...nanos]
    expect(said(reader(own, rules, [ids]), [...FRAME, 0, ...bytes])).toEqual(both(COUNTED))
    expect(said(reader(own, rules), [...FRAME, 0, ...bytes]).exact.verdict).toBe('SCHEMA_MISMATCH')
  })
})

describe('a value', () => {
  const event = (...bytes: number[]) => said(reader(EVENT), [...FRAME, 0, ...bytes])

  test('of fields in any order, and twice, is as the last of each has it', () => {
    expect(event(...TIMESTAMP, ...PRODUCT, ...CLICK)).toEqual(both(COUNTED))
    expect(event(10, 1, 0x71, ...VALUE, 16, 2)).toEqual(both({ ...COUNTED, click: false }))
  })

  test('without an enum has the first of its values, of which none is written', () => {
    expect(event(...PRODUCT, ...TIMESTAMP)).toEqual(both({ verdict: 'IGNORED' }))
    const text = EVENT.replace('NONE = 0; CLICK = 1', 'CLICK = 0; NONE = 1')
    expect(said(reader(text), [...FRAME, 0, ...PRODUCT, ...TIMESTAMP])).toEqual(both(COUNTED))
    const optional = text.replace('Type event_type', 'optional Type event_type')
    expect(said(reader(optional), [...FRAME, 0, ...PRODUCT, ...TIMESTAMP]).exact).toEqual({ verdict: 'TYPE' })
  })

  test('without a product or a time is none', () => {
    expect(event(...CLICK, ...TIMESTAMP).exact.verdict).toBe('PRODUCT')
    expect(event(...PRODUCT, ...CLICK).exact.verdict).toBe('TIME')
  })

  test('of unknown fields, groups among them, is read without them', () => {
    expect(event(...VALUE, 0xf8, 0x07, 1, 0xfa, 0x07, 2, 1, 2, 0xfd, 0x07, 1, 2, 3, 4)).toEqual(both(COUNTED))
    expect(event(...VALUE, 0xfb, 0x07, 8, 1, 0xfc, 0x07)).toEqual({ exact: COUNTED, fast: undefined })
    // Of another kind than the schema says.
    expect(event(...VALUE, 13, 1, 2, 3, 4)).toEqual(both(COUNTED))
  })

  test.each([
    ['a length beyond the end', [10, 100, 1]],
    ['a length of 64 bits', [10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['a number of eleven bytes', [24, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1]],
    ['the field 0', [0, 1]],
    ['a kind that there is not', [15, 1]],
    ['a group that does not end', [0xfb, 0x07, 8, 1]],
    ['a group that ends as another', [0xfb, 0x07, 0xf4, 0x07]],
    ['groups without end', Array.from({ length: 200 }, () => 0x0b)],
    ['its end within a field', [10]],
  ])('with %s is none', (_, bytes) => {
    const { exact, fast } = event(...VALUE, ...bytes)
    expect([exact.verdict, fast]).toEqual(['NOT_PROTOBUF', undefined])
  })

  test('of a oneof has the last of it', () => {
    const oneof = 'oneof id { string product_id = 1; int64 productId = 4; bool gone = 5; }'
    const text = `message Event { ${oneof} string event_type = 2; int64 timestamp = 3; }`
    const rest = [18, 5, ...Buffer.from('click'), ...TIMESTAMP]
    const format = reader(text)
    expect(said(format, [...FRAME, 0, ...PRODUCT, ...rest])).toEqual(both(COUNTED))
    expect(said(format, [...FRAME, 0, ...PRODUCT, 32, 7, ...rest])).toEqual({ exact: { ...COUNTED, product: '7' }, fast: undefined })
    expect(said(format, [...FRAME, 0, 32, 7, ...PRODUCT, ...rest])).toEqual({ exact: COUNTED, fast: undefined })
    expect(said(format, [...FRAME, 0, ...PRODUCT, 40, 1, ...rest])).toEqual({ exact: { verdict: 'PRODUCT' }, fast: undefined })
  })

  test('of a message that comes twice is put together of both', () => {
    const text = `message Event { Ids ids = 1; } message Ids { string product_id = 1; string event_type = 2; int64 timestamp = 3; }`
    const rules = eventRules(eventsWith({ fields: { product: 'ids.product_id', type: 'ids.event_type', time: 'ids.timestamp' } }))
    const part = (bytes: number[]) => [10, bytes.length, ...bytes]
    const [first, second] = [part(PRODUCT), part([18, 5, ...Buffer.from('click'), ...TIMESTAMP])]
    const format = reader(text, rules)
    expect(said(format, [...FRAME, 0, ...first, ...second])).toEqual({ exact: COUNTED, fast: undefined })
  })

  test('in a topic without frames is of the message that is named', () => {
    const file = { type: 'protobuf' as const, text: `syntax = "proto3"; message Other { string a = 1; } ${EVENT}`, references: [] }
    const bare = (message: string) => new FramedFormat(PROTOBUF, PLAIN_RULES, 'none', { schemas: undefined, file, message })
    expect(said(bare('Event'), VALUE)).toEqual(both(COUNTED))
    expect(() => bare('')).toThrow(/the message Other has nothing at event_type/)
    expect(() => bare('Gone')).toThrow(/it has no message Gone/)
  })
})

test('a format that a schema is not of can not be read', () => {
  const schemas = { find: () => ({ type: 'protobuf' as const, text: 'message', references: [] }), unfit: () => {} }
  const [format] = formatsOf([{ format: 'protobuf', events: EVENTS_DEFAULT }], schemas) as [EventFormat]
  expect(said(format, [...FRAME, 0, ...VALUE]).exact.verdict).toBe('SCHEMA_MISMATCH')
  expect(format.detail).toMatch(/its text can't be read/)
})

test('what is wrapped must be whole, also where its kind can not be the field', () => {
  const rules = eventRules(eventsWith({ product: { numbers: false }, fields: { product: ['product_id', 'sku'] } }))
  const wrappers = 'import "google/protobuf/wrappers.proto";\n'
  const format = reader(`${wrappers}${EVENT.replace('}\n', '} google.protobuf.Int64Value sku = 5;\n')}`, rules)
  expect(said(format, [...FRAME, 0, ...VALUE, 42, 2, 8, 7])).toEqual(both(COUNTED))
  // Its number goes on behind it.
  for (const sku of [
    [42, 2, 8, 0x87, 0x30, 1],
    [42, 1, 8, 0x30, 1],
    [42, 2, 9, 1],
  ]) {
    expect(said(format, [...FRAME, 0, ...VALUE, ...sku])).toEqual({ exact: { verdict: 'NOT_PROTOBUF' }, fast: undefined })
  }
})

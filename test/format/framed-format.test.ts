import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import { AVRO } from '../../src/format/avro-format.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { eventRules } from '../../src/format/event-rules.ts'
import { formatsOf, type TopicFormat } from '../../src/format/format.ts'
import { FramedFormat } from '../../src/format/framed-format.ts'
import { ParsedEvents } from '../../src/format/parsed-events.ts'
import { REASONS } from '../../src/format/reasons.ts'
import type { Schemas, WriterSchema } from '../../src/format/schemas.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { bothParsers, type Headers, recordOf } from '../../workshop/both-parsers.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'
import { repetitions } from '../support/effort.ts'

const TIME = 1_700_000_000_123
const UUID = 'b2e3a1c0-0000-4000-8000-00000000002a'
const UUID_BYTES = Buffer.from(UUID.replaceAll('-', ''), 'hex')
const SCHEMA = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'product_id', type: 'string' },
    { name: 'event_type', type: { type: 'enum', name: 'Type', symbols: ['impression', 'click'] } },
    { name: 'timestamp', type: { type: 'long', logicalType: 'timestamp-millis' } },
  ],
}
const EVENT = { product_id: 'p-7', event_type: 'click', timestamp: TIME }
const AVRO_VALUE = avsc.Type.forSchema(SCHEMA as never).toBuffer(EVENT)
const JSON_VALUE = Buffer.from(JSON.stringify(EVENT))
const COUNTED = { verdict: 'VALID', product: 'p-7', click: true, time: TIME }

const schema = (fields: object): WriterSchema => ({ type: 'avro', text: JSON.stringify(fields), references: [] })

/** A format whose schemas are all the same, and what it asked for and found unfit. */
function bench(topic: Partial<TopicFormat>, answer: WriterSchema | 'unknown' | undefined = schema(SCHEMA)) {
  const asked: string[] = []
  const unfit: string[] = []
  const schemas: Schemas = {
    find: (key) => {
      asked.push(key)
      return answer
    },
    unfit: (key, why) => void unfit.push(`${key}: ${why}`),
  }
  const [format] = formatsOf([{ format: 'avro', events: EVENTS_DEFAULT, ...topic }], schemas) as [EventFormat]
  return { format, asked, unfit }
}

function overflow(): never {
  return overflow()
}

const id = (bytes: number, value: number) => {
  const out = Buffer.alloc(bytes)
  out.writeUInt32BE(value, bytes - 4)
  return out
}
const join3 = (...parts: (Uint8Array | number[])[]) => Buffer.concat(parts.map((part) => Uint8Array.from(part)))
const named = (bytes: Uint8Array): Headers => [
  ['trace', Buffer.from('abc')],
  ['__value_schema_id', bytes],
]

/** A frame, what stands before the value, the headers, and the key that it names. */
const FRAMES: readonly (readonly [string, Uint8Array | number[], Headers, string])[] = [
  ['confluent', join3([0], id(4, 4_000_000_017)), [], 'id:4000000017'],
  ['confluent', join3([0], id(4, 17)), [['trace', Buffer.from('abc')]], 'id:17'],
  ['confluent', [], named(join3([1], UUID_BYTES)), `guid:${UUID}`],
  ['confluent', [], named(join3([0], id(4, 17))), 'id:17'],
  ['apicurio', join3([0], id(8, 17)), [], 'apicurio:17'],
  ['glue', join3([3, 0], UUID_BYTES), [], `glue:${UUID}`],
]

describe.each(FRAMES)('a value framed as %s by %o, with headers %o', (framing, before, headers, key) => {
  test.each([framing, 'auto'] as const)('is read by the schema that the frame names, with framing %s', (name) => {
    const { format, asked } = bench({ framing: name as 'auto' })
    const said = bothParsers(format, join3(before, AVRO_VALUE), headers)
    expect(said).toEqual({ exact: COUNTED, fast: COUNTED })
    expect(asked).toEqual([key])
  })

  test.each([framing, 'auto'] as const)('is read as JSON without one, with framing %s', (name) => {
    const { format, asked } = bench({ format: 'json-schema', framing: name as 'auto' })
    for (let times = 0; times < 3; times++) {
      expect(bothParsers(format, join3(before, JSON_VALUE), headers)).toEqual({ exact: COUNTED, fast: COUNTED })
    }
    expect(asked).toEqual([])
  })

  test('is read by the schema of a file, whatever the frame names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ctr-schema-'))
    try {
      const schemaFile = join(folder, 'event.avsc')
      writeFileSync(schemaFile, JSON.stringify(SCHEMA))
      const { format, asked } = bench({ framing: framing as 'auto', schemaFile })
      expect(bothParsers(format, join3(before, AVRO_VALUE), headers)).toEqual({ exact: COUNTED, fast: COUNTED })
      expect(asked).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('is cut off: no part of it is an event', () => {
    const { format } = bench({ framing: framing as 'auto' })
    const whole = join3(before, AVRO_VALUE)
    for (let length = 1; length < whole.length; length++) {
      const { exact, fast } = bothParsers(format, whole.subarray(0, length), headers)
      expect([length, exact.verdict, fast]).toEqual([length, length < before.length ? 'FRAME' : 'NOT_AVRO', undefined])
    }
  })
})

test('a value without a frame that may begin as one is the same to both parsers, whatever came before it', () => {
  const first = (name: string) => ({ name, type: ['null', 'long'] })
  const type = { type: 'record', name: 'Led', fields: [{ name: 'n', type: 'int' }, first('a'), ...SCHEMA.fields] }
  const file = schema(type)
  const bare = (n: number, a: object | null) =>
    avsc.Type.forSchema(type as never, { wrapUnions: true }).toBuffer({ ...EVENT, product_id: 'long-enough-for-a-frame', n, a })
  // They begin with 0, 2 and 3, and what follows is 0 or not.
  const values = [0, 1, -2].flatMap((n) => [bare(n, null), bare(n, { long: 5 }), bare(n, { long: 1e9 })])
  const header = named(join3([0], id(4, 17)))
  const records = values.flatMap((value): [Uint8Array, Headers][] => [
    [value, []],
    [value, header],
    [join3([0], id(4, 17), value), []],
    [join3([3, 0], UUID_BYTES, value), []],
  ])
  const counted = new Set<string>()
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...records), { minLength: 2, maxLength: 12 }), (list) => {
      const source = { schemas: undefined, file, message: '' }
      const format = new FramedFormat(AVRO, eventRules(EVENTS_DEFAULT), 'auto', source)
      const alone = new FramedFormat(AVRO, eventRules(EVENTS_DEFAULT), 'auto', source)
      for (const [value, headers] of list) {
        const { exact, fast } = bothParsers(format, value, headers)
        if (fast !== undefined) {
          expect(fast).toEqual(exact)
          counted.add(`${value[0]} ${headers.length}`)
        }
        expect(exact).toEqual(bothParsers(alone, value, headers).exact)
      }
    }),
    { numRuns: repetitions({ unit: 100, all: 300, long: 5_000 }) },
  )
  expect([...counted]).toEqual(expect.arrayContaining(['2 0', '0 0', '3 0', '2 2']))
})

describe('values', () => {
  test('without a frame are read by the schema of a file alone, or as JSON', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ctr-schema-'))
    try {
      const schemaFile = join(folder, 'event.avsc')
      writeFileSync(schemaFile, JSON.stringify(SCHEMA))
      expect(bothParsers(bench({ schemaFile }).format, AVRO_VALUE)).toEqual({ exact: COUNTED, fast: COUNTED })
      writeFileSync(schemaFile, '{"type":"record","name":"E","fields":[]}')
      expect(() => bench({ schemaFile })).toThrow(/schemaFile can't be used: it has nothing at event_type/)
      expect(() => bench({ schemaFile: join(folder, 'gone.avsc') })).toThrow(/gone.avsc can't be read/)
    } finally {
      rmSync(folder, { recursive: true })
    }
    expect(bothParsers(bench({}).format, AVRO_VALUE).exact.verdict).toBe('FRAME')
    expect(bothParsers(bench({ format: 'json-schema' }).format, JSON_VALUE)).toEqual({ exact: COUNTED, fast: COUNTED })
    expect(bothParsers(bench({ format: 'json-schema', framing: 'confluent' }).format, JSON_VALUE).exact.verdict).toBe('FRAME')
  })

  test('that Glue has compressed are read by the exact parser', () => {
    const packed = join3([3, 5], UUID_BYTES, deflateSync(AVRO_VALUE))
    expect(bothParsers(bench({ framing: 'glue' }).format, packed)).toEqual({ exact: COUNTED, fast: undefined })
    const json = join3([3, 5], UUID_BYTES, deflateSync(JSON_VALUE))
    expect(bothParsers(bench({ format: 'json-schema' }).format, json)).toEqual({ exact: COUNTED, fast: undefined })
    const { format } = bench({ framing: 'glue' })
    expect(bothParsers(format, packed.subarray(0, 30)).exact.verdict).toBe('FRAME')
    // A bomb of zeros beyond the largest event.
    const bomb = join3([3, 5], UUID_BYTES, deflateSync(Buffer.alloc(9 * 1024 * 1024)))
    expect(bothParsers(format, bomb).exact.verdict).toBe('FRAME')
  })

  test('of two schemas in turn are each read by their own', () => {
    const { format, asked } = bench({})
    const values = [17, 18, 17, 18, 18, 17].map((schemaId) => join3([0], id(4, schemaId), AVRO_VALUE))
    for (const value of values) expect(bothParsers(format, value)).toEqual({ exact: COUNTED, fast: COUNTED })
    const records = Uint8Array.from(Buffer.concat(values.map((value) => recordOf(value).bytes)))
    const parsed = new ParsedEvents()
    const view = new DataView(records.buffer)
    expect(format.parse({ records, view, recordAt: 0, recordsEnd: records.length }, parsed, 6)).toBe(true)
    expect([parsed.count, parsed.next]).toEqual([6, records.length])
    expect(asked).toEqual(['id:17', 'id:18'])
  })

  test('wait for a schema that is not here, and say for which', () => {
    const waiting = formatsOf([{ format: 'avro', events: EVENTS_DEFAULT }], { find: () => undefined, unfit: () => {} })[0] as EventFormat
    expect(bothParsers(waiting, join3([0], id(4, 17), AVRO_VALUE))).toEqual({ exact: { verdict: 'WAITING_SCHEMA' }, fast: undefined })
    expect(waiting.waitsFor).toBe('id:17')
  })

  test('of a schema that will not come are invalid', () => {
    const { format } = bench({}, 'unknown')
    expect(bothParsers(format, join3([0], id(4, 17), AVRO_VALUE)).exact.verdict).toBe('SCHEMA_UNKNOWN')
  })

  test.each([
    [
      schema({ type: 'record', name: 'E', fields: [{ name: 'product_id', type: 'double' }] }),
      /product_id is a double, which events.fields.product/,
    ],
    [schema({ type: 'record', name: 'E', fields: [] }), /nothing at timestamp \(events.fields.time\)/],
    [schema({ type: 'enum', name: 'E', symbols: ['a'] }), /a schema of enum, where a record is wanted/],
    [{ type: 'avro', text: 'no {', references: [] } as const, /its text is not JSON/],
    [schema({ type: 'record', name: 'E', fields: [{ name: 'a', type: 'Gone' }] }), /the type Gone is not defined/],
    [{ type: 'json-schema', text: '{}', references: [] } as const, /it is of json-schema, and kafka.topics\[\].format is avro/],
  ])('of the schema %o are invalid, which is told once', (answer, why) => {
    const { format, unfit } = bench({}, answer)
    const value = join3([0], id(4, 17), AVRO_VALUE)
    for (let times = 0; times < 3; times++) expect(bothParsers(format, value).exact.verdict).toBe('SCHEMA_MISMATCH')
    expect(format.detail).toMatch(why)
    expect(unfit).toEqual([expect.stringMatching(why)])
  })

  test('of a schema on which the stack runs out are invalid, not the end of the process', () => {
    const rules = eventRules(eventsWith({}))
    const overflowing = { ...AVRO, read: () => overflow() }
    const unfit: string[] = []
    const schemas = { find: () => schema(SCHEMA), unfit: (_: string, why: string) => void unfit.push(why) }
    const format = new FramedFormat(overflowing, rules, 'auto', { schemas, file: undefined, message: '' })
    expect(bothParsers(format, join3([0], id(4, 17), AVRO_VALUE)).exact.verdict).toBe('SCHEMA_MISMATCH')
    expect(unfit).toEqual([expect.stringMatching(/can't be read: Maximum call stack/)])
  })

  test('of a schema with endless names have a reason with an end', () => {
    const { format, unfit } = bench({}, schema({ type: 'record', name: 'E', fields: [{ name: 'a', type: 'x'.repeat(3_000_000) }] }))
    expect(bothParsers(format, join3([0], id(4, 17), AVRO_VALUE)).exact.verdict).toBe('SCHEMA_MISMATCH')
    expect(format.detail?.length).toBeLessThan(1_200)
    expect(unfit[0]?.length).toBeLessThan(1_200)
  })

  test('of no bytes, and null ones, are as the rules have records without a value', () => {
    expect(bothParsers(bench({}).format, Buffer.alloc(0)).exact.verdict).toBe('IGNORED')
    const strict = bench({ events: { ...EVENTS_DEFAULT, empty: 'invalid' } })
    expect(bothParsers(strict.format, Buffer.alloc(0)).exact.verdict).toBe('EMPTY')
  })
})

test('a schema is known by its own name, whatever is read later in the memory that the name was read from', () => {
  const other = { ...SCHEMA, fields: SCHEMA.fields.toReversed() }
  const texts = new Map([
    ['id:1', schema(SCHEMA)],
    ['id:2', schema(other)],
  ])
  const [format] = formatsOf([{ format: 'avro', events: EVENTS_DEFAULT }], { find: (key) => texts.get(key), unfit: () => {} }) as [
    EventFormat,
  ]
  const slot = new EventSlot()
  const memory = Buffer.alloc(200)
  const readAs = (number: number, type: object) => {
    const value = join3([0], id(4, number), avsc.Type.forSchema(type as never).toBuffer(EVENT))
    memory.set(value)
    return REASONS[format.exact(memory, 0, value.length, slot, value.length)]
  }
  expect(readAs(1, SCHEMA)).toBe('VALID')
  expect(readAs(2, other)).toBe('VALID')
  expect(readAs(1, SCHEMA)).toBe('VALID')
})

import { expect, test } from 'vitest'
import { avroEnds } from '../../src/format/avro-ends.ts'
import { avroSchema } from '../../src/format/avro-schema.ts'
import { eventRules } from '../../src/format/event-rules.ts'
import { fieldTree } from '../../src/format/field-tree.ts'
import { AvroCases } from '../../workshop/avro-cases.ts'
import { avscType } from '../../workshop/avro-oracle.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const SCHEMAS = repetitions({ unit: 50, all: 100, long: 2000 })
const VALUES = 40

const ends = (schema: unknown) => avroEnds(avroSchema({ type: 'avro', text: JSON.stringify(schema), references: [] }))

test.each([1, SEED])('values of any schema end where avsc ends them, and never behind what is there: seed %i', (seed) => {
  const cases = new AvroCases(seed)
  const { places, emptyAt } = eventRules(eventsWith({}))
  for (let i = 0; i < SCHEMAS; i++) {
    const schema = cases.schema(fieldTree(places, emptyAt).root)
    const type = avscType(schema)
    const endOf = ends(schema)
    for (let j = 0; j < VALUES; j++) {
      const value = type.toBuffer(cases.value(schema))
      const bytes = Buffer.concat([Buffer.from([0xff, 0xff]), value, Buffer.from([0, 0x7f])])
      const what = `${JSON.stringify(schema)} ${value.toString('hex')}`
      expect(endOf(bytes, 2, bytes.length), what).toBe(2 + value.length)
      const cut = Math.floor((value.length * j) / VALUES)
      if (cut < value.length) expect(endOf(bytes, 2, 2 + cut), `${what}, ${cut} bytes`).toBe(-1)
      const damaged = cases.damaged(value)
      const end = endOf(damaged, 0, damaged.length)
      expect(end === -1 || (end >= 0 && end <= damaged.length), what).toBe(true)
    }
  }
})

test('what is hostile has an end', () => {
  const list = { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] }
  const endOfList = ends(list)
  const nested = (depth: number) => Buffer.from([...Array.from({ length: depth }, () => 2), 0])
  expect(endOfList(nested(499), 0, 500)).toBe(500)
  expect(endOfList(nested(500), 0, 501)).toBe(-1)
  expect(endOfList(nested(3), 0, 4)).toBe(4)
  const endOfNulls = ends({ type: 'array', items: 'null' })
  const many = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0])
  expect(endOfNulls(many, 0, many.length)).toBe(many.length)
  expect(ends({ type: 'array', items: 'string' })(many, 0, many.length)).toBe(-1)
  const sized = Buffer.from([0x03, 0x08, 0x02, 0x61, 0x02, 0x62, 0])
  expect(ends({ type: 'array', items: 'string' })(sized, 0, sized.length)).toBe(sized.length)
  const eleven = Buffer.from([...Array.from({ length: 10 }, () => 0x80), 0])
  expect(ends('long')(eleven, 0, 11)).toBe(-1)
  expect(ends('long')(eleven.subarray(1), 0, 10)).toBe(10)
})

import type avsc from 'avsc'
import { expect, test } from 'vitest'
import { avroSchema } from '../../src/format/avro-schema.ts'
import { avroText } from '../../src/format/avro-text.ts'
import { eventRules } from '../../src/format/event-rules.ts'
import { fieldTree } from '../../src/format/field-tree.ts'
import { AvroCases } from '../../workshop/avro-cases.ts'
import { avscType } from '../../workshop/avro-oracle.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const SCHEMAS = repetitions({ unit: 50, all: 100, long: 2000 })
const VALUES = 20

/** What avsc has of a type beside what it says of it. */
type Inside = avsc.Type & {
  readonly fields: readonly { readonly name: string; readonly type: Inside }[]
  readonly itemsType: Inside
  readonly valuesType: Inside
  readonly types: readonly Inside[]
}

function hasBytes(type: Inside): boolean {
  if (type.typeName === 'record') return type.fields.some((field) => hasBytes(field.type))
  return type.typeName === 'fixed' ? (type as unknown as { size: number }).size > 0 : type.typeName !== 'null'
}

/** What avsc has decoded, with unions as what they hold, and bytes as Base64. */
function plain(type: Inside, value: unknown): unknown {
  const inside = value as Record<string, unknown>
  if (type.typeName === 'record') return Object.fromEntries(type.fields.map((field) => [field.name, plain(field.type, inside[field.name])]))
  if (type.typeName === 'array') return hasBytes(type.itemsType) ? (value as unknown[]).map((one) => plain(type.itemsType, one)) : []
  if (type.typeName === 'map') return Object.fromEntries(Object.entries(inside).map(([key, one]) => [key, plain(type.valuesType, one)]))
  if (type.typeName.startsWith('union')) {
    if (value === null) return null
    const [[name, one] = ['', undefined]] = Object.entries(inside)
    return plain(type.types.find(({ branchName }) => branchName === name) as Inside, one)
  }
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : String(value)
  return value
}

test.each([1, SEED])('a value of any schema is told as avsc reads it, and none that is damaged throws: seed %i', (seed) => {
  const cases = new AvroCases(seed)
  const rules = eventRules(eventsWith({}))
  let told = 0
  for (let i = 0; i < SCHEMAS; i++) {
    const schema = cases.schema(fieldTree(rules.places, rules.emptyAt).root)
    const type = avroSchema({ type: 'avro', text: JSON.stringify(schema), references: [] })
    const oracle = avscType(schema)
    for (let j = 0; j < VALUES; j++) {
      const bytes = oracle.toBuffer(cases.value(schema))
      const text = avroText(type, bytes)
      expect(text, `schema ${JSON.stringify(schema)}, value ${bytes.toString('hex')}`).toBeDefined()
      expect(JSON.parse(text ?? '')).toEqual(plain(oracle as Inside, oracle.fromBuffer(bytes)))
      const damaged = avroText(type, cases.damaged(bytes))
      if (damaged !== undefined) JSON.parse(damaged)
      told++
    }
  }
  expect(told).toBe(SCHEMAS * VALUES)
})

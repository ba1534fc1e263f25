import { describe, expect, test } from 'vitest'
import { AVRO } from '../../src/format/avro-format.ts'
import { avroSchema } from '../../src/format/avro-schema.ts'
import { FramedFormat } from '../../src/format/framed-format.ts'
import { bothParsers } from '../../workshop/both-parsers.ts'
import { PLAIN_RULES } from '../../workshop/plain-rules.ts'

const OWN = [
  { name: 'product_id', type: 'string' },
  { name: 'event_type', type: 'string' },
  { name: 'timestamp', type: 'long' },
]
/** product p, type click, a time in ms. */
const OWN_BYTES = [2, 0x70, 10, ...Buffer.from('click'), ...zigzag(1_700_000_000_123n)]
const COUNTED = { verdict: 'VALID', product: 'p', click: true, time: 1_700_000_000_123 }

function zigzag(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value < 0n ? -value * 2n - 1n : value * 2n
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

function reader(...fields: object[]): FramedFormat {
  const text = JSON.stringify({ type: 'record', name: 'E', fields: [...fields, ...OWN] })
  const file = { type: 'avro' as const, text, references: [] }
  return new FramedFormat(AVRO, PLAIN_RULES, 'none', { schemas: undefined, file, message: '' })
}

const said = (format: FramedFormat, ...bytes: number[]) => bothParsers(format, Uint8Array.from([...bytes, ...OWN_BYTES]))

describe('a hostile value', () => {
  const list = { name: 'list', type: { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] } }

  test.each([
    [31, 'VALID'],
    [32, 'NOT_AVRO'],
    [100_000, 'NOT_AVRO'],
  ])('that is within itself %i times more is %s', (times, verdict) => {
    const { exact, fast } = said(reader(list), ...Array.from({ length: times }, () => 2), 0)
    expect([exact.verdict, fast?.verdict ?? 'NOT_AVRO']).toEqual([verdict, verdict])
  })

  const array = (items: unknown) => reader({ name: 'a', type: { type: 'array', items } })

  test.each([
    ['int', 2n ** 62n],
    ['int', -(2n ** 63n)],
    [{ type: 'fixed', name: 'F', size: 1000 }, 2n ** 40n],
    [{ type: 'array', items: 'null' }, 2n ** 31n],
  ])('of an array of %o with %i items ends at once', (items, count) => {
    const { exact, fast } = said(array(items), ...zigzag(count), 0)
    expect([exact.verdict, fast]).toEqual(['NOT_AVRO', undefined])
  })

  test('of items without bytes may be of any number', () => {
    const format = array('null')
    expect(said(format, ...zigzag(2n ** 20n), 0)).toEqual({ exact: COUNTED, fast: COUNTED })
    expect(said(format, ...zigzag(2n ** 62n), 0).exact).toEqual(COUNTED)
  })

  test('may give the size of a block, which need not be true', () => {
    expect(said(array('int'), ...zigzag(-2n), ...zigzag(77n), 2, 4, 0)).toEqual({ exact: COUNTED, fast: COUNTED })
  })

  test.each([
    ['string', zigzag(-1n)],
    ['string', zigzag(2n ** 31n)],
    ['string', zigzag(2n ** 62n)],
    ['bytes', [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['long', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]],
    ['int', [0xff, 0xff, 0xff, 0xff, 0x10]],
    [['null', 'string'], zigzag(2n)],
    [['null', 'string'], zigzag(-1n)],
    [{ type: 'enum', name: 'T', symbols: ['a', 'b'] }, zigzag(2n)],
  ])('with a %o of the bytes %o is none', (type, bytes) => {
    const { exact, fast } = said(reader({ name: 'a', type }), ...bytes)
    expect([exact.verdict, fast]).toEqual(['NOT_AVRO', undefined])
  })

  test.each([
    ['long', [0x80, 0x80, 0x00]],
    ['int', [0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['boolean', [7]],
    ['string', [0x82, 0x00, 0xff]],
  ])('with a %o of the bytes %o is one', (type, bytes) => {
    expect(said(reader({ name: 'a', type }), ...bytes)).toEqual({ exact: COUNTED, fast: COUNTED })
  })
})

describe('a hostile schema', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 'int' : { type: 'array', items: nested(depth - 1) })
  const chain = (length: number) => {
    const field = (i: number) => ({
      name: `f${i}`,
      type: { type: 'record', name: `R${i}`, fields: i === 0 ? [] : [{ name: 'x', type: `R${i - 1}` }] },
    })
    return { type: 'record', name: 'C', fields: Array.from({ length }, (_, i) => field(i)) }
  }

  test.each([
    ['nested deeply', nested(100), /nested deeper than 64/],
    ['that nests by name', chain(100), /nested deeper than 64/],
    [
      'of many types',
      { type: 'record', name: 'M', fields: Array.from({ length: 6000 }, (_, i) => ({ name: `f${i}`, type: 'int' })) },
      /more than 5000 types/,
    ],
    ['with a union in a union', ['null', ['int', 'string']], /part of a union/],
    ['with a size that is none', { type: 'fixed', name: 'F', size: -1 }, /has the size -1/],
    ['with a size that is no number', { type: 'fixed', name: 'F', size: [[1]] }, /a size that is no number/],
    ['with the same branch twice', ['string', 'null', { type: 'string' }], /a union has the branch string twice/],
    ['with two arrays in a union', [nested(1), nested(1)], /the branch array twice/],
    ['with the same record twice in a union', [{ type: 'record', name: 'R', fields: [] }, 'R'], /the branch R twice/],
    [
      'with a type that is none',
      { type: 'record', name: 'E', fields: [{ name: 'a', type: { type: 'constructor' } }] },
      /constructor is not defined/,
    ],
  ])('%s is refused in words', (_, json, why) => {
    expect(() => avroSchema({ type: 'avro', text: JSON.stringify(json), references: [] })).toThrow(why)
  })

  test('whose unions may have several records, enums and fixeds, by name, is taken', () => {
    const named = ['A', 'B'].flatMap((name) => [
      { type: 'record', name: `R${name}`, fields: [] },
      { type: 'enum', name: `E${name}`, symbols: ['a'] },
      { type: 'fixed', name: `F${name}`, size: 1 },
    ])
    expect(avroSchema({ type: 'avro', text: JSON.stringify(['null', 'string', ...named]), references: [] }).kind).toBe('union')
  })

  test('that nests what is no schema too deeply to be printed is refused', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const text = `{"type":"fixed","name":"F","size":${deep}}`
    expect(() => avroSchema({ type: 'avro', text, references: [] })).toThrow(/a size that is no number/)
  })

  test.each([
    [0, true],
    [77, true],
    [78, false],
    [2_000_000_000, false],
    [-1, false],
    [1.5, false],
    ['2', false],
  ])('whose decimal has the scale %o is one of decimals: %o', (scale, isOne) => {
    const text = JSON.stringify({ type: 'bytes', logicalType: 'decimal', precision: 4, scale })
    expect(avroSchema({ type: 'avro', text, references: [] })).toMatchObject({ logical: isOne ? 'decimal' : '' })
    expect(said(reader({ name: 'd', type: JSON.parse(text) }), 2, 7).exact).toEqual(COUNTED)
  })

  /** At each step of a.b.c any of `width` records. */
  const ways = (width: number) => {
    /** The union of the records, defined where it stands first. */
    const union = (of: string, field: string, types: readonly unknown[], isFirst: boolean) =>
      Array.from({ length: width }, (_, i) => {
        const type = types[i === 0 && isFirst ? 0 : 1]
        return isFirst ? { type: 'record', name: `${of}${i}`, fields: [{ name: field, type }] } : `${of}${i}`
      })
    const c = [true, false].map((isFirst) => ['string', ...union('Z', 'd', ['int', 'int'], isFirst)])
    const b = [union('Y', 'c', c, true), union('Y', 'c', c, false)]
    const rules = { ...PLAIN_RULES, places: PLAIN_RULES.places.map((places, field) => (field === 1 ? [['a', 'b', 'c']] : places)) }
    const fields = [{ name: 'a', type: union('X', 'b', b, true) }, ...OWN.slice(1)]
    const file = { type: 'avro' as const, text: JSON.stringify({ type: 'record', name: 'E', fields }), references: [] }
    return () => new FramedFormat(AVRO, rules, 'none', { schemas: undefined, file, message: '' })
  }

  test('whose unions lead to a field in very many ways is refused', () => {
    expect(ways(10)).not.toThrow()
    expect(ways(47)).toThrow(/more than 100000 ways through its unions/)
  })

  test('whose records hold each other twice takes no longer for that', () => {
    const pair = (i: number) => ({ name: `f${i}`, type: { type: 'record', name: `R${i}`, fields: i === 0 ? [] : twice(i - 1) } })
    const twice = (i: number) => ['a', 'b'].map((name) => ({ name, type: ['null', `R${i}`] }))
    const format = reader(...Array.from({ length: 25 }, (_, i) => pair(i)))
    const nulls = Array.from({ length: 24 * 2 }, () => 0)
    expect(said(format, ...nulls)).toEqual({ exact: COUNTED, fast: COUNTED })
  })
})

test('types of other schemas are found by the names that they are referred to by', () => {
  const references = [
    {
      name: 'ids',
      text: JSON.stringify({ type: 'record', name: 'Ids', namespace: 'shop', fields: [{ name: 'product_id', type: 'string' }] }),
    },
  ]
  const fields = [{ name: 'ids', type: 'Ids' }, ...OWN.slice(1)]
  const file = { type: 'avro' as const, text: JSON.stringify({ type: 'record', name: 'E', namespace: 'shop', fields }), references }
  const rules = { ...PLAIN_RULES, places: PLAIN_RULES.places.map((places, field) => (field === 1 ? [['ids', 'product_id']] : places)) }
  const format = new FramedFormat(AVRO, rules, 'none', { schemas: undefined, file, message: '' })
  expect(said(format)).toEqual({ exact: COUNTED, fast: COUNTED })
})

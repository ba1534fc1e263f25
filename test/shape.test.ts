import { expect, test } from 'vitest'
import { shape, shaped } from '../src/shape.ts'

const { int, number, text, flag, oneOf, anything, optional, nullable, list, record, object } = shape

interface Thing {
  readonly name: string
  readonly size: number
  readonly unit?: string | undefined
  readonly parts: readonly { readonly at: number | null }[]
}

const thing = object<Thing>({
  name: text(/^[a-z]+$/),
  size: int(0, 9),
  unit: optional(text()),
  parts: list(object<{ at: number | null }>({ at: nullable(number()) }), 2),
})
const GOOD = { name: 'a', size: 9, parts: [{ at: null }, { at: 0.5 }] }

test('what fits comes back, without keys that nobody knows', () => {
  expect(shaped(thing, { ...GOOD, more: 1, parts: [{ at: 1, more: 2 }] })).toEqual({ value: { ...GOOD, parts: [{ at: 1 }] } })
  expect(shaped(thing, { ...GOOD, unit: 'm' }).value?.unit).toBe('m')
  expect(Object.keys(shaped(thing, { ...GOOD, unit: undefined }).value ?? {})).toEqual(['name', 'size', 'parts'])
  expect(shaped(record(record(anything())), { a: { b: [1] } })).toEqual({ value: { a: { b: [1] } } })
})

test.each([
  [undefined, 'the whole: is not an object'],
  [null, 'the whole: is not an object'],
  [[], 'the whole: is not an object'],
  [{ ...GOOD, name: 'A' }, 'name: is not text like ^[a-z]+$'],
  [{ ...GOOD, name: 1 }, 'name: is not text like ^[a-z]+$'],
  [{ ...GOOD, size: 10 }, 'size: is not a whole number from 0 to 9'],
  [{ ...GOOD, size: 0.5 }, 'size: is not a whole number from 0 to 9'],
  [{ ...GOOD, size: '1' }, 'size: is not a whole number from 0 to 9'],
  [{ ...GOOD, size: undefined }, 'size: is not a whole number from 0 to 9'],
  [{ ...GOOD, unit: null }, 'unit: is not text'],
  [{ ...GOOD, parts: {} }, 'parts: is not a list up to 2'],
  [{ ...GOOD, parts: [{ at: 1 }, { at: 1 }, { at: 1 }] }, 'parts: is not a list up to 2'],
  [{ ...GOOD, parts: [{ at: 1 }, { at: Number.NaN }] }, 'parts.1.at: is not a number'],
  [{ ...GOOD, parts: [{}] }, 'parts.0.at: is not a number'],
])('%j is refused, with the place and the reason', (value, fault) => {
  expect(shaped(thing, value)).toEqual({ fault })
})

test('values of few kinds are these and no others', () => {
  expect(shaped(oneOf([1]), '1').fault).toBe('the whole: is not 1')
  expect(shaped(oneOf(['a', 'b']), 'c').fault).toBe('the whole: is not one of a, b')
  expect(shaped(flag(), 'true').fault).toBe('the whole: is not true or false')
  expect(shaped(int(), 2 ** 53).fault).toBe('the whole: is not a whole number')
  expect(shaped(list(text()), ['a', 1]).fault).toBe('1: is not text')
})

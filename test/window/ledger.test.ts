import { describe, expect, test } from 'vitest'
import {
  addCounts,
  BALANCE,
  countsOf,
  EARLIER,
  entriesOf,
  noTotals,
  spellCounts,
  sumLeftBy,
  sumOf,
  TERM_NAMES,
  TERMS,
  unaccounted,
  withoutReasons,
} from '../../src/window/ledger.ts'

/** As an engine with one more term has written them. */
const NEWER = { first: 3, read: 20, counted: 10, late: 2, invalid: { TYPE: 4, duplicate: 3, EMPTY: 1 } }

test('the terms of the ledger, and what is said of each', () => {
  expect(BALANCE).toBe('read = counted + late + invalid + ignored')
  for (const { name, means } of TERMS) {
    expect(name).toMatch(/^[a-z][a-z_]{0,11}$/)
    expect(means).not.toBe('')
  }
})

test.each([
  [{ read: 6, counted: 3, late: 2, invalid: 1, ignored: 0 }, 0],
  [{ read: 7, counted: 3, late: 2, invalid: 1, ignored: 0 }, 1],
  [{ read: 5, counted: 3, late: 2, invalid: 1, ignored: 0 }, -1],
])('of %j so many are unaccounted for: %i', (counts, rest) => expect(unaccounted(counts)).toBe(rest))

test('counts are spelled with every term, and copied without anything else', () => {
  const counts = { read: 8, counted: 3, late: 2, invalid: 1, ignored: 2 }
  expect(spellCounts(counts)).toBe('read 8, counted 3 + late 2 + invalid 1 + ignored 2')
  expect(countsOf({ ...counts, topic: 'x' } as typeof counts)).toEqual(counts)
})

test('a term without reasons is an entry of its own among them', () => {
  const sum = addCounts(noTotals(0), { read: 5, counted: 2, late: 0, invalid: 1, ignored: 2 }, { TYPE: 1 })
  expect(sum).toEqual({ first: 0, read: 5, counted: 2, late: 0, invalid: { TYPE: 1, ignored: 2 } })
  expect(TERM_NAMES.map((name) => sumOf(sum, name))).toEqual([2, 0, 1, 2])
  expect(withoutReasons(sum).invalid).toEqual({ EARLIER: 1, ignored: 2 })
})

test('counts are added to what was before, reason by reason', () => {
  const before = { first: 3, read: 6, counted: 3, late: 1, invalid: { TYPE: 2 } }
  const sum = addCounts(before, { read: 7, counted: 2, late: 1, invalid: 4, ignored: 0 }, { TYPE: 1, EMPTY: 3, USER: 0 })
  expect(sum).toEqual({ first: 3, read: 13, counted: 5, late: 2, invalid: { TYPE: 3, EMPTY: 3 } })
  expect(before.invalid).toEqual({ TYPE: 2 })
  expect(addCounts(noTotals(9), { read: 0, counted: 0, late: 0, invalid: 0, ignored: 0 }, {})).toEqual(noTotals(9))
})

describe('a term of a newer version', () => {
  test('counts into the balance, among the invalid, but has left by no output that is known', () => {
    expect(TERM_NAMES.map((name) => sumOf(NEWER, name))).toEqual([10, 2, 8, 0])
    expect(entriesOf(NEWER, 'invalid')).toEqual([
      ['TYPE', 4],
      ['duplicate', 3],
      ['EMPTY', 1],
    ])
    expect(TERM_NAMES.reduce((rest, name) => rest - sumOf(NEWER, name), NEWER.read)).toBe(0)
    expect(sumLeftBy(NEWER, 'deadLetters')).toBe(5)
  })

  test('is kept when more is counted', () => {
    const sum = addCounts(NEWER, { read: 2, counted: 1, late: 0, invalid: 1, ignored: 0 }, { TYPE: 1 })
    expect(sum).toEqual({ first: 3, read: 22, counted: 11, late: 2, invalid: { TYPE: 5, duplicate: 3, EMPTY: 1 } })
  })
})

describe('without reasons', () => {
  test('the reasons are one, a second time changes nothing, and none are nothing', () => {
    const short = { ...NEWER, invalid: { [EARLIER]: 5, duplicate: 3 } }
    expect(withoutReasons(NEWER)).toEqual(short)
    expect(withoutReasons(short)).toEqual(short)
    expect(withoutReasons(noTotals(0))).toEqual(noTotals(0))
  })

  test.each([
    [5, 5],
    [6, 6],
    [7, 6],
  ])('of %i terms of a newer version %i are kept by name, the rest in the sum', (terms, kept) => {
    const invalid = Object.fromEntries(Array.from({ length: terms }, (_, i) => [`term_${'abcdefg'[i]}`, 10]))
    const short = withoutReasons({ ...NEWER, invalid })
    expect(Object.keys(short.invalid).filter((name) => name !== 'EARLIER')).toHaveLength(kept)
    expect(short.invalid.EARLIER ?? 0).toBe((terms - kept) * 10)
  })

  test.each([
    ['abcdefghijk', true],
    ['abcdefghijkl', true],
    ['abcdefghijklm', false],
    ['with space', false],
    ['__proto__', false],
  ])('a name such as %s is carried on: %s', (name, carried) => {
    const short = withoutReasons({ ...NEWER, invalid: JSON.parse(`{"${name}":7}`) as Record<string, number> })
    expect(Object.entries(short.invalid)).toEqual([[carried ? name : 'EARLIER', 7]])
  })
})

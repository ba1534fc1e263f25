import { expect, test } from 'vitest'
import { fixedPart, LEDGER, LEDGER_WINDOWS, RESULTS } from '../../src/tables/columns.ts'

const TIME = "DateTime64(3, 'UTC')"

test('a row of results ends with 60 bytes, and every column lies behind those before it', () => {
  const { texts, columns, bytes, offsetOf } = fixedPart(RESULTS)
  expect([texts, columns, bytes]).toEqual([['tenant', 'product_id'], 8, 60])
  const names = ['window_start', 'window_end', 'task', 'impressions', 'clicks', 'ctr', 'version', 'emitted_at']
  expect(names.map(offsetOf)).toEqual([0, 8, 16, 20, 28, 36, 44, 52])
  expect(() => offsetOf('product_id')).toThrow('a column is one of its table, of fixed width')
  expect(() => offsetOf('ctr_results')).toThrow('a column is one of its table, of fixed width')
})

test('columns move when one is put before them', () => {
  const columns = [
    ['a', 'String'],
    ['b', 'UInt32'],
    ['c', TIME],
    ['d', 'Float64'],
  ] as const
  const offsets = (...taken: readonly (readonly [string, string])[]) => {
    const { offsetOf } = fixedPart({ name: 't', columns: taken })
    return taken.filter(([, type]) => type !== 'String').map(([name]) => offsetOf(name))
  }
  expect(offsets(...columns)).toEqual([0, 4, 12])
  expect(offsets(columns[0], ['new', 'UInt64'], ...columns.slice(1))).toEqual([0, 8, 12, 20])
})

test('a text or a map behind a number has no fixed place, nor has what follows', () => {
  expect(() =>
    fixedPart({
      name: 't',
      columns: [
        ['a', 'UInt32'],
        ['b', 'String'],
      ],
    }),
  ).toThrow('texts come before all else')
  expect(() => fixedPart({ name: 't', columns: [['a', 'Map(String, UInt64)']] })).toThrow('texts come before all else')
  expect(() => fixedPart(LEDGER)).toThrow('texts come before all else')
  expect(fixedPart(LEDGER_WINDOWS).bytes).toBe(4 + 8 * 5)
})

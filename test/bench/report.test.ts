import { expect, test } from 'vitest'
import { describePlace, median, place, quantile, significant, table } from '../../workshop/report.ts'
import { byKey, compareRows } from '../../workshop/result-rows.ts'

test('quantiles lie between the two nearest values', () => {
  expect([quantile([1, 2, 3], 0), quantile([3, 1, 2], 1), median([4, 1, 3, 2]), quantile([0, 10], 0.9)]).toEqual([1, 3, 2.5, 9])
  expect(median([])).toBeNaN()
})

test.each([
  [0, '0.00'],
  [0.26217, '0.262'],
  [2.6217, '2.62'],
  [26.217, '26.2'],
  [262.17, '262'],
  [26217, '26217'],
  [Number.NaN, '-'],
])('%d is written %s', (value, text) => {
  expect(significant(value)).toBe(text)
})

test('a table has its columns under each other', () => {
  expect(
    table(
      ['', 'a'],
      [
        ['one', '1'],
        ['three', '333'],
      ],
    ),
  ).toBe(['         a', '-----  ---', 'one      1', 'three  333'].join('\n'))
})

test('a report says which Node and commit it is of', () => {
  const here = place()
  expect(here.commit).toMatch(/^[0-9a-f]{7,}\+?$|^unknown$/)
  expect(describePlace(here)).toContain(`Node ${process.version}, commit ${here.commit}`)
})

const row = { tenant: 't', product: 'p', windowStart: 0, windowEnd: 10, task: 0, impressions: 2, clicks: 1, ctr: 0.5, version: 3 }

test('rows differ when one is missing, too many, or has another value', () => {
  const rows = byKey([row, { ...row, product: 'q' }])
  expect(compareRows(rows, rows).count).toBe(0)
  expect(compareRows(byKey([row]), rows).count).toBe(1)
  expect(compareRows(rows, byKey([row])).count).toBe(1)
  for (const change of [{ impressions: 3 }, { clicks: 0 }, { ctr: 0.4 }, { version: 4 }]) {
    const { count, examples } = compareRows(
      byKey([
        { ...row, ...change },
        { ...row, product: 'q' },
      ]),
      rows,
    )
    expect([count, examples.length]).toEqual([1, 1])
  }
})

test('one key twice is refused', () => {
  expect(() => byKey([row, row])).toThrow('two rows of')
})

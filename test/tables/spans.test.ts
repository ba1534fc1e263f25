import { expect, test } from 'vitest'
import { type Chunk, chunksOf, onDaysOf, type Unit, within } from '../../src/tables/spans.ts'

const unit = (fromMs: number, toMs: number, more: Partial<Unit> = {}): Unit => ({
  ...{ fromMs, toMs, recent: false, few: false, rows: 1, products: 1 },
  ...more,
})

const spans = (chunks: readonly Chunk[]) => chunks.map((chunk) => chunk.spans.map(({ fromMs, toMs }) => [fromMs, toMs]))

test('units that touch become one span, others stay apart in one chunk', () => {
  expect(spans(chunksOf([unit(0, 10), unit(10, 20), unit(30, 40)]))).toEqual([
    [
      [0, 20],
      [30, 40],
    ],
  ])
})

test('units of another place are chunks of their own', () => {
  const units = [unit(0, 1, { few: true }), unit(1, 2), unit(2, 3, { recent: true }), unit(3, 4, { few: true })]
  expect(chunksOf(units)).toEqual([
    { recent: true, few: false, spans: [{ fromMs: 2, toMs: 3 }] },
    {
      recent: false,
      few: true,
      spans: [
        { fromMs: 0, toMs: 1 },
        { fromMs: 3, toMs: 4 },
      ],
    },
    { recent: false, few: false, spans: [{ fromMs: 1, toMs: 2 }] },
  ])
})

test.each([
  [499_999, 1],
  [500_000, 1],
  [500_001, 2],
])('%i rows of two units make %i chunks', (rows, chunks) => {
  expect(chunksOf([unit(0, 1, { rows: rows - 10 }), unit(1, 2, { rows: 10 })])).toHaveLength(chunks)
})

test('a unit of more rows than a chunk may have is a chunk', () => {
  expect(chunksOf([unit(0, 1, { rows: 5_000_000 })])).toHaveLength(1)
})

test.each([
  [99, 1],
  [100, 1],
  [101, 2],
])('%i spans make %i chunks', (count, chunks) => {
  expect(chunksOf(Array.from({ length: count }, (_, i) => unit(2 * i, 2 * i + 1)))).toHaveLength(chunks)
})

test.each([
  [true, 1_000, 1],
  [true, 1_001, 2],
  [false, 1_001, 1],
])('where few is %s, %i products of units make %i chunks', (few, products, chunks) => {
  expect(chunksOf([unit(0, 1, { few, products: products - 1 }), unit(5, 6, { few, products: 1 })])).toHaveLength(chunks)
})

test('a condition says each span', () => {
  expect(within('t', [{ fromMs: 1, toMs: 2 }])).toBe("t >= fromUnixTimestamp64Milli(1, 'UTC') AND t < fromUnixTimestamp64Milli(2, 'UTC')")
  const two = within('t', [
    { fromMs: 1, toMs: 2 },
    { fromMs: 3, toMs: 4 },
  ])
  expect(two).toMatch(/^\(\(t >= .*\(1, .*\) OR \(t >= .*\(3, .*\)\)$/)
})

test('spans of days are said by their days, between the first and the last instant; one span, or beyond the calendar, as it is', () => {
  const [day, end] = [Date.UTC(2024, 1, 28), Date.UTC(2299, 0, 1)]
  const [one, two, far] = [
    { fromMs: day + 60_000, toMs: day + 86_400_001 },
    { fromMs: day + 5 * 86_400_000, toMs: day + 6 * 86_400_000 },
    { fromMs: end, toMs: end + 1 },
  ]
  expect(onDaysOf('t', [one, two])).toBe(
    `${within('t', [{ fromMs: one.fromMs, toMs: two.toMs }])} AND toYYYYMMDD(t) IN (20240228, 20240229, 20240304)`,
  )
  expect(onDaysOf('t', [one])).toBe(within('t', [one]))
  expect(onDaysOf('t', [one, far])).toBe(within('t', [one, far]))
})

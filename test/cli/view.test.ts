import { expect, test } from 'vitest'
import { lagOf, recordsRead, watermarkOf } from '../../src/cli/totals.ts'
import { renderLine, renderView, type TopProduct } from '../../src/cli/view.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const NOW = Date.UTC(2025, 0, 31, 12, 0, 5)

const stats = someStats({
  topics: [
    { topic: 'impressions', events: 160_000 },
    { topic: 'clicks', events: 40_000 },
  ],
  impressions: 150_000,
  clicks: 7500,
  terms: { counted: 157_500, late: 1203, invalid: 412, ignored: 0 },
  invalid: [
    { reason: 'TIME', count: 200 },
    { reason: 'PRODUCT', count: 212 },
  ],
  rowsWritten: 3400,
  activeProducts: 1000,
  tasks: [
    { task: 0, watermark: NOW - 5200 },
    { task: 1, watermark: NOW - 4000 },
    { task: 2, watermark: undefined },
  ],
  partitions: [somePartition({ lag: 30 }), somePartition({ partition: 1, lag: 12 }), somePartition({ partition: 2, lag: undefined })],
  rings: [{ worker: 0, fill: 0 }],
})
const earlier = { stats: someStats({ topics: [{ topic: 'impressions', events: 100_000 }] }), at: NOW - 1000 }
const top: TopProduct[] = [
  { productId: 'p-0001', impressions: 12_345, clicks: 617 },
  { productId: 'p-0002', impressions: 0, clicks: 3 },
]

test('the view shows rate, watermark, lag, late, invalid, rows and the top products', () => {
  expect(renderView({ stats, at: NOW }, earlier, top, 80, false)).toEqual([
    ' ctr running 2 topics, 3 partitions, 1 worker, 1,000 products',
    '',
    ' events/s  100,000         watermark 11:59:59        rows      3,400',
    ' events    200,000         behind    5.2 s           late      1,203',
    ' CTR       5.00 %          lag       42              invalid   412',
    '                                                     ignored   0',
    '',
    ' top products                                 impressions       clicks       CTR',
    ' p-0001                                            12,345          617    5.00 %',
    ' p-0002                                                 0            3    0.00 %',
    ' 2025-01-31 12:00:05 UTC',
  ])
})

test('before anything has happened there are no wrong numbers', () => {
  const lines = renderView(
    { stats: someStats({ state: 'starting', notReady: ['waiting for Kafka at localhost:9092'] }), at: NOW },
    undefined,
    [],
    80,
    false,
  )
  const text = lines.join('\n')
  expect(text).toContain(' ctr starting')
  expect(text).toContain(' ! waiting for Kafka at localhost:9092')
  expect(text).toContain('watermark -')
  expect(text).toContain('the first window has not ended yet')
  expect(text).not.toMatch(/NaN|Infinity|undefined/)
})

test.each([20, 40, 60, 80, 100, 200])('no line is wider than the terminal of %d columns', (width) => {
  const long: TopProduct[] = [{ productId: 'x'.repeat(256), impressions: 1e12, clicks: 1e12 }]
  const busy = { ...stats, notReady: ['reason '.repeat(30)] }
  const widest = Math.max(...renderView({ stats: busy, at: NOW }, undefined, long, width, false).map((line) => line.length))
  expect(widest).toBeLessThanOrEqual(Math.max(40, Math.min(width, 100)))
})

test('colours change nothing but the colours', () => {
  const coloured = renderView({ stats, at: NOW }, earlier, top, 80, true).join('\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes are what is taken out
  const bare = coloured.replaceAll(/\u001b\[\d+m/g, '').split('\n')
  expect(coloured).not.toBe(bare.join('\n'))
  expect(bare.map((line) => line.trimEnd())).toEqual(renderView({ stats, at: NOW }, earlier, top, 80, false))
})

test('a product id can not write to the terminal', () => {
  const evil: TopProduct[] = [{ productId: '\u001b[2Jgone', impressions: 1, clicks: 0 }]
  expect(renderView({ stats, at: NOW }, undefined, evil, 80, false).join('')).not.toContain('\u001b')
})

test('a line for logs holds the same figures', () => {
  expect(renderLine({ stats, at: NOW }, earlier)).toBe(
    '2025-01-31T12:00:05Z running: 100,000 events/s, 200,000 events, watermark 11:59:59, lag 42, ' +
      'late 1,203, invalid 412, ignored 0, rows 3,400',
  )
  expect(renderLine({ stats: someStats({ notReady: ['no broker'] }), at: NOW }, undefined)).toContain('no watermark yet')
})

test('the watermark is that of the slowest task, the lag the sum of what is known', () => {
  expect([watermarkOf(stats), lagOf(stats), recordsRead(stats)]).toEqual([NOW - 5200, 42, 200_000])
  expect(watermarkOf(someStats())).toBeUndefined()
})

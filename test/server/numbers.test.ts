import { expect, test } from 'vitest'
import { limitOf } from '../../src/server/limiting.ts'
import { changeOf, ctrOf, quantilesOf } from '../../src/server/numbers.ts'
import { ProductNames } from '../../src/server/product-names.ts'
import { threadUse } from '../../src/server/threads.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'
import { INTERVALS } from '../../workshop/tables.ts'

const of = (impressions: number, clicks: number) => ctrOf({ impressions, clicks }, INTERVALS)

test('quantiles lie within the bucket that holds them', () => {
  expect(quantilesOf({ bounds: [1, 2, 4], counts: [0, 0, 0, 0], sum: 0 })).toEqual({
    count: 0,
    p50Seconds: null,
    p95Seconds: null,
    p99Seconds: null,
  })
  const { p50Seconds, p95Seconds, p99Seconds, count } = quantilesOf({ bounds: [1, 2, 4], counts: [50, 40, 9, 1], sum: 0 })
  expect([count, p50Seconds, p99Seconds]).toEqual([100, 1, 4])
  expect(p95Seconds).toBeCloseTo(2 + (2 * 5) / 9)
})

test("an interval is Wilson's", () => {
  // 10 of 100: 5.52 % to 17.44 %, as textbooks have it.
  const { ctr, lowCtr, highCtr } = of(100, 10)
  expect(ctr).toBe(0.1)
  expect(lowCtr).toBeCloseTo(0.0552, 4)
  expect(highCtr).toBeCloseTo(0.1744, 4)
  expect(of(0, 3)).toEqual({ impressions: 0, clicks: 3, ctr: null, lowCtr: null, highCtr: null, enough: false })
  expect(of(10, 12).ctr).toBe(1.2)
  expect(of(10, 12).highCtr).toBeCloseTo(1, 9)
})

test('a change is one when the intervals part', () => {
  expect(changeOf(of(1000, 100), of(1000, 110))).toBeNull()
  expect(changeOf(of(1000, 100), of(1000, 200))).toBe('up')
  expect(changeOf(of(1000, 200), of(1000, 100))).toBe('down')
  expect(changeOf(of(0, 0), of(1000, 100))).toBeNull()
})

const flushed = (sum: number) => ({ bounds: [1], counts: [0, 0], sum })
const lagging = { partitions: [somePartition({ lag: 1000, read: 10 })] }

test.each([
  ['none', {}, [], 0],
  ['held', { held: true, notReady: ['ClickHouse is away'] }, [], 0],
  ['state', { degraded: [{ code: 'stateFull', subject: '', message: 'full', since: 0 }] as const }, [], 0],
  ['sink', { ...lagging, backpressureSeconds: 5, sinkFlushSeconds: flushed(9.5) }, [], 30],
  ['worker', { ...lagging, backpressureSeconds: 5, sinkFlushSeconds: flushed(1) }, [], 30],
  ['main', lagging, [{ thread: 'main', cpuSeconds: 0.97 }], 30],
  ['source', lagging, [{ thread: 'main', cpuSeconds: 0.2 }], 30],
  ['none', lagging, [{ thread: 'main', cpuSeconds: 0.97 }], 0.5],
])('what limits is %s', (by, more, uses, behind) => {
  const before = someStats({ sinkFlushSeconds: flushed(0) })
  expect(limitOf({ before, after: someStats(more), seconds: 10 }, behind, uses).by).toBe(by)
})

test('products are shown, hashed or hidden, and what was shown can be asked for', () => {
  const [show, hash, hide] = (['show', 'hash', 'hide'] as const).map((mode) => new ProductNames(mode, 't'))
  expect([show?.shown('p-1'), show?.meant('p-1'), hide?.shown('p-1'), hide?.meant('p-1')]).toEqual(['p-1', 'p-1', '', undefined])
  const shown = hash?.shown('p-1') ?? ''
  expect(shown).toMatch(/^[0-9a-f]{16}$/)
  expect([hash?.meant(shown), hash?.meant('p-1'), new ProductNames('hash', 'u').shown('p-1') === shown]).toEqual(['p-1', undefined, false])
})

test('threads of this process have used the CPU', () => {
  const main = threadUse().find(({ thread }) => thread === 'main')
  expect(main?.cpuSeconds).toBeGreaterThan(0)
})

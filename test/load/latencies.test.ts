import { expect, test } from 'vitest'
import { Latencies } from '../../src/load/latencies.ts'

test('quantiles are right to 4 %, and no more than the longest', () => {
  const latencies = new Latencies()
  for (let i = 1; i <= 1000; i++) latencies.add(i / 10)
  for (const [share, ms] of [
    [0.01, 1],
    [0.5, 50],
    [0.99, 99],
  ] as const) {
    expect(latencies.quantile(share) / ms).toBeGreaterThanOrEqual(0.999)
    expect(latencies.quantile(share) / ms).toBeLessThan(1.045)
  }
  expect(latencies.figures()).toEqual({ p50: latencies.quantile(0.5), p99: latencies.quantile(0.99), max: 100 })
  expect(latencies.quantile(1)).toBe(100)
})

test('those of two threads are added', () => {
  const [a, b] = [new Latencies(), new Latencies()]
  a.add(1)
  b.add(1)
  b.add(2000)
  a.merge(new Latencies(b.counts, b.maxMs))
  expect(a.counts.reduce((sum, count) => sum + count, 0)).toBe(3)
  expect(a.figures().max).toBe(2000)
  expect(a.quantile(0.5)).toBeLessThan(1.05)
})

test('nothing measured is 0, and what is out of all bounds is kept', () => {
  const latencies = new Latencies()
  expect(latencies.figures()).toEqual({ p50: 0, p99: 0, max: 0 })
  latencies.add(0)
  latencies.add(1e9)
  expect(latencies.quantile(0.1)).toBe(0.05)
  expect(latencies.figures().max).toBe(1e9)
})

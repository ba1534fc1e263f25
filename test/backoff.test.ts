import { expect, test } from 'vitest'
import { type Backoff, backoffMs } from '../src/backoff.ts'

const FULL: Backoff = { firstMs: 100, maxMs: 10_000, shares: [0, 1] }

test('the bound doubles with every failure, from the first one to the largest', () => {
  const bounds = Array.from({ length: 10 }, (_, i) => backoffMs(i + 1, FULL, () => 1))
  expect(bounds).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
})

test('however many failures there are, the wait is a number of milliseconds', () => {
  for (const failures of [1074, 1075, 1e6]) expect(backoffMs(failures, FULL, () => 0.5)).toBe(5000)
})

test('the wait lies between the shares of the bound, both met', () => {
  const quarter: Backoff = { firstMs: 200, maxMs: 10_000, shares: [0.75, 1.25] }
  expect([0, 0.5, 1].map((share) => backoffMs(2, quarter, () => share))).toEqual([300, 400, 500])
  expect([0, 0.5, 1].map((share) => backoffMs(3, FULL, () => share))).toEqual([0, 200, 400])
  expect(backoffMs(2, { ...FULL, shares: [1, 1] })).toBe(200)
})

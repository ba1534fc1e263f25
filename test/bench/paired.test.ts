import fc from 'fast-check'
import { expect, test } from 'vitest'
import { medianInterval, medianRanks, pairedMeasure, VALUES_MAX } from '../../workshop/paired.ts'

// By hand, from Pascal's triangle: 1 - 2 (C(n,0) + … + C(n,k-1)) / 2^n.
test.each([
  [6, 1, 1 - 2 / 64],
  [8, 1, 1 - 2 / 256],
  [9, 2, 1 - (2 * (1 + 9)) / 512],
  [11, 2, 1 - (2 * (1 + 11)) / 2048],
  [12, 3, 1 - (2 * (1 + 12 + 66)) / 4096],
  [15, 4, 1 - (2 * (1 + 15 + 105 + 455)) / 32_768],
  [20, 6, 1 - (2 * (1 + 20 + 190 + 1140 + 4845 + 15_504)) / 1_048_576],
])('of %d values those of rank %d hold the median with 95 %%, and the next inner ones do not', (count, rank, coverage) => {
  const found = medianRanks(count, 0.95)
  expect(found?.rank).toBe(rank)
  expect(found?.coverage).toBeCloseTo(coverage, 12)
})

test('five values give no interval of 95 %, six do', () => {
  expect([0, 1, 2, 5].map((count) => medianRanks(count, 0.95))).toEqual([undefined, undefined, undefined, undefined])
  expect(medianRanks(6, 0.95)).toEqual({ rank: 1, coverage: 0.96875 })
})

test('a confidence is met at its bound and not above', () => {
  expect(medianRanks(5, 0.9375)).toEqual({ rank: 1, coverage: 0.9375 })
  expect(medianRanks(5, 0.93751)).toBeUndefined()
  expect(medianRanks(6, 0.78125)).toEqual({ rank: 2, coverage: 0.78125 })
  expect(medianRanks(6, 0.78126)).toEqual({ rank: 1, coverage: 0.96875 })
})

test('as many values as there may be still have ranks, one more is a bug', () => {
  // As the normal approximation has it: n/2 - 1.96 √n/2 = 469.01.
  expect(medianRanks(VALUES_MAX - 1, 0.95)?.rank).toBe(469)
  expect(medianRanks(VALUES_MAX, 0.95)?.rank).toBe(469)
  expect(() => medianRanks(VALUES_MAX + 1, 0.95)).toThrow('count of values out of range')
})

test('the interval has the values of its ranks, in whatever order they came', () => {
  const fifteen = [8, 3, 15, 1, 12, 6, 10, 4, 13, 2, 9, 14, 5, 11, 7]
  expect(medianInterval(fifteen, 0.95)).toMatchObject({ low: 4, high: 12, rank: 4 })
  expect(fifteen[0]).toBe(8)
  expect(medianInterval([1.02, 0.99, 1.01, 1.04, 0.98, 1.03], 0.95)).toMatchObject({ low: 0.98, high: 1.04 })
  expect(medianInterval([1, 2, 3], 0.95)).toBeUndefined()
})

test('of 2,000 samples with a known median, the interval misses no more than its coverage says', () => {
  const seed = 20_260_101
  // Far from a normal distribution: the third power of a uniform number; its median is 1/8.
  const samples = fc.sample(fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: 15, maxLength: 15, size: 'max' }), {
    seed,
    numRuns: 2000,
  })
  const missed = samples.filter((uniform) => {
    const { low, high } = medianInterval(
      uniform.map((value) => (value / 2 ** 30) ** 3),
      0.95,
    )!
    return low > 1 / 8 || high < 1 / 8
  })
  expect([seed, missed.length / 2000 > 0.02, missed.length / 2000 < 0.05]).toEqual([seed, true, true])
})

test('a ratio above 1 says that the head is better, pair by pair', () => {
  const pairs = [
    [2, 1],
    [3, 4],
    [6, 5],
  ] as const
  const less = pairedMeasure(pairs, 'less', 0.95)
  expect(less).toEqual({ base: 3, head: 4, ratios: [2, 0.75, 1.2], ratio: 1.2, interval: undefined })
  expect(pairedMeasure(pairs, 'more', 0.95).ratios).toEqual([0.5, 4 / 3, 5 / 6])
})

test('what slows down both runs of a pair leaves its ratio as it is', () => {
  const pairs = [1, 5, 2, 9, 3, 4].map((slow) => [slow * 0.98, slow] as const)
  expect(pairedMeasure(pairs, 'less', 0.95).ratio).toBeCloseTo(0.98, 12)
  expect(pairedMeasure(pairs, 'less', 0.95).interval?.low).toBeCloseTo(0.98, 12)
})

import { expect, test } from 'vitest'
import { compareFramedJson } from '../../workshop/compare-values.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const COUNT = repetitions({ unit: 2_000, all: 4_000, long: 40_000 })

test.each([1, SEED])('JSON behind a frame is to both parsers what it is without one: seed %i', (seed) => {
  const { difference, seen } = compareFramedJson({ seed, count: COUNT, valuesEach: COUNT / 4 })
  expect(difference).toBeUndefined()
  expect(seen.get('VALID') ?? 0).toBeGreaterThan(COUNT * 0.3)
  expect(seen.get('fast VALID') ?? 0).toBeGreaterThan((seen.get('VALID') ?? 0) * 0.8)
})

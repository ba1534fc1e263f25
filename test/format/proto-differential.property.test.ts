import { describe, expect, test } from 'vitest'
import { compareProtobuf } from '../../workshop/compare-values.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const VALUES_EACH = 40
const COUNT = VALUES_EACH * repetitions({ unit: 50, all: 100, long: 2000 })

describe('a value of any message', () => {
  test.each([1, SEED])(
    'is the same to the compiled reader, the exact parser, and protobufjs: seed %i',
    (seed) => {
      const { difference, seen } = compareProtobuf({ seed, count: COUNT, valuesEach: VALUES_EACH })
      expect(difference).toBeUndefined()
      const count = (what: string) => seen.get(what) ?? 0
      if (seed !== 1) return
      // The comparison says little unless there is enough of everything, and the reader is sure of most that counts.
      expect(count('VALID')).toBeGreaterThan(COUNT * 0.04)
      expect(count('fast VALID')).toBeGreaterThan(count('VALID') * 0.35)
      expect(count('judged')).toBeGreaterThan(COUNT * 0.5)
      for (const verdict of ['IGNORED', 'fast IGNORED', 'NOT_PROTOBUF', 'SCHEMA_MISMATCH', 'PRODUCT', 'TYPE', 'TIME', 'USER']) {
        expect([verdict, count(verdict) > 0]).toEqual([verdict, true])
      }
    },
    300_000,
  )
})

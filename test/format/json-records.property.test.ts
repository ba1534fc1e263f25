import { describe, expect, test } from 'vitest'
import { compareRecords, MAPPINGS, type Mapping } from '../../workshop/compare-records.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const RECORDS = repetitions({ unit: 6_000, all: 15_000, long: 60_000 })

test.each(MAPPINGS.map((mapping, i) => [i, mapping] as const))(
  `records are what the plain reading says, by mapping %i: seed ${SEED}`,
  (i, mapping) => {
    const { difference, sure, shaped, several, whole, bad } = compareRecords(RECORDS, SEED + i, [mapping])
    expect(difference).toBeUndefined()
    expect(sure).toBeGreaterThan(RECORDS / 3)
    // Scalars as elements have no shape, nor have fields that are inside and outside.
    if (i !== 1 && i !== 2) expect(shaped).toBeGreaterThan(RECORDS / 300)
    expect(several).toBeGreaterThan(RECORDS / 100)
    expect(whole).toBeGreaterThan(RECORDS / 20)
    if (i !== 3) expect(bad).toBeGreaterThan(RECORDS / 100)
  },
)

describe('the comparison finds', () => {
  test.each<[string, Mapping]>([
    ['another place of the flag', { ...MAPPINGS[1]!, plain: { ...MAPPINGS[1]!.plain, click: [['clicked']] } }],
    ['another bound', { ...MAPPINGS[0]!, plain: { ...MAPPINGS[0]!.plain, maxPerRecord: 4 } }],
    ['places in another order', { ...MAPPINGS[1]!, plain: { ...MAPPINGS[1]!.plain, time: [['at'], ['a', 'items', '[]', 'at']] } }],
    ['another type', { ...MAPPINGS[2]!, plain: { ...MAPPINGS[2]!.plain, fixedType: 'click' } }],
  ])('%s', (_, mapping) => expect(compareRecords(5_000, 1, [mapping]).difference).toMatch(/exact says/))
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { type Outcome, type Placement, place } from '../../src/sink/place.ts'
import type { RowRange } from '../../src/sink/row-reader.ts'

const REFUSAL = { code: 469, reason: 'no' }

/** A ClickHouse that refuses every insert with a bad row in it, and that now and then wants to be asked again. */
async function placed(count: number, bad: ReadonlySet<number>, max: number, size = () => Number.POSITIVE_INFINITY, again = () => false) {
  const accepted: number[] = []
  const inserts: RowRange[] = []
  const placement = await place(count, max, size, async (range): Promise<Outcome> => {
    inserts.push(range)
    if (again()) return 'again'
    for (let row = range.from; row < range.to; row++) if (bad.has(row)) return REFUSAL
    for (let row = range.from; row < range.to; row++) accepted.push(row)
    return 'accepted'
  })
  return { accepted, inserts, placement }
}

/** Every row of the placement, with what became of it. */
function fates({ refused, left }: Placement, accepted: readonly number[]): string[] {
  const rest = left.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
  return [
    ...accepted.map((row) => `${row} accepted`),
    ...refused.map(({ row }) => `${row} refused`),
    ...rest.map((row) => `${row} left`),
  ].toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
}

test('without a bad row all go in one insert, in pieces no larger than they may be', async () => {
  expect((await placed(1000, new Set(), 10)).inserts).toEqual([{ from: 0, to: 1000 }])
  const { inserts, accepted } = await placed(1000, new Set(), 10, () => 300)
  expect(inserts.map(({ from, to }) => to - from)).toEqual([300, 300, 300, 100])
  expect(accepted).toEqual(Array.from({ length: 1000 }, (_, i) => i))
})

test('one bad row of 100,000 takes at most two inserts per halving', async () => {
  for (const row of [0, 1, 49_999, 50_000, 99_999]) {
    const { inserts, placement } = await placed(100_000, new Set([row]), 100)
    expect(placement).toEqual({ accepted: 99_999, refused: [{ row, refusal: REFUSAL }], left: [] })
    expect(inserts.length).toBeLessThanOrEqual(1 + 2 * 17)
  }
})

test('exactly refusedMax bad rows are found, one more ends the search with the rest left', async () => {
  const bad = (count: number) => new Set(Array.from({ length: count }, (_, i) => i * 7))
  const enough = await placed(1000, bad(20), 20)
  expect([enough.placement.refused.length, enough.placement.left]).toEqual([20, []])
  const tooMany = await placed(1000, bad(30), 20)
  expect(tooMany.placement.refused.length).toBe(21)
  expect(tooMany.placement.left.length).toBeGreaterThan(0)
})

test('a table that takes nothing is known after few inserts, whatever the size of the batch', async () => {
  const all = new Set(Array.from({ length: 100_000 }, (_, i) => i))
  const { inserts, placement } = await placed(100_000, all, 100)
  expect(placement.accepted).toBe(0)
  expect(inserts.length).toBeLessThan(300)
})

test('an end in the middle leaves what was not answered', async () => {
  let inserts = 0
  const placement = await place(
    8,
    10,
    () => 2,
    async () => (++inserts === 3 ? 'stopped' : 'accepted'),
  )
  expect(placement).toEqual({
    accepted: 4,
    refused: [],
    left: [
      { from: 6, to: 8 },
      { from: 4, to: 6 },
    ],
  })
})

test('each row has one fate: good ones are accepted once, bad ones are refused alone, for any rows, sizes and failures', async () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  const numbers = [fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1 })] as const
  await fc.assert(
    fc.asyncProperty(...numbers, share, async (count, max, seed, badShare) => {
      const random = new Random(seed)
      const bad = new Set(Array.from({ length: count }, (_, i) => i).filter(() => random.chance(badShare)))
      const size = () => 1 + random.below(count)
      const { accepted, placement } = await placed(count, bad, max, size, () => random.chance(0.2))
      expect(fates(placement, accepted).map((fate) => Number.parseInt(fate, 10))).toEqual(Array.from({ length: count }, (_, i) => i))
      expect(placement.accepted).toBe(accepted.length)
      expect(accepted.filter((row) => bad.has(row))).toEqual([])
      expect(placement.refused.filter(({ row }) => !bad.has(row))).toEqual([])
      if (bad.size <= max) expect(placement.left).toEqual([])
      else expect(placement.refused.length).toBe(max + 1)
    }),
    { numRuns: 300 },
  )
})

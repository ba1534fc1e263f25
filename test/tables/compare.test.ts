/** Two databases held against each other: what differs is found, each row once. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { DAY, MINUTE } from '../../src/config/units.ts'
import { compareSides, daysOf, extentOf } from '../../src/tables/compare.ts'
import { makeTables } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const T0 = Date.UTC(2026, 10, 1, 23, 55)
const clickhouse = await sharedClickHouse()
const [one, other] = [clickhouse.own('one'), clickhouse.own('other')]
const ALL = { fromMs: T0 - DAY, toMs: T0 + DAY }

interface Row {
  readonly product: string
  readonly start: number
  readonly impressions: number
  readonly clicks: number
}

async function insert({ database }: Endpoint, tenant: string, rows: readonly Row[]): Promise<void> {
  const text = (value: string) => `'${value.replaceAll("'", "\\'")}'`
  const values = rows.map(({ product, start, impressions, clicks }) => {
    const times = [start, start + 10_000].map((ms) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`)
    return `(${[text(tenant), text(product), ...times, 0, impressions, clicks, 0, impressions + clicks, 'now64(3)'].join()})`
  })
  const columns = 'tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at'
  if (values.length > 0) await clickhouse.command(`INSERT INTO ${database}.ctr_results (${columns}) VALUES ${values.join(', ')}`)
}

const keyOf = ({ product, start }: Row) => `${start}/${product}`

/** Maps and loops. */
function naive(a: readonly Row[], b: readonly Row[]) {
  const [inA, inB] = [a, b].map((rows) => new Map(rows.map((row) => [keyOf(row), row]))) as [Map<string, Row>, Map<string, Row>]
  const weights = [...new Set([...inA.keys(), ...inB.keys()])].map((key) => {
    const [x, y] = [inA.get(key), inB.get(key)]
    return Math.abs((x?.impressions ?? 0) - (y?.impressions ?? 0)) + Math.abs((x?.clicks ?? 0) - (y?.clicks ?? 0))
  })
  const differs = (x: Row, y: Row | undefined) => y !== undefined && (x.impressions !== y.impressions || x.clicks !== y.clicks)
  return {
    onlyA: a.filter((row) => !inB.has(keyOf(row))).length,
    onlyB: b.filter((row) => !inA.has(keyOf(row))).length,
    different: a.filter((row) => differs(row, inB.get(keyOf(row)))).length,
    weight: Math.max(0, ...weights),
    sums: [a, b].map((rows) => ({
      rows: rows.length,
      impressions: rows.reduce((sum, row) => sum + row.impressions, 0),
      clicks: rows.reduce((sum, row) => sum + row.clicks, 0),
    })),
  }
}

beforeAll(async () => {
  await makeTables(one)
  await makeTables(other)
}, 60_000)

describe('what is found', () => {
  // Names that ClickHouse and JavaScript sort otherwise: UTF-16 puts the astral ones before U+FF5E.
  const NAMES = ['a', 'A', 'aa', 'ä', '～', '😀', "p'1", 'z']

  test.each(Array.from({ length: 3 }, (_, i) => i))('is what a plain comparison finds (seed %i)', async (seed) => {
    let state = seed * 2654435761 + 1
    const random = (n: number) => {
      state = (state * 1103515245 + 12345) % 2147483648
      return Math.floor((state / 2147483648) * n)
    }
    const tenant = `t${seed}`
    const a: Row[] = []
    const b: Row[] = []
    for (let window = 0; window < 60; window++) {
      for (const product of NAMES) {
        const row = { product, start: T0 + window * 10_000, impressions: 5 + random(9), clicks: random(5) }
        // Half of the minutes are equal.
        const fate = Math.floor(window / 6) % 2 === 0 ? 9 : random(10)
        if (fate !== 0) a.push(row)
        if (fate !== 1) b.push(fate === 2 ? { ...row, impressions: row.impressions + random(3), clicks: row.clicks + 1 } : row)
      }
    }
    await insert(one, tenant, a)
    await insert(other, tenant, b)
    const found = await compareSides({ endpoint: one, tenant }, { endpoint: other, tenant }, ALL)
    const want = naive(a, b)
    expect({ onlyA: found.onlyA, onlyB: found.onlyB, different: found.different, sums: [found.a, found.b] }).toEqual({
      onlyA: want.onlyA,
      onlyB: want.onlyB,
      different: want.different,
      sums: want.sums,
    })
    const { largest } = found
    const weight = (key: 'impressions' | 'clicks') => Math.abs((largest?.a?.[key] ?? 0) - (largest?.b?.[key] ?? 0))
    expect(weight('impressions') + weight('clicks')).toBe(want.weight)
    expect(found.examples).toHaveLength(Math.min(10, want.onlyA + want.onlyB + want.different))
    const itself = await compareSides({ endpoint: one, tenant }, { endpoint: one, tenant }, ALL)
    expect(itself).toMatchObject({ onlyA: 0, onlyB: 0, different: 0, largest: undefined, examples: [], a: want.sums[0], b: want.sums[0] })
  })

  test('is of the span alone, from its first millisecond up to its last one', async () => {
    const row = (start: number) => ({ product: 'p', start, impressions: 1, clicks: 0 })
    await insert(one, 'edge', [row(T0), row(T0 + 10_000), row(T0 + 20_000)])
    const sides = [
      { endpoint: one, tenant: 'edge' },
      { endpoint: other, tenant: 'edge' },
    ] as const
    const rows = async (fromMs: number, toMs: number) => (await compareSides(...sides, { fromMs, toMs })).onlyA
    expect(await rows(T0, T0 + 20_000)).toBe(2)
    expect(await rows(T0, T0 + 20_001)).toBe(3)
    expect(await rows(T0 + 1, T0 + 20_001)).toBe(2)
    expect(await extentOf(sides[0])).toEqual({ fromMs: T0, toMs: T0 + 20_000 })
    expect(await extentOf(sides[1])).toBeUndefined()
  })

  test('is what counts: the highest revision, whatever else lies in the table', async () => {
    await insert(one, 'version', [{ product: 'p', start: T0, impressions: 1, clicks: 0 }])
    await insert(one, 'version', [{ product: 'p', start: T0, impressions: 4, clicks: 2 }])
    await insert(other, 'version', [{ product: 'p', start: T0, impressions: 4, clicks: 2 }])
    const found = await compareSides({ endpoint: one, tenant: 'version' }, { endpoint: other, tenant: 'version' }, ALL)
    expect(found).toMatchObject({ a: { rows: 1, impressions: 4, clicks: 2 }, onlyA: 0, onlyB: 0, different: 0 })
  })
})

test('days are those of UTC, and together the span', () => {
  const midnight = Date.UTC(2026, 10, 2)
  expect(daysOf({ fromMs: T0, toMs: midnight })).toEqual([{ fromMs: T0, toMs: midnight }])
  expect(daysOf({ fromMs: T0, toMs: midnight + MINUTE })).toEqual([
    { fromMs: T0, toMs: midnight },
    { fromMs: midnight, toMs: midnight + MINUTE },
  ])
  expect(daysOf({ fromMs: T0, toMs: T0 })).toEqual([])
})

/** Intervals of CTRs, and what they say has moved: the views beside brute force. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { configSchema } from '../../src/config/schema.ts'
import { Random } from '../../src/load/random.ts'
import { applySchema, planSchema } from '../../src/tables/apply.ts'
import type { Form } from '../../src/tables/objects.ts'
import { wilson, wilsonInSql, zOf } from '../../src/tables/wilson.ts'
import { INTERVALS, makeTables, plainForm } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeAll(async () => {
  endpoint = clickhouse.own('intervals')
  await makeTables(endpoint)
})

const LEVELS = [0.5, 0.8, 0.95, 0.99, 0.9999]
/** No impressions, no clicks, clicks of every impression, more clicks than impressions, and many. */
const EDGES = [
  [0, 0],
  [0, 7],
  [1, 0],
  [1, 1],
  [2, 1],
  [1000, 0],
  [1000, 1000],
  [1000, 1001],
  [3, 5000],
  [999, 20],
  [2 ** 40 - 1, 12_345],
  [2 ** 40 - 1, 2 ** 40 - 1],
] as const

/** Of tables: the shares of the normal distribution within so many deviations. */
const Z_OF_TABLES = [
  [0.5, 0.674489750196],
  [0.8, 1.281551565545],
  [0.9, 1.644853626951],
  [0.95, 1.95996398454],
  [0.99, 2.575829303549],
  [0.999, 3.290526731492],
  [0.9999, 3.890591886413],
] as const

/** By definition: the ratios p from which the measured one lies no more than z deviations √(p (1 − p) / n) away, found by halving. */
function bruteForce(impressions: number, clicks: number, z: number): [number, number] {
  if (impressions === 0) return [0, 1]
  const measured = Math.min(1, clicks / impressions)
  const isIn = (p: number) => Math.abs(measured - p) <= z * Math.sqrt((p * (1 - p)) / impressions)
  const edge = (outside: number) => {
    let [out, within] = [outside, measured]
    for (let i = 0; i < 200; i++) {
      const middle = (out + within) / 2
      if (isIn(middle)) within = middle
      else out = middle
    }
    return within
  }
  return [measured === 0 ? 0 : edge(0), measured === 1 ? 1 : edge(1)]
}

function cases(): (readonly [number, number])[] {
  const random = new Random(7)
  const some = Array.from({ length: 200 }, () => {
    const impressions = random.below(10 ** (1 + random.below(8)))
    return [impressions, random.below(Math.max(1, Math.floor(impressions * 1.1)))] as const
  })
  return [...EDGES, ...some]
}

test('z is that of the tables', () => {
  for (const [level, z] of Z_OF_TABLES) expect(zOf(level)).toBeCloseTo(z, 11)
})

test.each(LEVELS)('an interval of the level %d has the ratios that the measured one does not speak against', (level) => {
  const z = zOf(level)
  for (const [impressions, clicks] of cases()) {
    const [low, high] = bruteForce(impressions, clicks, z)
    const found = wilson(impressions, clicks, z)
    expect(Math.abs(found[0] - low) + Math.abs(found[1] - high), `${clicks} of ${impressions}`).toBeLessThan(1e-10)
    expect(found[0]).toBeGreaterThanOrEqual(0)
    expect(found[1]).toBeLessThanOrEqual(1)
  }
})

test.each(LEVELS)('SQL has the same bits at the level %d', async (level) => {
  const z = zOf(level)
  const [low, high] = wilsonInSql('i', 'c', z)
  const counts = cases()
  const values = counts.map(([i, c]) => `(${i}, ${c})`).join(', ')
  const rows = await clickhouse.rows<{ low: number; high: number }>(
    `SELECT ${low} AS low, ${high} AS high FROM values('i UInt64, c UInt64', ${values})`,
  )
  expect(rows.map((row) => [row.low, row.high])).toEqual(counts.map(([i, c]) => [...wilson(i, c, z)]))
})

test('the defaults of the configuration are those of the workshop', () => {
  expect(configSchema.parse({}).clickhouse.intervals).toEqual(INTERVALS)
})

/** Minutes and hours as if they had been computed; the totals of hours follow from minutes. */
async function computed(table: 'minutely' | 'hourly', rows: readonly (readonly [string, string, number, number])[], to: Endpoint) {
  const values = rows.map(([product, at, impressions, clicks]) => `('t', '${product}', '${at}', ${impressions}, ${clicks}, now64(3))`)
  const period = table === 'minutely' ? 'minute' : 'hour'
  await clickhouse.command(
    `INSERT INTO db.ctr_${table}_computed (tenant, product_id, ${period}, impressions, clicks, refreshed_at) VALUES ${values.join(', ')}`,
    to.database,
  )
}

describe('views', () => {
  test('every view with a CTR has its interval, and whether that is enough', async () => {
    const views = await clickhouse.rows<{ table: string }>(
      `SELECT DISTINCT table FROM system.columns WHERE database = '${endpoint.database}' AND name = 'ctr' AND table != 'ctr_results'`,
    )
    const whole = await clickhouse.rows<{ table: string; names: string[] }>(
      `SELECT table, arraySort(groupArray(name)) AS names FROM system.columns
      WHERE database = '${endpoint.database}' AND name IN ('ctr_low', 'ctr_high', 'enough') GROUP BY table`,
    )
    expect(whole.map(({ table }) => table).toSorted()).toEqual(views.map(({ table }) => table).toSorted())
    expect(whole.length).toBeGreaterThan(12)
    for (const { names } of whole) expect(names).toEqual(['ctr_high', 'ctr_low', 'enough'])
  })

  test('another level and another minimum make the views anew, and nothing else', async () => {
    const other = clickhouse.own('level')
    await makeTables(other)
    const form: Form = { ...plainForm(other.database), intervals: { level: 0.99, minImpressions: 50 } }
    const { steps, conflicts } = await planSchema(other, form)
    expect([steps.map(({ step }) => step.name), conflicts]).toEqual([['views'], []])
    await applySchema(other, form, { info: () => undefined }, new AbortController().signal)
    await computed(
      'hourly',
      [
        ['a', '2026-01-01 00:00:00', 50, 5],
        ['b', '2026-01-01 00:00:00', 49, 5],
      ],
      other,
    )
    const rows = await clickhouse.rows('SELECT ctr_low, ctr_high, enough FROM db.ctr_hourly ORDER BY product_id', other.database)
    const of = (impressions: number, enough: number) => {
      const [ctr_low, ctr_high] = wilson(impressions, 5, zOf(0.99))
      return { ctr_low, ctr_high, enough }
    }
    expect(rows).toEqual([of(50, 1), of(49, 0)])
  })

  test('movers are products of which the intervals of two periods part', async () => {
    const [before, now] = ['2026-02-01 10:30:00', '2026-02-01 11:15:00']
    await computed(
      'minutely',
      [
        // 10 % of 1,000 ends at 12.02 %, and the intervals of 141 and 140 begin at 12.08 % and 11.98 %.
        ['part', before, 1000, 100],
        ['part', now, 1000, 141],
        ['touch', before, 1000, 100],
        ['touch', now, 1000, 140],
        ['fell', before, 600, 300],
        ['fell', '2026-02-01 10:31:00', 600, 300],
        ['fell', now, 1000, 300],
        ['new', now, 100_000, 1],
        ['few', before, 3, 0],
        ['few', now, 3, 3],
        ['clicks', before, 1000, 5000],
        ['clicks', now, 1000, 900],
        // Minutes at the bounds: the first is in, the last one is not.
        ['bound', '2026-02-01 10:00:00', 1000, 0],
        ['bound', '2026-02-01 11:00:00', 1000, 900],
        ['beyond', '2026-02-01 09:59:00', 1000, 0],
        ['beyond', '2026-02-01 12:00:00', 1000, 900],
      ],
      endpoint,
    )
    const view = `ctr_movers(since = '2026-02-01 11:00:00', until = '2026-02-01 12:00:00',
      before_since = '2026-02-01 10:00:00', before_until = '2026-02-01 11:00:00')`
    const rows = await clickhouse.rows(
      `SELECT product_id, impressions, clicks, previous_impressions, previous_clicks, moved FROM db.${view} ORDER BY product_id`,
      endpoint.database,
    )
    const row = (product_id: string, counts: readonly number[], moved: number) => {
      const [impressions, clicks, previous_impressions, previous_clicks] = counts
      return { product_id, impressions, clicks, previous_impressions, previous_clicks, moved }
    }
    expect(rows).toEqual([
      row('bound', [1000, 900, 1000, 0], 1),
      row('clicks', [1000, 900, 1000, 5000], -1),
      row('fell', [1000, 300, 1200, 600], -1),
      row('part', [1000, 141, 1000, 100], 1),
    ])
  })
})

describe('anomalies', () => {
  const hour = '2026-03-20 10:00:00'
  const daysBefore = (days: number) => new Date(Date.UTC(2026, 2, 20, 10) - days * 86_400_000).toISOString().slice(0, 19).replace('T', ' ')
  type Day = readonly [impressions: number, clicks: number]

  const ask = (to: Endpoint, at = hour) =>
    clickhouse.rows<{ product_id: string; days: number; usual_ctr: number; usual_low: number; usual_high: number; unusual: number }>(
      `SELECT product_id, days, usual_ctr, usual_low, usual_high, unusual FROM db.ctr_anomalies(hour = '${at}') ORDER BY product_id`,
      to.database,
    )

  /** The rule by plain loops. */
  function judged(now: Day, former: readonly Day[]) {
    const days = former.filter(([impressions]) => impressions >= 1000)
    if (now[0] < 1000 || days.length < 7) return undefined
    const z = zOf(0.95)
    const exceptions = Math.floor(days.length / 10)
    const [low, high] = wilson(...now, z)
    const above = days.filter((day) => low > wilson(...day, z)[1]).length
    const below = days.filter((day) => high < wilson(...day, z)[0]).length
    if (above >= days.length - exceptions) return 1
    return below >= days.length - exceptions ? -1 : undefined
  }

  const usual: Day = [2000, 200]
  const fourteen = Array.from({ length: 14 }, (): Day => usual)
  const CASES: Readonly<Record<string, readonly [now: Day, former: readonly Day[], unusual: number | undefined]>> = {
    high: [[2000, 300], fourteen, 1],
    low: [[2000, 100], fourteen, -1],
    same: [[2000, 215], fourteen, undefined],
    few: [[999, 900], fourteen, undefined],
    enough: [[1000, 900], fourteen, 1],
    seven: [[2000, 300], fourteen.slice(0, 7), 1],
    six: [[2000, 300], fourteen.slice(0, 6), undefined],
    thin: [[2000, 300], [...fourteen.slice(0, 6), [999, 90]], undefined],
    oneException: [[2000, 300], [[2000, 300], ...fourteen.slice(1)], 1],
    twoExceptions: [[2000, 300], [[2000, 300], [2000, 300], ...fourteen.slice(2)], undefined],
    exceptionOfNine: [[2000, 300], [[2000, 300], ...fourteen.slice(0, 8)], undefined],
    moreClicks: [[2000, 2500], fourteen, 1],
  }

  test('an hour is unusual when its interval parts from those of the same hour of former days', async () => {
    const to = clickhouse.own('anomalies')
    await makeTables(to)
    const rows = Object.entries(CASES).flatMap(([product, [now, former]]) => [
      [product, hour, ...now] as const,
      ...former.map((day, i) => [product, daysBefore(i + 1), ...day] as const),
      // Neither another hour nor a day before all of them says anything.
      [product, '2026-03-19 09:00:00', 5000, 4000] as const,
      [product, daysBefore(15), 5000, 4000] as const,
    ])
    await computed('hourly', rows, to)
    for (const [name, [now, former, unusual]] of Object.entries(CASES)) expect([name, judged(now, former)]).toEqual([name, unusual])
    const found = await ask(to)
    const told = Object.entries(CASES).flatMap(([product_id, [, , unusual]]) => (unusual === undefined ? [] : [{ product_id, unusual }]))
    expect(found.map(({ product_id, unusual }) => ({ product_id, unusual }))).toEqual(
      told.toSorted((a, b) => (a.product_id < b.product_id ? -1 : 1)),
    )
    const [low, high] = wilson(...usual, zOf(0.95))
    expect(found.find(({ product_id }) => product_id === 'oneException')).toEqual({
      product_id: 'oneException',
      days: 14,
      usual_ctr: 0.1,
      usual_low: low,
      usual_high: high,
      unusual: 1,
    })
    // A time within the hour asks for the hour.
    expect(await ask(to, '2026-03-20 10:59:59')).toEqual(found)
  })

  test('the total of a tenant is judged as a product without a name', async () => {
    const to = clickhouse.own('total')
    await makeTables(to)
    const at = Array.from({ length: 15 }, (_, i) => `('t', '${daysBefore(i)}', 2000, ${i === 0 ? 100 : 200}, now64(3))`)
    await clickhouse.command(
      `INSERT INTO db.ctr_totals_minutely_computed (tenant, minute, impressions, clicks, refreshed_at) VALUES ${at.join(', ')}`,
      to.database,
    )
    expect((await ask(to)).map(({ product_id, days, unusual }) => [product_id, days, unusual])).toEqual([['', 14, -1]])
  })
})

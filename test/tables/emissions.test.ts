/** Results as they were known at a time, beside a twin that has kept every emission. */
import { beforeAll, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { Random } from '../../src/load/random.ts'
import { applySchema, diffSchema, planSchema } from '../../src/tables/apply.ts'
import { objectsOf } from '../../src/tables/cluster.ts'
import type { Form } from '../../src/tables/objects.ts'
import { makeTables, plainForm, RETENTION } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const SECOND = 1000
const VERSION_UNIT = 2 ** 40
const INPUT_FIRST = 2 ** 30
const T0 = Date.UTC(2026, 0, 2, 3, 4)
const LATER = '2100-01-01 00:00:00'

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeAll(() => {
  endpoint = clickhouse.own('emissions')
})

interface Emission {
  readonly product: string
  readonly start: number
  readonly task: number
  readonly impressions: number
  readonly clicks: number
  readonly revision: number
  readonly at: number
}

/** Its windows are of long ago. */
const without = (database: string): Form => ({ ...plainForm(database), retention: { ...RETENTION, emissions: Number.POSITIVE_INFINITY } })
const withHistory = (database: string): Form => ({ ...without(database), history: true })
const apply = (form: Form) =>
  applySchema({ ...endpoint, database: form.database }, form, { info: () => undefined }, new AbortController().signal)
const sql = (ms: number) => `fromUnixTimestamp64Milli(${Math.round(ms)}, 'UTC')`
const text = (ms: number) => new Date(ms).toISOString().replace('T', ' ').slice(0, -1)
const versionOf = ({ revision, impressions, clicks }: Emission) => revision * VERSION_UNIT + impressions + clicks

async function insert(database: string, emissions: readonly Emission[]): Promise<void> {
  const values = emissions.map((one) => {
    const { product, start, task, impressions, clicks, at } = one
    const window = `${sql(start)}, ${sql(start + 10 * SECOND)}`
    return `('t', '${product}', ${window}, ${task}, ${impressions}, ${clicks}, 0, ${versionOf(one)}, ${sql(at)})`
  })
  await clickhouse.command(
    `INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
    VALUES ${values.join(', ')}`,
    database,
  )
}

async function asOf(database: string, at: string): Promise<string[]> {
  const columns = "concatWithSeparator(' ', product_id, toUnixTimestamp64Milli(window_start), impressions, clicks)"
  const rows = await clickhouse.rows<{ line: string }>(
    `SELECT ${columns} AS line FROM db.ctr_results_as_of(known_at = '${at}') ORDER BY line`,
    database,
  )
  return rows.map(({ line }) => line)
}

/** All emissions up to then, by plain loops. */
function twin(emissions: readonly Emission[], ended: ReadonlyMap<number, number>, at: number): string[] {
  const running = Math.max(0, ...[...ended].filter(([, endedAt]) => endedAt <= at).map(([number]) => number))
  const newest = new Map<string, Emission>()
  for (const one of emissions) {
    if (one.at > at || (one.task >= INPUT_FIRST && one.task !== running)) continue
    const key = `${one.product} ${one.start} ${one.task}`
    const found = newest.get(key)
    if (found === undefined || versionOf(one) > versionOf(found)) newest.set(key, one)
  }
  const windows = Map.groupBy(newest.values(), ({ product, start }) => `${product} ${start}`)
  const lines = [...windows].map(([window, rows]) => {
    const revision = Math.max(...rows.map((row) => row.revision))
    const sum = (of: (row: Emission) => number) => rows.filter((row) => row.revision === revision).reduce((all, row) => all + of(row), 0)
    return `${window} ${sum((row) => row.impressions)} ${sum((row) => row.clicks)}`
  })
  return lines.toSorted()
}

/** Grown, sent again later or by a clock that is behind, smaller since rebuilt in part, of another revision, or new. */
function next(random: Random, before: readonly Emission[], at: number): Emission {
  const old = before[random.below(Math.max(1, before.length))]
  const kind = random.below(6)
  if (old === undefined || kind < 2) {
    const task = random.below(4) === 0 ? INPUT_FIRST + random.below(3) : random.below(3)
    const start = T0 + random.below(4) * 10 * SECOND
    return { product: `p${random.below(4)}`, start, task, impressions: random.below(50), clicks: random.below(9), revision: 0, at }
  }
  if (kind === 2) return { ...old, at }
  if (kind === 3) return { ...old, impressions: Math.floor(old.impressions / 2), clicks: 0, at }
  // Of a version an engine writes one row only: what grows does so by more than any row before has.
  if (kind === 4) return { ...old, impressions: old.impressions + 100 + (at % 10_000), at }
  return { ...old, revision: old.revision + 1, impressions: random.below(50), clicks: random.below(9), at }
}

/** Of a key and version there is one row, whoever wrote it. */
function known(all: Map<string, Emission>, one: Emission): Emission {
  const key = [one.product, one.start, one.task, versionOf(one)].join(' ')
  const found = all.get(key) ?? one
  all.set(key, found)
  return { ...found, at: one.at }
}

test('as of any time the results are those of the emissions up to then, sent again or not, merged or not', {
  timeout: 120_000,
}, async () => {
  const { database } = endpoint
  await apply(withHistory(database))
  const seed = Math.floor(Math.random() * 2 ** 32)
  const random = new Random(seed)
  const begin = Date.now() + 60 * SECOND
  const [emissions, versions, ended] = [[] as Emission[], new Map<string, Emission>(), new Map<number, number>()]
  for (let round = 0; round < 12; round++) {
    const from = begin + round * 10 * SECOND
    const some = Array.from({ length: 15 }, (_, i) => known(versions, next(random, emissions, from + i * 100)))
    await insert(database, some)
    // The insert that was not acknowledged, once more; and the rows again, emitted after a restart.
    if (round % 3 === 0) await insert(database, some)
    if (round % 4 === 0)
      await insert(
        database,
        some.map((one) => ({ ...one, at: one.at + 5 * SECOND })),
      )
    emissions.push(...some)
    if (round % 4 !== 3) continue
    const number = INPUT_FIRST + (round - 3) / 4
    ended.set(number, from + 3 * SECOND)
    await clickhouse.command(
      `INSERT INTO db.ctr_inputs (tenant, number, run, name, bytes, hash, ended, at)
      VALUES ('t', ${number}, 'r', 'in', 1, '', 1, ${sql(from + 3 * SECOND)})`,
      database,
    )
  }
  const compare = async () => {
    for (let at = begin; at < begin + 125 * SECOND; at += 2_500) {
      expect(await asOf(database, text(at)), `seed ${seed}, ${text(at)}`).toEqual(twin(emissions, ended, at))
    }
  }
  await compare()
  await clickhouse.command('OPTIMIZE TABLE db.ctr_emissions FINAL', database)
  await compare()
  const [{ rows } = { rows: 0 }] = await clickhouse.rows<{ rows: number }>('SELECT count() AS rows FROM db.ctr_emissions', database)
  expect(rows).toBe(versions.size)
  const lines = (from: string) => clickhouse.rows(`SELECT * FROM ${from} ORDER BY ALL`, database)
  expect(await lines(`db.ctr_results_as_of(known_at = '${LATER}')`)).toEqual(await lines('db.ctr_windows'))
})

const row = (product: string, impressions: number, at: number): Emission => {
  return { product, start: T0, task: 0, impressions, clicks: 0, revision: 0, at }
}

test('it begins with what is there, ends when it is switched off, and refuses times of which it does not know all', async () => {
  const { database } = clickhouse.own('switched')
  const off = without(database)
  await makeTables({ ...endpoint, database }, off)
  await insert(database, [row('a', 1, Date.now() - 3600 * SECOND)])
  await insert(database, [row('a', 2, Date.now() - 60 * SECOND)])
  await expect(asOf(database, LATER)).rejects.toThrow(/begins later/)
  expect(await clickhouse.rows('SELECT * FROM db.ctr_emissions', database)).toEqual([])

  const { steps } = await planSchema({ ...endpoint, database }, withHistory(database))
  expect(steps.map(({ step }) => step.name)).toEqual(['tables', 'fill-emissions'])
  await apply(withHistory(database))
  await apply(withHistory(database))
  expect((await diffSchema({ ...endpoint, database }, withHistory(database))).differences).toEqual([])
  expect(await asOf(database, LATER)).toEqual([`a ${T0} 2 0`])
  await expect(asOf(database, text(Date.now() - 3600 * SECOND))).rejects.toThrow(/begins later/)
  const [begun] = await clickhouse.rows<{ at: string }>('SELECT toString(now64(3)) AS at', database)
  await insert(database, [row('a', 3, Date.now() + SECOND)])
  expect([await asOf(database, begun!.at), await asOf(database, LATER)]).toEqual([[`a ${T0} 2 0`], [`a ${T0} 3 0`]])

  const dropped = await planSchema({ ...endpoint, database }, off)
  expect(dropped.steps.map(({ parts }) => parts.map(({ name }) => name))).toEqual([['ctr_emissions_feed is there without sink.history']])
  await apply(off)
  await insert(database, [row('a', 4, Date.now()), row('a', 5, Date.now())])
  await expect(asOf(database, LATER)).rejects.toThrow(/begins later/)
  await apply(withHistory(database))
  await expect(asOf(database, begun!.at)).rejects.toThrow(/begins later/)
  expect(await asOf(database, LATER)).toEqual([`a ${T0} 5 0`])
})

test('a mark that somebody has taken away comes back, and what switching off means is told aloud', async () => {
  const { database } = clickhouse.own('marked')
  await makeTables({ ...endpoint, database }, withHistory(database))
  await insert(database, [row('a', 1, Date.now() - SECOND)])
  expect(await asOf(database, LATER)).toEqual([`a ${T0} 1 0`])
  await clickhouse.command('TRUNCATE TABLE db.ctr_refreshed', database)
  await expect(asOf(database, LATER)).rejects.toThrow(/begins later/)
  await apply(withHistory(database))
  expect(await asOf(database, LATER)).toEqual([`a ${T0} 1 0`])
  expect((await planSchema({ ...endpoint, database }, withHistory(database))).steps).toEqual([])

  const told: string[] = []
  const reports = { info: () => undefined, warn: (text: string) => void told.push(text) }
  await applySchema({ ...endpoint, database }, without(database), reports, new AbortController().signal)
  expect(told).toEqual([expect.stringMatching(/^sink\.history is off here: the history in ctr_emissions ends/)])
})

test('a window of which emissions may be gone is shown no more', async () => {
  const { database } = clickhouse.own('gone')
  const day = 86_400_000
  await apply({ ...withHistory(database), retention: { ...RETENTION, emissions: 30 * day } })
  const start = (days: number) => Math.floor((Date.now() - days * day) / 10_000) * 10_000
  const at = Date.now() + SECOND
  await insert(database, [
    { ...row('young', 1, at), start: start(29) },
    { ...row('old', 1, at), start: start(31) },
  ])
  expect((await asOf(database, LATER)).map((line) => line.split(' ')[0])).toEqual(['young'])
})

test.each([undefined, 'main'])('with the history on there is one thing more, its feed (cluster %s)', (cluster) => {
  const form = { ...plainForm('ctr'), cluster }
  const names = (history: boolean) => objectsOf({ ...form, history }).map(({ name }) => name)
  expect(names(true).filter((name) => !names(false).includes(name))).toEqual(['ctr_emissions_feed'])
  expect(names(false).filter((name) => name.startsWith('ctr_emissions'))).toContain('ctr_emissions')
})

/** Everything that is read, against a naive twin, over random rows: sent again, grown, stale, of higher revisions, of inputs, long ago. */
import { beforeEach, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { Random } from '../../src/load/random.ts'
import { RollUpJob } from '../../src/tables/roll-up-job.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { repetitions } from '../support/effort.ts'
import { type Counted, INPUT_FIRST, type OracleResult, ReadingOracle } from '../support/reading-oracle.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000] as const
const VERSION_UNIT = 2 ** 40
const SIZES = [2_500, 10 * SECOND, MINUTE]
const ROUNDS = 5
/** How long ago windows start, from and to: away from where the last 5 minutes, hour and day begin, for the test takes its time. */
const AGES = [
  [0, 90 * SECOND],
  [6.5 * MINUTE, 7.5 * MINUTE],
  [75 * MINUTE, 85 * MINUTE],
  [26 * HOUR, 30 * HOUR],
  [7 * DAY, 7 * DAY + HOUR],
  [900 * DAY, 900 * DAY + HOUR],
] as const

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeEach(async () => {
  endpoint = clickhouse.own('reading')
  await makeTables(endpoint)
})

const startOfMonth = (ms: number) => Date.UTC(new Date(ms).getUTCFullYear(), new Date(ms).getUTCMonth(), 1)
const floorTo = (unit: number) => (ms: number) => Math.floor(ms / unit) * unit

test('every view gives what a naive reading of all rows gives, whenever roll-ups were computed', { timeout: 300_000 }, async () => {
  const seeds = Array.from({ length: repetitions({ unit: 1, all: 2, long: 20 }) }, () => Math.floor(Math.random() * 2 ** 32))
  for (const [i, seed] of seeds.entries()) {
    const database = i === 0 ? endpoint.database : clickhouse.own('reading').database
    if (i > 0) await makeTables({ ...endpoint, database })
    await play(new Random(seed), database).catch((error: Error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
    })
  }
})

async function play(random: Random, database: string): Promise<void> {
  const oracle = new ReadingOracle()
  const client = connect(endpoint, database)
  const job = new RollUpJob(client, plainForm(database))
  const size = SIZES[random.below(SIZES.length)]!
  const inserted: OracleResult[] = []
  const runs: { tenant: string; number: number; name: string; ended: boolean }[] = []
  const instants: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    instants.push(await serverTime(database))
    if (random.below(2) === 0) {
      const run = { tenant: tenantOf(random), number: INPUT_FIRST + runs.length, name: `input${random.below(2)}`, ended: false }
      runs.push(run)
      await insertInput(database, run)
    }
    const rows = distinct(Array.from({ length: 10 + random.below(40) }, () => randomRow(random, size, inserted, runs)))
    // Rows of a round that computes are older than any view looks back: without the computation they would be in none.
    const computes = random.below(2) === 0 || round === ROUNDS - 1
    const at = (await serverTime(database)) - (computes ? 2 * MINUTE : 0)
    await insertRows(database, rows, at)
    oracle.insert(rows, at)
    inserted.push(...rows)
    const [open] = runs.filter(({ ended }) => !ended)
    if (open !== undefined && random.below(2) === 0) {
      open.ended = true
      await insertInput(database, open)
      oracle.end(open, await serverTime(database))
    }
    if (computes) {
      expect(await job.runAll(new AbortController().signal)).toMatchObject({ failed: [], leftOut: 0 })
      await compareComputed(database, oracle)
    }
    await compareWindows(database, oracle)
    await compareChanges(database, oracle, instants[random.below(instants.length)]!)
  }
  await client.close()
}

/** A new row, or one that was there before: as it was, grown, shrunk, or of another revision. */
function randomRow(
  random: Random,
  size: number,
  inserted: readonly OracleResult[],
  runs: readonly { number: number; tenant: string }[],
): OracleResult {
  const before = inserted[random.below(Math.max(1, inserted.length))]
  const clicks = random.below(4)
  if (before !== undefined && random.below(3) === 0) {
    const kind = random.below(4)
    if (kind === 0) return before
    // Of rows with one key and version there is one: an engine never writes two of them that differ.
    if (kind === 1) return { ...before, impressions: before.impressions + 100 + random.below(100) }
    if (kind === 2) return { ...before, impressions: Math.floor(before.impressions / 2), clicks: before.clicks + 1_000 }
    return { ...before, revision: before.revision + 1, impressions: random.below(50), clicks }
  }
  const [from, to] = AGES[random.below(AGES.length)]!
  const start = Math.floor((Date.now() - from - random.below(to - from)) / size) * size
  const run = random.below(4) === 0 ? runs[random.below(Math.max(1, runs.length))] : undefined
  const product = `p${random.below(6)}`
  const window = random.below(8) === 0 ? 'other' : ''
  const impressions = random.below(50)
  const task = run?.number ?? random.below(3)
  return { tenant: run?.tenant ?? tenantOf(random), product, start, end: start + size, task, impressions, clicks, revision: 0, window }
}

function tenantOf(random: Random): string {
  return ['one', 'two'][random.below(2)]!
}

/** Of two rows of one key and version in one insert ClickHouse may take either. */
function distinct(rows: readonly OracleResult[]): OracleResult[] {
  const key = ({ tenant, product, start, task, window, revision, impressions, clicks }: OracleResult) =>
    [tenant, product, start, task, window, revision, impressions + clicks].join('\n')
  return [...new Map(rows.map((row) => [key(row), row])).values()]
}

async function serverTime(database: string): Promise<number> {
  const [row] = await clickhouse.rows<{ ms: number }>('SELECT toUnixTimestamp64Milli(now64(3)) AS ms', database)
  return row!.ms
}

async function insertRows(database: string, rows: readonly OracleResult[], insertedAt: number): Promise<void> {
  const at = (ms: number) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`
  const values = rows.map(({ tenant, product, start, end, task, impressions, clicks, revision, window }) => {
    const version = revision * VERSION_UNIT + impressions + clicks
    return `('${tenant}', '${product}', ${at(start)}, ${at(end)}, ${task}, ${impressions}, ${clicks}, 0, ${version}, now64(3), '${window}',
      ${at(insertedAt)})`
  })
  await clickhouse.command(
    `INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, window,
      inserted_at)
    VALUES ${values.join(', ')}`,
    database,
  )
}

async function insertInput(database: string, run: { tenant: string; number: number; name: string; ended: boolean }): Promise<void> {
  await clickhouse.command(
    `INSERT INTO db.ctr_inputs (tenant, number, run, name, bytes, hash, ended)
    VALUES ('${run.tenant}', ${run.number}, 'run', '${run.name}', 0, '', ${run.ended ? 1 : 0})`,
    database,
  )
}

async function compareWindows(database: string, oracle: ReadingOracle): Promise<void> {
  expect(await readWindows(database, 'ctr_windows'), 'ctr_windows').toEqual(asLines(oracle.windows()))
  expect(await readWindows(database, 'ctr_latest'), 'ctr_latest').toEqual(asLines(oracle.latest()))
  const now = await serverTime(database)
  expect(await readBeside(database, 'ctr_last_5m'), 'ctr_last_5m').toEqual(asObject(oracle.last(now - 10 * MINUTE, now - 5 * MINUTE)))
}

async function compareChanges(database: string, oracle: ReadingOracle, since: number): Promise<void> {
  const view = `ctr_changes(since = fromUnixTimestamp64Milli(${since}, 'UTC'))`
  expect(await readWindows(database, view), 'ctr_changes').toEqual(asLines(oracle.changes(since)))
}

async function compareComputed(database: string, oracle: ReadingOracle): Promise<void> {
  const levels = [
    ['minute', 'minutely', floorTo(MINUTE)],
    ['hour', 'hourly', floorTo(HOUR)],
    ['day', 'daily', floorTo(DAY)],
    ['month', 'monthly', startOfMonth],
  ] as const
  for (const [period, name, startOf] of levels) {
    expect(await readPeriods(database, `ctr_${name}`, ['tenant', 'product_id', period]), name).toEqual(asObject(oracle.periods(startOf)))
    const totals = await readPeriods(database, `ctr_totals_${name}`, ['tenant', period])
    expect(totals, `totals ${name}`).toEqual(asObject(oracle.periods(startOf, true)))
  }
  const now = await serverTime(database)
  for (const [name, unit, length] of [
    ['ctr_last_hour', MINUTE, HOUR],
    ['ctr_last_day', HOUR, DAY],
  ] as const) {
    const from = floorTo(unit)(now) + unit - length
    const nonZero = [...oracle.last(from - length, from)].filter(([, sums]) => Object.values(sums).some((sum) => sum > 0))
    expect(await readBeside(database, name), name).toEqual(Object.fromEntries(nonZero))
  }
}

async function readWindows(database: string, view: string): Promise<string[]> {
  const rows = await clickhouse.rows<{ line: string }>(
    `SELECT concatWithSeparator(' ', tenant, product_id, toUnixTimestamp64Milli(window_start), toUnixTimestamp64Milli(window_end), window,
      impressions, clicks, ctr = if(impressions = 0, 0, clicks / impressions)) AS line FROM db.${view}`,
    database,
  )
  return rows.map(({ line }) => line).toSorted()
}

function asLines(windows: readonly Counted[]): string[] {
  const line = ({ tenant, product, start, end, window, impressions, clicks }: Counted) =>
    [tenant, product, start, end, window, impressions, clicks, 1].join(' ')
  return windows.map(line).toSorted()
}

async function readPeriods(database: string, view: string, key: readonly string[]): Promise<Record<string, unknown>> {
  const columns = key.map((name, i) => (i === key.length - 1 ? `toUnixTimestamp(${name}) * 1000` : name))
  const rows = await clickhouse.rows<{ id: string }>(
    `SELECT concatWithSeparator(' ', ${columns.join(', ')}) AS id, impressions, clicks FROM db.${view}`,
    database,
  )
  return byId(rows)
}

async function readBeside(database: string, view: string): Promise<Record<string, unknown>> {
  const rows = await clickhouse.rows<{ id: string }>(
    `SELECT concat(tenant, ' ', product_id) AS id, impressions, clicks, previous_impressions, previous_clicks FROM db.${view}`,
    database,
  )
  return byId(rows)
}

/** Throws when two rows have one id. */
function byId(rows: readonly { readonly id: string }[]): Record<string, unknown> {
  const found = Object.fromEntries(rows.map(({ id, ...rest }) => [id, rest]))
  expect(Object.keys(found)).toHaveLength(rows.length)
  return found
}

function asObject<T>(map: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries(map)
}

import { createClient } from '@clickhouse/client'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { tryLease } from '../../src/tables/lease.ts'
import type { Retention } from '../../src/tables/objects.ts'
import { RollUpJob, type RollUpOutcome } from '../../src/tables/roll-up-job.ts'
import { makeTables, plainForm, RETENTION } from '../../workshop/tables.ts'
import { drawn, repetitions } from '../support/effort.ts'
import type { ModelRow } from '../support/results-model.ts'
import { RollUpTables } from '../support/roll-up-run.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

type Client = ReturnType<typeof connect>

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SIZE = 10_000
const PATIENCE_MS = 240_000
const COLUMNS = 'tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at'

const clickhouse = await sharedClickHouse()
const clients: Client[] = []
afterAll(() => Promise.all(clients.map((client) => client.close())))

let endpoint: Endpoint
let client: Client
let tables: RollUpTables
beforeEach(async () => {
  endpoint = clickhouse.own('rollups')
  await makeTables(endpoint)
  client = connect(endpoint, endpoint.database)
  clients.push(client)
  tables = new RollUpTables(clickhouse, endpoint)
})

const NOW = Math.floor(Date.now() / MINUTE) * MINUTE

function row(product: string, start: number, impressions: number, more: Partial<ModelRow> = {}): ModelRow {
  return { tenant: 'default', product, start, end: start + SIZE, task: 0, revision: 0, impressions, clicks: 1, ...more }
}

function job(by: Client = client, retention: Partial<Retention> = {}, holder = 'test'): RollUpJob {
  const form = plainForm(endpoint.database)
  return new RollUpJob(by, { ...form, retention: { ...RETENTION, ...retention } }, holder)
}

async function runAll(by = job()): Promise<RollUpOutcome> {
  const outcome = await by.runAll(AbortSignal.timeout(PATIENCE_MS))
  expect(outcome.failed).toEqual([])
  return outcome
}

/** The client of a process that is killed when it has sent so many statements. */
function dying(statements: number, sent: string[] = []): Client {
  const command: Client['command'] = async (params) => {
    if (sent.length === statements) throw Object.assign(new Error('killed'), { code: 'ECONNREFUSED' })
    if (/^INSERT INTO \S*_computed/.test(params.query)) sent.push(params.query)
    return client.command(params)
  }
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'command') return command
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** As if the marks had been set so long ago. */
async function ageMarks(ms: number): Promise<void> {
  await tables.command(`CREATE TABLE db.kept ENGINE = Memory AS SELECT name, max(at) AS at FROM db.ctr_refreshed GROUP BY name`)
  await tables.command('TRUNCATE TABLE db.ctr_refreshed')
  await tables.command(`INSERT INTO db.ctr_refreshed SELECT name, at - INTERVAL ${ms} MILLISECOND FROM db.kept`)
  await tables.command('DROP TABLE db.kept')
}

/** Rows that were computed after an instant of ClickHouse's clock. */
async function computed(table: string, after = '1970-01-01'): Promise<number | undefined> {
  return (await tables.rows<{ n: number }>(`SELECT count() AS n FROM db.${table} WHERE refreshed_at > '${after}'`))[0]?.n
}

test('a run that is killed behind any of its statements is made up for by the next one', { timeout: 300_000 }, async () => {
  const rows = [row('a', NOW, 5), row('b', NOW - HOUR, 7), row('a', NOW - 9 * DAY, 9)]
  await tables.insert(rows)
  const sent: string[] = []
  await runAll(job(dying(Number.POSITIVE_INFINITY, sent)))
  await tables.expectRollUps()
  expect(sent.length).toBeGreaterThan(6)
  for (const killedAt of drawn([...sent.keys()], { unit: 1, all: 3 })) {
    await tables.insert(rows.map((one) => ({ ...one, impressions: one.impressions + killedAt + 1 })))
    await expect(job(dying(killedAt)).runAll(AbortSignal.timeout(PATIENCE_MS))).rejects.toThrow('killed')
    await tables.expectLatest()
    await runAll()
    await tables.expectRollUps()
    await tables.expectLatest()
  }
})

test('of two that compute at the same time one does, and the other leaves it or waits', async () => {
  await tables.insert([row('a', NOW, 5), row('b', NOW - 3 * DAY, 7)])
  const [one, two] = [job(client, {}, 'one'), job(client, {}, 'two')]
  const held = await tryLease(client, undefined, 'roll-ups', 'three', async () => {
    expect(await one.runDue(1)).toBeUndefined()
    return computed('ctr_minutely_computed')
  })
  expect(held).toEqual({ done: 0 })
  await Promise.all([runAll(one), runAll(two)])
  await tables.expectRollUps()
  expect((await one.runDue(1))?.failed).toEqual([])
})

test('nothing is due before its time, and many processes compute no more often than one', async () => {
  await runAll()
  expect(await job(client, {}, 'other').runDue(30_000)).toBeUndefined()
  await ageMarks(28_000)
  expect((await job(client, {}, 'other').runDue(30_000))?.failed).toEqual([])
  expect(await job().runDue(30_000)).toBeUndefined()
})

test('rows that become visible late are missed by the next run and found by the next sweep', async () => {
  await runAll()
  await tables.insert([row('a', NOW, 5), row('b', NOW - 8 * DAY, 6)], 5 * MINUTE)
  await job().runDue(1)
  expect(await tables.counts('ctr_minutely', ['tenant', 'product_id', 'minute'])).toEqual({})
  await ageMarks(11 * MINUTE)
  await job().runDue(30_000)
  const minutes = await tables.counts('ctr_minutely', ['product_id', 'minute'])
  expect(minutes).toEqual({ [`a ${NOW}`]: '5 1', [`b ${NOW - 8 * DAY}`]: '6 1' })
  await tables.expectLatest()
})

test('runs that were missed are made up for, also by rows that ctr_recent has no more', async () => {
  await tables.insert([row('a', NOW, 5)])
  await runAll()
  await tables.insert([row('a', NOW - 8 * DAY, 6), row('b', NOW - 4 * DAY, 7)], 4 * DAY)
  await tables.command('TRUNCATE TABLE db.ctr_recent')
  await ageMarks(5 * DAY)
  await tables.expectLatest()
  await runAll()
  await tables.expectRollUps()
  await tables.expectLatest()
})

test('nothing new appends nothing, and a correction only its own periods', async () => {
  const days = Array.from({ length: 50 }, (_, day) => row(`p${day % 5}`, NOW - day * DAY, 3))
  await tables.insert(days, 30 * MINUTE)
  await runAll()
  const names = ['ctr_minutely_computed', 'ctr_hourly_computed', 'ctr_latest_computed', 'ctr_totals_minutely_computed']
  const [before] = await tables.rows<{ at: string }>('SELECT toString(now64(3)) AS at')
  const counts = () => Promise.all(names.map((name) => computed(name, before?.at)))
  await job().runDue(1)
  expect(await counts()).toEqual([0, 0, 0, 0])
  await tables.insert([row('p3', NOW - 8 * DAY, 4)])
  await job().runDue(1)
  expect(await counts()).toEqual([1, 0, 1, 1])
  await runAll()
  await tables.expectRollUps()
})

test('what is inserted anew of a whole day, with other counts and fewer, is right up to months', async () => {
  const day = NOW - 30 * DAY
  const rows = Array.from({ length: 400 }, (_, i) => row(`p${i % 7}`, day + i * 200_000, 10, { task: i % 3 }))
  await tables.insert(rows)
  await runAll()
  await tables.insert(rows.map((one, i) => ({ ...one, impressions: 1 + (i % 4), revision: 1, task: 5 })))
  await runAll()
  await tables.expectRollUps()
  await tables.expectLatest()
})

test('twenty years of days are rolled up at once', { timeout: 300_000 }, async () => {
  // Each is a partition, which an insert takes its time to make: every seventh day at most.
  const days = repetitions({ unit: 28, all: 28, long: 7 })
  const perYear = Math.floor(365 / days)
  for (let years = 0; years < 20; years++)
    await tables.insert(Array.from({ length: perYear }, (_, i) => row(`p${i % 3}`, NOW - (years * 365 + i * days) * DAY, 1 + (i % 9))))
  await runAll()
  await tables.expectRollUps()
  await tables.expectLatest()
})

test('windows beyond what a period can hold are left out, and said to be', async () => {
  await tables.insert([row('a', Date.UTC(2107, 0, 1), 5), row('b', Date.UTC(2105, 11, 31), 6)])
  expect(await runAll()).toMatchObject({ leftOut: 1 })
  expect(await tables.counts('ctr_monthly', ['product_id', 'month'])).toEqual({ [`b ${Date.UTC(2105, 11, 1)}`]: '6 1' })
  await tables.expectLatest()
})

test('a period of which rows have expired, or may have, never shrinks, also when rows are kept longer later', async () => {
  const minute = NOW - 10 * DAY
  await tables.insert([row('a', minute, 100), row('b', NOW - DAY, 5)])
  await runAll()
  const months = await tables.counts('ctr_monthly', ['product_id', 'month'])
  const all = await tables.counts('ctr_minutely', ['product_id', 'minute'])
  await tables.command("ALTER TABLE db.ctr_results DELETE WHERE product_id = 'a' SETTINGS mutations_sync = 1")
  await tables.insert([row('a', minute + SIZE, 3)])
  expect(await runAll(job(client, { results: 5 * DAY }))).toMatchObject({ leftOut: 2 })
  await tables.insert([row('a', minute + 2 * SIZE, 4)])
  expect(await runAll()).toMatchObject({ leftOut: 3 })
  expect(await tables.counts('ctr_minutely', ['product_id', 'minute'])).toEqual(all)
  // Of minutes, too: hours and what follows from them stay.
  await tables.insert([row('b', NOW - DAY, 6)])
  await tables.command('ALTER TABLE db.ctr_minutely_computed DELETE WHERE 1 SETTINGS mutations_sync = 1')
  await runAll(job(client, { minutely: 12 * HOUR }))
  expect(await tables.counts('ctr_monthly', ['product_id', 'month'])).toEqual(months)
})

test('one product of a week ago is corrected by reading little, and a run tells how much it has read', async () => {
  const [products, windows] = [500, 360]
  // An hour of one day, whatever the time is: each product has one daily row.
  const start = Math.floor(NOW / DAY) * DAY - 7 * DAY
  await tables.command(
    `INSERT INTO db.ctr_results (${COLUMNS}, inserted_at)
    SELECT 'default', concat('p', toString(number % ${products})), fromUnixTimestamp64Milli(toInt64(${start}), 'UTC')
      + intDiv(number, ${products}) * 10 AS start, start + 10, 0, 3, 1, 0, 4, now64(3), now64(3) - INTERVAL 1 HOUR
    FROM numbers(${products * windows})`,
  )
  await runAll()
  await tables.command('OPTIMIZE TABLE db.ctr_results FINAL')
  await tables.insert([row('p77', start, 50)])
  const sent: string[] = []
  await job(dying(Number.POSITIVE_INFINITY, sent)).runDue(1)
  expect(sent).toHaveLength(3)
  for (const statement of sent) {
    const query = `SELECT count() FROM (${statement.slice(statement.indexOf('\nSELECT') + 1)})`
    const answer = await client.query({ query, format: 'JSONEachRow' })
    await answer.json()
    const summary = JSON.parse(String(answer.response_headers['x-clickhouse-summary'])) as { read_rows: string }
    expect(Number(summary.read_rows)).toBeLessThan(60_000)
  }
  await runAll()
  expect(await tables.counts('ctr_daily', ['product_id'])).toMatchObject({ p77: `${3 * (windows - 1) + 50} ${windows}` })
})

test('a first fill of a long history takes no more memory than a short one', { timeout: 300_000 }, async () => {
  const [products, perDay, days, atOnce] = [200, 300, 40, 5]
  // Some days at a time: beside other tests all of them take longer than a statement may.
  for (let day = 0; day < days; day += atOnce) {
    const from = NOW - (days - day) * DAY
    await tables.command(
      `INSERT INTO db.ctr_results (${COLUMNS})
      SELECT 'default', concat('product-', toString(number % ${products})), fromUnixTimestamp64Milli(toInt64(${from}), 'UTC')
        + intDiv(number, ${products * perDay}) * 86400 + intDiv(number, ${products}) % ${perDay} * 60 AS start,
        start + 10, 0, 3, 1, 0, 4, now64(3)
      FROM numbers(${products * perDay * atOnce}) SETTINGS max_partitions_per_insert_block = 0`,
    )
  }
  const { url, username, password, database } = endpoint
  const settings = { max_memory_usage: String(350 * 2 ** 20) }
  const poor = createClient({ url, username, password, database, request_timeout: PATIENCE_MS, clickhouse_settings: settings })
  clients.push(poor)
  const kept = 'groupArray((version, product_id, window_end))'
  const whole = `SELECT count() FROM (SELECT tenant, product_id, toStartOfMinute(window_start) AS minute, ${kept}
    FROM ctr_results FINAL GROUP BY tenant, product_id, minute)`
  await expect(poor.query({ query: whole })).rejects.toThrow(/memory/i)
  await runAll(job(poor))
  const sums = await tables.rows('SELECT count() AS n, sum(impressions) AS i FROM db.ctr_minutely')
  expect(sums).toEqual([{ n: products * perDay * days, i: 3 * products * perDay * days }])
  expect(await tables.rows('SELECT count() AS n FROM db.ctr_latest')).toEqual([{ n: products }])
})

test('a statement that fails is told in the words of ClickHouse, keeps no other from being computed, and is made up for', async () => {
  await tables.insert([row('a', NOW, 5)])
  await tables.command('ALTER TABLE db.ctr_hourly_computed ADD CONSTRAINT never CHECK impressions = 0')
  const { failed } = await job().runAll(AbortSignal.timeout(PATIENCE_MS))
  expect(failed).toEqual([{ view: 'ctr_hourly', reason: expect.stringContaining('never') }])
  expect(await tables.counts('ctr_totals_minutely', ['tenant'])).toEqual({ default: '5 1' })
  await tables.command('ALTER TABLE db.ctr_hourly_computed DROP CONSTRAINT never')
  await runAll()
  await tables.expectRollUps()
})

test('a clock that has gone back is told, not computed by', async () => {
  await runAll()
  await ageMarks(-5 * MINUTE)
  const { failed } = await job().runAll(AbortSignal.timeout(PATIENCE_MS))
  expect(failed.map(({ view }) => view)).toEqual(['ctr_minutely', 'ctr_latest', 'ctr_hourly', 'ctr_daily', 'ctr_monthly'])
  expect(failed[0]?.reason).toMatch(/^ctr_refreshed says that minutely was computed at .*set the clock right/)
})

/** Roll-ups and views where rows expire, clocks go back, and runs are stopped. */
import { afterAll, beforeEach, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { applySchema } from '../../src/tables/apply.ts'
import { tryLease } from '../../src/tables/lease.ts'
import type { Retention } from '../../src/tables/objects.ts'
import { RollUpJob, type RollUpOutcome } from '../../src/tables/roll-up-job.ts'
import { plainForm, RETENTION } from '../../workshop/tables.ts'
import type { ModelRow } from '../support/results-model.ts'
import { RollUpTables } from '../support/roll-up-run.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

type Client = ReturnType<typeof connect>

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SIZE = 10_000
const PATIENCE_MS = 240_000
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE

const clickhouse = await sharedClickHouse()
const clients: Client[] = []
afterAll(() => Promise.all(clients.map((client) => client.close())))

let endpoint: Endpoint
let client: Client
let tables: RollUpTables
beforeEach(async () => {
  endpoint = clickhouse.own('edges')
  client = connect(endpoint, endpoint.database)
  clients.push(client)
  tables = new RollUpTables(clickhouse, endpoint)
})

/** Tables from which ClickHouse itself drops nothing meanwhile: what is read must not depend on it. */
async function makeTables(retention: Partial<Retention> = {}): Promise<void> {
  const form = { ...plainForm(endpoint.database), retention: { ...RETENTION, ...retention } }
  await applySchema(endpoint, form, { info: () => undefined }, new AbortController().signal)
  const names = ['ctr_results', 'ctr_latest_computed', 'ctr_minutely_computed', 'ctr_hourly_computed', 'ctr_daily_computed']
  for (const name of names) await tables.command(`SYSTEM STOP TTL MERGES db.${name}`)
}

function row(product: string, start: number, impressions: number, more: Partial<ModelRow> = {}): ModelRow {
  return { tenant: 'default', product, start, end: start + SIZE, task: 0, revision: 0, impressions, clicks: 1, ...more }
}

function job(retention: Partial<Retention> = {}, by: Client = client): RollUpJob {
  const form = plainForm(endpoint.database)
  return new RollUpJob(by, { ...form, retention: { ...RETENTION, ...retention } }, 'test')
}

async function runAll(by = job()): Promise<RollUpOutcome> {
  const outcome = await by.runAll(AbortSignal.timeout(PATIENCE_MS))
  expect(outcome.failed).toEqual([])
  return outcome
}

/** All marks as if the clock of ClickHouse had gone back since. */
async function clockBack(ms: number): Promise<void> {
  await tables.command(`INSERT INTO db.ctr_refreshed SELECT name, max(at) + INTERVAL ${ms} MILLISECOND FROM db.ctr_refreshed GROUP BY name`)
}

test('no view shows what may have expired, whether it is gone or not', async () => {
  await makeTables()
  await tables.insert([row('old', NOW - 40 * DAY, 5), row('new', NOW, 7)])
  await runAll()
  const views = ['ctr_windows', 'ctr_latest', 'ctr_minutely', 'ctr_hourly', 'ctr_daily', "ctr_changes(since = '2000-01-01 00:00:00')"]
  const products = () =>
    Promise.all(views.map((view) => tables.rows<{ p: string }>(`SELECT DISTINCT product_id AS p FROM db.${view} ORDER BY p`)))
  expect(await products()).toEqual(views.map(() => [{ p: 'new' }, { p: 'old' }]))
  await makeTables({ results: 30 * DAY, minutely: 30 * DAY, hourly: 30 * DAY, daily: 30 * DAY })
  expect(await products()).toEqual(views.map(() => [{ p: 'new' }]))
  expect(await tables.counts('ctr_monthly', ['product_id'])).toEqual({ new: '7 1', old: '5 1' })
})

test('totals of minutes that are kept no more stay when a row of one of them comes late', async () => {
  await makeTables()
  const minute = NOW - 40 * DAY
  await tables.insert([row('a', minute, 5), row('b', minute, 7)])
  await runAll()
  const totals = await tables.counts('ctr_totals_minutely', ['minute'])
  expect(totals).toEqual({ [minute]: '12 2' })
  await tables.command('ALTER TABLE db.ctr_minutely_computed DELETE WHERE 1 SETTINGS mutations_sync = 1')
  await tables.insert([row('a', minute, 6)])
  expect(await runAll(job({ minutely: 30 * DAY }))).toMatchObject({ leftOut: 3 })
  expect(await tables.counts('ctr_totals_minutely', ['minute'])).toEqual(totals)
})

test('windows that start later than now are in no view of the last minutes, hour and day', async () => {
  await makeTables()
  await tables.insert([row('a', NOW, 5), row('a', NOW + 2 * DAY, 100), row('b', NOW + HOUR + 5 * MINUTE, 7)])
  await runAll()
  for (const view of ['ctr_last_5m', 'ctr_last_hour', 'ctr_last_day']) {
    expect({ [view]: await tables.counts(view, ['product_id']) }).toEqual({ [view]: { a: '5 1' } })
  }
  await tables.expectRollUps()
  await tables.expectLatest()
})

test('after a clock has gone back by less than a run looks back everything is computed as before', async () => {
  await makeTables()
  await tables.insert([row('a', NOW, 5)])
  await runAll()
  const columns = 'tenant, product_id, minute, impressions, clicks, refreshed_at'
  await tables.command(`INSERT INTO db.ctr_minutely_computed (${columns})
    SELECT ${columns.replace('refreshed_at', 'refreshed_at + INTERVAL 40 SECOND')} FROM db.ctr_minutely_computed`)
  await clockBack(40_000)
  await tables.insert([row('a', NOW, 9)])
  await runAll()
  await tables.expectRollUps()
  await tables.expectLatest()
})

test('a clock that has gone back further is told by runs at intervals, and ctr_latest is right meanwhile', async () => {
  await makeTables()
  await tables.insert([row('a', NOW, 5)])
  await runAll()
  await clockBack(2 * HOUR)
  await tables.insert([row('a', NOW + SIZE, 9)])
  await tables.expectLatest()
  const outcome = await job().runDue(30_000)
  expect(outcome?.failed[0]?.reason).toMatch(/^ctr_refreshed says that minutely was computed at .*set the clock right/)
})

test('a run that is stopped ends at once though a statement takes its time, and gives its lease back', async () => {
  await makeTables()
  await tables.insert([row('a', NOW, 5)])
  const stop = new AbortController()
  const steps: string[] = []
  const command: Client['command'] = async (params) => {
    if (!/^INSERT INTO \S*_computed/.test(params.query)) return client.command(params)
    setTimeout(() => stop.abort(new Error('SIGTERM')), 10)
    return new Promise(() => undefined)
  }
  const slow = new Proxy(client, {
    get: (target, name) => {
      const value: unknown = name === 'command' ? command : Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  await expect(job({}, slow).runAll(stop.signal, (step) => steps.push(step))).rejects.toThrow('SIGTERM')
  expect(steps).toEqual(['ctr_minutely', 'ctr_minutely, part 1 of 1'])
  expect(await tryLease(client, undefined, 'roll-ups', 'other', async () => true)).toEqual({ done: true })
  await runAll()
  await tables.expectRollUps()
})

test('a run that waits for another process says so', async () => {
  await makeTables()
  const stop = new AbortController()
  await tryLease(client, undefined, 'roll-ups', 'other', async () => {
    const run = job().runAll(stop.signal, (step) => stop.abort(new Error(step)))
    await expect(run).rejects.toThrow('waiting for another process')
  })
})

test('an answer that is not of ClickHouse keeps the marks where they are', async () => {
  await makeTables()
  await tables.insert([row('a', NOW, 5)])
  const other = new Proxy(client, {
    get: (target, name) => {
      if (name !== 'command') return Reflect.get(target, name).bind(target) as unknown
      return async (params: Parameters<Client['command']>[0]) =>
        /^INSERT INTO \S*_computed/.test(params.query) ? { summary: undefined } : client.command(params)
    },
  })
  const { failed } = await job({}, other).runAll(AbortSignal.timeout(PATIENCE_MS))
  expect(failed[0]).toMatchObject({ view: 'ctr_minutely', reason: expect.stringContaining('X-ClickHouse-Summary') })
  await runAll()
  await tables.expectRollUps()
})

test('products and tenants of any bytes, and windows of several sizes at once, are rolled up as they are', async () => {
  await makeTables()
  const odd = ["it's", 'back\\slash', 'nul\0byte', '"quoted"', 'ü\n\t', '', "'); DROP TABLE ctr_results; --"]
  const start = Math.floor(NOW / DAY) * DAY - 9 * DAY
  const sizes = [1_000, 10_000, HOUR, 3 * DAY]
  const rows = odd.flatMap((product, i) => sizes.map((size, k) => row(product, start, 1 + i + k, { end: start + size, tenant: product })))
  await tables.insert(rows)
  await runAll()
  await tables.expectRollUps()
  await tables.expectLatest()
  await tables.insert(rows.map((one) => ({ ...one, impressions: one.impressions + 100 })))
  await tables.expectLatest()
  await runAll()
  await tables.expectRollUps()
})

import { beforeEach, expect, test } from 'vitest'
import { applySchema, checkSchema } from '../../src/clickhouse/apply-schema.ts'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { RESULTS, ROLL_UPS, refreshStatements, schemaStatements, TABLES } from '../../src/clickhouse/schema.ts'
import { encodeTenant } from '../../src/products/key.ts'
import { insertForm, insertRows } from '../../src/sink/insert.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../../src/sink/row-binary.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const MINUTE = 60_000
const T0 = Date.UTC(2024, 0, 2, 3, 4, 0)

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeEach(async () => {
  endpoint = clickhouse.own('schema')
  await applySchema(endpoint)
})

/** [product, window start, task, impressions, clicks, revision]; windows of 10 s. */
type Row = readonly [product: string, start: number, task: number, impressions: number, clicks: number, revision?: number]

async function insert(rows: readonly Row[], tenant = 'default'): Promise<void> {
  const prefix = encodeTenant(tenant)
  const out = new Uint8Array(rows.length * rowMaxBytes(prefix))
  let at = 0
  for (const [product, start, task, impressions, clicks, revision = 0] of rows) {
    const id = Buffer.from(product)
    const view = new DataView(out.buffer)
    const frame = rowFrame(start, start + 10_000, task, revision, Date.now())
    at = writeRow(out, view, at, prefix, id, 0, id.length, frame, impressions, clicks)
  }
  const client = connect(endpoint, endpoint.database)
  await insertRows(client, insertForm(RESULTS), out.subarray(0, at))
  await client.close()
}

const windows = () =>
  clickhouse.rows(
    'SELECT product_id, toUnixTimestamp64Milli(window_start) AS start, impressions, clicks, ctr FROM db.ctr_windows ORDER BY ALL',
    endpoint.database,
  )

async function rollUp(view: 'ctr_minutely' | 'ctr_hourly', column: string) {
  const { database } = endpoint
  for (const sql of refreshStatements(database, ROLL_UPS.find((each) => each.view === view)!)) await clickhouse.command(sql)
  return clickhouse.rows(
    `SELECT product_id, toUnixTimestamp(${column}) AS at, impressions, clicks, ctr FROM db.${view} ORDER BY ALL`,
    database,
  )
}

test('applying the schema again changes nothing and loses no row', async () => {
  await insert([['a', T0, 0, 4, 1]])
  const ddl = "SELECT name, create_table_query FROM system.tables WHERE database = '%' ORDER BY name".replace('%', endpoint.database)
  const before = await clickhouse.rows(ddl)
  await applySchema(endpoint)
  await checkSchema(endpoint)
  expect(await clickhouse.rows(ddl)).toEqual(before)
  expect(before.map(({ name }) => name)).toEqual([
    'ctr_hourly',
    'ctr_hourly_computed',
    'ctr_hourly_refresh',
    'ctr_latest',
    'ctr_ledger',
    'ctr_ledger_windows',
    'ctr_minutely',
    'ctr_minutely_computed',
    'ctr_minutely_refresh',
    'ctr_reconciliation',
    'ctr_results',
    'ctr_windows',
  ])
  expect(await windows()).toEqual([{ product_id: 'a', start: T0, impressions: 4, clicks: 1, ctr: 0.25 }])
})

test('ctr_windows has exactly the promised columns', async () => {
  const columns = await clickhouse.rows(
    `SELECT name, type FROM system.columns WHERE database = '${endpoint.database}' AND table = 'ctr_windows' ORDER BY position`,
  )
  expect(columns).toEqual([
    { name: 'tenant', type: 'String' },
    { name: 'product_id', type: 'String' },
    { name: 'window_start', type: "DateTime64(3, 'UTC')" },
    { name: 'window_end', type: "DateTime64(3, 'UTC')" },
    { name: 'impressions', type: 'UInt64' },
    { name: 'clicks', type: 'UInt64' },
    { name: 'ctr', type: 'Float64' },
  ])
})

test('a row sent again, grown, or stale leaves each window with its newest value, summed over tasks', async () => {
  await insert([
    ['a', T0, 0, 10, 1],
    ['a', T0, 1, 5, 2],
    ['b', T0, 0, 0, 3],
  ])
  await insert([['a', T0, 0, 12, 2]])
  await insert([['a', T0, 0, 10, 1]])
  await insert([['a', T0, 0, 12, 2]])
  expect(await windows()).toEqual([
    { product_id: 'a', start: T0, impressions: 17, clicks: 4, ctr: 4 / 17 },
    { product_id: 'b', start: T0, impressions: 0, clicks: 3, ctr: 0 },
  ])
})

test('a higher revision overrides larger counts', async () => {
  await insert([['a', T0, 0, 1000, 100]])
  await insert([['a', T0, 0, 3, 1, 1]])
  expect(await windows()).toMatchObject([{ impressions: 3, clicks: 1 }])
})

test('rows of several tenants do not mix', async () => {
  await insert([['a', T0, 0, 1, 1]], 'one')
  await insert([['a', T0, 0, 7, 0]], 'two')
  expect(await clickhouse.rows('SELECT tenant, impressions FROM db.ctr_windows ORDER BY tenant', endpoint.database)).toEqual([
    { tenant: 'one', impressions: 1 },
    { tenant: 'two', impressions: 7 },
  ])
})

test('ctr_latest has the newest window of each product', async () => {
  await insert([
    ['a', T0, 0, 1, 0],
    ['a', T0 + 20_000, 1, 2, 1],
    ['a', T0 + 10_000, 0, 9, 9],
    ['b', T0 - MINUTE, 0, 4, 0],
  ])
  const latest = await clickhouse.rows(
    'SELECT product_id, toUnixTimestamp64Milli(window_start) AS start, impressions FROM db.ctr_latest ORDER BY product_id',
    endpoint.database,
  )
  expect(latest).toEqual([
    { product_id: 'a', start: T0 + 20_000, impressions: 2 },
    { product_id: 'b', start: T0 - MINUTE, impressions: 4 },
  ])
})

test('roll-ups sum counts, not ratios, and stay right when rows are sent again and grow', async () => {
  const rows: Row[] = [
    ['a', T0, 0, 1, 1],
    ['a', T0 + 50_000, 0, 9, 0],
    ['a', T0 + MINUTE, 0, 5, 5],
    ['a', T0, 1, 10, 0],
  ]
  await insert(rows)
  expect(await rollUp('ctr_minutely', 'minute')).toEqual([
    { product_id: 'a', at: T0 / 1000, impressions: 20, clicks: 1, ctr: 0.05 },
    { product_id: 'a', at: T0 / 1000 + 60, impressions: 5, clicks: 5, ctr: 1 },
  ])
  await insert(rows)
  await insert([['a', T0, 0, 3, 2]])
  expect(await rollUp('ctr_minutely', 'minute')).toEqual([
    { product_id: 'a', at: T0 / 1000, impressions: 22, clicks: 2, ctr: 2 / 22 },
    { product_id: 'a', at: T0 / 1000 + 60, impressions: 5, clicks: 5, ctr: 1 },
  ])
  await insert([['a', T0 - 60 * MINUTE, 0, 1, 0]])
  expect(await rollUp('ctr_hourly', 'hour')).toEqual([
    { product_id: 'a', at: Date.UTC(2024, 0, 2, 2) / 1000, impressions: 1, clicks: 0, ctr: 0 },
    { product_id: 'a', at: Date.UTC(2024, 0, 2, 3) / 1000, impressions: 27, clicks: 7, ctr: 7 / 27 },
  ])
})

test('periods whose rows came during a long refresh outage are caught up by the next refresh, and older ones are left alone', async () => {
  const { database } = endpoint
  const at = (ms: number) => `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`
  const row = (start: number, insertedMinutesAgo: number) =>
    `('default', 'a', ${at(start)}, ${at(start + 10_000)}, 0, 7, 0, 0, 7, now64(3), now64(3) - INTERVAL ${insertedMinutesAgo} MINUTE)`
  await clickhouse.command(
    `INSERT INTO db.ctr_minutely_computed SELECT 'default', 'old', toStartOfMinute(${at(T0)}), 1, 0, now64(3) - INTERVAL 120 MINUTE`,
    database,
  )
  const columns = '(tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at)'
  await clickhouse.command(
    `INSERT INTO db.ctr_results ${columns} VALUES ${row(T0, 60)}, ${row(T0 + MINUTE, 125)}, ${row(T0 + 2 * MINUTE, 500)}`,
    database,
  )
  expect(await rollUp('ctr_minutely', 'minute')).toMatchObject([
    { product_id: 'a', at: T0 / 1000, impressions: 7 },
    { product_id: 'a', at: T0 / 1000 + 60, impressions: 7 },
    { product_id: 'old', impressions: 1 },
  ])
})

test('a refresh with nothing new appends nothing', async () => {
  const { database } = endpoint
  await rollUp('ctr_hourly', 'hour')
  expect(await clickhouse.rows('SELECT count() AS n FROM db.ctr_hourly_computed', database)).toEqual([{ n: 0 }])
})

test('a database that is missing, a table that is missing and a column of another type are each told with the remedy', async () => {
  await expect(checkSchema({ ...endpoint, database: 'nowhere' })).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    retriable: false,
    message: expect.stringMatching(/clickhouse\.database.*no database nowhere.*ctr schema apply/),
  })
  await clickhouse.command('DROP TABLE db.ctr_results', endpoint.database)
  await expect(checkSchema(endpoint)).rejects.toThrow(`has no table ${endpoint.database}.ctr_results`)
  const [create] = schemaStatements(endpoint.database)
  await clickhouse.command(create!.replace('clicks UInt64', 'clicks UInt32'))
  await expect(checkSchema(endpoint)).rejects.toThrow('clicks of schema_')
  await clickhouse.command('DROP TABLE db.ctr_results', endpoint.database)
  await clickhouse.command(create!.replace('  ctr Float64,\n', ''))
  await expect(checkSchema(endpoint)).rejects.toThrow('has no column ctr in')
  await clickhouse.command('DROP TABLE db.ctr_results', endpoint.database)
  await clickhouse.command(create!.replace('tenant String', 'tenant LowCardinality(String)'))
  expect((await checkSchema(endpoint)).get('ctr_results')?.[0]).toBe('LowCardinality(String)')
})

test.each(TABLES.map(({ name, columns }) => [name, columns] as const))('of %s every column is checked', async (name, columns) => {
  const create = schemaStatements(endpoint.database).find((sql) => sql.includes(`.${name}\n(`))
  for (const [column, type] of columns) {
    await clickhouse.command(`DROP TABLE db.${name} SYNC`, endpoint.database)
    await clickhouse.command(
      create!
        .replace(`  ${column} ${type}`, `  ${column} Nullable(Int8)`)
        .replace(/ENGINE[\s\S]*/, 'ENGINE = Memory')
        .replace(/,\s*INDEX.*/, ''),
    )
    await expect(checkSchema(endpoint)).rejects.toThrow(`has column ${column} of ${endpoint.database}.${name} as Nullable(Int8)`)
  }
  await clickhouse.command(`DROP TABLE db.${name} SYNC`, endpoint.database)
  await expect(checkSchema(endpoint)).rejects.toThrow(`has no table ${endpoint.database}.${name}; \`ctr schema print\``)
})

test('ctr_reconciliation has exactly the promised columns', async () => {
  const columns = await clickhouse.rows<{ name: string; type: string }>(
    `SELECT name, type FROM system.columns WHERE database = '${endpoint.database}' AND table = 'ctr_reconciliation' ORDER BY position`,
  )
  expect(columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'tenant String',
    "minute DateTime('UTC')",
    'read Int64',
    'counted Int64',
    'late Int64',
    'invalid Int64',
    'dead_lettered Int64',
    'unaccounted Int64',
    'window_events Int64',
    'result_events Int64',
    'missing Int64',
    'balanced UInt8',
  ])
})

test('a database name of odd characters is quoted everywhere', async () => {
  const odd = { ...endpoint, database: 'odd `name\\' }
  await applySchema(odd)
  await checkSchema(odd)
})

import { beforeEach, describe, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { encodeTenant } from '../../src/products/key.ts'
import { insertForm, insertRows } from '../../src/sink/insert.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../../src/sink/row-binary.ts'
import { checkSchema } from '../../src/tables/check.ts'
import { INPUTS, RESULTS, TABLES } from '../../src/tables/columns.ts'
import { INPUTS_FROM } from '../../src/tables/counting.ts'
import { schemaStatements } from '../../src/tables/render.ts'
import { rollUpNow } from '../../workshop/roll-up.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const MINUTE = 60_000
const T0 = Date.UTC(2024, 0, 2, 3, 4, 0)

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeEach(async () => {
  endpoint = clickhouse.own('schema')
  await makeTables(endpoint)
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
  await insertRows(client, insertForm(RESULTS), { bytes: out.subarray(0, at), count: rows.length })
  await client.close()
}

const windows = () =>
  clickhouse.rows(
    'SELECT product_id, toUnixTimestamp64Milli(window_start) AS start, impressions, clicks, ctr FROM db.ctr_windows ORDER BY ALL',
    endpoint.database,
  )

async function rollUp(view: 'ctr_minutely' | 'ctr_hourly', column: string) {
  const { database } = endpoint
  await rollUpNow(endpoint)
  return clickhouse.rows(
    `SELECT product_id, toUnixTimestamp(${column}) AS at, impressions, clicks, ctr FROM db.${view} ORDER BY ALL`,
    database,
  )
}

test('applying the schema again changes nothing and loses no row', async () => {
  await insert([['a', T0, 0, 4, 1]])
  const ddl = "SELECT name, create_table_query FROM system.tables WHERE database = '%' ORDER BY name".replace('%', endpoint.database)
  const before = await clickhouse.rows(ddl)
  await makeTables(endpoint)
  await checkSchema(endpoint)
  expect(await clickhouse.rows(ddl)).toEqual(before)
  expect(before.map(({ name }) => name)).toEqual([
    'ctr_anomalies',
    'ctr_changes',
    'ctr_daily',
    'ctr_daily_computed',
    'ctr_emissions',
    'ctr_hourly',
    'ctr_hourly_computed',
    'ctr_inputs',
    'ctr_last_5m',
    'ctr_last_day',
    'ctr_last_hour',
    'ctr_latest',
    'ctr_latest_computed',
    'ctr_ledger',
    'ctr_ledger_hourly',
    'ctr_ledger_hourly_feed',
    'ctr_ledger_windows',
    'ctr_minutely',
    'ctr_minutely_computed',
    'ctr_monthly',
    'ctr_monthly_computed',
    'ctr_movers',
    'ctr_recent',
    'ctr_recent_feed',
    'ctr_reconciliation',
    'ctr_refreshed',
    'ctr_results',
    'ctr_results_as_of',
    'ctr_schema',
    'ctr_totals_daily',
    'ctr_totals_hourly',
    'ctr_totals_minutely',
    'ctr_totals_minutely_computed',
    'ctr_totals_monthly',
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
    { name: 'window', type: 'LowCardinality(String)' },
    { name: 'ctr_low', type: 'Float64' },
    { name: 'ctr_high', type: 'Float64' },
    { name: 'enough', type: 'UInt8' },
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

test('of a product and window only rows of the highest revision count, and its tasks add up', async () => {
  await insert([
    ['a', T0, 0, 10, 1],
    ['a', T0, 1, 20, 2],
    ['b', T0, 1, 30, 3],
    ['a', T0 + 10_000, 1, 40, 4],
  ])
  // Counted again by other tasks: a topic with more partitions.
  await insert([
    ['a', T0, 2, 5, 1, 1],
    ['a', T0, 7, 6, 1, 1],
  ])
  expect(await windows()).toEqual([
    { product_id: 'a', start: T0, impressions: 11, clicks: 2, ctr: 2 / 11 },
    { product_id: 'a', start: T0 + 10_000, impressions: 40, clicks: 4, ctr: 0.1 },
    { product_id: 'b', start: T0, impressions: 30, clicks: 3, ctr: 0.1 },
  ])
  expect(await rollUp('ctr_minutely', 'minute')).toMatchObject([
    { product_id: 'a', impressions: 51, clicks: 6 },
    { product_id: 'b', impressions: 30, clicks: 3 },
  ])
})

describe('of the runs of an input', () => {
  const inputs = (rows: readonly (readonly [number: number, name: string, ended: 0 | 1])[]) => {
    const values = rows.map(([number, name, ended]) => `('default', ${INPUTS_FROM + number}, 'run${number}', '${name}', 0, '', ${ended})`)
    const columns = INPUTS.columns.map(([name]) => name).join(', ')
    return clickhouse.command(`INSERT INTO db.ctr_inputs (${columns}) VALUES ${values.join(', ')}`, endpoint.database)
  }

  test('the last one of a name that has ended counts, names add up, and roll-ups follow when a run ends', async () => {
    await insert([['live', T0, 0, 1, 0]])
    await inputs([[0, 'june', 0]])
    await insert([
      ['a', T0, INPUTS_FROM, 10, 0],
      ['gone', T0, INPUTS_FROM, 11, 0],
    ])
    const live = { product_id: 'live', impressions: 1 }
    expect(await windows()).toMatchObject([live])
    expect(await rollUp('ctr_minutely', 'minute')).toMatchObject([live])
    // Rows of a run that takes long are older than any run looks back.
    const old = 'UPDATE inserted_at = now64(3) - INTERVAL 1 DAY WHERE 1 SETTINGS mutations_sync = 1'
    await clickhouse.command(`ALTER TABLE db.ctr_results ${old}`, endpoint.database)
    await inputs([[0, 'june', 1]])
    const first = [{ product_id: 'a', impressions: 10 }, { product_id: 'gone', impressions: 11 }, live]
    expect(await windows()).toMatchObject(first)
    expect(await rollUp('ctr_minutely', 'minute')).toMatchObject(first)
    await inputs([
      [1, 'june', 0],
      [2, 'july', 0],
      [3, 'july', 0],
    ])
    await insert([
      ['a', T0, INPUTS_FROM + 1, 3, 0],
      ['a', T0, INPUTS_FROM + 2, 4, 0],
      ['a', T0, INPUTS_FROM + 3, 99, 0],
    ])
    expect(await windows()).toMatchObject(first)
    await inputs([
      [1, 'june', 1],
      [2, 'july', 1],
    ])
    const second = [{ product_id: 'a', impressions: 7 }, live]
    expect(await windows()).toMatchObject(second)
    expect(await rollUp('ctr_minutely', 'minute')).toMatchObject(second)
    expect(await rollUp('ctr_hourly', 'hour')).toMatchObject(second)
    expect(await rollUp('ctr_minutely', 'minute')).toHaveLength(2)
  })
})

test('a database gets the tables and views that it lacks, and loses those of an older version', async () => {
  const { database } = endpoint
  const ddl = `SELECT name, create_table_query FROM system.tables WHERE database = '${database}' ORDER BY name`
  const wanted = await clickhouse.rows(ddl)
  await clickhouse.command('CREATE OR REPLACE VIEW db.ctr_windows AS SELECT tenant FROM db.ctr_results', database)
  await clickhouse.command(
    `CREATE MATERIALIZED VIEW db.ctr_minutely_refresh REFRESH EVERY 30 SECOND APPEND TO db.ctr_minutely_computed AS
    SELECT tenant, product_id, toStartOfMinute(window_start) AS minute, sum(r.impressions) AS impressions, sum(r.clicks) AS clicks,
      now64(3, 'UTC') AS refreshed_at FROM db.ctr_results AS r FINAL GROUP BY tenant, product_id, minute`,
    database,
  )
  await clickhouse.command('DROP TABLE db.ctr_inputs SYNC', database)
  await expect(checkSchema(endpoint)).rejects.toThrow(`has no table ${database}.ctr_inputs; \`ctr schema print\``)
  await makeTables(endpoint)
  await checkSchema(endpoint)
  const uuid = /UUID '[^']*'/g
  const plain = (rows: readonly Record<string, unknown>[]) => rows.map((row) => String(row.create_table_query).replaceAll(uuid, ''))
  expect(plain(await clickhouse.rows(ddl))).toEqual(plain(wanted))
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

test('a database that is missing, a table that is missing and a column of another type are each told with the remedy', async () => {
  await expect(checkSchema({ ...endpoint, database: 'nowhere' })).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    retriable: false,
    message: expect.stringMatching(/clickhouse\.database.*no database nowhere.*ctr schema apply/),
  })
  await clickhouse.command('DROP TABLE db.ctr_results', endpoint.database)
  await expect(checkSchema(endpoint)).rejects.toThrow(`has no table ${endpoint.database}.ctr_results`)
  const create = schemaStatements(plainForm(endpoint.database)).find((sql) => sql.includes('.ctr_results\n('))
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
  const create = schemaStatements(plainForm(endpoint.database)).find((sql) => sql.includes(`.${name}\n(`))
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
    'ignored Int64',
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
  await makeTables(odd)
  await checkSchema(odd)
})

import type { ClickHouseClient } from '@clickhouse/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { type Fill, fillStep } from '../../src/tables/fills.ts'
import type { Feed, Form, StoredTable } from '../../src/tables/objects.ts'
import { stateOf } from '../../src/tables/plan.ts'
import { relayStep } from '../../src/tables/relay.ts'
import { createStatement, tableStatement } from '../../src/tables/render.ts'
import { insertsEnded, othersEnded, runMarked } from '../../src/tables/under-way.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { lives } from '../support/lives.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const DAY_MS = 86_400_000
const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let form: Form
let client: ClickHouseClient
beforeEach(async () => {
  endpoint = clickhouse.own('steps')
  form = plainForm(endpoint.database)
  await makeTables(endpoint)
  client = connect(endpoint, endpoint.database)
})
afterEach(() => client.close())

const sql = (text: string) => clickhouse.command(text, endpoint.database)
const lines = async (query: string) =>
  (await clickhouse.rows<Record<string, unknown>>(query, endpoint.database)).map((row) => Object.values(row).join(' '))

const MINUTES: StoredTable = {
  kind: 'table',
  name: 'ctr_test_computed',
  columns: [
    ['tenant', 'String'],
    ['product_id', 'String'],
    ['minute', "DateTime('UTC')"],
    ['impressions', 'UInt64'],
    ['refreshed_at', "DateTime64(3, 'UTC')"],
    ['added', 'UInt8'],
  ],
  newest: 'refreshed_at',
  partitionBy: 'toMonday(minute)',
  orderBy: ['tenant', 'minute', 'product_id'],
  settings: { index_granularity: 1024 },
  spread: 'product',
}
const OLD_KEY = ['tenant', 'product_id', 'minute']
const OLD_MINUTES = { ...MINUTES, columns: MINUTES.columns.slice(0, -1), partitionBy: 'toYYYYMM(minute)', orderBy: OLD_KEY, settings: {} }
const REFRESH = 'ctr_test_refresh'
const RELAY = relayStep([MINUTES], 'test-by-time', [{ table: MINUTES.name, from: OLD_KEY, written: 'refreshed_at', refresh: REFRESH }])

async function oldMinutes(): Promise<void> {
  await sql(tableStatement(form, OLD_MINUTES))
  await sql(`CREATE MATERIALIZED VIEW db.${REFRESH} REFRESH EVERY 1 YEAR APPEND TO db.${MINUTES.name} AS
    SELECT 't' AS tenant, '' AS product_id, now() AS minute, 1 AS impressions, now64(3) AS refreshed_at WHERE 0`)
  await sql(`INSERT INTO db.${MINUTES.name}
    SELECT 't', toString(number % 50), toDateTime('2024-01-01 00:00:00', 'UTC') + number * 60 * 60, number,
    now64(3) - INTERVAL 1 DAY FROM numbers(2000) SETTINGS max_partitions_per_insert_block = 0`)
}

const minutes = () => lines(`SELECT product_id, minute, impressions FROM db.${MINUTES.name} FINAL ORDER BY ALL`)

test('a table that is laid out anew loses no row, however often who does it is killed, under refreshes and readers', async () => {
  await oldMinutes()
  const want = new Set(await minutes())
  let writes = 0
  const write = async (table: string) => {
    writes++
    await sql(`INSERT INTO db.${table} (tenant, product_id, minute, impressions, refreshed_at)
      VALUES ('t', 'late', '2024-01-15 00:00:00', ${writes}, now64(3)), ('t', 'of ${writes}', '2024-02-15 00:00:00', 1, now64(3))`)
    want.add(`of ${writes} 2024-02-15 00:00:00 1`)
  }
  const between = async () => {
    const tables = `SELECT name, sorting_key AS key FROM system.tables WHERE database = '${endpoint.database}' AND name LIKE 'ctr_test_%'`
    const keys = new Map((await clickhouse.rows<{ name: string; key: string }>(tables)).map(({ name, key }) => [name, key]))
    if (keys.has(REFRESH)) await write(MINUTES.name)
    const shown = new Set(await minutes())
    expect([...want].filter((line) => !shown.has(line))).toEqual([])
    // An insert that had the old table in its hands when the two changed places; readers see it once it is copied.
    if (keys.get(`${MINUTES.name}_next`) === OLD_KEY.join(', ') && rest === 0) {
      await write(`${MINUTES.name}_next`)
      want.delete(`of ${writes} 2024-02-15 00:00:00 1`)
      rest = writes
    }
  }
  let rest = 0
  await write(MINUTES.name)
  expect(await lives(client, form, RELAY, between)).toBeGreaterThan(5)
  expect(rest).toBeGreaterThan(0)
  want.add(`of ${rest} 2024-02-15 00:00:00 1`)
  expect(await minutes()).toEqual([...want, `late 2024-01-15 00:00:00 ${writes}`].toSorted())
  const tables = `SELECT name, sorting_key FROM system.tables WHERE database = '${endpoint.database}' AND name LIKE 'ctr_test%'`
  expect(await lines(tables)).toEqual(['ctr_test_computed tenant, minute, product_id'])
})

test('what is planned of a new layout tells its rows and bytes, and a table of a key that nobody knows is left alone', async () => {
  await oldMinutes()
  const [part] = await RELAY.parts(await stateOf(client, form))
  expect(part).toMatchObject({ rows: 2000, mends: MINUTES.name })
  expect(part?.bytes).toBeGreaterThan(1000)
  await sql(`DROP TABLE db.${MINUTES.name}`)
  expect(await RELAY.parts(await stateOf(client, form))).toEqual([])
  await sql(tableStatement(form, { ...OLD_MINUTES, orderBy: ['minute'] }))
  expect(await RELAY.parts(await stateOf(client, form))).toEqual([])
})

const COPY: StoredTable = {
  kind: 'table',
  name: 'ctr_test_copy',
  columns: [
    ['product_id', 'String'],
    ['window_start', "DateTime64(3, 'UTC')"],
    ['clicks', 'UInt64'],
    ['version', 'UInt64'],
    ['doubled', 'UInt64', 'DEFAULT clicks * 2'],
  ],
  newest: 'version',
  orderBy: ['window_start', 'product_id'],
  spread: 'product',
}
const FEED: Feed = {
  kind: 'feed',
  name: 'ctr_test_feed',
  to: COPY.name,
  query: ({ here }) => `SELECT product_id, window_start, clicks, version FROM ${here('ctr_results')}`,
}
const FILL: Fill = {
  step: 'fill-test',
  feed: FEED.name,
  source: 'ctr_results',
  partition: 'toYYYYMMDD(window_start)',
  kept: ({ recent }) => `inserted_at >= now64(3) - INTERVAL ${recent / 1000} SECOND`,
}
const FILLS = fillStep([COPY, FEED], FILL)

/** Rows of these products, days back from now. */
const results = (product: string, days: number, version = 1) =>
  sql(`INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, clicks, version, inserted_at)
    SELECT 't', '${product}', now64(3) - INTERVAL ${days} DAY AS start, start, 0, ${version}, ${version}, start`)
const copied = () => lines('SELECT product_id, doubled / 2 AS clicks FROM db.ctr_test_copy FINAL ORDER BY ALL')

test('what was there before a feed is copied by partitions, as far back as it is kept, however often who does it is killed', async () => {
  for (const days of [0, 1, 5, 9]) await results(`before ${days}`, days)
  await sql(tableStatement(form, COPY))
  await sql(createStatement(form, FEED))
  let fed = 0
  const between = () => results(`fed ${++fed}`, 0)
  form = { ...form, retention: { ...form.retention, recent: 6 * DAY_MS } }
  expect(await FILLS.parts(await stateOf(client, form))).toMatchObject([{ rows: 3 }])
  await lives(client, form, FILLS, between)
  const all = Array.from({ length: fed }, (_, i) => `fed ${i + 1} 1`)
  expect(await copied()).toEqual(['before 0 1', 'before 1 1', 'before 5 1', ...all].toSorted())
  expect(await FILLS.parts(await stateOf(client, form))).toEqual([])
})

test('what a feed missed that was dropped and made again is copied', async () => {
  await sql(tableStatement(form, COPY))
  await sql(createStatement(form, FEED))
  await lives(client, form, FILLS)
  await sql('DROP VIEW db.ctr_test_feed')
  await results('missed', 0)
  await sql(createStatement(form, FEED))
  await lives(client, form, FILLS)
  expect(await copied()).toEqual(['missed 1'])
  expect(await FILLS.parts(await stateOf(client, form))).toEqual([])
})

test('an insert that began before the feed was made is waited for, and copied', async () => {
  await sql(tableStatement(form, COPY))
  const slow = sql(`INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, clicks, version)
    SELECT 't', 'slow', now64(3), now64(3), number, 7, sleepEachRow(0.1) + 1 FROM numbers(20) SETTINGS max_block_size = 1`)
  const running = `SELECT count() AS found FROM system.processes
    WHERE query_kind = 'Insert' AND position(query, '${endpoint.database}') > 0`
  await expect.poll(() => lines(running)).toEqual(['1'])
  await sql(createStatement(form, FEED))
  await lives(client, form, FILLS)
  await slow
  expect(await copied()).toEqual(['slow 7'])
})

test('a statement of a killed process is waited for, by its mark, and no other one', async () => {
  const { signal } = new AbortController()
  let waited = 0
  await sql(tableStatement(form, COPY))
  const slow =
    'INSERT INTO ctr_test_copy (product_id, window_start, clicks, version) ' +
    "SELECT 'slow', now64(3) + number, number, sleepEachRow(0.1) FROM numbers(15) SETTINGS max_block_size = 1"
  const other = client.command({ query: slow })
  await othersEnded(client, form, signal, () => waited++)
  expect(waited).toBe(0)
  const marked = runMarked(client, endpoint.database, slow.replace("'slow'", "'marked'"), () => undefined)
  const found = `SELECT count() AS found FROM system.processes WHERE position(query, 'marked') > 0 AND query_kind = 'Insert'`
  await expect.poll(() => lines(found)).toEqual(['1'])
  // Of a database whose name begins like this one.
  await othersEnded(client, { ...form, database: form.database.slice(0, -1) }, signal, () => waited++)
  expect(waited).toBe(0)
  await othersEnded(client, form, signal, () => waited++)
  expect(waited).toBe(1)
  expect(await lines("SELECT count() AS found FROM db.ctr_test_copy WHERE product_id = 'marked'")).toEqual(['15'])
  await insertsEnded(client, form, COPY.name, signal)
  expect(await lines('SELECT count() AS found FROM db.ctr_test_copy')).toEqual(['30'])
  await Promise.all([other, marked])
})

/**
 * The form of a cluster: what is read over its shards is what one server would say of the same rows, whatever was sent again, corrected,
 * revised or replaced. It runs on the cluster that CTR_TEST_CLUSTER names, or on two shards of one embedded engine (workshop/cluster.ts).
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { configSchema } from '../../src/config/schema.ts'
import { applySchema, diffSchema } from '../../src/tables/apply.ts'
import { objectsOf } from '../../src/tables/cluster.ts'
import { InputBook } from '../../src/tables/inputs.ts'
import { type Form, formOf, type View } from '../../src/tables/objects.ts'
import { createStatement } from '../../src/tables/render.ts'
import type { TestClickHouse } from '../../workshop/clickhouse.ts'
import { startProxy } from '../../workshop/clickhouse-proxy.ts'
import { startCluster, type TestCluster } from '../../workshop/cluster.ts'
import { rollUpNow } from '../../workshop/roll-up.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { repetitions } from '../support/effort.ts'
import { SinkRun, type TestRow, until, writtenRows } from '../support/sink-run.ts'

const DATABASE = 'ctr_cluster'
const ONE = 'ctr_one_server'
const T0 = Date.UTC(2024, 0, 2, 3, 4, 0)
const quiet = { info: () => undefined }

const formIn = (cluster: string): Form =>
  formOf(configSchema.parse({ clickhouse: { url: 'http://h:1', database: DATABASE, cluster } }).clickhouse)
const stored = objectsOf(formIn('any')).filter((object) => object.kind === 'table')
const sharded = stored.filter(({ spread }) => spread === 'product').map(({ name }) => name)

let cluster: TestCluster
let clickhouse: TestClickHouse
let endpoint: Endpoint
let form: Form
beforeAll(async () => {
  cluster = await startCluster(DATABASE, sharded)
  clickhouse = cluster.servers[0] as TestClickHouse
  endpoint = { ...clickhouse.endpoint, database: DATABASE, cluster: cluster.name }
  form = formIn(cluster.name)
  await drop()
  await applySchema(endpoint, form, quiet, new AbortController().signal)
  await makeTables({ ...clickhouse.endpoint, database: ONE })
}, 300_000)
afterAll(async () => {
  await drop()
  await cluster.stop()
})

async function drop(): Promise<void> {
  await clickhouse.command(`DROP DATABASE IF EXISTS ${DATABASE} ON CLUSTER \`${cluster.name}\` SYNC`)
  await clickhouse.command(`DROP DATABASE IF EXISTS ${ONE} SYNC`)
}

/** A statement about a table or view, on all servers of the cluster. */
const onAll = (before: string, name: string, after = '') =>
  clickhouse.command(`${before} ${DATABASE}.${name} ON CLUSTER \`${cluster.name}\` ${after}`)

/** Every server has what any has acknowledged. */
async function caughtUp(): Promise<void> {
  for (const server of cluster.servers) {
    for (const { name } of stored) if (cluster.servers.length > 1) await server.command(`SYSTEM SYNC REPLICA ${DATABASE}.${name}`)
  }
}

async function rolledUp(): Promise<void> {
  await caughtUp()
  await rollUpNow(endpoint, form)
  await rollUpNow({ ...clickhouse.endpoint, database: ONE })
  await caughtUp()
}

/** What both databases say to the same question; they must agree, and say something. */
async function same(sql: string): Promise<unknown[]> {
  const [over, one] = [await clickhouse.rows(sql, DATABASE), await clickhouse.rows(sql, ONE)]
  expect(over, sql).toEqual(one)
  expect(over.length, sql).toBeGreaterThan(0)
  return over
}

const PERIODS = ['minutely', 'hourly', 'daily', 'monthly']
const READ = ['ctr_windows', 'ctr_latest', ...PERIODS.map((name) => `ctr_${name}`)]

async function everythingIsSame(): Promise<void> {
  // Exact before anything is computed, and after it.
  await same('SELECT * FROM db.ctr_latest ORDER BY ALL')
  await rolledUp()
  for (const view of READ) {
    await same(`SELECT * FROM db.${view} ORDER BY ALL`)
    await same(`SELECT tenant, count(), sum(impressions), sum(clicks) FROM db.${view} GROUP BY tenant ORDER BY tenant`)
    await same(`SELECT product_id, sum(impressions) AS i FROM db.${view} GROUP BY product_id ORDER BY i DESC, product_id LIMIT 5`)
    await same(`SELECT * FROM db.${view} WHERE tenant = 'default' AND product_id = 'p-3' ORDER BY ALL`)
  }
  for (const name of PERIODS) await same(`SELECT * FROM db.ctr_totals_${name} ORDER BY ALL`)
  for (const since of ['2000-01-01 00:00:00', new Date(Date.now() - 3_600_000).toISOString().replace('T', ' ').slice(0, 19)]) {
    await same(`SELECT * EXCEPT changed_at FROM db.ctr_changes(since = '${since}') ORDER BY ALL`)
  }
  await same('SELECT * FROM db.ctr_reconciliation ORDER BY ALL')
}

/** A sink of a database: over the shards, or of one server. */
async function sinkOf(database: string, urls: readonly string[], revision = 0): Promise<SinkRun> {
  const { username, password } = endpoint
  const place = database === DATABASE ? { url: urls, cluster: cluster.name } : { url: endpoint.url, singleServer: true }
  const run = new SinkRun(configSchema.parse({ clickhouse: { username, password, database, ...place } }).clickhouse, 1, 1 << 20, revision)
  await run.sink.ready
  return run
}

/** The same rows through a sink of each database, and what the ledger has of them. */
async function put(rows: readonly TestRow[], revision = 0): Promise<void> {
  const windows = Map.groupBy(rows, ({ start }) => start)
  for (const database of [DATABASE, ONE]) {
    const urls = cluster.servers.map((server) => server.endpoint.url)
    const run = await sinkOf(database, urls, revision)
    for (const some of windows.values()) await run.rows(0, some)
    await run.barrier(0, 1)
    await until(() => run.barriers.includes(1))
    const counted = [...windows].map(([start, some]) => {
      return { task: 0, start, end: start + 10_000, events: some.reduce((sum, { impressions, clicks }) => sum + impressions + clicks, 0) }
    })
    await run.sink.writeLedger([], counted)
    await run.sink.stop()
  }
}

const block = (from: number, to: number, more = 0) =>
  Array.from({ length: to - from }, (_, window) => window + from).flatMap((window) =>
    Array.from({ length: 30 }, (_, i) => ({
      product: `p-${i}`,
      start: T0 + window * 10_000,
      impressions: i + window + more,
      clicks: i % 3,
    })),
  )

test('rows of a product lie on one shard, and both shards have some', async () => {
  await put(block(0, 20))
  const shards = await clickhouse.rows<{ shard: number; products: number }>(
    'SELECT shardNum() AS shard, toUInt32(uniqExact(product_id)) AS products FROM db.ctr_results GROUP BY shard ORDER BY shard',
    DATABASE,
  )
  expect(shards.map(({ shard }) => shard)).toEqual([1, 2])
  expect(shards.reduce((sum, { products }) => sum + products, 0)).toBe(30)
  await everythingIsSame()
})

test('rows sent again, late corrections, a higher revision and inputs that replace each other are read as from one server', async () => {
  const eachStep = repetitions({ unit: 0, all: 0, long: 1 }) > 0
  await put(block(5, 20))
  await put(block(10, 15, 100))
  if (eachStep) await everythingIsSame()
  await put(block(12, 14, 1), 1)
  await everythingIsSame()
  for (const more of [7, 9]) {
    const books = [DATABASE, ONE].map((database) => {
      const client = connect(endpoint, database)
      return { client, book: new InputBook(client, 'default', database === DATABASE ? cluster.name : undefined) }
    })
    const numbers: number[] = []
    for (const { book } of books) numbers.push((await book.claim(['file']))[0]!.number)
    const [number = 0] = numbers
    expect(numbers).toEqual([number, number])
    await put(block(20, 24, more).map((row) => ({ ...row, task: number })))
    if (eachStep) await everythingIsSame()
    for (const { book, client } of books) {
      await book.end([{ number, name: 'file', bytes: more, hash: 'h' }])
      await client.close()
    }
    await everythingIsSame()
  }
}, 180_000)

test('the last minutes, hour and day are those of all shards', async () => {
  const start = Math.floor(Date.now() / 10_000) * 10_000
  await put(Array.from({ length: 30 }, (_, i) => ({ product: `now-${i}`, start, impressions: i + 1, clicks: i % 3 })))
  await rolledUp()
  for (const view of ['ctr_last_5m', 'ctr_last_hour', 'ctr_last_day']) {
    const found = await same(`SELECT * FROM db.${view} ORDER BY ALL`)
    expect(found.length).toBe(30)
  }
})

test('a view with parameters is read over all shards, and its subqueries are of the shard that asks', async () => {
  const windows = (table: string, where: string) => `SELECT product_id, window_start, sum(r.impressions) AS n
  FROM ${table} AS r FINAL
  WHERE (tenant, product_id) IN (SELECT tenant, product_id FROM ${table} WHERE ${where})
  GROUP BY product_id, window_start`
  const view: View = {
    kind: 'view',
    name: 'ctr_above',
    spread: 'product',
    query: ({ all }) => {
      const some = ['impressions', 'clicks'].map((column) => windows(all('ctr_results'), `${column} > {least:UInt64}`))
      return `SELECT product_id, sum(w.n) AS n FROM (${some.join(' UNION ALL ')}) AS w GROUP BY product_id`
    },
  }
  await clickhouse.command(createStatement(form, view))
  await clickhouse.command(createStatement(plainForm(ONE), view))
  const found = await same('SELECT * FROM db.ctr_above(least = 125) ORDER BY product_id')
  expect(found.length).toBeLessThan(30)
  await onAll('DROP VIEW', view.name)
})

test('what has moved, and which hour is unusual, is the same over shards', async () => {
  for (const database of [DATABASE, ONE]) {
    await clickhouse.command(
      `INSERT INTO db.ctr_minutely_computed (tenant, product_id, minute, impressions, clicks, refreshed_at)
      SELECT 'default', concat('m-', toString(number % 20)), toDateTime('2020-02-01 10:00:00', 'UTC') + INTERVAL intDiv(number, 20) MINUTE,
        1000, if(number % 3 = 0 AND number >= 20, 300, 100), now64(3) FROM numbers(40)
      SETTINGS distributed_foreground_insert = 1`,
      database,
    )
    await clickhouse.command(
      `INSERT INTO db.ctr_hourly_computed (tenant, product_id, hour, impressions, clicks, refreshed_at)
      SELECT 'default', concat('m-', toString(number % 20)), toDateTime('2020-02-20 10:00:00', 'UTC') - INTERVAL intDiv(number, 20) DAY,
        2000, if(number % 3 = 0 AND number < 20, 400, 200), now64(3) FROM numbers(300)
      SETTINGS distributed_foreground_insert = 1`,
      database,
    )
  }
  const periods = `since = '2020-02-01 10:01:00', until = '2020-02-01 10:02:00',
    before_since = '2020-02-01 10:00:00', before_until = '2020-02-01 10:01:00'`
  expect(await same(`SELECT * FROM db.ctr_movers(${periods}) ORDER BY ALL`)).toHaveLength(7)
  expect(await same(`SELECT * FROM db.ctr_anomalies(hour = '2020-02-20 10:00:00') ORDER BY ALL`)).toHaveLength(7)
  for (const name of ['minutely', 'hourly']) {
    const where = "DELETE WHERE product_id LIKE 'm-%' SETTINGS mutations_sync = 2"
    await onAll('ALTER TABLE', `ctr_${name}_computed_local`, where)
    await clickhouse.command(`ALTER TABLE db.ctr_${name}_computed ${where}`, ONE)
  }
})

test('what was known is the same over shards, from the copy of what is there on', async () => {
  const one = { ...clickhouse.endpoint, database: ONE }
  // Its rows are of long ago.
  const kept = (of: Form, history: boolean): Form => ({
    ...of,
    history,
    retention: { ...of.retention, emissions: Number.POSITIVE_INFINITY },
  })
  // First the tables keep such rows, then they get them.
  for (const history of [false, true]) {
    await applySchema(endpoint, kept(form, history), quiet, new AbortController().signal)
    await makeTables(one, kept(plainForm(ONE), history))
  }
  await caughtUp()
  const view = "db.ctr_results_as_of(known_at = '2100-01-01 00:00:00')"
  expect(await same(`SELECT * FROM ${view} ORDER BY ALL`)).toEqual(await same('SELECT * FROM db.ctr_windows ORDER BY ALL'))
  await same(`SELECT * FROM ${view} WHERE tenant = 'default' AND product_id = 'p-3' ORDER BY ALL`)
  await applySchema(endpoint, form, quiet, new AbortController().signal)
  await makeTables(one)
  await caughtUp()
  await expect(clickhouse.rows(`SELECT count() FROM ${view}`, DATABASE)).rejects.toThrow(/begins later/)
})

test('a server that goes away under load is left for another of the cluster: 0 rows differ', async () => {
  const door = await startProxy(endpoint.url)
  const run = await sinkOf(DATABASE, [door.url, cluster.servers.at(-1)!.endpoint.url])
  for (let window = 0; window < 40; window++) {
    await run.rows(
      0,
      Array.from({ length: 30 }, (_, i) => ({ product: `f-${i}`, start: T0 + window * 10_000, impressions: i + window, clicks: 1 })),
    )
    if (window === 20) await door.close()
  }
  await run.barrier(0, 1)
  await until(() => run.barriers.includes(1))
  expect(run.sink.stats().moves).toBe(1)
  await run.sink.stop()
  const written = await writtenRows(clickhouse, DATABASE)
  expect(new Map([...written].filter(([key]) => key.startsWith('f-')))).toEqual(run.expected)
  await onAll('ALTER TABLE', 'ctr_results_local', "DELETE WHERE product_id LIKE 'f-%' SETTINGS mutations_sync = 2")
})

test('nothing differs from what is wanted, and applying it again changes nothing', async () => {
  const ddl = `SELECT name, create_table_query FROM system.tables WHERE database = '${DATABASE}' ORDER BY name`
  const before = await clickhouse.rows(ddl)
  expect((await diffSchema(endpoint, form)).differences).toEqual([])
  await applySchema(endpoint, form, quiet, new AbortController().signal)
  expect(await clickhouse.rows(ddl)).toEqual(before)
})

test('what is over all shards follows what it is over, and readers and writers find it all the time', async () => {
  await onAll('ALTER TABLE', 'ctr_results_local', 'ADD COLUMN more UInt8')
  expect((await diffSchema(endpoint, form)).differences.map(({ object, what }) => `${object.name} ${what}`)).toEqual([
    'ctr_results has other columns',
  ])
  await onAll('DROP TABLE', 'ctr_latest', 'SYNC')
  await applySchema(endpoint, form, quiet, new AbortController().signal)
  expect((await diffSchema(endpoint, form)).differences).toEqual([])
  expect(await clickhouse.rows('SELECT sum(more) AS more FROM db.ctr_results', DATABASE)).toEqual([{ more: 0 }])
  await everythingIsSame()
})

test('a plain table where one over all shards is wanted is refused, and not touched', async () => {
  const other = { ...form, database: ONE }
  await expect(applySchema({ ...endpoint, database: ONE }, other, quiet, new AbortController().signal)).rejects.toThrow(
    /ctr_one_server\.ctr_results holds rows of this server only, and one over all servers is wanted/,
  )
  await everythingIsSame()
})

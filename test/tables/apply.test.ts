import { beforeEach, describe, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { applySchema, diffSchema, planSchema } from '../../src/tables/apply.ts'
import { checkSchema } from '../../src/tables/check.ts'
import { VERSION } from '../../src/tables/migrations.ts'
import { type Fault, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { naiveViews, shownViews } from '../../workshop/naive-views.ts'
import { makeOldTables } from '../../workshop/old-tables.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { repetitions } from '../support/effort.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const LONG_MS = 300_000
const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeEach(() => {
  endpoint = clickhouse.own('apply')
})

const sql = (text: string) => clickhouse.command(text, endpoint.database)

async function apply(at = endpoint): Promise<string[]> {
  const said: string[] = []
  await applySchema(at, plainForm(endpoint.database), { info: (text) => said.push(text) }, new AbortController().signal)
  return said
}

/** Leases run out in thirty seconds; here at once. */
const endLeases = () =>
  sql(`INSERT INTO db.ctr_schema (kind, name, until, at)
    SELECT kind, name, 0, now64(3) + INTERVAL 1 SECOND FROM db.ctr_schema WHERE kind IN ('lease', 'roll-ups')`)

/** Applies over a connection that breaks for good at a request, life after life, until one is done; returns how many it took. */
async function lives(from: number, by: number): Promise<number> {
  const proxy = await startProxy(endpoint.url)
  proxy.concerned = /^/
  const faults: Fault[] = [{ kind: 'lose-answer' }, { kind: 'reset', afterBytes: 0 }]
  try {
    for (let life = 0; life < 200; life++) {
      proxy.next.splice(0, Number.POSITIVE_INFINITY, ...Array.from({ length: from + by * life }, (): Fault => ({ kind: 'pass' })))
      proxy.next.push(faults[life % 2] as Fault)
      proxy.fault = { kind: 'reset', afterBytes: 0 }
      try {
        await apply({ ...endpoint, url: proxy.url })
        return life
      } catch (error) {
        expect(error).toMatchObject({ code: 'CTR_CLICKHOUSE_UNREACHABLE', retriable: true })
      }
      await endLeases().catch(() => undefined)
    }
  } finally {
    await proxy.close()
  }
  throw new Error('it does not come to an end')
}

test(
  'a database that was begun by processes that were killed at any request becomes a whole one',
  async () => {
    expect(await lives(0, 9)).toBeGreaterThan(5)
    expect(await diffSchema(endpoint, plainForm(endpoint.database))).toEqual({ version: VERSION, knows: VERSION, differences: [] })
    expect(await apply()).toEqual([])
  },
  LONG_MS,
)

test(
  'a migration that is killed at any request, under inserts of the version before, fails no reader and shows it nothing wrong',
  async () => {
    await makeOldTables(clickhouse, endpoint.database, 1)
    const over = new AbortController()
    let inserted = 0
    const writing = (async () => {
      while (!over.signal.aborted) {
        // A window by the second that ends in it, with as many clicks as it has rows.
        await sql(`INSERT INTO db.ctr_results
          (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
        SELECT 'load', toString(number), now64(3), now64(3), ${inserted}, 1, 1, 1, 2, now64(3) FROM numbers(10)`)
        inserted++
        await sleep(50)
      }
    })()
    const rows = new Map<string, number>()
    let reads = 0
    const reading = (async () => {
      while (!over.signal.aborted) {
        const before = inserted
        const [seen] = await clickhouse.rows<{ clicks: number; products: number }>(
          "SELECT sum(clicks) AS clicks, uniqExact(product_id) AS products FROM db.ctr_windows WHERE tenant = 'load'",
          endpoint.database,
        )
        expect(seen?.clicks).toBeGreaterThanOrEqual(before * 10)
        for (const view of ['ctr_latest', 'ctr_minutely', 'ctr_hourly', 'ctr_reconciliation']) {
          const [found] = await clickhouse.rows<{ found: number }>(
            `SELECT count() AS found FROM db.${view} WHERE tenant != 'load'`,
            endpoint.database,
          )
          rows.set(view, Math.min(rows.get(view) ?? Number.POSITIVE_INFINITY, found?.found ?? 0))
        }
        reads++
      }
    })()
    const want = await naiveViews(clickhouse, endpoint.database)
    await lives(9, repetitions({ unit: 29, all: 29, long: 13 }))
    over.abort()
    await Promise.all([writing, reading])
    expect(reads).toBeGreaterThan(3)
    expect(inserted).toBeGreaterThan(3)
    const least = (view: keyof typeof want) => want[view].filter((line) => !line.startsWith('load ')).length
    expect(Object.fromEntries(rows)).toMatchObject({
      ctr_latest: least('ctr_latest'),
      ctr_minutely: least('ctr_minutely'),
      ctr_hourly: least('ctr_hourly'),
    })
    expect(await diffSchema(endpoint, plainForm(endpoint.database))).toEqual({ version: VERSION, knows: VERSION, differences: [] })
    const { ctr_windows, ctr_latest } = await naiveViews(clickhouse, endpoint.database)
    expect(await shownViews(clickhouse, endpoint.database)).toMatchObject({ ctr_windows, ctr_latest })
  },
  LONG_MS,
)

test('of several that apply at once one does, and the others wait for it and find nothing left', async () => {
  await makeOldTables(clickhouse, endpoint.database, 1, false)
  const said = await Promise.all([apply(), apply(), apply()])
  expect(said.flat().filter((text) => text.includes('are of version'))).toEqual([
    `the tables in ${endpoint.database} are of version ${VERSION} now`,
  ])
  expect(await apply()).toEqual([])
})

describe('of a newer version', () => {
  const newer = (version: number, from: number) =>
    sql(`INSERT INTO db.ctr_schema (kind, name, version, writers_from) VALUES ('version', '${version}', ${version}, ${from})`)
  beforeEach(() => makeTables(endpoint))

  test('tables that take rows of newer engines only are refused, by everything that would write or compare', async () => {
    await newer(VERSION + 1, VERSION + 1)
    const refusal = new RegExp(
      `^clickhouse.database: .* has tables of version ${VERSION + 1}, ` +
        `which take rows of engines that know version ${VERSION + 1} at least; ` +
        `this one knows ${VERSION}: run the newer engine, or give this one a database of its own$`,
    )
    const form = plainForm(endpoint.database)
    await expect(apply()).rejects.toMatchObject({
      code: 'CTR_CLICKHOUSE_REFUSED',
      retriable: false,
      message: expect.stringMatching(refusal),
    })
    await expect(planSchema(endpoint, form)).rejects.toThrow(refusal)
    await expect(diffSchema(endpoint, form)).rejects.toThrow(refusal)
    await expect(checkSchema(endpoint)).rejects.toThrow(refusal)
  })

  test('tables that take rows of this one too are left as they are', async () => {
    await newer(VERSION + 1, VERSION)
    await sql('CREATE OR REPLACE VIEW db.ctr_latest AS SELECT 1 AS newer')
    const text = `the tables in ${endpoint.database} are of version ${VERSION + 1}, newer than ${VERSION}, and stay as they are`
    expect(await apply()).toEqual([text])
    await checkSchema(endpoint)
    expect(await clickhouse.rows('SELECT * FROM db.ctr_latest', endpoint.database)).toEqual([{ newer: 1 }])
    const form = plainForm(endpoint.database)
    expect(await planSchema(endpoint, form)).toEqual({ from: VERSION + 1, to: VERSION, steps: [], conflicts: [] })
    expect(await diffSchema(endpoint, form)).toEqual({ version: VERSION + 1, knows: VERSION, differences: [] })
  })
})

describe('what is in the way', () => {
  const conflicts = async () =>
    (await planSchema(endpoint, plainForm(endpoint.database))).conflicts.map(({ object, what }) => `${object.name} ${what}`)

  test('a table under the name of a view is told, and nothing is changed', async () => {
    await makeOldTables(clickhouse, endpoint.database, 1, false)
    await sql('DROP VIEW db.ctr_latest')
    await sql('CREATE TABLE db.ctr_latest (a UInt8) ENGINE = MergeTree ORDER BY a')
    expect(await conflicts()).toEqual(['ctr_latest is a table of this name, and a view is wanted: rename it, or drop it'])
    await expect(apply()).rejects.toThrow(/\.ctr_latest is a table of this name, .*; make it anew under another name and move the rows/)
    const columns = `SELECT name FROM system.columns WHERE database = '${endpoint.database}' AND table = 'ctr_results' AND name = 'window'`
    expect(await clickhouse.rows(columns)).toEqual([])
  })

  test('a table of another engine, key, partition or type of a column is told with what it has', async () => {
    await makeTables(endpoint)
    await sql('DROP TABLE db.ctr_results')
    await sql(`CREATE TABLE db.ctr_results
      (tenant String, product_id String, window_start DateTime64(3, 'UTC'), window_end DateTime64(3, 'UTC'),
      task UInt64, version UInt64) ENGINE = MergeTree PARTITION BY task ORDER BY (tenant)`)
    expect(await conflicts()).toEqual([
      'ctr_results column task is of type UInt64, and UInt32 is wanted',
      'ctr_results is of engine MergeTree, and ReplacingMergeTree(version) is wanted',
      'ctr_results is partitioned by task, and toYYYYMMDD(window_start) is wanted',
      'ctr_results is ordered by (tenant), and (tenant, product_id, window_start, window_end, task, window) is wanted',
    ])
  })

  test('columns, indexes, settings, comments and rights of somebody else are not', async () => {
    await makeTables(endpoint)
    await sql('ALTER TABLE db.ctr_results ADD COLUMN mine String, ADD INDEX mine_range mine TYPE minmax')
    await sql('ALTER TABLE db.ctr_results MODIFY SETTING merge_with_ttl_timeout = 60')
    await sql("ALTER TABLE db.ctr_results MODIFY COMMENT 'of the shop, SETTINGS x = 1'")
    await sql('CREATE TABLE db.mine (a UInt8) ENGINE = Memory')
    expect((await diffSchema(endpoint, plainForm(endpoint.database))).differences).toEqual([])
  })
})

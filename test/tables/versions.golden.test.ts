/** Databases of every version that there was, brought to the newest one. */
import { readdirSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { applySchema, diffSchema, planSchema } from '../../src/tables/apply.ts'
import { VERSION } from '../../src/tables/migrations.ts'
import { RollUpJob } from '../../src/tables/roll-up-job.ts'
import { repositoryPath } from '../../workshop/child.ts'
import { naiveViews, shownViews } from '../../workshop/naive-views.ts'
import { goldenStatements, makeOldTables } from '../../workshop/old-tables.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
const versions = readdirSync(repositoryPath('test/golden/tables')).flatMap((name) => /^v(\d+)\.sql$/.exec(name)?.[1] ?? [])

/** Of an older ledger a row for each partition and hour is left: what was read is in other minutes then, and as much. */
const reconciliation = async ({ database }: Endpoint) => [
  await clickhouse.rows(
    `SELECT tenant, minute, window_events, result_events, missing FROM db.ctr_reconciliation
     WHERE window_events != 0 OR result_events != 0 ORDER BY ALL`,
    database,
  ),
  await clickhouse.rows(
    `SELECT tenant, sum(r.read) AS read, sum(r.counted), sum(r.late), sum(r.invalid), sum(r.dead_lettered), countIf(r.unaccounted != 0)
     FROM db.ctr_reconciliation AS r GROUP BY tenant ORDER BY tenant`,
    database,
  ),
]

/** Statements of all that is there, without what differs from database to database. */
async function definitions({ database }: Endpoint): Promise<Record<string, string>> {
  const query = `SELECT name, create_table_query AS ddl FROM system.tables WHERE database = '${database}'`
  const rows = await clickhouse.rows<{ name: string; ddl: string }>(query)
  const plain = (ddl: string) => ddl.replaceAll(database, 'ctr').replaceAll(/ UUID '[^']*'/g, '')
  return Object.fromEntries(rows.map(({ name, ddl }) => [name, plain(ddl)]))
}

/** Brings everything that the engine computes up to date. */
async function rollUp(endpoint: Endpoint): Promise<void> {
  const client = connect(endpoint, endpoint.database)
  const { failed, leftOut } = await new RollUpJob(client, plainForm(endpoint.database)).runAll(new AbortController().signal)
  await client.close()
  expect([failed, leftOut]).toEqual([[], 0])
}

/** Minutes whose totals are not the sums of their products. */
const wrongTotals = ({ database }: Endpoint) =>
  clickhouse.rows(
    `SELECT tenant, minute FROM (
      SELECT tenant, minute, impressions, clicks FROM db.ctr_totals_minutely
      UNION ALL
      SELECT tenant, minute, sum(m.impressions), sum(m.clicks) FROM db.ctr_minutely AS m GROUP BY tenant, minute
    ) GROUP BY tenant, minute, impressions, clicks HAVING count() != 2`,
    database,
  )

async function refreshes({ database }: Endpoint): Promise<string[]> {
  return (await clickhouse.rows<{ view: string }>(`SELECT view FROM system.view_refreshes WHERE database = '${database}'`)).map(
    ({ view }) => view,
  )
}

test('there are golden tables of every version before the newest one', () => {
  const before = Array.from({ length: VERSION - 1 }, (_, i) => i + 1)
  expect(versions.map(Number)).toEqual(expect.arrayContaining(before))
})

test.each(versions)(
  'a database of version %s becomes one as a new one is, and its views go on showing what they must',
  async (version) => {
    const endpoint = clickhouse.own(`v${version}`)
    const fresh = clickhouse.own('fresh')
    const form = plainForm(endpoint.database)
    await makeOldTables(clickhouse, endpoint.database, Number(version))
    const [want, balances] = [await naiveViews(clickhouse, endpoint.database), await reconciliation(endpoint)]
    // Tables of version 1 are refreshed by ClickHouse, which may take its time on a busy machine.
    for (let tries = 0; tries < 90 && !isDeepStrictEqual(await shownViews(clickhouse, endpoint.database), want); tries++) await sleep(1_000)
    expect(await shownViews(clickhouse, endpoint.database)).toEqual(want)
    expect(want.ctr_windows.length).toBeGreaterThan(9000)
    expect(balances.map((rows) => rows.length)).toEqual([2, 2])

    const plan = await planSchema(endpoint, form)
    expect([plan.from, plan.to, plan.conflicts]).toEqual([Number(version), VERSION, []])
    const said: string[] = []
    await applySchema(endpoint, form, { info: (text) => said.push(text) }, new AbortController().signal)
    expect(said.at(-1)).toBe(`the tables in ${endpoint.database} are of version ${VERSION} now`)

    expect(await shownViews(clickhouse, endpoint.database)).toEqual(want)
    expect(await reconciliation(endpoint)).toEqual(balances)
    expect(await diffSchema(endpoint, form)).toEqual({ version: VERSION, knows: VERSION, differences: [] })
    expect(await wrongTotals(endpoint)).toEqual([])
    // What the version before writes goes on to be in all of it: windows of now, and late ones of long ago.
    const columns = 'tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at'
    for (const start of ['toStartOfMinute(now())', "toDateTime64('2024-01-02 03:04:30', 3, 'UTC')"]) {
      await clickhouse.command(
        `INSERT INTO db.ctr_results (${columns}) SELECT 'one', 'a', ${start} AS start, start + INTERVAL 10 SECOND, 0, 7, 2, 0, 9, now64(3)`,
        endpoint.database,
      )
    }
    await rollUp(endpoint)
    expect(await shownViews(clickhouse, endpoint.database)).toEqual(await naiveViews(clickhouse, endpoint.database))
    expect(await wrongTotals(endpoint)).toEqual([])
    const days = `now64(3) - INTERVAL 2 DAY + INTERVAL 1 HOUR`
    const late = await clickhouse.rows(
      `SELECT count() AS rows FROM (SELECT * FROM db.ctr_results FINAL WHERE inserted_at >= ${days} OR window_end >= ${days}) AS r
      LEFT ANTI JOIN (SELECT * FROM db.ctr_recent FINAL) AS n
      USING (tenant, product_id, window_start, window_end, task, window, version, clicks)`,
      endpoint.database,
    )
    expect(late).toEqual([{ rows: 0 }])

    await makeTables(fresh)
    expect(await definitions(endpoint)).toEqual(await definitions(fresh))
  },
  300_000,
)

test.each(versions)(
  'an engine of version %s that starts again on tables of the newest one changes no answer, and apply mends what it changed',
  async (version) => {
    const endpoint = clickhouse.own(`again${version}`)
    const form = plainForm(endpoint.database)
    await makeTables(endpoint)
    for (const statement of goldenStatements(`v${version}-rows.sql`, endpoint.database)) {
      if (!statement.startsWith('SYSTEM')) await clickhouse.command(statement)
    }
    await rollUp(endpoint)
    // What it does at its start, and its refreshes.
    for (const statement of goldenStatements(`v${version}.sql`, endpoint.database)) await clickhouse.command(statement)
    await clickhouse.command(
      `INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
      VALUES ('one', 'a', '2024-01-02 03:04:10.000', '2024-01-02 03:04:20.000', 0, 9, 1, 0, 10, now64(3))`,
      endpoint.database,
    )
    const refreshed = await refreshes(endpoint)
    // From version 2 on the engine computes.
    if (refreshed.length === 0) await rollUp(endpoint)
    for (const refresh of refreshed) {
      await clickhouse.command(`SYSTEM REFRESH VIEW ${endpoint.database}.${refresh}`)
      await clickhouse.command(`SYSTEM WAIT VIEW ${endpoint.database}.${refresh}`)
    }
    const want = await naiveViews(clickhouse, endpoint.database)
    expect(await shownViews(clickhouse, endpoint.database)).toEqual(want)
    expect((await diffSchema(endpoint, form)).differences.length).toBeGreaterThan(3)
    await makeTables(endpoint)
    expect((await diffSchema(endpoint, form)).differences).toEqual([])
    await rollUp(endpoint)
    expect(await shownViews(clickhouse, endpoint.database)).toEqual(want)
  },
  300_000,
)

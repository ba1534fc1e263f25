/** `ctr schema` as a user runs it: exit codes, texts, two at once, one that is killed. */
import { beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { VERSION } from '../../src/tables/migrations.ts'
import { type ConfigTree, runEngine, startEngine } from '../../workshop/engine-process.ts'
import { goldenStatements, makeOldTables } from '../../workshop/old-tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let config: ConfigTree
beforeEach(() => {
  endpoint = clickhouse.own('verb')
  const { url, username, password, database } = endpoint
  config = { clickhouse: { url, username, password, database } }
})

async function schema(...words: string[]): Promise<{ exit: unknown; out: string; said: string[] }> {
  const engine = await runEngine(['schema', ...words], { config }, 120_000)
  return { exit: await engine.exit(), out: engine.stdout, said: engine.complaints }
}

test('plan tells steps, rows and bytes, diff what differs, by their exit codes too, and apply ends both', async () => {
  await makeOldTables(clickhouse, endpoint.database, 1)
  const plan = await schema('plan')
  expect(plan.exit).toBe(0)
  expect(plan.out).toMatch(
    new RegExp(`^-- database ${endpoint.database} at .*, from version 1 to ${VERSION}\\n-- rows to be moved: [\\d,.]+ \\S*rows, .*\\n`),
  )
  expect(plan.out).toContain('-- add the name of the window to the key of results (results-window)\n-- ctr_results\nALTER TABLE ')
  const json = JSON.parse((await schema('plan', '--format', 'json')).out) as {
    from: number
    steps: { name: string; parts: { rows?: number }[] }[]
  }
  expect(json.from).toBe(1)
  const fill = json.steps.find(({ name }) => name === 'fill-recent')
  expect(fill?.parts[0]?.rows).toBeGreaterThan(1000)
  const diff = await schema('diff')
  expect(diff.exit).toBe(1)
  expect(diff.out).toContain('\n  ctr_results is ordered by (tenant, product_id, window_start, window_end, task), and (')
  expect(await schema('apply')).toMatchObject({
    exit: 0,
    out: expect.stringContaining(`the schema is in place in database ${endpoint.database} at `),
  })
  expect(await schema('diff')).toMatchObject({ exit: 0, out: expect.stringContaining(` is as it should be, of version ${VERSION}\n`) })
  expect(await schema('plan')).toMatchObject({ exit: 0, out: expect.stringContaining('\n-- nothing to do\n') })
  await clickhouse.command('DROP VIEW db.ctr_latest', endpoint.database)
  await clickhouse.command('CREATE TABLE db.ctr_latest (a UInt8) ENGINE = MergeTree ORDER BY a', endpoint.database)
  expect(await schema('plan')).toMatchObject({
    exit: 1,
    out: expect.stringContaining('-- in the way, and not mended by this: ctr_latest is a table'),
  })
  expect((await schema('apply')).said.at(-1)).toMatch(/^ctr: CTR_CLICKHOUSE_REFUSED: .*ctr_latest is a table of this name/)
}, 300_000)

test.each(['an empty one', 'version 1'])(
  'two processes that apply at once to %s both end well, and one has done it',
  async (what) => {
    if (what === 'version 1') await makeOldTables(clickhouse, endpoint.database, 1, false)
    const both = await Promise.all([schema('apply'), schema('apply')])
    expect(both.map(({ exit }) => exit)).toEqual([0, 0])
    expect(both.flatMap(({ said }) => said).filter((line) => line.includes('are of version'))).toHaveLength(1)
    expect(await schema('diff')).toMatchObject({ exit: 0 })
  },
  300_000,
)

test('one that is killed is not waited for, where it is known to be gone', async () => {
  for (const statement of goldenStatements('v1.sql', endpoint.database)) await clickhouse.command(statement)
  const first = startEngine(['schema', 'apply'], { config })
  await first.until('it has begun', () => first.complaints.length > 0)
  first.signal('SIGKILL')
  await first.exit()
  const begun = performance.now()
  const second = await schema('apply')
  const waitedMs = performance.now() - begun
  expect(second.exit).toBe(0)
  expect(second.said.join()).not.toContain('another process')
  expect(waitedMs).toBeLessThan(15_000)
  expect(await schema('diff')).toMatchObject({ exit: 0 })
}, 300_000)

test('a start by an engine that does not know the tables ends with the remedy', async () => {
  await schema('apply')
  const newer = VERSION + 1
  await clickhouse.command(
    `INSERT INTO db.ctr_schema (kind, name, version, writers_from) VALUES ('version', '${newer}', ${newer}, ${newer})`,
    endpoint.database,
  )
  for (const words of [
    ['schema', 'apply'],
    ['schema', 'plan'],
    ['schema', 'diff'],
    ['replay', import.meta.filename],
  ]) {
    for (const applySchema of [true, false]) {
      const engine = await runEngine(words, { config: { clickhouse: { ...(config.clickhouse as ConfigTree), applySchema } } })
      expect([words, await engine.exit(), [...engine.complaints, ...engine.logs.map(({ msg }) => msg)].join('\n')]).toEqual([
        words,
        1,
        expect.stringContaining(`this one knows ${VERSION}: run the newer engine, or give this one a database of its own`),
      ])
    }
  }
}, 300_000)

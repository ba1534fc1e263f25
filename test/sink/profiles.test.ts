/** A real engine whose user has a settings profile that forbids: rows go in all the same, or what forbids it is named. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runQuery } from '../../src/cli/query.ts'
import { configSchema } from '../../src/config/schema.ts'
import { silent, type TestClickHouse } from '../../workshop/clickhouse.ts'
import { openLimited } from '../../workshop/limited-clickhouse.ts'
import { makeTables } from '../../workshop/tables.ts'
import { startRun, until } from '../support/sink-run.ts'

const directory = mkdtempSync(join(tmpdir(), 'ctr-profiles-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function under<T>(profile: string, work: (clickhouse: TestClickHouse) => Promise<T>, first?: string): Promise<T> {
  const clickhouse = await openLimited(directory, { profile, ...(first === undefined ? {} : { first }) })
  try {
    return await work(clickhouse)
  } finally {
    await clickhouse.stop()
  }
}

const constant = (name: string, value: number | string) =>
  `<${name}>${value}</${name}><constraints><${name}><const/></${name}></constraints>`

beforeAll(() => under('', ({ endpoint }) => makeTables(endpoint)))

/** Starts, writes some rows of a product and stops; gives what was told, or why it does not start. */
async function write({ endpoint }: TestClickHouse, product: string, days = 1): Promise<string[]> {
  const run = startRun(endpoint, { applySchema: false })
  try {
    await run.sink.ready
    for (let day = 0; day < days; day++) {
      await run.rows(0, [{ product, start: Date.UTC(2024, 0, 1 + day), impressions: 3, clicks: 1 }])
    }
    await run.barrier(0, 1)
    await until(() => run.messages.length > 0 || run.barriers.includes(1))
    return run.messages
  } catch (error) {
    return [String(error)]
  } finally {
    await run.sink.stop()
  }
}

const written = ({ rows }: TestClickHouse, product: string) =>
  rows(`SELECT count() AS n FROM ctr.ctr_results WHERE product_id = '${product}'`)

test('what is wanted is in force already and may not be changed: rows are written', { timeout: 60_000 }, async () => {
  const profile = ['async_insert', 'insert_deduplicate', 'max_partitions_per_insert_block'].map((name) => constant(name, 0)).join('')
  await under(profile + constant('input_format_with_types_use_header', 1), async (clickhouse) => {
    expect(await write(clickhouse, 'a')).toEqual([])
    expect(await written(clickhouse, 'a')).toEqual([{ n: 1 }])
  })
})

test('a profile that keeps async_insert at 1 is refused at the start, and named', { timeout: 60_000 }, async () => {
  await under(constant('async_insert', 1), async (clickhouse) => {
    const [refusal, ...more] = await write(clickhouse, 'b')
    expect(more).toEqual([])
    expect(refusal).toMatch(/clickhouse\.username: the setting async_insert is 1, which user default may not change/)
    expect(refusal).toMatch(/and 0 is needed: else an insert is acknowledged before it is written/)
    expect(await written(clickhouse, 'b')).toEqual([{ n: 0 }])
  })
})

test('a bound that leaves no room for a needed value is refused, and named', { timeout: 60_000 }, async () => {
  const profile =
    '<insert_deduplicate>1</insert_deduplicate><constraints><insert_deduplicate><min>1</min></insert_deduplicate></constraints>'
  await under(profile, async (clickhouse) => {
    expect((await write(clickhouse, 'c'))[0]).toMatch(/the setting insert_deduplicate is 1, .* and 0 is needed/)
  })
})

test('without the preference for many days at once, few days are written', { timeout: 60_000 }, async () => {
  await under(constant('max_partitions_per_insert_block', 3), async (clickhouse) => {
    expect(await write(clickhouse, 'd', 3)).toEqual([])
    expect(await written(clickhouse, 'd')).toEqual([{ n: 3 }])
  })
})

test('little memory for a query does not keep rows from being written', { timeout: 60_000 }, async () => {
  await under(constant('max_memory_usage', 30_000_000), async (clickhouse) => {
    expect(await write(clickhouse, 'e', 20)).toEqual([])
    expect(await written(clickhouse, 'e')).toEqual([{ n: 20 }])
  })
})

test('a user who may only read is told so when it is to write', { timeout: 60_000 }, async () => {
  const refusals = []
  for (const readonly of [2, 1]) {
    refusals.push(await under('', (clickhouse) => write(clickhouse, 'f'), `SET readonly = ${readonly}`))
  }
  expect(refusals[0]?.[0]).toMatch(/clickhouse\.username: the settings profile of default .* forbids \(164 READONLY/)
  expect(refusals[1]?.[0]).toMatch(/the setting async_insert is 1, which user default may not change/)
})

test('a user who may only read, and change no setting, reads views with ctr query', { timeout: 60_000 }, async () => {
  await under('', (clickhouse) => write(clickhouse, 'g'))
  const read = async ({ endpoint: { url, username, password, database } }: TestClickHouse) => {
    const config = configSchema.parse({ clickhouse: { url, username, password, database } })
    const output = new PassThrough()
    const asked = { statements: [{ sql: "SELECT product_id FROM ctr_windows WHERE product_id = 'g'", line: 1 }], source: undefined }
    await runQuery(config, asked, { format: 'TSV' }, output, silent)
    return String(output.read())
  }
  expect(await under('', read, 'SET readonly = 1')).toBe('g\n')
})

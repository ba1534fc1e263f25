/** Views over one of several databases: which one is a row, and a query sees one of them only. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { liveStatement, readSwitches, type SwitchWish, switchLive } from '../../src/tables/live.ts'
import type { Form, View } from '../../src/tables/objects.ts'
import { OBJECTS } from '../../src/tables/schema.ts'
import { callOf, historyFromLongAgo, makeTables, plainForm } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
const { rows, command } = clickhouse
const [blue, green] = [clickhouse.own('blue'), clickhouse.own('green')]
const live: Endpoint = clickhouse.own('live')
const form: Form = plainForm(live.database)
const VIEWS = OBJECTS.filter((object): object is View => object.kind === 'view')

const reads = async () => (await readSwitches(live, live.database))[0]?.reads
const to = (target: Endpoint) => switchLive(live, form, { to: target.database }, 'test')

async function insert({ database }: Endpoint, tenant: string, products: number): Promise<void> {
  await command(
    `INSERT INTO ${database}.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
     SELECT '${tenant}', 'p' || toString(number),
       toDateTime64('2026-11-01 00:00:00', 3, 'UTC'), toDateTime64('2026-11-01 00:00:10', 3, 'UTC'),
       0, 2, 1, 0.5, 3, now64(3) FROM numbers(${products})`,
  )
}

/** The tenants that a query sees through each of two views. */
async function seen(database = live.database): Promise<string> {
  const tenants = (view: string) => `(SELECT arrayStringConcat(arraySort(groupUniqArray(tenant)), ' ') FROM ${database}.${view})`
  const [row] = await rows<{ windows: string; latest: string }>(
    `SELECT ${tenants('ctr_windows')} AS windows, ${tenants('ctr_latest')} AS latest`,
  )
  return `${row?.windows} ${row?.latest}`
}

/** The endpoint, by a way on which `meanwhile` happens before the first query that `at` fits. */
async function interrupted<T>(endpoint: Endpoint, at: RegExp, meanwhile: () => Promise<unknown>, work: (by: Endpoint) => Promise<T>) {
  let happened: Promise<unknown> | undefined
  const server = createServer((request, response) => {
    const pass = async () => {
      const body = await textOf(request)
      if (at.test(body)) {
        happened ??= meanwhile()
        await happened
      }
      const headers = { authorization: request.headers.authorization ?? '' }
      const answer = await fetch(`${endpoint.url}${request.url}`, { method: 'POST', headers, body })
      const code = answer.headers.get('x-clickhouse-exception-code')
      response.writeHead(answer.status, code === null ? {} : { 'x-clickhouse-exception-code': code }).end(await answer.text())
    }
    pass().catch((error: unknown) => response.writeHead(502).end(String(error)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const result = await work({ ...endpoint, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    return { result, happened: happened !== undefined }
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

beforeAll(async () => {
  await makeTables(blue)
  await makeTables(green)
  await insert(blue, 'blue', 100)
  await insert(green, 'green', 200)
  for (const { database } of [blue, green]) await command(historyFromLongAgo(database))
}, 60_000)

describe('which database is read', () => {
  test('nothing was switched where there is no live database, and nothing can go back', async () => {
    expect(await readSwitches(live, live.database)).toEqual([])
    await expect(switchLive(live, form, 'back', 'test')).rejects.toMatchObject({ code: 'CTR_USAGE' })
    await expect(switchLive(live, form, 'settle', 'test')).rejects.toMatchObject({ code: 'CTR_USAGE' })
  })

  test('a switch to a database without tables is refused, and leaves nothing', async () => {
    await expect(switchLive(live, form, { to: 'no_such' }, 'test')).rejects.toThrow(/^--to no_such: it has no view ctr_windows at/)
    await expect(switchLive(live, form, { to: live.database }, 'test')).rejects.toThrow('it can not read itself')
    expect(await rows(`SELECT name FROM system.databases WHERE name = '${live.database}'`)).toEqual([])
  })

  test("an engine's own database is not taken for the views", async () => {
    const refused = switchLive(live, plainForm(blue.database), { to: green.database }, 'test')
    await expect(refused).rejects.toMatchObject({ code: 'CTR_USAGE', message: expect.stringContaining('an engine writes to it at') })
    expect(await seen(blue.database)).toBe('blue blue')
    expect(await readSwitches(blue, blue.database)).toEqual([])
  })

  test('the first switch makes every view, the next one makes them for both, and from then on a switch is one row', async () => {
    expect(await to(blue)).toMatchObject({ reads: blue.database, before: undefined, views: VIEWS.map(({ name }) => name) })
    expect(await seen()).toBe('blue blue')
    expect((await to(green)).views).toHaveLength(VIEWS.length)
    expect(await seen()).toBe('green green')
    for (const [wish, database, tenant] of [
      ['back', blue, 'blue'],
      ['back', green, 'green'],
      [{ to: blue.database }, blue, 'blue'],
      [{ to: blue.database }, blue, 'blue'],
    ] as const) {
      expect(await switchLive(live, form, wish, 'test')).toMatchObject({ reads: database.database, views: [] })
      expect(await seen()).toBe(`${tenant} ${tenant}`)
    }
    const switches = await readSwitches(live, live.database)
    expect(switches.map(({ number }) => number)).toEqual([5, 4, 3, 2, 1])
    expect(switches[0]).toMatchObject({ reads: blue.database, by: 'test' })
  })

  test('every view answers, also those with parameters, as the view that it stands for', async () => {
    for (const view of VIEWS) {
      const [name, from] = [view.name, callOf(view)]
      const count = async (database: string) => rows(`SELECT count() AS n FROM ${database}.${from}`)
      expect(await count(live.database), name).toEqual(await count(blue.database))
    }
  })

  test('reads no rows of the other database, and finds a product as fast as the view does', async () => {
    const client = connect(live, undefined)
    const read = async (table: string) => {
      const query = `SELECT count() AS n FROM ${table} WHERE tenant = 'blue' AND product_id = 'p7'`
      const answer = await (await client.query({ query, format: 'JSON' })).json<{ n: number }>()
      return answer.statistics?.rows_read ?? 0
    }
    const [through, direct] = [await read(`${live.database}.ctr_windows`), await read(`${blue.database}.ctr_windows`)]
    await client.close()
    expect(direct).toBeGreaterThan(0)
    // One more: the row that says which one is read. There are five while ClickHouse has not merged them.
    expect(through - direct).toBeLessThanOrEqual(5)
  })
})

describe('what readers have is not taken from them', () => {
  test('a database that lacks a column of a view, or a view, is refused', async () => {
    await command(`DROP VIEW ${green.database}.ctr_last_5m`)
    await expect(to(green)).rejects.toThrow(/it has no view ctr_last_5m/)
    await command(`CREATE VIEW ${green.database}.ctr_last_5m AS SELECT tenant FROM ${green.database}.ctr_windows`)
    await expect(to(green)).rejects.toThrow(/it has no product_id, .* in ctr_last_5m, which live_\w+ shows/)
    expect(await reads()).toBe(blue.database)
    await makeTables(green)
    await to(green)
    expect(await seen()).toBe('green green')
  })

  test('a column that only one has is shown when the views are settled on it', async () => {
    const columns = async () =>
      (await rows<{ name: string }>(`DESCRIBE TABLE ${live.database}.ctr_totals_minutely`)).map(({ name }) => name)
    const view = (more: string) => `CREATE OR REPLACE VIEW ${green.database}.ctr_totals_minutely AS
      SELECT *${more} FROM ${blue.database}.ctr_totals_minutely`
    const before = await columns()
    await command(view(', 1 AS more'))
    await to(green)
    expect(await columns()).toEqual(before)
    expect((await switchLive(live, form, 'settle', 'test')).views).toHaveLength(VIEWS.length)
    expect(await columns()).toEqual([...before, 'more'])
    await makeTables(green)
  })

  test('nor are they settled on one that has lost a column', async () => {
    await command(`CREATE OR REPLACE VIEW ${green.database}.ctr_last_5m AS SELECT tenant FROM ${green.database}.ctr_windows`)
    await expect(switchLive(live, form, 'settle', 'test')).rejects.toThrow(/which live_\w+ shows/)
    await makeTables(green)
  })
})

test('while it is switched back and forth every query sees one database, through all views alike', async () => {
  await makeTables(green)
  const fresh = clickhouse.own('live')
  const other = plainForm(fresh.database)
  await switchLive(fresh, other, { to: blue.database }, 'test')
  await switchLive(fresh, other, { to: green.database }, 'test')
  let over = false
  const answers = new Map<string, number>()
  const reader = async () => {
    while (!over) {
      const tenants = (view: string) => `(SELECT arrayStringConcat(groupUniqArray(tenant), ' ') FROM ${fresh.database}.${view})`
      const parts = ['ctr_windows', 'ctr_latest', 'ctr_windows'].map((view, i) => `${tenants(view)} AS v${i}`)
      const joined = `(SELECT arrayStringConcat(groupUniqArray(w.tenant || '/' || l.tenant), ' ')
        FROM ${fresh.database}.ctr_windows AS w JOIN ${fresh.database}.ctr_latest AS l USING product_id) AS joined`
      const [row] = await rows<Record<string, string>>(`SELECT ${parts.join(', ')}, ${joined}`)
      const answer = Object.values(row ?? {}).join(', ')
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  }
  const readers = [reader(), reader()]
  try {
    // As long as it takes until readers have seen both.
    for (let i = 0; i < 6 || (i < 40 && answers.size < 2); i++) await switchLive(fresh, other, 'back', 'test')
  } finally {
    over = true
    await Promise.all(readers)
  }
  const whole = ['blue', 'green'].map((tenant) => `${tenant}, ${tenant}, ${tenant}, ${tenant}/${tenant}`)
  expect([...answers.keys()].sort()).toEqual(whole)
}, 60_000)

describe('of two that switch at once', () => {
  const fresh = clickhouse.own('live')
  const own = plainForm(fresh.database)
  const wish = (wanted: SwitchWish, by = fresh) => switchLive(by, own, wanted, 'test')

  beforeAll(async () => {
    await makeTables(green)
    await wish({ to: blue.database })
  }, 60_000)

  /** Views for both, of which blue is read. */
  async function both(): Promise<void> {
    await wish({ to: green.database })
    await wish({ to: blue.database })
    expect(await seen(fresh.database)).toBe('blue blue')
  }

  test('one that has seen another database read changes nothing', async () => {
    await both()
    const { result, happened } = await interrupted(
      fresh,
      /^CREATE TABLE IF NOT EXISTS .*ctr_switches/,
      () => wish({ to: green.database }),
      async (by) => wish('settle', by).catch((error: unknown) => String(error)),
    )
    expect(happened).toBe(true)
    expect(result).toContain(`somebody else has switched ${fresh.database} to ${green.database} at the same time, and nothing was changed`)
    expect(await seen(fresh.database)).toBe('green green')
    expect((await wish({ to: blue.database })).views).toEqual([])
  })

  test('one that has made views without what is read then makes them anew', async () => {
    await both()
    const { result, happened } = await interrupted(
      fresh,
      /^CREATE OR REPLACE VIEW/,
      () => wish({ to: green.database }),
      async (by) => wish('settle', by).catch((error: unknown) => String(error)),
    )
    expect(happened).toBe(true)
    expect(result).toContain('at the same time, and its views were made for that')
    expect(await seen(fresh.database)).toBe('green green')
  })

  test('one whose views were made anew by the other makes them once more', async () => {
    await both()
    const { result, happened } = await interrupted(
      fresh,
      /^INSERT INTO .*ctr_switches/,
      () => wish('settle'),
      (by) => wish({ to: green.database }, by),
    )
    expect(happened).toBe(true)
    expect(result).toMatchObject({ reads: green.database })
    expect(await seen(fresh.database)).toBe('green green')
  })
})

test('settled views need the other database no more', async () => {
  await command(`DROP VIEW ${live.database}.ctr_totals_minutely`)
  await to(blue)
  await switchLive(live, form, 'settle', 'test')
  await command(`DROP DATABASE ${green.database} SYNC`)
  expect(await seen()).toBe('blue blue')
  await expect(switchLive(live, form, 'back', 'test')).rejects.toThrow(`--to ${green.database}: it has no view ctr_windows`)
})

test('in a cluster the views are made on all servers', () => {
  const view = VIEWS[0] as View
  const text = liveStatement({ ...form, cluster: 'main' }, view, ['a', 'b'], ['tenant', 'window'])
  expect(text).toContain(
    `.ctr_windows ON CLUSTER \`main\` AS\nWITH (SELECT argMax(reads, (number, reads)) FROM \`${live.database}\`.ctr_switches)`,
  )
  expect(text).toContain("SELECT `tenant`, `window` FROM `a`.ctr_windows WHERE reads_now = 'a'\nUNION ALL\nSELECT")
})

afterAll(async () => command(`DROP DATABASE IF EXISTS ${live.database}`))

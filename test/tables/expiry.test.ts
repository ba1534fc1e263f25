/** Rows go when they may, and not before; what is changed about that on tables that are there; and what views show meanwhile. */
import { beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { DAY, HOUR, MINUTE } from '../../src/config/units.ts'
import { applySchema, planSchema } from '../../src/tables/apply.ts'
import type { Form, Retention } from '../../src/tables/objects.ts'
import { expiresAfter } from '../../src/tables/retention.ts'
import { plainForm, RETENTION } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeEach(() => {
  endpoint = clickhouse.own('expiry')
})

const form = (retention: Partial<Retention>): Form => ({ ...plainForm(endpoint.database), retention: { ...RETENTION, ...retention } })

/** Applies, and gives what was told. */
async function apply(retention: Partial<Retention>): Promise<string[]> {
  const told: string[] = []
  await applySchema(endpoint, form(retention), { info: (text) => told.push(text) }, new AbortController().signal)
  return told
}

const planned = async (retention: Partial<Retention>) =>
  (await planSchema(endpoint, form(retention))).steps.flatMap(({ step, parts }) => parts.map(({ name }) => `${step.name}: ${name}`))

/** A window of a minute that ended so long ago, its row and what the ledger has of it. */
async function window(product: string, ageMs: number): Promise<void> {
  const end = Math.floor((Date.now() - ageMs) / 1000)
  const [from, to] = [end - 60, end].map((at) => `fromUnixTimestamp64Milli(${at * 1000}, 'UTC')`)
  await clickhouse.command(
    `INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version)
     VALUES ('t', '${product}', ${from}, ${to}, 0, 5, 0, 0, 5)`,
    endpoint.database,
  )
  await clickhouse.command(
    `INSERT INTO db.ctr_ledger_windows (tenant, task, window_start, window_end, events, version)
     VALUES ('t', 0, ${from}, ${to}, 5, 5)`,
    endpoint.database,
  )
}

const products = async (table = 'ctr_results') => {
  const rows = await clickhouse.rows<{ id: string }>(`SELECT product_id AS id FROM db.${table} ORDER BY id`, endpoint.database)
  return rows.map(({ id }) => id)
}

/** Merges what is there, by which expired rows go. */
const merge = (table: string) => clickhouse.command(`OPTIMIZE TABLE db.${table} FINAL`, endpoint.database)

test('rows beyond their time go and those within stay, when it is set, made longer and shorter, and taken away', async () => {
  await apply({})
  for (const [product, days] of [
    ['a', 40],
    ['b', 20],
    ['c', 5],
    ['d', 0],
  ] as const)
    await window(product, days * DAY)
  await merge('ctr_results')
  expect(await products()).toEqual(['a', 'b', 'c', 'd'])

  const told = 'ctr_results keeps rows for ever, and for 30d after window_end is wanted; rows that go by it now: 1'
  expect(await planned({ results: 30 * DAY })).toContain(`expiry: ${told}`)
  expect((await apply({ results: 30 * DAY })).join('\n')).toContain(told)
  expect(await planned({ results: 30 * DAY })).toEqual([])
  await merge('ctr_results')
  expect(await products()).toEqual(['b', 'c', 'd'])

  const shorter = await apply({ results: 10 * DAY })
  expect(shorter.join('\n')).toContain('for 30d after window_end, and for 10d after window_end is wanted; rows that go by it now: 1')
  await merge('ctr_results')
  expect(await products()).toEqual(['c', 'd'])

  const off = await apply({})
  expect(off.join('\n')).toContain('ctr_results keeps rows for 10d after window_end, and for ever is wanted; rows that go by it now: 0')
  await window('e', 4000 * DAY)
  await merge('ctr_results')
  expect(await products()).toEqual(['c', 'd', 'e'])
})

test('a time that ends behind the last second of a DateTime keeps rows, also those of another century', async () => {
  await apply({ results: 36_500 * DAY })
  await window('old', 20_000 * DAY)
  await window('new', 0)
  await clickhouse.command(
    `INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end)
     VALUES ('t', 'far', '2199-01-01 00:00:00', '2199-01-01 00:01:00')`,
    endpoint.database,
  )
  await merge('ctr_results')
  expect(await products()).toEqual(['far', 'new', 'old'])
  expect(await products('ctr_windows')).toEqual(['far', 'new', 'old'])
})

test('a row before 1970 has expired, and not for ever', async () => {
  const [answer] = await clickhouse.rows(
    `SELECT ${expiresAfter("toDateTime64('1950-01-01 00:00:00', 3, 'UTC')", DAY)} BETWEEN toDateTime(1) AND now() AS gone`,
  )
  expect(answer).toEqual({ gone: 1 })
})

test('a window that may go is shown no more, though rows of it are still there', async () => {
  await apply({ results: 2 * DAY })
  await clickhouse.command('SYSTEM STOP MERGES db.ctr_results', endpoint.database)
  await window('a', 2 * DAY + MINUTE)
  await window('b', 2 * DAY - HOUR)
  expect(await products()).toEqual(['a', 'b'])
  expect(await products('ctr_windows')).toEqual(['b'])
})

test('nothing is missing of windows whose rows have gone before what the ledger has of them, or after', async () => {
  await apply({ results: 2 * DAY })
  for (const [product, ageMs] of [
    ['a', 3 * DAY],
    ['b', 2 * DAY + MINUTE],
    ['c', 2 * DAY - MINUTE],
    ['d', DAY],
  ] as const) {
    await window(product, ageMs)
  }
  const missing = () =>
    clickhouse.rows('SELECT sum(window_events) AS windows, sum(missing) AS missing FROM db.ctr_reconciliation', endpoint.database)
  expect(await missing()).toEqual([{ windows: 5, missing: 0 }])
  await merge('ctr_results')
  expect(await missing()).toEqual([{ windows: 5, missing: 0 }])
  await merge('ctr_ledger_windows')
  expect(await missing()).toEqual([{ windows: 5, missing: 0 }])
})

test('of the ledger rows of two days stay, and of older ones the last of each hour', async () => {
  await apply({ ledger: 10 * DAY })
  const hour = Math.floor(Date.now() / HOUR) * HOUR
  const rows = [11 * DAY, 5 * DAY, 5 * DAY - MINUTE, 5 * DAY - HOUR, 3 * HOUR, 3 * HOUR - MINUTE].map(
    (ageMs, i) => `('t', 'clicks', 0, 0, ${i}, ${i + 1}, ${i + 1}, fromUnixTimestamp64Milli(${hour - ageMs}, 'UTC'))`,
  )
  const columns = 'tenant, topic, partition, first_offset, last_offset, read, counted, cut_at'
  await clickhouse.command(`INSERT INTO db.ctr_ledger (${columns}) VALUES ${rows.join()}`, endpoint.database)
  for (const table of ['ctr_ledger', 'ctr_ledger_hourly']) await merge(table)
  const lasts = async (table: string) => {
    const found = await clickhouse.rows<{ last: number }>(`SELECT last_offset AS last FROM db.${table} ORDER BY last`, endpoint.database)
    return found.map(({ last }) => last)
  }
  expect(await lasts('ctr_ledger')).toEqual([4, 5])
  expect(await lasts('ctr_ledger_hourly')).toEqual([2, 3, 5])
  expect(await clickhouse.rows('SELECT sum(read) AS read FROM db.ctr_reconciliation', endpoint.database)).toEqual([{ read: 6 }])
})

import { beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/clickhouse/connect.ts'
import { LIMITS } from '../../src/config/limits.ts'
import { encodeTenant } from '../../src/products/key.ts'
import { insertForm, insertRows } from '../../src/sink/insert.ts'
import { rowFrame, rowMaxBytes, VERSION_UNIT, writeRow } from '../../src/sink/row-binary.ts'
import { RESULTS } from '../../src/tables/columns.ts'
import { makeTables } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

interface Row {
  tenant: string
  product: string
  start: number
  end: number
  task: number
  impressions: number
  clicks: number
  revision: number
  emitted: number
}

const ROWS: Row[] = [
  {
    tenant: 'default',
    product: 'p-1',
    start: 1_700_000_000_000,
    end: 1_700_000_010_000,
    task: 0,
    impressions: 2,
    clicks: 1,
    revision: 0,
    emitted: 1_700_000_015_123,
  },
  { tenant: '', product: 'ünïcödé-☃-𝒳', start: 0, end: 1, task: 4_294_967_295, impressions: 0, clicks: 7, revision: 1, emitted: 0 },
  { tenant: 't'.repeat(127), product: 'a'.repeat(127), start: 1, end: 2, task: 1, impressions: 1, clicks: 0, revision: 0, emitted: 1 },
  {
    tenant: 't'.repeat(128),
    product: 'b'.repeat(128),
    start: 4_294_967_295,
    end: 4_294_967_296,
    task: 2,
    impressions: 3,
    clicks: 1,
    revision: 0,
    emitted: 2,
  },
  {
    tenant: 'x',
    product: 'c'.repeat(256),
    start: 5,
    end: 253_402_300_799_999,
    task: 3,
    impressions: VERSION_UNIT - 2,
    clicks: 1,
    revision: LIMITS.revisionMax,
    emitted: 3,
  },
  {
    tenant: 'tab\t',
    product: 'nul\0new\nline\'"\\',
    start: 2 ** 32 + 7,
    end: 2 ** 33,
    task: 9,
    impressions: 4_294_967_296,
    clicks: 4_294_967_295,
    revision: 3,
    emitted: 2 ** 40,
  },
]

const clickhouse = await sharedClickHouse()
const endpoint = clickhouse.own('row_binary')
beforeAll(() => makeTables(endpoint))

function encode(rows: readonly Row[]): Uint8Array {
  const out = new Uint8Array(rows.reduce((sum, row) => sum + rowMaxBytes(encodeTenant(row.tenant)), 0))
  const view = new DataView(out.buffer)
  let at = 0
  for (const row of rows) {
    const id = Buffer.from(`??${row.product}!`)
    const { start, end, task, impressions, clicks, revision, emitted } = row
    const frame = rowFrame(start, end, task, revision, emitted)
    at = writeRow(out, view, at, encodeTenant(row.tenant), id, 2, id.length - 3, frame, impressions, clicks)
  }
  return out.subarray(0, at)
}

test('the bytes of a row are those that ClickHouse itself writes for it', async () => {
  const literals = ROWS.map((row) => {
    const text = (value: string) => `unhex('${Buffer.from(value).toString('hex')}')`
    const time = (ms: number) => `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`
    const ctr = row.impressions === 0 ? 'toFloat64(0)' : `toUInt64(${row.clicks}) / toUInt64(${row.impressions})`
    const version = `toUInt64('${BigInt(row.revision) * 2n ** 40n + BigInt(row.impressions) + BigInt(row.clicks)}')`
    return `SELECT ${text(row.tenant)}, ${text(row.product)}, ${time(row.start)}, ${time(row.end)}, toUInt32(${row.task}),
      toUInt64(${row.impressions}), toUInt64(${row.clicks}), ${ctr}, ${version}, ${time(row.emitted)}`
  })
  for (const [index, literal] of literals.entries()) {
    const auth = Buffer.from(`${clickhouse.endpoint.username}:${clickhouse.endpoint.password}`).toString('base64')
    const response = await fetch(clickhouse.endpoint.url, {
      method: 'POST',
      body: `${literal} FORMAT RowBinary`,
      headers: { Authorization: `Basic ${auth}` },
    })
    const golden = Buffer.from(await response.arrayBuffer())
    expect(response.status, golden.toString()).toBe(200)
    expect(Buffer.from(encode([ROWS[index]!])).toString('hex')).toBe(golden.toString('hex'))
  }
})

test('rows inserted as RowBinary read back as they were', async () => {
  const client = connect(endpoint, endpoint.database)
  await insertRows(client, insertForm(RESULTS), { bytes: encode(ROWS), count: ROWS.length })
  await client.close()
  const found = await clickhouse.rows<Record<string, string>>(
    `SELECT tenant, hex(product_id) AS product, toUnixTimestamp64Milli(window_start) AS start,
     toUnixTimestamp64Milli(window_end) AS end, task, impressions, clicks, toString(version) AS version,
     toUnixTimestamp64Milli(emitted_at) AS emitted FROM db.ctr_results ORDER BY product_id`,
    endpoint.database,
  )
  const expected = ROWS.toSorted((a, b) => Buffer.compare(Buffer.from(a.product), Buffer.from(b.product))).map((row) => ({
    tenant: row.tenant,
    product: Buffer.from(row.product).toString('hex').toUpperCase(),
    start: row.start,
    end: row.end,
    task: row.task,
    impressions: row.impressions,
    clicks: row.clicks,
    version: String(BigInt(row.revision) * 2n ** 40n + BigInt(row.impressions) + BigInt(row.clicks)),
    emitted: row.emitted,
  }))
  expect(found).toEqual(expected)
})

test('a row of the longest tenant and product takes exactly rowMaxBytes', () => {
  const row = { ...ROWS[0]!, tenant: 'é'.repeat(64), product: 'p'.repeat(256) }
  expect(encode([row]).length).toBe(rowMaxBytes(encodeTenant(row.tenant)))
})

test('what is out of bounds is refused before it can desync the rows behind it', () => {
  const row = ROWS[0]!
  expect(() => encode([{ ...row, product: 'p'.repeat(256) }])).not.toThrow()
  expect(() => encode([{ ...row, product: '' }])).toThrow('a row is within its limits')
  expect(() => encode([{ ...row, product: 'p'.repeat(257) }])).toThrow('a row is within its limits')
  expect(() => encode([{ ...row, impressions: VERSION_UNIT - 1, clicks: 0 }])).not.toThrow()
  expect(() => encode([{ ...row, impressions: VERSION_UNIT - 1, clicks: 1 }])).toThrow('a row is within its limits')
  expect(() => encode([{ ...row, revision: LIMITS.revisionMax }])).not.toThrow()
  expect(() => encode([{ ...row, revision: LIMITS.revisionMax + 1 }])).toThrow('a revision is within its limits')
  expect(() => encodeTenant('t'.repeat(LIMITS.tenantMaxBytes))).not.toThrow()
  expect(() => encodeTenant('t'.repeat(LIMITS.tenantMaxBytes + 1))).toThrow('a tenant is within its limit')
  expect(() => encode([{ ...row, impressions: Number.NaN }])).toThrow('a row is within its limits')
})

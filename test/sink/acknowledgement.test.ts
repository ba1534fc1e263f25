/** What counts as ClickHouse's word that rows are written, and what does not, whoever says it. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { type ClickHouseProxy, type Fault, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, until, writtenRows } from '../support/sink-run.ts'

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let proxy: ClickHouseProxy
let run: SinkRun
beforeEach(async () => {
  endpoint = await clickhouse.emptied('acknowledgement')
  proxy = await startProxy(clickhouse.endpoint.url)
  endpoint = { ...endpoint, url: proxy.url }
})
afterEach(async () => {
  await run.sink.stop()
  await proxy.close().catch(() => undefined)
})

async function write(): Promise<void> {
  const products = Array.from({ length: 50 }, (_, i) => ({ product: `p-${i}`, start: Date.UTC(2024, 0, 2), impressions: i + 1, clicks: i }))
  await run.rows(0, products)
  await run.barrier(0, 1)
}

async function end(): Promise<void> {
  await run.end()
  await run.sink.ended
  expect(await writtenRows(clickhouse, endpoint.database)).toEqual(run.expected)
}

const STRANGERS: [string, Fault][] = [
  ['204', { kind: 'error', status: 204, body: '' }],
  ['200 without a body', { kind: 'error', status: 200, body: '' }],
  ['200 with a page', { kind: 'error', status: 200, body: '<html>' }],
  ['ClickHouse without its headers', { kind: 'drop-headers' }],
]

test.each(STRANGERS)('%s to an insert is no acknowledgement: the rows are sent again', async (_, fault) => {
  run = startRun(endpoint)
  await run.sink.ready
  proxy.next.push(fault, fault)
  await write()
  await until(() => run.barriers.length > 0)
  expect(proxy.next).toEqual([])
  expect(run.sink.stats().retries).toBe(2)
  await end()
})

test('as long as nobody acknowledges, the barrier waits, and the trouble names the header and the remedy', async () => {
  run = startRun(endpoint, { maxRetries: 1 })
  await run.sink.ready
  proxy.fault = { kind: 'error', status: 204, body: '' }
  await write()
  await until(() => run.messages.length > 0)
  expect(run.messages[0]).toMatch(/^clickhouse\.url: .*X-ClickHouse-Summary.*; let what stands before ClickHouse pass that header on/)
  expect(run.barriers).toEqual([])
  proxy.fault = { kind: 'pass' }
  await until(() => run.barriers.length > 0)
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE', 'ok'])
  await end()
})

test('a proxy that drops the header is found at the start, before anything is written', async () => {
  proxy.concerned = /^/
  proxy.fault = { kind: 'drop-headers' }
  run = startRun(endpoint)
  let ready = false
  void run.sink.ready.then(() => {
    ready = true
  })
  await until(() => run.messages.length > 0)
  expect(run.messages[0]).toContain('X-ClickHouse-Summary')
  expect([ready, proxy.inserts]).toEqual([false, 0])
  proxy.fault = { kind: 'pass' }
  await until(() => ready)
  await write()
  await end()
})

test('views that write rows of their own count beside ours', async () => {
  run = startRun(endpoint)
  await run.sink.ready
  await clickhouse.command(
    `CREATE MATERIALIZED VIEW db.twice ENGINE = MergeTree ORDER BY product_id
     AS SELECT product_id FROM db.ctr_results ARRAY JOIN [1, 2] AS n`,
    endpoint.database,
  )
  await write()
  await end()
  expect(run.sink.stats().retries).toBe(0)
})

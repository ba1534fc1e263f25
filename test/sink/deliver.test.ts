/** Holding and parking over minutes, with a time that passes in waits only. */
import { beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { encodeTenant } from '../../src/products/key.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { beginRows, publishRows, readRows, rowsStart } from '../../src/ring/row-blocks.ts'
import { Batch } from '../../src/sink/batch.ts'
import { Delivery, type ParkedRow } from '../../src/sink/deliver.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../../src/sink/row-binary.ts'
import { createSinkStats, readSinkStats } from '../../src/sink/sink-stats.ts'
import { ONE_PLACE, plainForm } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { until } from '../support/sink-run.ts'

const TENANT = encodeTenant('default')

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
beforeEach(() => {
  endpoint = clickhouse.own('deliver')
})

async function start() {
  const told: string[] = []
  const parked: ParkedRow[] = []
  const stopping = new AbortController()
  const stats = createSinkStats()
  let now = 0
  const delivery = new Delivery({
    endpoint,
    tenant: 'default',
    revision: 0,
    maxRetries: 10,
    flushIntervalMs: 200,
    stats,
    random: () => 0.5,
    signal: stopping.signal,
    reports: {
      trouble: ({ message }) => told.push(/every row|more than 100/.exec(message)?.[0] ?? message),
      retrying: ({ code }) => told.push(`retrying ${code} at ${now}`),
      recovered: () => told.push('ok'),
      parked: (rows) => parked.push(...rows),
      moved: (url) => told.push(`moved to ${url}`),
    },
    now: () => now,
    sleep: async (ms) => {
      now += ms
      await sleep(5)
    },
  })
  await delivery.prepare(plainForm(endpoint.database), ONE_PLACE, { info: () => undefined })
  return { delivery, told, parked, now: () => now, stop: () => stopping.abort(), stats: () => readSinkStats(stats) }
}

function batchOf(products: readonly string[]): Batch {
  const ring = createRing(1 << 20)
  const writer = new RingWriter(ring)
  beginRows(writer, 0, products.length * rowMaxBytes(TENANT))
  const view = new DataView(writer.bytes.buffer, writer.bytes.byteOffset, writer.bytes.byteLength)
  const from = rowsStart(writer)
  let at = from
  for (const product of products) {
    const id = Buffer.from(product)
    at = writeRow(writer.bytes, view, at, TENANT, id, 0, id.length, rowFrame(0, 10_000, 0, 0, 0), 1, 0)
  }
  publishRows(writer, products.length, at - from, 10_000, true)
  const reader = new RingReader(ring)
  reader.next()
  const batch = new Batch(products.length)
  batch.add(readRows(reader), 0)
  return batch
}

const numbered = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}-${i}`)
const constrain = (name: string, check: string) =>
  clickhouse.command(`ALTER TABLE db.ctr_results ADD CONSTRAINT ${name} CHECK ${check}`, endpoint.database)
const unconstrain = (name: string) => clickhouse.command(`ALTER TABLE db.ctr_results DROP CONSTRAINT ${name}`, endpoint.database)
const written = async () =>
  (await clickhouse.rows<{ id: string }>('SELECT product_id AS id FROM db.ctr_results FINAL ORDER BY id', endpoint.database)).map(
    ({ id }) => id,
  )

test('more bad rows than may be parked are held, and tried as a whole; when some are mended the others are parked', async () => {
  const { delivery, told, parked, stats } = await start()
  await constrain('one', "product_id NOT LIKE 'bad%'")
  const good = numbered('good', 200)
  const delivering = delivery.deliver(batchOf([...good, ...numbered('bad', 60), ...numbered('badly', 60)]))
  await until(() => told.length > 0)
  expect([told, parked]).toEqual([['more than 100'], []])
  const { batches } = stats()
  await sleep(200)
  expect(stats().batches).toBe(batches)
  expect(delivery.pending).toBeGreaterThan(100)
  await constrain('two', "product_id NOT LIKE 'badly%'")
  await unconstrain('one')
  expect(await delivering).toBe(true)
  expect(told).toEqual(['more than 100', 'ok'])
  expect(parked.map(({ productId }) => productId).toSorted()).toEqual(numbered('badly', 60).toSorted())
  expect(await written()).toEqual([...good, ...numbered('bad', 60)].toSorted())
  expect(stats()).toMatchObject({ rowsWritten: 260, rowsParked: 60 })
  expect(delivery.pending).toBe(0)
  await delivery.close()
})

test('rows beyond the hundred of one minute wait for the next one, and are parked then', async () => {
  const { delivery, told, parked, now } = await start()
  await constrain('one', "product_id NOT LIKE 'bad%'")
  expect(await delivery.deliver(batchOf(['good-0', ...numbered('bad', 70)]))).toBe(true)
  expect([parked.length, told, now()]).toEqual([70, [], 0])
  expect(await delivery.deliver(batchOf(['good-1', ...numbered('worse-bad', 2), ...numbered('bad', 70)]))).toBe(true)
  expect(now()).toBeGreaterThanOrEqual(60_000)
  expect(told).toEqual(['more than 100', 'ok'])
  expect(parked.length).toBe(140)
  expect(await written()).toEqual(['good-0', 'good-1', 'worse-bad-0', 'worse-bad-1'])
  await delivery.close()
})

test('a table that takes nothing holds for as long as it lasts and parks nothing, and stop ends the wait', async () => {
  const { delivery, told, parked, now, stop } = await start()
  await constrain('none', 'impressions > 100')
  const delivering = delivery.deliver(batchOf(numbered('p', 500)))
  await until(() => told.length > 0)
  await until(() => now() > 130_000)
  expect([told, parked]).toEqual([['every row'], []])
  stop()
  expect(await delivering).toBe(false)
  expect(await written()).toEqual([])
  await delivery.close()
})

test('attempts that fail in a row are told within seconds, then as trouble, and that they are over', async () => {
  const { delivery, told } = await start()
  const url = 'http://127.0.0.1:1'
  delivery.move({ url })
  const delivering = delivery.deliver(batchOf(['p']))
  await until(() => told.length > 1)
  expect(told).toEqual([
    // Half of 100, 200, 400, 800 and 1600 ms.
    'retrying CTR_CLICKHOUSE_UNREACHABLE at 1550',
    expect.stringMatching(/^clickhouse\.url: ClickHouse at .* does not answer .*; check that it runs/),
  ])
  delivery.move({ url: endpoint.url })
  expect(await delivering).toBe(true)
  expect(told.slice(2)).toEqual(['ok'])

  delivery.move({ url })
  const next = delivery.deliver(batchOf(['q']))
  await until(() => told.length > 3)
  delivery.move({ url: endpoint.url })
  expect(await next).toBe(true)
  expect(told.slice(3)).toEqual([expect.stringMatching(/^retrying/), 'ok'])
  await delivery.close()
})

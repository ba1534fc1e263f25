import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { putTick } from '../../src/ring/blocks.ts'
import { Rings } from '../../src/ring/rings.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, type TestRow, until } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)
const DAY = 86_400_000

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
const runs: SinkRun[] = []
afterEach(async () => {
  for (const run of runs.splice(0)) await run.sink.stop()
})
beforeEach(async () => {
  endpoint = await clickhouse.emptied('sink')
})

function start(overrides: Record<string, unknown> = {}, options: { rings?: number; ringBytes?: number } = {}): SinkRun {
  const run = startRun(endpoint, overrides, options)
  runs.push(run)
  return run
}

const row = (product: string, impressions = 1, clicks = 0, start = T0): TestRow => ({ product, start, impressions, clicks })
const total = async () =>
  (await clickhouse.rows<{ n: number }>('SELECT sum(impressions) AS n FROM db.ctr_windows', endpoint.database))[0]!.n
const some = (n: number, start = T0) => Array.from({ length: n }, (_, i) => row(`p-${i}`, 1, 0, start))

test('every row of every ring is in ClickHouse when the sink has ended', async () => {
  const run = start({ batchRows: 1000 }, { rings: 3 })
  await run.sink.ready
  for (let block = 0; block < 60; block++) await run.rows(block % 3, some(100, T0 + block * 10_000), block % 3 === 0)
  await run.end()
  await run.sink.ended
  expect(await total()).toBe(6000)
  const stats = run.sink.stats()
  expect(stats.rowsWritten).toBe(6000)
  expect(stats.retries).toBe(0)
  expect(stats.batches).toBeGreaterThanOrEqual(6)
  expect(stats.flushSeconds.counts.reduce((a, b) => a + b)).toBe(stats.batches)
  expect(stats.emitDelaySeconds.counts.reduce((a, b) => a + b)).toBe(20)
  expect(run.deaths).toEqual([])
})

test('a row waits for others no longer than the flush interval', async () => {
  const run = start({ flushInterval: '300ms' })
  await run.sink.ready
  const begun = performance.now()
  await run.rows(0, [row('a', 5)])
  await until(async () => (await total()) === 5)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(290)
  expect(performance.now() - begun).toBeLessThan(5_000)
})

test('a full batch does not wait for the interval', async () => {
  const run = start({ flushInterval: '5m', batchRows: 50 })
  await run.sink.ready
  await run.rows(0, some(50))
  await until(async () => (await total()) === 50)
})

test('a barrier is told once every ring has given it and the rows before it are written, at once rather than by the interval', async () => {
  const run = start({ flushInterval: '5m' }, { rings: 2 })
  await run.sink.ready
  await run.rows(0, [row('a')])
  await run.barrier(0, 1)
  await sleep(200)
  expect(run.barriers).toEqual([])
  expect(await total()).toBe(0)
  await run.rows(1, [row('b')])
  await run.barrier(1, 1)
  await until(() => run.barriers.length > 0)
  expect(await total()).toBe(2)
  expect(run.barriers).toEqual([1])
})

test('a barrier without rows is told without an insert', async () => {
  const run = start()
  await run.sink.ready
  await run.barrier(0, 7)
  await until(() => run.barriers.includes(7))
  expect(run.sink.stats().batches).toBe(0)
})

test('barriers are told in ascending order and never before their rows', async () => {
  const run = start({ batchRows: 10 }, { rings: 2 })
  await run.sink.ready
  let written = 0
  for (let n = 1; n <= 30; n++) {
    for (const ring of [0, 1]) {
      await run.rows(ring, [row(`${ring}-${n}`)])
      await run.barrier(ring, n)
    }
  }
  await until(() => run.barriers.at(-1) === 30)
  written = run.sink.stats().rowsWritten
  expect(written).toBe(60)
  expect(run.barriers).toEqual(run.barriers.toSorted((a, b) => a - b))
  expect(new Set(run.barriers).size).toBe(run.barriers.length)
})

test('rows of more days than one insert may touch go in several inserts', async () => {
  const run = start({ flushInterval: '5m', batchRows: 100_000 })
  await run.sink.ready
  for (let day = 0; day < 200; day++) await run.rows(0, [row('a', 1, 0, T0 + day * DAY - 5_000), row('b', 1, 0, T0 + day * DAY - 5_000)])
  await run.end()
  await run.sink.ended
  expect(await total()).toBe(400)
  expect(run.sink.stats().batches).toBe(5)
  expect(run.troubles).toEqual([])
})

test('a block larger than any batch before makes the memory grow and arrives whole', async () => {
  const run = start({ batchRows: 1 }, { ringBytes: 1 << 22 })
  await run.sink.ready
  const big = Array.from({ length: 5000 }, (_, i) => row(`${i}-${'x'.repeat(200)}`, 2, 1))
  await run.rows(0, [row('a')])
  await run.rows(0, big)
  await run.rows(0, [row('b')])
  await run.end()
  await run.sink.ended
  expect(await total()).toBe(10_002)
  expect(
    await clickhouse.rows('SELECT uniqExact(product_id) AS n, max(length(product_id)) AS longest FROM db.ctr_results', endpoint.database),
  ).toEqual([{ n: 5002, longest: 205 }])
})

test('an end without a single row ends cleanly', async () => {
  const run = start({}, { rings: 4 })
  await run.sink.ready
  await run.end()
  await run.sink.ended
  expect(run.deaths).toEqual([])
})

test('emission delay counts from the window end to the acknowledgement, first emissions only', async () => {
  const run = start({ flushInterval: '10ms' })
  await run.sink.ready
  const now = Date.now()
  await run.rows(0, [row('a', 1, 0, now - 10_000 - 4_000)], true)
  await run.rows(0, [row('a', 2, 0, now - 10_000 - 9_000)], false)
  await run.end()
  await run.sink.ended
  const { counts, sum } = run.sink.stats().emitDelaySeconds
  expect(counts.reduce((a, b) => a + b)).toBe(1)
  expect(sum).toBeGreaterThanOrEqual(4)
  expect(sum).toBeLessThan(30)
})

test('a block that does not belong in a row ring is a bug that is told with its reason', async () => {
  const run = start()
  await run.sink.ready
  putTick(new Rings(run.writers))
  await until(() => run.deaths.length > 0)
  expect(run.deaths[0]).toMatchObject({ code: 'CTR_SINK_DIED', message: expect.stringContaining('a row ring carries rows') })
  await expect(run.sink.ended).rejects.toMatchObject({ code: 'CTR_SINK_DIED' })
})

test('stop ends a sink that still has rows, and what was promised rejects', async () => {
  const run = start({ flushInterval: '5m' })
  await run.sink.ready
  await run.rows(0, [row('a')])
  await run.sink.stop()
  await expect(run.sink.ended).rejects.toThrow('stopped')
  expect(run.deaths).toEqual([])
})

test('without applySchema a missing table refuses to start and names the remedy', async () => {
  endpoint = clickhouse.own('untouched')
  const run = start({ applySchema: false })
  await expect(run.sink.ready).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: expect.stringContaining('ctr schema apply'),
  })
})

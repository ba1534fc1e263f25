import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { VERSION_UNIT } from '../../src/sink/row-binary.ts'
import type { LedgerRow, WindowLedgerRow } from '../../src/window/ledger.ts'
import { type ClickHouseProxy, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, until } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)
const NEVER = 253_402_300_799_999

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let gate: ClickHouseProxy
let run: SinkRun
beforeEach(async () => {
  gate = await startProxy(clickhouse.endpoint.url)
  endpoint = { ...(await clickhouse.emptied('ledger')), url: gate.url }
})
afterEach(async () => {
  await run.sink.stop()
  await gate.close().catch(() => undefined)
})

async function start(overrides: Record<string, unknown> = {}, revision = 0): Promise<void> {
  run = startRun(endpoint, overrides, { revision })
  await run.sink.ready
}

const ledgerRow = (more: Partial<LedgerRow> = {}): LedgerRow => ({
  topic: 'clicks',
  partition: 3,
  last: 99,
  totals: { first: 0, read: 100, counted: 90, late: 4, invalid: { TYPE: 5, EMPTY: 1 } },
  deadLettered: 6,
  maxEventTime: T0 + 1,
  ...more,
})
const windowRow = (more: Partial<WindowLedgerRow> = {}): WindowLedgerRow => ({ task: 3, start: T0, end: T0 + 10_000, events: 90, ...more })

const ledger = () =>
  clickhouse.rows(
    `SELECT * EXCEPT (max_event_time, cut_at, ignored, duplicate), toUnixTimestamp64Milli(max_event_time) AS time,
       cut_at > now() - 60 AS fresh
     FROM db.ctr_ledger FINAL ORDER BY topic, partition, last_offset`,
    endpoint.database,
  )
const windows = () =>
  clickhouse.rows(
    `SELECT * EXCEPT (window_start, window_end, cut_at), toUnixTimestamp64Milli(window_start) AS start,
       toUnixTimestamp64Milli(window_end) AS end, cut_at > now() - 60 AS fresh FROM db.ctr_ledger_windows FINAL ORDER BY start, task`,
    endpoint.database,
  )

test('rows of both kinds are written whole, to the ends of their ranges', async () => {
  await start({}, 8191)
  const empty = { first: 7, read: 1, counted: 0, late: 0, invalid: {} }
  const far = { first: 2 ** 40, read: 2 ** 52, counted: 2 ** 52, late: 0, invalid: {} }
  await run.sink.writeLedger(
    [
      ledgerRow(),
      ledgerRow({
        topic: 'ünïcödé-'.repeat(20),
        partition: 4_294_967_295,
        last: 7,
        totals: empty,
        deadLettered: 0,
        maxEventTime: undefined,
      }),
      ledgerRow({ topic: 'impressions', last: 2 ** 53 - 1, totals: far, deadLettered: 0, maxEventTime: NEVER }),
    ],
    [windowRow(), windowRow({ task: 4_294_967_295, start: NEVER - 9_999, end: NEVER + 1, events: VERSION_UNIT - 1 })],
  )
  const same = { tenant: 'default', fresh: 1 }
  expect(await ledger()).toEqual([
    {
      ...same,
      topic: 'clicks',
      partition: 3,
      first_offset: 0,
      last_offset: 99,
      read: 100,
      counted: 90,
      late: 4,
      invalid: 6,
      dead_lettered: 6,
      invalid_by_reason: { TYPE: 5, EMPTY: 1 },
      time: T0 + 1,
    },
    {
      ...same,
      topic: 'impressions',
      partition: 3,
      first_offset: 2 ** 40,
      last_offset: 2 ** 53 - 1,
      read: 2 ** 52,
      counted: 2 ** 52,
      late: 0,
      invalid: 0,
      dead_lettered: 0,
      invalid_by_reason: {},
      time: NEVER,
    },
    {
      ...same,
      topic: 'ünïcödé-'.repeat(20),
      partition: 4_294_967_295,
      first_offset: 7,
      last_offset: 7,
      read: 1,
      counted: 0,
      late: 0,
      invalid: 0,
      dead_lettered: 0,
      invalid_by_reason: {},
      time: 0,
    },
  ])
  expect(await windows()).toEqual([
    { ...same, task: 3, start: T0, end: T0 + 10_000, events: 90, version: 8191 * VERSION_UNIT + 90 },
    { ...same, task: 4_294_967_295, start: NEVER - 9_999, end: NEVER + 1, events: VERSION_UNIT - 1, version: Number.MAX_SAFE_INTEGER },
  ])
})

test('the same rows again, and a window with fewer events, change nothing; more events and a higher revision do', async () => {
  await start()
  await run.sink.writeLedger([ledgerRow()], [windowRow()])
  const first = [await ledger(), await windows()]
  await run.sink.writeLedger([ledgerRow()], [windowRow()])
  await run.sink.writeLedger([], [windowRow({ events: 20 })])
  expect([await ledger(), await windows()]).toEqual(first)
  await run.sink.writeLedger([], [windowRow({ events: 91 })])
  expect(await windows()).toMatchObject([{ events: 91 }])
  await run.sink.stop()
  await start({}, 1)
  await run.sink.writeLedger([], [windowRow({ events: 5 })])
  expect(await windows()).toMatchObject([{ events: 5 }])
})

test('nothing to say takes no insert, nor does a partition of which nothing was read', async () => {
  await start()
  await run.sink.writeLedger([], [])
  await run.sink.writeLedger([ledgerRow({ last: -1, totals: { first: 0, read: 0, counted: 0, late: 0, invalid: {} } })], [])
  expect(gate.inserts).toBe(0)
})

test('windows of a long catch-up go in several inserts', async () => {
  await start()
  const all = Array.from({ length: 40_001 }, (_, i) => windowRow({ start: T0 + i * 10_000, end: T0 + (i + 1) * 10_000, events: i }))
  await run.sink.writeLedger([], all)
  expect(gate.inserts).toBe(3)
  expect(await clickhouse.rows('SELECT count() AS n, sum(events) AS events FROM db.ctr_ledger_windows', endpoint.database)).toEqual([
    { n: 40_001, events: (40_000 * 40_001) / 2 },
  ])
})

test('rows that are stuck do not hold the ledger up, and the ledger does not hold up rows', async () => {
  await start({ maxRetries: 0, requestTimeout: '1s' })
  gate.concerned = /^INSERT INTO ctr_results/
  gate.fault = { kind: 'hang' }
  await run.rows(0, [{ product: 'a', start: T0, impressions: 1, clicks: 0 }])
  await run.barrier(0, 1)
  await until(() => run.troubles.length > 0)
  await run.sink.writeLedger([ledgerRow()], [windowRow()])
  expect([(await ledger()).length, (await windows()).length]).toEqual([1, 1])
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE'])
  gate.concerned = /^INSERT INTO ctr_ledger/
  await until(() => run.barriers.includes(1))
  const writing = run.sink.writeLedger([ledgerRow({ last: 199 })], [])
  await until(() => run.troubles.length === 3)
  await run.rows(0, [{ product: 'b', start: T0, impressions: 1, clicks: 0 }])
  await run.barrier(0, 2)
  await until(() => run.barriers.includes(2))
  gate.fault = { kind: 'pass' }
  await writing
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE', 'ok', 'CTR_CLICKHOUSE_UNREACHABLE', 'ok'])
})

test('an outage is waited out, a lost acknowledgement leads to the same rows again, and orders are done one after another', async () => {
  await start({ maxRetries: 3 })
  gate.next.push({ kind: 'lose-answer' }, { kind: 'reset', afterBytes: 50 }, { kind: 'lose-answer' })
  await run.sink.writeLedger([ledgerRow()], [])
  expect((await ledger()).length).toBe(1)
  await gate.close()
  const done: number[] = []
  const orders = [1, 2, 3].map((n) =>
    run.sink.writeLedger([ledgerRow({ last: 100 * n + 99 })], [windowRow({ events: 100 * n })]).then(() => done.push(n)),
  )
  await until(() => run.troubles.length > 0)
  expect([run.troubles, done]).toEqual([['CTR_CLICKHOUSE_UNREACHABLE'], []])
  await gate.open()
  await Promise.all(orders)
  expect(done).toEqual([1, 2, 3])
  expect((await ledger()).map(({ last_offset }) => last_offset)).toEqual([99, 199, 299, 399])
  expect(await windows()).toMatchObject([{ events: 300 }])
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE', 'ok'])
})

test('a ledger table that was altered is trouble that names the column, and mended without a restart', async () => {
  await start()
  await clickhouse.command('ALTER TABLE db.ctr_ledger MODIFY COLUMN late Int64', endpoint.database)
  const writing = run.sink.writeLedger([ledgerRow()], [windowRow()])
  await until(() => run.troubles.length > 0)
  expect(run.messages[0]).toMatch(/has column late of ledger_[0-9a-f]+\.ctr_ledger as Int64 instead of UInt64; `ctr schema print`/)
  await clickhouse.command('ALTER TABLE db.ctr_ledger MODIFY COLUMN late UInt64', endpoint.database)
  await writing
  expect(await ledger()).toMatchObject([{ late: 4 }])
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_REFUSED', 'ok'])
})

test('the last ledger of a run is written after its rows have ended', async () => {
  await start()
  await run.end()
  await run.sink.ended
  await sleep(100)
  await run.sink.writeLedger([ledgerRow()], [windowRow()])
  expect([(await ledger()).length, (await windows()).length]).toEqual([1, 1])
  expect(run.deaths).toEqual([])
})

test('before the sink is ready the ledger waits; when the sink is stopped it rejects, before and after', async () => {
  await gate.close()
  run = startRun(endpoint)
  const early = run.sink.writeLedger([ledgerRow()], [])
  await sleep(200)
  await gate.open()
  await early
  expect((await ledger()).length).toBe(1)
  await gate.close()
  const stuck = run.sink.writeLedger([ledgerRow({ last: 199 })], [])
  stuck.catch(() => undefined)
  await sleep(200)
  await run.sink.stop()
  await expect(stuck).rejects.toMatchObject({ code: 'CTR_SINK_DIED' })
  await expect(run.sink.writeLedger([ledgerRow()], [])).rejects.toMatchObject({ code: 'CTR_SINK_DIED' })
  run = startRun(endpoint)
  const never = run.sink.writeLedger([ledgerRow()], [])
  never.catch(() => undefined)
  await run.sink.stop()
  await expect(never).rejects.toMatchObject({ code: 'CTR_SINK_DIED' })
})

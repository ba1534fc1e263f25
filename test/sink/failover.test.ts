/** Several addresses of one ClickHouse, each a proxy before the same server: whichever goes away, rows are there once, and it is told. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { atFirstThatAnswers } from '../../src/clickhouse/addresses.ts'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { type ClickHouseProxy, clickHouseError, type Fault, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, until, writtenRows } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let doors: [ClickHouseProxy, ClickHouseProxy]
let run: SinkRun | undefined
beforeEach(async () => {
  doors = [await startProxy(clickhouse.endpoint.url), await startProxy(clickhouse.endpoint.url)]
  endpoint = await clickhouse.emptied('failover')
})
afterEach(async () => {
  await run?.sink.stop()
  run = undefined
  for (const door of doors) await door.close().catch(() => undefined)
})

const urls = () => doors.map(({ url }) => url)

/** Rows of 20 products in windows `from` to `to`, and a barrier behind them. */
async function put(sink: SinkRun, from: number, to: number, barrier: number): Promise<void> {
  for (let window = from; window < to; window++) {
    const start = T0 + window * 10_000
    await sink.rows(
      0,
      Array.from({ length: 20 }, (_, i) => ({ product: `p-${i}`, start, impressions: i + barrier, clicks: i })),
    )
  }
  await sink.barrier(0, barrier)
}

const PASS: Fault = { kind: 'pass' }
const FAULTS: Record<string, { begin: (door: ClickHouseProxy) => unknown; end: (door: ClickHouseProxy) => unknown; why: RegExp }> = {
  'a server that is killed': { begin: (door) => door.close(), end: (door) => door.open(), why: /does not answer \(.*/ },
  ...Object.fromEntries(
    (
      [
        ['a server that never answers', { kind: 'hang' }, /has not answered within 1s/],
        ['connections that break in the middle of inserts', { kind: 'reset', afterBytes: 800 }, /does not answer/],
        ['inserts that are done and never acknowledged', { kind: 'lose-answer' }, /does not answer/],
        ['a replica that is read-only', clickHouseError(242, 'TABLE_IS_READ_ONLY'), /242 TABLE_IS_READ_ONLY/],
      ] as const
    ).map(([name, fault, why]) => [
      name,
      { begin: (door: ClickHouseProxy) => (door.fault = fault), end: (door: ClickHouseProxy) => (door.fault = PASS), why },
    ]),
  ),
}

test.each(Object.entries(FAULTS))(
  '%s is left for the next one, and back when that fails too: 0 rows differ',
  async (_, { begin, end, why }) => {
    run = startRun(endpoint, { url: urls(), batchRows: 60, requestTimeout: '1s', maxRetries: 5 })
    await run.sink.ready
    await put(run, 0, 10, 1)
    await until(() => run?.barriers.includes(1) === true)
    expect(doors[1].inserts).toBe(0)

    // Under load: blocks come before, while and after it goes.
    const loading = put(run, 5, 60, 2)
    await sleep(20)
    await begin(doors[0])
    await loading
    await until(() => run?.barriers.includes(2) === true)
    expect(run.warnings).toEqual([expect.stringMatching(/^rows go to another address of clickhouse\.url now: /)])
    expect(run.warnings[0]).toMatch(why)
    expect(run.warnings[0]).toContain(urls()[0])
    expect(run.sink.stats().moves).toBe(1)

    await end(doors[0])
    await begin(doors[1])
    await put(run, 50, 70, 3)
    await until(() => run?.barriers.includes(3) === true)
    expect(run.sink.stats().moves).toBe(2)
    expect(await writtenRows(clickhouse, endpoint.database)).toEqual(run.expected)
    expect(run.expected.size).toBe(1_400)
    // Trouble is what holds rows back for long; this does not.
    expect([run.troubles, run.deaths, run.parked]).toEqual([[], [], []])
  },
)

test('when none answers it is told as with one address, rows are held, and all are there when one is back', async () => {
  run = startRun(endpoint, { url: urls(), batchRows: 60, maxRetries: 2 })
  await run.sink.ready
  for (const door of doors) await door.close()
  await put(run, 0, 20, 1)
  await until(() => run?.troubles.length === 1)
  expect(run.messages[0]).toMatch(/^clickhouse\.url: ClickHouse at .* does not answer/)
  await doors[1].open()
  await until(() => run?.barriers.includes(1) === true)
  expect(await writtenRows(clickhouse, endpoint.database)).toEqual(run.expected)
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE', 'ok'])
})

test('the ledger goes on at the next address too', async () => {
  run = startRun(endpoint, { url: urls(), requestTimeout: '1s' })
  await run.sink.ready
  await doors[0].close()
  await run.sink.writeLedger([], [{ task: 0, start: T0, end: T0 + 10_000, events: 3 }])
  expect(await clickhouse.rows('SELECT events FROM db.ctr_ledger_windows FINAL', endpoint.database)).toEqual([{ events: 3 }])
})

test('the first address that answers is taken; when none does, the first of all, whose trouble is then seen', async () => {
  const several = { ...endpoint, url: urls()[0] as string, urls: urls() }
  expect((await atFirstThatAnswers(several)).url).toBe(urls()[0])
  await doors[0].close()
  expect((await atFirstThatAnswers(several)).url).toBe(urls()[1])
  await doors[1].close()
  expect((await atFirstThatAnswers(several)).url).toBe(urls()[0])
})

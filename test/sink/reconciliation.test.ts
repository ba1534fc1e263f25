/** What the view ctr_reconciliation says of what a sink wrote: the ledger balances, or shows where a row is missing. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { deadLetterOf } from '../../src/output/dead-letter.ts'
import { refusedRow } from '../../src/output/refused-row.ts'
import type { LedgerRow } from '../../src/window/ledger.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, type TestRow, until } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)
const MINUTE = 60_000

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let run: SinkRun
let barriers: number
beforeEach(async () => {
  endpoint = await clickhouse.emptied('reconciliation')
  await start()
})
afterEach(() => run.sink.stop())

async function start(revision = 0): Promise<void> {
  barriers = 0
  run = startRun(endpoint, {}, { revision })
  await run.sink.ready
}

async function put(...blocks: TestRow[][]): Promise<void> {
  for (const block of blocks) await run.rows(0, block)
  await run.barrier(0, ++barriers)
  await until(() => run.barriers.includes(barriers))
}

const row = (product: string, at: number, impressions: number, clicks: number, task = 0): TestRow => ({
  product,
  start: T0 + at,
  impressions,
  clicks,
  task,
})
const window = (at: number, events: number, task = 0) => ({ task, start: T0 + at, end: T0 + at + 10_000, events })

/** Totals of a partition up to `last`: counted, late and invalid make the rest of what was read. */
function span(
  last: number,
  counted: number,
  late: number,
  invalid: number,
  at: number | undefined,
  more: Partial<LedgerRow> & { first?: number } = {},
): LedgerRow {
  const { first = 0, ...rest } = more
  const totals = {
    first,
    read: last - first + 1,
    counted,
    late,
    invalid: invalid === 0 ? ({} as Record<string, number>) : { TYPE: invalid },
  }
  return {
    topic: 'clicks',
    partition: 0,
    last,
    totals,
    deadLettered: invalid,
    maxEventTime: at === undefined ? undefined : T0 + at,
    ...rest,
  }
}

const KEYS = ['read', 'counted', 'late', 'invalid', 'dead_lettered', 'unaccounted', 'window_events', 'result_events', 'missing', 'balanced']

/** Each minute as its number since T0 (or the year, when it is another one) and its values in the order of KEYS. */
async function minutes(tenant = 'default'): Promise<(number | string)[][]> {
  const rows = await clickhouse.rows<Record<string, number>>(
    `SELECT *, toUnixTimestamp(minute) AS at FROM db.ctr_reconciliation WHERE tenant = '${tenant}' ORDER BY minute`,
    endpoint.database,
  )
  return rows.map((each) => {
    const at = each.at! * 1000
    return [at < T0 ? String(new Date(at).getUTCFullYear()) : (at - T0) / MINUTE, ...KEYS.map((key) => each[key]!)]
  })
}

test('minutes hold what was read between one row of the ledger and the next, and windows by their start', async () => {
  await put([row('a', 0, 3, 1), row('b', 0, 2, 0)], [row('a', 50_000, 4, 0)], [row('a', MINUTE, 1, 1)])
  const totals = [span(4, 0, 0, 5, undefined), span(12, 6, 1, 6, 30_000), span(19, 10, 3, 7, MINUTE + 5)]
  await run.sink.writeLedger(totals, [window(0, 6), window(50_000, 4), window(MINUTE, 2)])
  expect(await minutes()).toEqual([
    ['1970', 5, 0, 0, 5, 5, 0, 0, 0, 0, 1],
    [0, 8, 6, 1, 1, 1, 0, 10, 10, 0, 1],
    [1, 7, 4, 2, 1, 1, 0, 2, 2, 0, 1],
  ])
})

test('reasons that are no longer known, and a term of a newer version, are among the invalid and balance', async () => {
  const before = span(9, 4, 0, 6, 1_000)
  const { totals } = span(19, 10, 0, 10, 2_000)
  const invalid = { EARLIER: 6, EMPTY: 1, duplicate: 3 }
  const after = { ...span(19, 10, 0, 10, 2_000), totals: { ...totals, invalid }, deadLettered: 7 }
  await run.sink.writeLedger([before, after], [])
  expect(await minutes()).toEqual([[0, 20, 10, 0, 10, 7, 0, 0, 0, 0, 1]])
  expect(
    await clickhouse.rows('SELECT invalid, invalid_by_reason AS reasons FROM db.ctr_ledger ORDER BY last_offset', endpoint.database),
  ).toEqual([
    { invalid: 6, reasons: { TYPE: 6 } },
    { invalid: 10, reasons: invalid },
  ])
})

test('topics, partitions, first offsets, tasks and tenants are taken apart, and added up', async () => {
  await put([row('a', 0, 1, 0, 0)], [row('a', 0, 0, 1, 1)])
  const spans = [
    span(9, 10, 0, 0, 1),
    span(9, 9, 1, 0, 1, { partition: 1 }),
    span(9, 8, 2, 0, 1, { topic: 'impressions' }),
    span(11, 2, 0, 0, 1, { first: 10 }),
  ]
  await run.sink.writeLedger(spans, [window(0, 1, 0), window(0, 1, 1)])
  await clickhouse.command(
    `INSERT INTO db.ctr_ledger SELECT * REPLACE ('other' AS tenant, read + 1 AS read) FROM db.ctr_ledger WHERE partition = 1`,
    endpoint.database,
  )
  expect(await minutes()).toEqual([[0, 32, 29, 3, 0, 0, 0, 2, 2, 0, 1]])
  expect(await minutes('other')).toEqual([[0, 11, 9, 1, 0, 0, 1, 0, 0, 0, 0]])
})

test('rows and ledger sent again, and stale rows with a lower version, change nothing', async () => {
  const blocks = [[row('a', 0, 5, 2), row('b', 0, 1, 0)], [row('a', 10_000, 3, 0)]]
  const totals = [span(5, 5, 0, 0, 3_000), span(11, 11, 0, 0, 15_000)]
  const windows = [window(0, 8), window(10_000, 3)]
  await put(...blocks)
  await run.sink.writeLedger(totals, windows)
  const before = await minutes()
  expect(before).toEqual([[0, 11 + 1, 11, 0, 0, 0, 1, 11, 11, 0, 0]].map((each) => each.map((value, i) => (i === 1 ? 12 : value))))
  await put(...blocks)
  await run.sink.writeLedger(totals.toReversed(), windows)
  // A restart that rebuilt windows in part, and a process that was thought dead.
  await put([row('a', 0, 2, 1)], [row('a', 10_000, 1, 0)])
  await run.sink.writeLedger([], [window(0, 3), window(10_000, 1)])
  expect(await minutes()).toEqual(before)
})

test('a window that is not closed yet is in neither sum', async () => {
  await put([row('a', 0, 5, 2)], [row('a', 10_000, 3, 0)])
  await run.sink.writeLedger([], [window(0, 7)])
  expect(await minutes()).toEqual([[0, 0, 0, 0, 0, 0, 0, 7, 7, 0, 1]])
})

test('a row that is parked is missing in its window, and no more when it has been put in its place', async () => {
  await clickhouse.command("ALTER TABLE db.ctr_results ADD CONSTRAINT c CHECK product_id != 'b'", endpoint.database)
  await put([row('a', 0, 5, 2), row('b', 0, 3, 1), row('c', 0, 1, 0)], [row('a', MINUTE, 1, 0)])
  await run.sink.writeLedger([], [window(0, 12), window(MINUTE, 1)])
  expect(run.parked.length).toBe(1)
  expect(await minutes()).toEqual([
    [0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0],
    [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1],
  ])
  await clickhouse.command('ALTER TABLE db.ctr_results DROP CONSTRAINT c', endpoint.database)
  const { rawData } = deadLetterOf(refusedRow(run.parked[0]!, 'ctr/test', 0))
  await clickhouse.command(`INSERT INTO db.ctr_results FORMAT JSONEachRow ${rawData}`, endpoint.database)
  expect(await minutes()).toMatchObject([
    [0, 0, 0, 0, 0, 0, 0, 12, 12, 0, 1],
    [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1],
  ])
})

test('rows that ClickHouse has lost are missing', async () => {
  await put([row('a', 0, 5, 2)], [row('a', MINUTE, 3, 0)])
  await run.sink.writeLedger([], [window(0, 7), window(MINUTE, 3)])
  await clickhouse.command(
    `ALTER TABLE db.ctr_results DELETE WHERE window_start < '2024-01-02 00:01:00' SETTINGS mutations_sync = 1`,
    endpoint.database,
  )
  expect(await minutes()).toEqual([
    [0, 0, 0, 0, 0, 0, 0, 7, 0, 7, 0],
    [1, 0, 0, 0, 0, 0, 0, 3, 3, 0, 1],
  ])
})

test('a record that is neither counted nor late nor invalid is unaccounted for', async () => {
  const { totals, ...rest } = span(9, 9, 0, 0, 1)
  await run.sink.writeLedger([{ ...rest, totals: { ...totals, read: 10 } }], [])
  expect(await minutes()).toEqual([[0, 10, 9, 0, 0, 0, 1, 0, 0, 0, 0]])
})

test('totals that shrink between two rows, because a partition had gone idle, balance as well', async () => {
  await run.sink.writeLedger([span(9, 10, 0, 0, 1), span(14, 8, 7, 0, 2)], [])
  expect(await minutes()).toEqual([[0, 15, 8, 7, 0, 0, 0, 0, 0, 0, 1]])
})

test('of two rows of the same span the one cut last counts, whichever came first', async () => {
  await clickhouse.command('SYSTEM STOP MERGES db.ctr_ledger', endpoint.database)
  await run.sink.writeLedger([span(9, 10, 0, 0, 1), span(9, 10, 0, 0, 1, { partition: 1 })], [])
  const again = (partition: number, minutesLater: number) =>
    clickhouse.command(
      `INSERT INTO db.ctr_ledger SELECT * REPLACE (4 AS counted, 6 AS late, cut_at + INTERVAL ${minutesLater} MINUTE AS cut_at)
       FROM db.ctr_ledger WHERE partition = ${partition}`,
      endpoint.database,
    )
  await again(0, 1)
  await again(1, -1)
  expect(await minutes()).toEqual([[0, 20, 14, 6, 0, 0, 0, 0, 0, 0, 1]])
})

test('a backfill with a higher revision is compared with its own rows', async () => {
  await put([row('a', 0, 5, 2)])
  await run.sink.writeLedger([], [window(0, 7)])
  await run.sink.stop()
  await start(1)
  await clickhouse.command(
    `INSERT INTO db.ctr_results SELECT * REPLACE (1 AS impressions, 0 AS clicks, toUInt64(pow(2, 40)) + 1 AS version) FROM db.ctr_results`,
    endpoint.database,
  )
  await run.sink.writeLedger([], [window(0, 1)])
  expect(await minutes()).toEqual([[0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1]])
})

/** Rows that ClickHouse refuses for what they hold: found among the others, parked, and never lost; or held where the table is to blame. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { deadLetterOf } from '../../src/output/dead-letter.ts'
import { refusedRow } from '../../src/output/refused-row.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, type TestRow, until, writtenRows } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let run: SinkRun
beforeEach(async () => {
  endpoint = clickhouse.own('parked')
  run = startRun(endpoint, { flushInterval: '5m' })
  await run.sink.ready
})
afterEach(() => run.sink.stop())

const sql = (text: string) => clickhouse.command(text.replaceAll('results', 'db.ctr_results'), endpoint.database)
const constrain = (check: string) => sql(`ALTER TABLE results ADD CONSTRAINT mine CHECK ${check}`)
const written = () => writtenRows(clickhouse, endpoint.database)
const some = (n: number, start = T0): TestRow[] =>
  Array.from({ length: n }, (_, i) => ({ product: `p-${i}`, start, impressions: i + 1, clicks: 1 }))
const bad = (product: string, start = T0): TestRow => ({ product: `bad-${product}`, start, impressions: 5, clicks: 2 })
const told = (barrier: number) => until(() => run.barriers.includes(barrier), 30_000)
const keys = () => run.parked.map(({ productId, windowStart, task }) => `${productId} ${windowStart} ${task}`).toSorted()

/** What was put in and is not parked must be there, and nothing else. */
async function nothingLost(): Promise<void> {
  const expected = new Map(run.expected)
  for (const key of keys()) expect(expected.delete(key), key).toBe(true)
  expect(await written()).toEqual(expected)
}

const NOT_BAD = "product_id NOT LIKE 'bad%'"

test('bad rows among good ones are parked with the reason before the barrier behind them is told; the rest is written', async () => {
  await run.rows(0, some(10))
  await run.barrier(0, 1)
  await told(1)
  await constrain(NOT_BAD)
  const seen: number[] = []
  run.sink.onBarrier((number) => {
    run.barriers.push(number)
    seen.push(run.parked.length)
  })
  await run.rows(0, [
    bad('first'),
    ...some(300, T0 + 10_000),
    bad('middle', T0 + 10_000),
    ...some(300, T0 + 20_000),
    bad('last', T0 + 20_000),
  ])
  await run.barrier(0, 2)
  await told(2)
  expect(seen).toEqual([3])
  expect(run.parked.map(({ productId }) => productId).toSorted()).toEqual(['bad-first', 'bad-last', 'bad-middle'])
  expect(run.parked.find(({ productId }) => productId === 'bad-middle')).toEqual({
    tenant: 'default',
    productId: 'bad-middle',
    windowStart: T0 + 10_000,
    windowEnd: T0 + 20_000,
    task: 0,
    impressions: 5,
    clicks: 2,
    ctr: 0.4,
    version: 7,
    emittedAt: expect.any(Number),
    code: 469,
    reason: expect.stringMatching(/^469 VIOLATED_CONSTRAINT: Constraint .mine. .* product_id = 'bad-middle'/),
  })
  await nothingLost()
  expect(run.sink.stats()).toMatchObject({ rowsParked: 3, rowsWritten: 610, retries: 0 })
  await until(() => run.sink.stats().rowsPending === 0)
  expect(run.troubles).toEqual([])
  expect(run.errors.length).toBe(3)
  expect(run.errors[0]).toMatch(/^a row is parked in the dead letters, its window is incomplete: ClickHouse refuses it \(469/)
})

test('a row that a materialized view can not take is parked as well', async () => {
  await sql(`CREATE TABLE db.shorts (id FixedString(8), n UInt64) ENGINE = MergeTree ORDER BY id`)
  await sql('CREATE MATERIALIZED VIEW db.short TO db.shorts AS SELECT toFixedString(product_id, 8) AS id, clicks AS n FROM results')
  await run.rows(0, [...some(50), { product: 'longer-than-eight', start: T0, impressions: 1, clicks: 0 }, ...some(50, T0 + 10_000)])
  await run.barrier(0, 1)
  await told(1)
  expect(run.parked).toMatchObject([{ productId: 'longer-than-eight', code: 131 }])
  expect(await clickhouse.rows('SELECT uniqExact(id) AS ids FROM db.shorts', endpoint.database)).toEqual([{ ids: 50 }])
  const rows = await written()
  for (const [key, value] of run.expected) if (!key.startsWith('longer')) expect([key, rows.get(key)]).toEqual([key, value])
})

test('a row that stands alone in its batch is parked; the next one in a row is held until the table is mended', async () => {
  await constrain(NOT_BAD)
  await run.rows(0, [bad('one')])
  await run.barrier(0, 1)
  await told(1)
  expect(run.parked.map(({ productId }) => productId)).toEqual(['bad-one'])
  await run.rows(0, [bad('two')])
  await run.barrier(0, 2)
  await until(() => run.troubles.length > 0)
  expect(run.messages[0]).toContain('refuses every row for what it holds (469 VIOLATED_CONSTRAINT')
  expect([run.barriers, run.parked.length]).toEqual([[1], 1])
  await sql('ALTER TABLE results DROP CONSTRAINT mine')
  await told(2)
  await nothingLost()
  expect([run.parked.length, run.troubles]).toEqual([1, ['CTR_CLICKHOUSE_REFUSED', 'ok']])
})

test('100 bad rows are parked, 101 are held, and when the constraint goes all are written', async () => {
  await constrain(NOT_BAD)
  const many = (n: number, start: number) => Array.from({ length: n }, (_, i) => [bad(`${i}`, start), ...some(3, start)]).flat()
  await run.rows(0, many(100, T0))
  await run.barrier(0, 1)
  await told(1)
  expect([run.parked.length, run.troubles]).toEqual([100, []])
  await run.rows(0, [...many(1, T0 + 10_000)])
  await run.barrier(0, 2)
  await until(() => run.troubles.length > 0)
  expect(run.messages[0]).toContain('refuses more than 100 rows a minute')
  expect(run.barriers).toEqual([1])
  expect(run.sink.stats().rowsParked).toBe(100)
  await sql('ALTER TABLE results DROP CONSTRAINT mine')
  await told(2)
  expect(run.parked.length).toBe(100)
  await nothingLost()
  // Of each kind a few lines are enough; the rows are in the dead letters.
  expect(run.errors.filter((line) => line.startsWith('a row is parked')).length).toBe(5)
  expect(run.errors.filter((line) => line.startsWith('a row is parked')).at(-1)).toMatch(/; no more of this kind for a minute$/)
})

test('a window grown after its row was parked is parked again, with its higher version', async () => {
  await constrain(NOT_BAD)
  await run.rows(0, [...some(5), bad('a')])
  await run.barrier(0, 1)
  await told(1)
  await run.rows(0, [...some(5), { ...bad('a'), impressions: 9 }])
  await run.barrier(0, 2)
  await told(2)
  expect(run.parked.map(({ productId, version }) => [productId, version])).toEqual([
    ['bad-a', 7],
    ['bad-a', 11],
  ])
})

test('what a letter of a parked row holds puts the row in its place once the constraint is gone', async () => {
  await constrain(NOT_BAD)
  await run.rows(0, [...some(5), bad('it\'s \\ "quoted"\n☃')])
  await run.barrier(0, 1)
  await told(1)
  const [row] = run.parked
  const letter = deadLetterOf(refusedRow(row!, 'ctr/test', Date.UTC(2024, 0, 3)))
  expect(letter).toMatchObject({
    source: 'ctr/test',
    rawTopic: '',
    partition: 0,
    offset: -1,
    errorCode: 'ROW_REFUSED',
    errorMessage: expect.stringMatching(/^ClickHouse refuses the row for what it holds: 469 VIOLATED_CONSTRAINT/),
    rawEncoding: 'utf8',
    rawTruncated: false,
    eventTimeMillisUtc: T0,
    createdAtUtc: '2024-01-03T00:00:00.000Z',
  })
  await sql('ALTER TABLE results DROP CONSTRAINT mine')
  await sql(`INSERT INTO results FORMAT JSONEachRow ${letter.rawData}`)
  expect(await written()).toEqual(run.expected)
  const [stored] = await clickhouse.rows(
    "SELECT ctr, version, toUnixTimestamp64Milli(emitted_at) AS emittedAt FROM db.ctr_results WHERE product_id LIKE 'bad%'",
    endpoint.database,
  )
  expect(stored).toEqual({ ctr: row!.ctr, version: row!.version, emittedAt: row!.emittedAt })
})

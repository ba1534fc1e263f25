/** What ClickHouse may do to a running sink: what is seen of it, what is held meanwhile, and that all rows are there when it is over. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { type ClickHouseProxy, clickHouseError, type Fault, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, type TestRow, until, writtenRows } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)
const MAX_RETRIES = 2

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let gate: ClickHouseProxy
let run: SinkRun
beforeEach(async () => {
  gate = await startProxy(clickhouse.endpoint.url)
  endpoint = { ...(await clickhouse.emptied('outages')), url: gate.url }
})
afterEach(async () => {
  await run?.sink.stop()
  await gate.close().catch(() => undefined)
})

const sql = (text: string) => clickhouse.command(text.replaceAll('results', 'db.ctr_results'), endpoint.database)
const written = () => writtenRows(clickhouse, endpoint.database)

/** Rows of 20 products in each of the windows given. */
function rows(from: number, to: number, more = 0): TestRow[][] {
  return Array.from({ length: to - from }, (_, block) =>
    Array.from({ length: 20 }, (_, i) => ({
      product: `p-${i}`,
      start: T0 + (from + block) * 10_000,
      impressions: i + block + 1 + more,
      clicks: i,
    })),
  )
}

async function put(blocks: TestRow[][], barrier: number): Promise<void> {
  for (const block of blocks) await run.rows(0, block)
  await run.barrier(0, barrier)
}

const told = (barrier: number) => until(() => run.barriers.includes(barrier), 30_000)

interface Outage {
  begin(): Promise<unknown> | unknown
  end(): Promise<unknown> | unknown
  /** Whether waiting doesn't help, so that it is told before anything is tried again. */
  readonly atOnce?: boolean
  readonly code: string
  readonly message: RegExp
}

const fault = (each: Fault) => ({
  begin: () => {
    gate.fault = each
  },
  end: () => {
    gate.fault = { kind: 'pass' }
  },
})

const OUTAGES: Record<string, Outage> = {
  'the server goes away': {
    begin: () => gate.close(),
    end: () => gate.open(),
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    message: /^clickhouse\.url: .* does not answer \(.*ECONNREFUSED.*check that it runs/,
  },
  'the server never answers': {
    ...fault({ kind: 'hang' }),
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    message: /^clickhouse\.requestTimeout: .* has not answered within/,
  },
  'connections break in the middle of every insert': {
    ...fault({ kind: 'reset', afterBytes: 800 }),
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    message: /^clickhouse\.url: .* does not answer/,
  },
  'no acknowledgement ever arrives, though every insert is done': {
    ...fault({ kind: 'lose-answer' }),
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    message: /^clickhouse\.url: .* does not answer/,
  },
  'something before the server answers in its place': {
    ...fault({ kind: 'error', status: 200, body: '<html>maintenance</html>' }),
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    message: /^clickhouse\.url: something answers an insert with "<html>maintenance<\/html>"/,
  },
  'there are too many parts': {
    begin: () => sql('ALTER TABLE results MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1, max_delay_to_insert = 0'),
    end: () => sql('ALTER TABLE results RESET SETTING parts_to_throw_insert, parts_to_delay_insert, max_delay_to_insert'),
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /refuses \(252 TOO_MANY_PARTS: Too many parts/,
  },
  'a query may not take so much memory': {
    ...fault({ kind: 'settings', settings: { max_memory_usage: '1' } }),
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /refuses \(241 MEMORY_LIMIT_EXCEEDED/,
  },
  'the replica is read-only': {
    ...fault(clickHouseError(242, 'TABLE_IS_READ_ONLY')),
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /refuses \(242 TABLE_IS_READ_ONLY/,
  },
  'the user is made read-only': {
    ...fault({ kind: 'settings', settings: { readonly: '1' } }),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /^clickhouse\.username: the settings profile of default .* forbids \(164 READONLY/,
  },
  'the password is changed': {
    ...fault({ kind: 'wrong-password' }),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_AUTH',
    message: /^clickhouse\.username, clickhouse\.password: .*\(516 AUTHENTICATION_FAILED\)/,
  },
  'a right is taken away': {
    ...fault(clickHouseError(497, 'ACCESS_DENIED')),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_AUTH',
    message: /^clickhouse\.username: .* does not give default the right .*`ctr schema grants` prints what to grant/,
  },
  'the table is gone': {
    begin: () => sql('RENAME TABLE results TO db.elsewhere'),
    end: () => sql('RENAME TABLE db.elsewhere TO results'),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /misses a table \(60 UNKNOWN_TABLE.*ctr schema apply/,
  },
  'a column is gone': {
    begin: () => sql('ALTER TABLE results RENAME COLUMN ctr TO ratio'),
    end: () => sql('ALTER TABLE results RENAME COLUMN ratio TO ctr'),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /refuses \(16 NO_SUCH_COLUMN_IN_TABLE: No such column ctr/,
  },
  'a column has another type of the same size': {
    begin: () => sql('ALTER TABLE results MODIFY COLUMN clicks Int64'),
    end: () => sql('ALTER TABLE results MODIFY COLUMN clicks UInt64'),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: /^clickhouse\.database: .*has column clicks of outages_[0-9a-f]+\.ctr_results as Int64 instead of UInt64/,
  },
  'a constraint allows no row': {
    begin: () => sql('ALTER TABLE results ADD CONSTRAINT none CHECK impressions > 1000000'),
    end: () => sql('ALTER TABLE results DROP CONSTRAINT none'),
    atOnce: true,
    code: 'CTR_CLICKHOUSE_REFUSED',
    message:
      /^clickhouse\.database: .* refuses every row for what it holds \(469 VIOLATED_CONSTRAINT: Constraint .none.*mend the constraint/,
  },
}

test.each(Object.entries(OUTAGES))('%s: told, rows held, all there when it is over', async (_, outage) => {
  run = startRun(endpoint, { maxRetries: MAX_RETRIES, batchRows: 60, requestTimeout: '1s' })
  await run.sink.ready
  await put(rows(0, 10), 1)
  await told(1)
  const before = new Map(run.expected)
  await outage.begin()
  await put(rows(5, 20, 7), 2)
  await until(() => run.troubles.length > 0)
  expect([run.troubles, run.messages.length]).toEqual([[outage.code], 1])
  expect(run.messages[0]).toMatch(outage.message)
  expect(run.errors).toEqual([`rows wait: ${run.messages[0]}`])
  const { retries } = run.sink.stats()
  if (outage.atOnce) expect(retries).toBeLessThanOrEqual(1)
  else expect(retries).toBeGreaterThan(MAX_RETRIES)
  // One batch under way, one behind it; the others wait in the ring.
  await until(() => run.sink.stats().rowsPending === 120)
  await sleep(500)
  expect(run.barriers).toEqual([1])
  expect(run.sink.stats()).toMatchObject({ rowsWritten: before.size, rowsParked: 0 })
  await outage.end()
  await told(2)
  expect(await written()).toEqual(run.expected)
  expect(run.expected.size).toBe(400)
  expect(run.troubles).toEqual([outage.code, 'ok'])
  expect(run.parked).toEqual([])
  await until(() => run.sink.stats().rowsPending === 0)
  expect(run.deaths).toEqual([])
})

test('an insert that has no answer is told within five seconds, long before it is given up, and is no trouble yet', async () => {
  run = startRun(endpoint, { requestTimeout: '4s' })
  await run.sink.ready
  gate.fault = { kind: 'hang' }
  await put(rows(0, 1), 1)
  await until(() => run.warnings.length > 0, 5_000)
  expect(run.warnings).toEqual([expect.stringMatching(/^rows are not written yet: clickhouse\.url: .*no answer for 3 s; check/)])
  gate.fault = { kind: 'pass' }
  await told(1)
  expect([await written(), run.troubles]).toEqual([run.expected, ['ok']])
})

test('an acknowledgement that comes after requestTimeout is not waited for: the rows are sent again, and are there once', async () => {
  run = startRun(endpoint, { requestTimeout: '300ms' })
  await run.sink.ready
  gate.next.push({ kind: 'late-answer', ms: 1_000 }, { kind: 'late-answer', ms: 1_000 })
  await put(rows(0, 10), 1)
  await told(1)
  expect(run.sink.stats().retries).toBe(2)
  expect(await written()).toEqual(run.expected)
  expect(run.sink.stats().rowsWritten).toBe(200)
})

test('a batch that takes longer than requestTimeout is sent in smaller inserts, and so are the next ones', async () => {
  run = startRun(endpoint, { requestTimeout: '2s', flushInterval: '5m' }, { ringBytes: 1 << 22 })
  await run.sink.ready
  // About 75 bytes a row: 8,000 rows take 2.7 s, half of them less than the limit and more than a quarter of it.
  gate.fault = { kind: 'slow-by-size', msPerKiB: 4.5 }
  const block = (at: number) =>
    Array.from({ length: 4_000 }, (_, i) => ({ product: `p-${i}`, start: T0 + at * 10_000, impressions: i, clicks: 1 }))
  await put([block(0), block(1)], 1)
  await told(1)
  expect(run.sink.stats()).toMatchObject({ retries: 1, batches: 2, rowsWritten: 8_000 })
  await put([block(2), block(3)], 2)
  await told(2)
  expect(run.sink.stats()).toMatchObject({ retries: 1, batches: 4, rowsWritten: 16_000 })
  expect(await written()).toEqual(run.expected)
  expect(run.troubles).toEqual([])
})

test('a column made LowCardinality under a running sink is no trouble', async () => {
  run = startRun(endpoint)
  await run.sink.ready
  await put(rows(0, 5), 1)
  await told(1)
  await sql('DROP TABLE results')
  const text = "window_start DateTime64(3, 'UTC'), window_end DateTime64(3, 'UTC'), task UInt32, impressions UInt64, clicks UInt64"
  await sql(`CREATE TABLE results (tenant LowCardinality(String), product_id String, ${text}, ctr Float64, version UInt64,
    emitted_at DateTime64(3, 'UTC'), inserted_at DateTime64(3, 'UTC') DEFAULT now64(3), window String)
    ENGINE = ReplacingMergeTree(version) ORDER BY (tenant, product_id, window_start, window_end, task)`)
  run.expected.clear()
  await put(rows(5, 10), 2)
  await told(2)
  expect(await written()).toEqual(run.expected)
  expect(run.expected.size).toBe(100)
  expect([run.troubles, run.parked]).toEqual([[], []])
})

test('a server that says nothing at the start is told within five seconds, long before the request is given up', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  run = startRun({ ...endpoint, url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` })
  await until(() => run.messages.length > 0, 5_000)
  expect(run.messages).toEqual([expect.stringMatching(/^clickhouse\.url: .*no answer for 3 s; check that it runs/)])
})

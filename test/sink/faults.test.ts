import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { type ClickHouseProxy, clickHouseError, type Fault, type ProxyOptions, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { makeTables } from '../../workshop/tables.ts'
import { createAuthority } from '../../workshop/tls.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { type SinkRun, startRun, until, writtenRows } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)
const authority = createAuthority()
const certificate = authority.issue('localhost')

const clickhouse = await sharedClickHouse()
let endpoint: Endpoint
let proxy: ClickHouseProxy | undefined
let run: SinkRun | undefined
beforeEach(async () => {
  endpoint = await clickhouse.emptied('faults')
})
afterEach(async () => {
  await run?.sink.stop()
  await proxy?.close().catch(() => undefined)
})

async function through(options: ProxyOptions = {}): Promise<ClickHouseProxy> {
  proxy = await startProxy(clickhouse.endpoint.url, options)
  endpoint = { ...endpoint, url: proxy.url }
  return proxy
}

async function start(overrides: Record<string, unknown> = {}, options: { rings?: number; ringBytes?: number } = {}): Promise<SinkRun> {
  run = startRun(endpoint, overrides, options)
  await run.sink.ready
  return run
}

const totals = async () =>
  (
    await clickhouse.rows<{ n: number; rows: number }>(
      'SELECT sum(impressions) AS n, count() AS rows FROM db.ctr_windows',
      endpoint.database,
    )
  )[0]!

/** 40 blocks of 25 products, a barrier after each; ends the run, compares every row, and gives the totals. */
async function write(running: SinkRun) {
  for (let block = 0; block < 40; block++) {
    const rows = Array.from({ length: 25 }, (_, i) => ({
      product: `p-${i}`,
      start: T0 + block * 10_000,
      impressions: ((block + i) % 5) + 1,
      clicks: i,
    }))
    await running.rows(0, rows)
    await running.barrier(0, block)
  }
  await running.end()
  await running.sink.ended
  expect(running.barriers.at(-1)).toBe(39)
  expect(await writtenRows(clickhouse, endpoint.database)).toEqual(running.expected)
  return totals()
}

const PASSING: [string, Fault[]][] = [
  [
    'connections reset in the middle of an insert',
    [
      { kind: 'reset', afterBytes: 700 },
      { kind: 'reset', afterBytes: 1 },
      { kind: 'reset', afterBytes: 0 },
    ],
  ],
  ['answers lost after the insert was done', [{ kind: 'lose-answer' }, { kind: 'pass' }, { kind: 'lose-answer' }]],
  [
    '503 from something before the server',
    [
      { kind: 'error', status: 503, body: 'upstream is busy' },
      { kind: 'error', status: 502, body: '<html>' },
    ],
  ],
  [
    'too many parts, memory and timeouts',
    [clickHouseError(252, 'TOO_MANY_PARTS'), clickHouseError(241, 'MEMORY_LIMIT_EXCEEDED'), clickHouseError(159, 'TIMEOUT_EXCEEDED')],
  ],
]

test.each(PASSING)('%s cost retries and nothing else: every row once, no trouble told', async (_, faults) => {
  const { next } = await through()
  const running = await start({ batchRows: 100 })
  next.push(...faults)
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
  expect(running.sink.stats().retries).toBe(faults.filter(({ kind }) => kind !== 'pass').length)
  expect(running.troubles).toEqual([])
})

test('too many parts make inserts fewer: rows wait longer for others, and no longer when it is over', async () => {
  const gate = await through()
  const running = await start({ flushInterval: '20ms' })
  gate.next.push(...Array.from({ length: 5 }, () => clickHouseError(252, 'TOO_MANY_PARTS')))
  const trickle = async (from: number) => {
    for (let i = from; i < from + 50; i++) {
      await running.rows(0, [{ product: 'a', start: T0 + i * 10_000, impressions: 1, clicks: 0 }])
      await sleep(20)
    }
  }
  await trickle(0)
  await until(() => gate.next.length === 0 && running.sink.stats().rowsWritten > 0)
  const before = gate.inserts
  await trickle(50)
  expect(gate.inserts - before).toBeLessThan(15)
  await running.end()
  await running.sink.ended
  expect(await totals()).toEqual({ n: 100, rows: 100 })
})

test('a slow server holds the rings back and nothing is lost; one insert is on its way at a time', async () => {
  const slow = await through()
  const running = await start({ batchRows: 25 }, { ringBytes: 32_768 })
  slow.fault = { kind: 'slow', ms: 50 }
  const begun = performance.now()
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
  expect(slow.inserts).toBe(40)
  expect(performance.now() - begun).toBeGreaterThan(40 * 50)
})

test('a server that never answers is given up after requestTimeout and asked again', async () => {
  const { next } = await through()
  const running = await start({ requestTimeout: '300ms' })
  next.push({ kind: 'hang' })
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
  expect(running.sink.stats().retries).toBe(1)
})

test('a server that goes away is told after maxRetries failures, holds back what comes, and gets it all when it is back', async () => {
  const gate = await through()
  const running = await start({ maxRetries: 2, batchRows: 50 }, { ringBytes: 32_768 })
  await gate.close()
  const writing = write(running)
  await until(() => running.troubles.length > 0)
  expect(running.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE'])
  expect(running.messages[0]).toMatch(/^clickhouse\.url: ClickHouse at http:\/\/localhost:\d+ does not answer \(.*ECONNREFUSED/)
  expect(running.sink.stats().retries).toBeGreaterThanOrEqual(3)
  expect(running.sink.stats().rowsWritten).toBe(0)
  expect(running.barriers).toEqual([])
  await gate.open()
  expect(await writing).toEqual({ n: 3000, rows: 1000 })
  expect(running.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE', 'ok'])
})

test('a server that is down at the start is waited for, told at once, and used when it comes', async () => {
  const gate = await through({ open: false })
  run = startRun(endpoint)
  let ready = false
  void run.sink.ready.then(() => {
    ready = true
  })
  await until(() => run!.troubles.length > 0)
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE'])
  await sleep(300)
  expect(ready).toBe(false)
  await gate.open()
  await run.sink.ready
  expect(await write(run)).toEqual({ n: 3000, rows: 1000 })
  expect(run.troubles).toEqual(['CTR_CLICKHOUSE_UNREACHABLE', 'ok'])
})

test('stop ends the wait for a server that is down, at once', async () => {
  await through({ open: false })
  run = startRun(endpoint)
  await until(() => run!.troubles.length > 0)
  const begun = performance.now()
  await run.sink.stop()
  expect(performance.now() - begun).toBeLessThan(5_000)
  await expect(run.sink.ready).rejects.toThrow('stopped')
})

test('a refusal that waiting does not mend is told at once, and the rows go in when somebody mends it', async () => {
  const { next } = await through()
  const running = await start()
  next.push(clickHouseError(16, 'NO_SUCH_COLUMN_IN_TABLE'))
  await running.rows(0, [{ product: 'a', start: T0, impressions: 1, clicks: 0 }])
  await until(() => running.troubles.includes('CTR_CLICKHOUSE_REFUSED'))
  expect(running.messages[0]).toContain('16 NO_SUCH_COLUMN_IN_TABLE')
  await running.end()
  await running.sink.ended
  expect(await totals()).toEqual({ n: 1, rows: 1 })
  expect(running.troubles).toEqual(['CTR_CLICKHOUSE_REFUSED', 'ok'])
})

test('a table dropped under a running sink is trouble that names the remedy, and ctr schema apply mends it', async () => {
  const running = await start()
  await clickhouse.command('DROP TABLE db.ctr_results', endpoint.database)
  await running.rows(0, [{ product: 'a', start: T0, impressions: 4, clicks: 0 }])
  await until(() => running.troubles.length > 0)
  expect(running.messages[0]).toContain('ctr schema apply')
  await makeTables(endpoint)
  await running.end()
  await running.sink.ended
  expect(await totals()).toEqual({ n: 4, rows: 1 })
})

test('a wrong password refuses to start and names both keys', async () => {
  run = startRun({ ...endpoint, password: 'wrong' })
  await expect(run.sink.ready).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_AUTH',
    retriable: false,
    message: expect.stringMatching(/^clickhouse\.username, clickhouse\.password: .* refuses user default \(516 AUTHENTICATION_FAILED\)/),
  })
  expect(run.troubles).toEqual([])
})

test('a wrong database without applySchema refuses to start and names it', async () => {
  run = startRun({ ...endpoint, database: 'wrong' }, { applySchema: false })
  await expect(run.sink.ready).rejects.toThrow(/^clickhouse\.database: .* no database wrong; /)
})

test('TLS works with the authority given', async () => {
  await through({ tls: certificate })
  const running = await start({ tls: { ca: authority.caPem } })
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
})

test('TLS without the authority refuses to start and names clickhouse.tls.ca', async () => {
  await through({ tls: certificate })
  run = startRun(endpoint)
  await expect(run.sink.ready).rejects.toMatchObject({
    code: 'CTR_CONFIG',
    message: expect.stringMatching(/^clickhouse\.tls\.ca: .*not trusted/),
  })
})

test('TLS with rejectUnauthorized off takes any certificate', async () => {
  await through({ tls: certificate })
  const running = await start({ tls: { rejectUnauthorized: false } })
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
})

test('a server that wants a client certificate gets it, together with the password', async () => {
  await through({ tls: { ...certificate, ca: authority.caPem, requestCert: true } })
  const client = authority.issue('ctr')
  const running = await start({ tls: { ca: authority.caPem, cert: client.cert, key: client.key } })
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
})

test('https to a port that speaks plain HTTP refuses to start and says where to look', async () => {
  const plain = await through()
  run = startRun({ ...endpoint, url: plain.url.replace('http:', 'https:') })
  await expect(run.sink.ready).rejects.toMatchObject({ code: 'CTR_CONFIG', message: expect.stringMatching(/^clickhouse\.url: /) })
})

test('inserts with gzip give the same rows', async () => {
  const running = await start({ compression: true, batchRows: 100 })
  expect(await write(running)).toEqual({ n: 3000, rows: 1000 })
})

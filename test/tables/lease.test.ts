import { expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { beginLife } from '../../src/proof-of-life.ts'
import { holderName, tryLease, withLease } from '../../src/tables/lease.ts'
import { startProxy } from '../../workshop/clickhouse-proxy.ts'
import { makeTables } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
const { signal } = new AbortController()

async function database(): Promise<Endpoint> {
  const endpoint = clickhouse.own('lease')
  await makeTables(endpoint)
  return endpoint
}

test('of ten that want the right at once each has it once, and never two of them', async () => {
  const endpoint = await database()
  let [holding, most, done] = [0, 0, 0]
  const one = async () => {
    const client = connect(endpoint, endpoint.database)
    await withLease(
      client,
      undefined,
      signal,
      () => undefined,
      async () => {
        most = Math.max(most, ++holding)
        await sleep(20)
        holding--
        done++
      },
    )
    await client.close()
  }
  await Promise.all(Array.from({ length: 10 }, one))
  expect([most, done]).toEqual([1, 10])
}, 120_000)

test('nothing is computed while the tables are changed, and the right to change them waits for what is computed', async () => {
  const endpoint = await database()
  const client = connect(endpoint, endpoint.database)
  const waited: string[] = []
  const computed = async () => 'computed'
  let changed: Promise<unknown> = Promise.resolve()
  await tryLease(client, undefined, 'roll-ups', 'a job', async () => {
    const work = async () => expect(await tryLease(client, undefined, 'roll-ups', 'another job', computed)).toBeUndefined()
    changed = withLease(client, undefined, signal, (holder) => waited.push(holder), work)
    await expect.poll(() => waited).toEqual(['a job'])
  })
  await changed
  expect(await tryLease(client, undefined, 'roll-ups', 'another job', computed)).toEqual({ done: 'computed' })
  await client.close()
}, 120_000)

test('a holder that can not reach ClickHouse for as long as its lease lasts does not go on', async () => {
  const endpoint = await database()
  const proxy = await startProxy(endpoint.url)
  const client = connect({ ...endpoint, url: proxy.url }, endpoint.database)
  const work = async (held: () => void) => {
    held()
    await sleep(4_000)
    held()
    await proxy.close()
    await sleep(6_000)
    held()
    return 'went on'
  }
  await expect(withLease(client, undefined, signal, () => undefined, work, 6_000)).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    retriable: true,
    message: expect.stringContaining('could not be renewed'),
  })
  await client.close()
}, 120_000)

test('a renewal that is under way when the work ends does not take the right again', async () => {
  const endpoint = await database()
  const proxy = await startProxy(endpoint.url)
  const [slow, direct] = [connect({ ...endpoint, url: proxy.url }, endpoint.database), connect(endpoint, endpoint.database)]
  // A command has its statement in its body.
  proxy.concerned = /^$/
  const work = async () => {
    proxy.next.push({ kind: 'slow', ms: 1_500 }, { kind: 'slow', ms: 1_500 })
    await expect.poll(() => proxy.next.length, { timeout: 20_000 }).toBe(0)
  }
  await withLease(slow, undefined, signal, () => undefined, work, 9_000)
  await sleep(2_000)
  expect(await tryLease(direct, undefined, 'lease', 'another', async () => 'held')).toEqual({ done: 'held' })
  await Promise.all([slow.close(), direct.close(), proxy.close()])
}, 120_000)

test('a holder that is gone is not waited for; one that lives, or may live elsewhere, is, and both are named', async () => {
  const endpoint = await database()
  const client = connect(endpoint, endpoint.database)
  const gone = await beginLife('ctr')
  gone.end()
  const living = await holderName()
  const elsewhere = 'ctr@node-7:1/0123456789ab.-.mb1x3k9q.9f86d081884c7d65'
  const holds = (name: string, seconds = 25) =>
    client.command({
      query: `INSERT INTO ctr_schema (kind, name, until) SELECT 'lease', {name:String}, now64(3) + INTERVAL ${seconds} SECOND`,
      query_params: { name },
    })
  const work = async () => 'done'
  await holds(gone.name)
  expect(await tryLease(client, undefined, 'lease', 'first', work)).toEqual({ done: 'done' })
  for (const [name, words] of [
    [living, `pid ${process.pid} of `],
    [elsewhere, 'pid 1 of node-7, since 2025-'],
  ] as const) {
    await holds(name)
    expect(await tryLease(client, undefined, 'lease', 'second', work)).toBeUndefined()
    const waited: string[] = []
    const patience = new AbortController()
    const waiting = withLease(client, undefined, patience.signal, (holder) => waited.push(holder), work)
    await expect.poll(() => waited, { timeout: 20_000 }).toEqual([expect.stringContaining(words)])
    patience.abort()
    await expect(waiting).rejects.toThrow()
    await holds(name, 0)
  }
  await client.close()
}, 120_000)

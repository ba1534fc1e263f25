/** What the engine says and does when what it needs is not there, lets it not in, or goes away. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { type ClickHouseProxy, type ProxyOptions, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { createTopics, fresh } from '../../workshop/kafka-harness.ts'
import { createAuthority } from '../../workshop/tls.ts'
import { feed, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const WINDOW_MS = 10_000
const DYING_THREADS = fileURLToPath(new URL('../../workshop/dying-threads.ts', import.meta.url))

const { brokers, clickhouse } = await sharedServers()
/** Topics with one window of one product. */
let topics: Topics

beforeAll(async () => {
  topics = await freshTopics(brokers, 1)
  await feed(brokers, topics, [oneWindow(topics)])
})

function oneWindow({ impressions }: Topics, ageMs = 120_000) {
  const start = Math.floor((Date.now() - ageMs) / WINDOW_MS) * WINDOW_MS
  return [record(impressions, 'p', 'impression', start), record(impressions, 'p', 'click', start + 1)]
}

async function proxy(options: ProxyOptions = {}): Promise<ClickHouseProxy> {
  const started = await startProxy(clickhouse.endpoint.url, options)
  onTestFinished(() => started.close().catch(() => undefined))
  return started
}

/** As a tenant of its own, with this in place of the usual. */
function configured(more: ConfigTree, of: Topics = topics): { config: ConfigTree; tenant: string } {
  const tenant = fresh('tenant')
  const quick = { time: { idleTimeout: '500ms' } }
  return { tenant, config: merged(from(brokers, { ...of, group: fresh('group') }), into(clickhouse, tenant), quick, more) }
}

async function arrived(engine: EngineProcess, tenant: string): Promise<void> {
  await engine.until('the row', async () => [...(await finalRows(clickhouse, tenant)).values()].some(({ ctr }) => ctr === 1))
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

test("ClickHouse's refusal of the password ends the run with exit code 2 and the key to look at", async () => {
  const { config } = configured({ clickhouse: { password: 'wrong' } })
  const run = await runEngine(['run'], { config })
  expect([await run.exit(), run.complaints.join('\n')]).toEqual([
    2,
    expect.stringMatching(/^ctr: CTR_CLICKHOUSE_AUTH: clickhouse\.username, clickhouse\.password: .*refuses user/),
  ])
})

test('a ClickHouse that is down at the start is waited for, with /readyz saying so', async () => {
  const front = await proxy({ open: false })
  const { config, tenant } = configured({ clickhouse: { url: front.url } })
  const engine = startEngine(['run'], { config })
  const trouble = await engine.logged('clickhouse.url')
  expect(trouble.msg).toContain(front.url)
  const why = `ClickHouse at ${front.url} does not answer`
  const waiting = await engine.until('/readyz says why', async () => {
    const now = await engine.readiness()
    return now.reasons.join().includes(why) && now
  })
  expect(waiting.status).toBe(503)
  await front.open()
  await engine.ready()
  await arrived(engine, tenant)
  expect(await engine.terminate()).toBe(0)
})

test('SIGTERM ends the waiting for a ClickHouse at once, with exit code 0', async () => {
  const front = await proxy({ open: false })
  const engine = startEngine(['run'], { config: configured({ clickhouse: { url: front.url } }).config })
  await engine.logged('clickhouse.url')
  expect(await engine.terminate(10_000)).toBe(0)
})

test('ClickHouse over TLS is trusted with its authority, and without it the run says which key is missing', async () => {
  const authority = createAuthority()
  const front = await proxy({ tls: authority.issue('clickhouse') })
  const folder = workFolder()
  writeFileSync(join(folder, 'ca.pem'), authority.caPem)
  const { config, tenant } = configured({ clickhouse: { url: front.url, tls: { ca: 'ca.pem' } } })
  const run = await runEngine(['run', '--until-end'], { config, folder })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  expect((await finalRows(clickhouse, tenant)).size).toBe(1)
  const refused = await runEngine(['run', '--until-end'], { config: configured({ clickhouse: { url: front.url } }).config })
  expect([await refused.exit(), refused.complaints.join('\n')]).toEqual([2, expect.stringContaining('clickhouse.tls.ca')])
})

test('rows wait for a ClickHouse that goes away; shutdown.timeout or a second SIGTERM ends a shutdown that cannot end', async () => {
  const front = await proxy()
  const own = await freshTopics(brokers, 1)
  const more = { clickhouse: { url: front.url, maxRetries: 1 }, shutdown: { timeout: '1500ms' } }
  const { config, tenant } = configured(more, own)
  const engine = startEngine(['run'], { config })
  await engine.ready()
  await front.close()
  await feed(brokers, own, [oneWindow(own)])
  await engine.until('/readyz says so', async () => (await engine.readiness()).reasons.join().includes('does not answer'))
  expect(await engine.terminate()).toBe(1)
  expect(engine.complaints.join('\n')).toMatch(/CTR_SHUTDOWN_TIMEOUT: not drained within shutdown\.timeout \(1\.5 s\)/)

  const again = startEngine(['run'], { config: merged(config, { shutdown: { timeout: '1m' }, kafka: { groupId: fresh('group') } }) })
  // The server is waited for at the start too, so that it must be there for a moment.
  await front.open()
  await again.ready()
  await front.close()
  await again.until('/readyz says so', async () => (await again.readiness()).reasons.join().includes('does not answer'))
  again.signal('SIGTERM')
  await again.logged('pipeline draining')
  // Signals in quick succession are one request.
  await sleep(600)
  expect(again.running).toBe(true)
  again.signal('SIGTERM')
  expect(await again.exit(5_000)).toBe(143)

  await front.open()
  const last = startEngine(['run'], { config })
  await arrived(last, tenant)
  expect(await last.terminate()).toBe(0)
})

test('brokers that are not there are waited for, with /readyz and a log line saying so', async () => {
  const address = `127.0.0.1:${await closedPort()}`
  const { config } = configured({ kafka: { brokers: [address], connectionTimeout: '1s' } })
  const engine = startEngine(['run'], { config })
  const { msg } = await engine.logged('kafka.brokers')
  expect(msg).toContain(address)
  const { status, reasons } = await engine.readiness()
  expect([status, reasons]).toEqual([503, ['the source is not connected yet', expect.stringContaining(address)]])
  expect(await engine.terminate(10_000)).toBe(0)
})

test('a topic that is not there is waited for, and read when it is', async () => {
  const missing = { ...topics, impressions: fresh('impressions') }
  const { config, tenant } = configured({}, missing)
  const engine = startEngine(['run'], { config })
  await engine.logged(`kafka.topics ${missing.impressions}: no such topic`)
  expect((await engine.readiness()).status).toBe(503)
  await createTopics(brokers, [missing.impressions], 1)
  await engine.ready()
  await feed(brokers, missing, [oneWindow(missing)])
  await arrived(engine, tenant)
  expect(await engine.terminate()).toBe(0)
})

test('a worker thread that dies ends a process that may not restart, with its reason', async () => {
  const folder = workFolder()
  const { config } = configured({ engine: { workers: 2 }, restart: { attempts: 0 } })
  const engine = startEngine(['run'], { config, folder, environment: { NODE_OPTIONS: `--import=${DYING_THREADS}` } })
  await engine.ready()
  writeFileSync(join(folder, 'die-worker'), '')
  expect(await engine.exit()).toBe(1)
  expect(engine.complaints.join('\n')).toContain('CTR_WORKER_DIED: a worker thread died: out of luck')
})

/** `/api/v1` of real processes: answers are as their schemas say, numbers are those of `/metrics` and of ClickHouse, and who may ask. */
import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { tokenHash } from '../../src/server/access.ts'
import { API_ANSWERS, type ApiAnswer, type ApiName } from '../../src/server/api-schemas.ts'
import { exampleAddress } from '../../src/server/openapi.ts'
import { type ConfigTree, type EngineProcess, into, merged, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { Feeder, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

async function answer<Name extends ApiName>(engine: EngineProcess, name: Name, path: string): Promise<ApiAnswer<Name>> {
  const { status, text } = await engine.get(`/api/v1${path}`)
  expect([path, status, status === 200 ? '' : text]).toEqual([path, 200, ''])
  return API_ANSWERS[name].strict().parse(JSON.parse(text)) as ApiAnswer<Name>
}

const PRODUCTS = 7
const EACH = 600
const STEP_MS = 100

/** A minute of events up to now: some late but in time to be counted, some invalid. */
function someRecords(topics: Topics, until: number) {
  return [topics.impressions, topics.clicks].flatMap((topic) =>
    [0, 1].map((partition) =>
      Array.from({ length: EACH }, (_, i) => {
        const type = topic === topics.clicks ? 'click' : 'impression'
        const time = until - (EACH - i) * STEP_MS - (i % 50 === 49 ? 12_000 : 0)
        const made = { ...record(topic, `p-${i % PRODUCTS}`, type, time), partition }
        return i % 100 === 5 ? { ...made, value: Buffer.from('{') } : made
      }),
    ),
  )
}

async function scene(more: ConfigTree = {}) {
  const topics = await freshTopics(brokers, 2)
  const tenant = fresh('tenant')
  const time = { idleTimeout: '500ms', outOfOrderness: '2s', allowedLateness: '10s' }
  const config = merged(from(brokers, topics), into(clickhouse, tenant), { engine: { workers: 2 }, window: { size: '5s' }, time }, more)
  return { topics, tenant, config, folder: workFolder() }
}

const sum = (metrics: ReadonlyMap<string, number>, name: string) =>
  [...metrics].reduce((total, [key, value]) => (key === name || key.startsWith(`${name}{`) ? total + value : total), 0)

test('once the load has ended, the API says what /metrics and ClickHouse say, and a restart remembers it', async () => {
  const { topics, tenant, config, folder } = await scene({ log: { level: 'debug' } })
  const engine = startEngine(['run'], { config, folder })
  await engine.ready()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  await feeder.appendAll(someRecords(topics, Date.now()))
  await engine.until('all read', async () => (await engine.metric('ctr_events_processed_total')) === 4 * EACH)
  const inTables = async () => {
    const rows = [...(await finalRows(clickhouse, tenant)).values()]
    return rows.reduce((total, { impressions, clicks }) => total + impressions + clicks, 0)
  }
  const counted = async () => (await engine.metric('ctr_impressions_total')) + (await engine.metric('ctr_clicks_total'))
  await engine.until('every event in a row', async () => (await inTables()) === (await counted()))

  const state = await answer(engine, 'state', '/state')
  const metrics = await engine.metrics()
  const { totals } = state
  expect({ ...totals.records, impressions: totals.impressions, clicks: totals.clicks }).toEqual({
    read: 4 * EACH,
    counted: sum(metrics, 'ctr_impressions_total') + sum(metrics, 'ctr_clicks_total'),
    late: sum(metrics, 'ctr_events_late_total'),
    invalid: sum(metrics, 'ctr_events_invalid_total'),
    ignored: sum(metrics, 'ctr_events_ignored_total'),
    impressions: sum(metrics, 'ctr_impressions_total'),
    clicks: sum(metrics, 'ctr_clicks_total'),
  })
  expect(totals.records.invalid).toBe(4 * (EACH / 100))
  expect([state.lagRecords, state.behindSeconds, state.ready, state.activeProducts]).toEqual([0, 0, true, 2 * PRODUCTS])
  expect(state.latency.endToEnd.count).toBe(sum(metrics, 'ctr_latency_seconds_count') / 4)
  expect(state.latency.endToEnd.count).toBeGreaterThan(0)
  expect(state.cost.threads.map(({ thread }) => thread)).toEqual(expect.arrayContaining(['main', 'sink', 'http', 'checkpoint']))

  const partitions = await answer(engine, 'partitions', `/partitions?topic=${topics.clicks}&partition=1`)
  expect(partitions.partitions.map(({ records }) => records.read)).toEqual([EACH, EACH, EACH, EACH])
  expect(partitions.history?.lagRecords).toHaveLength(90)
  const ledger = await answer(engine, 'ledger', '/ledger?minutes=30')
  expect(ledger.partitions.every(({ unaccountedRecords }) => unaccountedRecords === 0)).toBe(true)
  const quality = await answer(engine, 'quality', '/quality')
  // Every fiftieth event is 12 s behind its neighbours, and the windows of most of those have ended by then.
  for (const { lateness } of quality.topics) expect(lateness.counts.reduce((total, count) => total + count, 0)).toBeGreaterThan(15)
  const askedAs = (headers: Record<string, string>, method = 'GET', path = '/api/v1/state') =>
    new Promise((resolve, reject) => {
      const url = String(engine.logs.find(({ msg }) => msg === 'health and metrics')?.url) + path
      request(url, { method, headers }, ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end()
    })
  expect(await askedAs({})).toBe(200)
  expect(await askedAs({ host: 'rebound.example:9464' })).toBe(403)
  expect(await askedAs({ origin: 'https://elsewhere.example' })).toBe(403)
  expect(await askedAs({ 'x-forwarded-for': '203.0.113.9' })).toBe(403)
  expect(await askedAs({}, 'POST', '/savepoints')).toBe(403)
  const letters = await answer(engine, 'deadLetters', '/dead-letters')
  expect(letters.reasons.reduce((total, { records }) => total + records, 0)).toBe(totals.records.invalid)
  expect(letters.samples[0]).toMatchObject({ reason: 'NOT_JSON', masked: '{', byteAtFault: 1 })

  const kept = [...(await finalRows(clickhouse, tenant)).values()].filter(({ product }) => product === 'p-3')
  const product = await answer(engine, 'product', '/products/p-3?limit=200')
  const of = (list: readonly { impressions: number; clicks: number }[]) =>
    list.reduce((total, { impressions, clicks }) => ({ impressions: total.impressions + impressions, clicks: total.clicks + clicks }), {
      impressions: 0,
      clicks: 0,
    })
  expect(of(product.windows)).toEqual(of(kept))
  expect(product.windows.every(({ versions }) => versions.length > 0)).toBe(true)
  const top = await answer(engine, 'products', '/products?span=5m&by=clicks&limit=3')
  expect(top.products).toHaveLength(3)
  for (const by of ['impressions', 'ctr', 'movers']) await answer(engine, 'products', `/products?by=${by}&search=P-&span=1h`)
  const told = engine.logs.filter(({ msg }) => msg === 'window closed')
  expect(new Set(told.map(({ window }) => window)).size).toBeGreaterThan(10)
  expect(told[0]).toMatchObject({ products: expect.any(Number), impressions: expect.any(Number), delayMs: expect.any(Number) })
  const windows = await answer(engine, 'windows', '/windows?limit=3')
  expect(windows.windows[0]?.products).toBeLessThanOrEqual(PRODUCTS)
  expect(windows.windows).toHaveLength(3)
  for (const name of Object.keys(API_ANSWERS) as ApiName[]) await answer(engine, name, exampleAddress(name).replace('/api/v1', ''))
  const { keys } = await answer(engine, 'config', '/config')
  expect(keys.find(({ key }) => key === 'kafka.groupId')?.value).toBe(config.kafka && state.group)

  const { series } = await answer(engine, 'history', '/history?span=15m')
  const read = series.recordsPerSecond.reduce<number>((total, rate) => total + (rate ?? 0), 0)
  expect(read).toBeGreaterThan(0)
  expect(await engine.terminate()).toBe(0)

  const again = startEngine(['run'], { config, folder })
  await again.ready()
  const remembered = await answer(again, 'history', '/history?span=15m')
  expect(remembered.series.recordsPerSecond.reduce<number>((total, rate) => total + (rate ?? 0), 0)).toBeGreaterThanOrEqual(read * 0.99)
  expect(remembered.events.filter(({ kind }) => kind === 'start')).toHaveLength(2)
  expect(await again.terminate()).toBe(0)
}, 60_000)

test('of a process with tokens nobody sees anything without one, and its log holds none', async () => {
  const tokens = [
    { name: 'wall', role: 'viewer', hash: tokenHash('only-looks') },
    { name: 'night', role: 'operator', hash: tokenHash('does-things') },
  ]
  const { config, folder } = await scene({ http: { tokens } })
  const engine = startEngine(['run'], { config, folder })
  const { url } = await engine.logged('health and metrics')
  const status = async (path: string, token?: string, init: RequestInit = {}) => {
    const headers = { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(init.headers as Record<string, string>) }
    return (await fetch(`${String(url)}${path}`, { ...init, headers })).status
  }
  const take = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"blue"}' }
  await engine.ready()
  expect(await status('/api/v1/state')).toBe(401)
  expect(await status('/api/v1/state', 'guessed')).toBe(401)
  expect(await status('/api/v1/state?token=only-looks')).toBe(400)
  expect(await status('/api/v1/state', 'only-looks')).toBe(200)
  expect(await status('/api/v1/state', 'only-looks', { headers: { 'sec-fetch-site': 'cross-site' } })).toBe(403)
  expect(await status('/savepoints', 'only-looks', take)).toBe(403)
  expect(await status('/savepoints', 'does-things', { ...take, headers: { 'content-type': 'text/plain' } })).toBe(415)
  expect(await status('/savepoints', 'does-things', { ...take, headers: { ...take.headers, origin: 'http://elsewhere.example' } })).toBe(
    403,
  )
  expect(await status('/savepoints', 'does-things', take)).toBe(200)
  for (const path of ['/livez', '/metrics', '/']) expect(await status(path)).toBe(200)
  const { headers } = await fetch(`${String(url)}/readyz`)
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'self';.* frame-ancestors 'none'/)
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('set-cookie')).toBeNull()
  expect(headers.get('access-control-allow-origin')).toBeNull()
  expect(await engine.terminate()).toBe(0)
  expect(engine.story()).not.toMatch(/only-looks|does-things/)
})

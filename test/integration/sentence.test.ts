/** Incidents made for real: the sentence of the running engine names the cause, and is over with it; the page and `ctr top` have it. */
import { expect, onTestFinished, test } from 'vitest'
import type { ApiAnswer } from '../../src/server/api-schemas.ts'
import { startProxy } from '../../workshop/clickhouse-proxy.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { Feeder, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

type Diagnosis = ApiAnswer<'state'>['diagnosis']

/** An engine over fresh topics with two partitions, reading through `url`. */
async function scene(more: ConfigTree): Promise<{ engine: EngineProcess; feeder: Feeder; topics: Topics }> {
  const topics = await freshTopics(brokers, 2)
  const time = { outOfOrderness: '1s', allowedLateness: '5s', maxDrift: '1h' }
  const settings = { window: { size: '5s' }, time }
  const config = merged(from(brokers, topics), into(clickhouse, fresh('tenant')), settings, more)
  const engine = startEngine(['run'], { config, folder: workFolder() })
  await engine.ready()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  return { engine, feeder, topics }
}

async function diagnosis(engine: EngineProcess): Promise<Diagnosis> {
  const { text } = await engine.get('/api/v1/state')
  return (JSON.parse(text) as ApiAnswer<'state'>).diagnosis
}

const told = (engine: EngineProcess, cause: string) =>
  engine.until(`the cause ${cause}`, async () => {
    const found = await diagnosis(engine)
    return found.cause === cause ? found : undefined
  })

/** So many events of a partition, a tenth of a second apart, the last one at `until`. */
const events = (topic: string, partition: number, count: number, until: number) =>
  Array.from({ length: count }, (_, i) => ({ ...record(topic, `p-${i % 5}`, 'impression', until - (count - 1 - i) * 100), partition }))

test('a ClickHouse that goes away is named, with rows that wait, until it is back', async () => {
  const proxy = await startProxy(clickhouse.endpoint.url)
  onTestFinished(() => proxy.close().catch(() => undefined))
  const { engine, feeder, topics } = await scene({ clickhouse: { url: proxy.url, maxRetries: 1, flushInterval: '100ms' } })
  const feed = (until: number) =>
    feeder.appendAll(
      [0, 1].flatMap((partition) => [topics.impressions, topics.clicks].map((topic) => events(topic, partition, 200, until))),
    )
  await feed(Date.now())
  await engine.until('rows', async () => (await engine.metric('ctr_rows_written_total')) > 0)
  expect(['none', 'quiet', 'starting']).toContain((await diagnosis(engine)).cause)
  await proxy.close()
  await feed(Date.now() + 20_000)
  const found = await told(engine, 'clickhouse')
  expect(found).toMatchObject({ severity: 'critical', subject: '' })
  expect(found.sentence).toContain('clickhouse.url')
  expect(found.since).not.toBeNull()
  expect(found.remedy).not.toBe('')
  const url = String((await engine.logged('health and metrics')).url)
  const top = await runEngine(['top', '--once', '--url', url])
  expect(top.stdout).toContain(found.sentence)
  const page = await fetch(`${url}/ui`)
  expect([page.status, page.headers.get('content-security-policy')]).toEqual([200, expect.stringContaining("default-src 'self'")])
  await proxy.open()
  await engine.until('it is over', async () => (await diagnosis(engine)).cause !== 'clickhouse')
})

test('a partition that is silent is named, and not those that wait for it', async () => {
  const { engine, feeder, topics } = await scene({})
  const now = Date.now()
  const all = [0, 1].flatMap((partition) => [topics.impressions, topics.clicks].map((topic) => events(topic, partition, 50, now - 60_000)))
  await feeder.appendAll(all)
  await feeder.appendAll(
    all
      .filter(([first]) => !(first?.topic === topics.clicks && first.partition === 1))
      .map(([first]) => events(first!.topic, first!.partition, 50, now)),
  )
  const found = await told(engine, 'watermark')
  expect(found).toMatchObject({ subject: `${topics.clicks}/1`, severity: 'warning' })
  expect(found.sentence).toMatch(/brings no records, and holds the windows of task 1 back by (?:59|60)|1 min 0/)
})

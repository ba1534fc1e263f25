/** `ctr run` as a service: what becomes of time, partitions and metrics while it runs. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine } from '../../workshop/engine-process.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { Feeder, feed, freshTopics, from, placed, record, type Topics } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const WINDOW_MS = 10_000

const { brokers, clickhouse } = await sharedServers()

interface Live {
  readonly engine: EngineProcess
  readonly topics: Topics
  readonly tenant: string
  readonly config: ConfigTree
  readonly feeder: Feeder
}

/** A running engine on fresh topics, and a feeder to them. */
async function live(partitions: number, more: ConfigTree = {}): Promise<Live> {
  const topics = await freshTopics(brokers, partitions)
  const tenant = fresh('tenant')
  const config = merged(from(brokers, topics), into(clickhouse, tenant), more)
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const engine = startEngine(['run'], { config })
  await engine.ready()
  return { engine, topics, tenant, config, feeder }
}

/** `product task: impressions and clicks` of every row, sorted. */
async function counts(tenant: string): Promise<string[]> {
  const rows = await finalRows(clickhouse, tenant)
  return [...rows.values()].map(({ product, task, impressions, clicks }) => `${product} ${task}: ${impressions} and ${clicks}`).sort()
}

const windowAt = (time: number) => Math.floor(time / WINDOW_MS) * WINDOW_MS

test('an idle partition does not hold the watermark for ever', async () => {
  const { engine, topics, tenant, feeder } = await live(1, { time: { idleTimeout: '500ms' } })
  // Ahead of the wall clock, so that only the watermark can close a window.
  const start = windowAt(Date.now() + 600_000)
  await feeder.append([record(topics.clicks, 'p', 'click', start)])
  await feeder.append([record(topics.impressions, 'p', 'impression', start)])
  let at = start + 30_000
  await engine.until('the row of the first window', async () => {
    await feeder.append([record(topics.impressions, 'other', 'impression', at++)])
    return (await counts(tenant)).includes('p 0: 1 and 1')
  })
  expect(await engine.terminate()).toBe(0)
})

test('when all partitions are quiet the last window appears without new traffic, and a later event corrects it', async () => {
  const { engine, topics, tenant, feeder } = await live(1, { time: { idleTimeout: '500ms' } })
  const start = windowAt(Date.now() - 60_000)
  await feeder.append([record(topics.impressions, 'p', 'impression', start), record(topics.impressions, 'p', 'impression', start + 1)])
  await feeder.append([record(topics.clicks, 'p', 'click', start + 2)])
  await engine.until('the window', async () => (await counts(tenant)).join() === 'p 0: 2 and 1')
  await feeder.append([record(topics.clicks, 'p', 'click', start + 3)])
  await engine.until('its correction', async () => (await counts(tenant)).join() === 'p 0: 2 and 2')
  expect(await engine.terminate()).toBe(0)
})

test('with one topic far ahead its partition waits, few windows are open, and the rows are those of the oracle', async () => {
  const more = { time: { maxDrift: '10s' }, kafka: { fetchBytesPerPartition: '16KiB' } }
  const { engine, topics, tenant, config, feeder } = await live(1, more)
  const start = 1_700_000_000_000
  const every100ms = (topic: string, type: 'impression' | 'click') =>
    Array.from({ length: 6_000 }, (_, i) => record(topic, `p-${i % 7}`, type, start + i * 100))
  const impressions = every100ms(topics.impressions, 'impression')
  const clicks = every100ms(topics.clicks, 'click')
  await feeder.appendAll([impressions, clicks.slice(0, 600)], 0, 50)
  const lag = (topic: string) => `ctr_consumer_lag_records{topic="${topic}",partition="0"}`
  const paused = `ctr_partition_paused{topic="${topics.impressions}",partition="0"}`
  const metrics = await engine.until('a pause', async () => {
    const now = await engine.metrics()
    const behind = now.get(lag(topics.impressions)) ?? 0
    return now.get(paused) === 1 && now.get(lag(topics.clicks)) === 0 && behind > 4_000 && now
  })
  expect(metrics.get('ctr_open_panes')).toBeLessThan(10)
  await feeder.appendAll([clicks.slice(600)], 0, 50)
  await engine.until('all read', async () => (await engine.metric('ctr_events_processed_total')) === 12_000)
  expect(await engine.terminate()).toBe(0)
  const last = await runEngine(['run', '--until-end'], { config })
  expect(await last.exit()).toBe(0)
  const lists = placed([impressions, clicks], topics).map((list, i) => list.map((one) => ({ ...one, topic: i === 0 ? 'i' : 'c' })))
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
})

test('new partitions are read without a restart, from their beginning', async () => {
  const { engine, topics, tenant, feeder } = await live(1, {
    kafka: { metadataMaxAge: '500ms', startFrom: 'latest' },
    time: { idleTimeout: '500ms' },
  })
  const admin = plainClient(brokers).admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  await admin.createPartitions({ topicPartitions: [topics.impressions, topics.clicks].map((topic) => ({ topic, count: 2 })) })
  const start = windowAt(Date.now() - 60_000)
  await feeder.refresh()
  await feeder.append([record(topics.impressions, 'new', 'impression', start, 1)])
  await feeder.append([record(topics.clicks, 'new', 'click', start, 1)])
  await engine.until('its row', async () => (await counts(tenant)).join() === 'new 1: 1 and 1')
  expect(await engine.terminate()).toBe(0)
})

describe('the start', () => {
  const start = 1_700_000_000_000
  let topics: Topics

  beforeAll(async () => {
    topics = await freshTopics(brokers, 1)
    const times = [0, 100_000, 200_000].map((later) => start + later)
    for (const time of times) {
      await feed(brokers, topics, [[record(topics.impressions, 'p', 'impression', time)], [record(topics.clicks, 'p', 'click', time)]])
    }
  })

  /** How many records a bounded run has read. */
  async function read(group: string, kafka: ConfigTree, ...words: string[]): Promise<number> {
    const config = merged(from(brokers, { ...topics, group }), into(clickhouse, fresh('tenant')), { kafka, time: { maxJump: 'off' } })
    const run = await runEngine(['run', '--until-end', ...words], { config })
    expect([await run.exit(), run.complaints]).toEqual([0, []])
    return Number(/^(\d+) events/.exec(run.stdout)?.[1])
  }

  test('from committed is from earliest for a new group, then from where its windows are still open', async () => {
    const group = fresh('group')
    expect(await read(group, { startFrom: 'committed' })).toBe(6)
    expect(await read(group, { startFrom: 'committed' })).toBe(2)
    expect(await read(group, { startFrom: 'latest' })).toBe(2)
    expect(await read(group, {}, '--reset', 'earliest')).toBe(6)
    expect(await read(group, {}, '--reset', new Date(start + 100_000).toISOString())).toBe(4)
    expect(await read(group, {}, '--reset', 'latest')).toBe(0)
  })

  test('from a timestamp leaves out the records before it', async () => {
    expect(await read(fresh('group'), { startFrom: 'timestamp', startTimestamp: new Date(start + 100_000).toISOString() })).toBe(4)
    expect(await read(fresh('group'), { startFrom: 'timestamp', startTimestamp: start + 200_001 })).toBe(0)
  })

  test('from latest reads nothing that was there, and all that comes', async () => {
    expect(await read(fresh('group'), { startFrom: 'latest' })).toBe(0)
    const tenant = fresh('tenant')
    const more = { kafka: { startFrom: 'latest' }, time: { idleTimeout: '500ms' } }
    const engine = startEngine(['run'], { config: merged(from(brokers, topics), into(clickhouse, tenant), more) })
    await engine.ready()
    const lag = `ctr_consumer_lag_records{topic="${topics.clicks}",partition="0"}`
    await engine.until('its partitions', async () => (await engine.metrics()).has(lag))
    await feed(brokers, topics, [[record(topics.impressions, 'later', 'impression', windowAt(Date.now() - 60_000))]])
    await engine.until('its row', async () => (await counts(tenant)).join() === 'later 0: 1 and 0')
    expect(await engine.terminate()).toBe(0)
  })
})

const METRICS =
  `ctr_events_processed_total ctr_events_invalid_total ctr_events_late_total ctr_impressions_total ctr_clicks_total ctr_current_ctr
  ctr_active_products ctr_window_ctr_bucket ctr_window_emit_delay_seconds_bucket ctr_rows_written_total ctr_sink_flush_seconds_count
  ctr_sink_retries_total ctr_watermark_lag_seconds ctr_consumer_lag_records ctr_ring_fill_ratio ctr_backpressure_seconds_total
  process_cpu_seconds_total process_resident_memory_bytes`.split(/\s+/)

test('health and metrics tell of the run what the oracle knows of its input', async () => {
  const { engine, topics, tenant, feeder } = await live(2, { engine: { workers: 2 }, time: { maxDrift: '10m' } })
  const lists = placed(makeRecords({ seed: 3, partitions: 2, records: 3_000, products: 40 }), topics)
  await feeder.appendAll(lists)
  await engine.until('all read', async () => (await engine.metric('ctr_events_processed_total')) === 12_000)
  await engine.until('rows', async () => (await engine.metric('ctr_rows_written_total')) > 0)
  expect(await engine.get('/livez')).toEqual({ status: 200, text: '{"live":true}' })
  expect(await engine.readiness()).toEqual({ status: 200, reasons: [] })
  const metrics = await engine.metrics()
  const names = new Set([...metrics.keys()].map((key) => key.replace(/\{.*/, '')))
  expect(METRICS.filter((name) => !names.has(name))).toEqual([])

  const { rows, ledgers } = runOracle(lists, { tenant })
  const { late, invalid } = sumLedgers(ledgers.values())
  const impressions = [...rows.values()].reduce((sum, row) => sum + row.impressions, 0)
  const clicks = [...rows.values()].reduce((sum, row) => sum + row.clicks, 0)
  const value = (name: string, labels = '') => metrics.get(name + labels)
  expect(value('ctr_events_processed_total', `{topic="${topics.clicks}"}`)).toBe(6_000)
  const lateBy = [topics.impressions, topics.clicks].map((topic) => value('ctr_events_late_total', `{topic="${topic}"}`))
  expect(Number(lateBy[0]) + Number(lateBy[1])).toBe(late)
  expect(value('ctr_impressions_total')).toBe(impressions)
  expect(value('ctr_clicks_total')).toBe(clicks)
  expect(value('ctr_current_ctr')).toBe(clicks / impressions)
  expect(value('ctr_active_products')).toBe(new Set([...rows.values()].map(({ product, task }) => `${product}/${task}`)).size)
  for (const [reason, count] of Object.entries(invalid))
    expect([reason, value('ctr_events_invalid_total', `{reason="${reason}"}`)]).toEqual([reason, count])
  for (const topic of [topics.impressions, topics.clicks]) {
    for (const partition of [0, 1]) {
      expect(value('ctr_consumer_lag_records', `{topic="${topic}",partition="${partition}"}`)).toBe(0)
      const { read } = ledgers.get(`${topic}/${partition}`)!
      expect(value('ctr_ledger_records_total', `{topic="${topic}",partition="${partition}",entry="read"}`)).toBe(read)
    }
  }
  for (const worker of [0, 1]) expect(value('ctr_ring_fill_ratio', `{worker="${worker}"}`)).toBeLessThan(0.1)
  expect(value('ctr_watermark_lag_seconds', '{task="1"}')).toBeGreaterThan(86_400)
  expect(await engine.terminate()).toBe(0)
})

/** `ctr run` beside producers whose clocks are wrong, and restarts that come before anything is idle. */
import { expect, onTestFinished, test } from 'vitest'
import { type ConfigTree, into, merged, startEngine } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { deadLetters, Feeder, freshTopics, from, record } from '../support/feed.ts'
import { finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

async function stand(more: ConfigTree) {
  const topics = await freshTopics(brokers, 1)
  const tenant = fresh('tenant')
  const config = merged(from(brokers, topics), into(clickhouse, tenant), more)
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const sums = async () => {
    const rows = [...(await finalRows(clickhouse, tenant)).values()]
    return [rows.reduce((sum, { impressions }) => sum + impressions, 0), rows.reduce((sum, { clicks }) => sum + clicks, 0)]
  }
  return { topics, config, feeder, sums }
}

test('one record an hour ahead, event and record alike, makes nobody late, and pauses nobody', async () => {
  const { topics, config, feeder, sums } = await stand({ window: { size: '1s' }, time: { maxDrift: '10s' } })
  const engine = startEngine(['run'], { config })
  await engine.ready()
  const start = Math.floor(Date.now() / 1_000) * 1_000 - 600_000
  for (let second = 0; second < 60; second++) {
    const at = start + second * 1_000
    await feeder.append([record(topics.clicks, 'p', 'click', at), record(topics.clicks, 'p', 'click', at + 1)])
    await feeder.append([record(topics.impressions, 'p', 'impression', at), record(topics.impressions, 'p', 'impression', at + 1)])
    if (second === 5) await feeder.append([record(topics.impressions, 'ahead', 'impression', at + 3_600_000)])
  }
  // The last ten seconds of each are still open; all before them are rows, though the one record lies an hour ahead.
  await engine.until('the rows', async () => ((await sums())[1] ?? 0) >= 90)
  await engine.until('all impressions', async () => (await engine.metric('ctr_impressions_total')) >= 121)
  const metrics = await engine.metrics()
  for (const topic of [topics.impressions, topics.clicks]) expect(metrics.get(`ctr_events_late_total{topic="${topic}"}`)).toBe(0)
  expect(metrics.get(`ctr_partition_paused{topic="${topics.impressions}",partition="0"}`)).toBe(0)
  expect(metrics.get('ctr_impressions_total')).toBe(121)
  expect(await engine.terminate()).toBe(0)
})

test('a topic in seconds, said to be in milliseconds, is dead-lettered, and holds nobody for longer than the idle timeout', async () => {
  const { topics, config, feeder, sums } = await stand({
    window: { size: '1s' },
    time: { idleTimeout: '2s' },
    events: { time: { unit: 'ms' } },
  })
  const engine = startEngine(['run'], { config })
  await engine.ready()
  const begun = Date.now()
  let fed = 0
  await engine.until('rows of the topic in milliseconds', async () => {
    const now = Date.now()
    const seconds = record(topics.clicks, 'p', 'click', now)
    await feeder.append([record(topics.impressions, 'p', 'impression', now)])
    await feeder.append([
      { ...seconds, value: Buffer.from((seconds.value ?? '').toString().replace(String(now), String(Math.floor(now / 1_000)))) },
    ])
    fed++
    return now - begun > 4_000 && ((await sums())[0] ?? 0) > fed / 4
  })
  const tooOld = 'ctr_events_invalid_total{reason="TOO_OLD"}'
  await engine.until('all in seconds are refused', async () => (await engine.metrics()).get(tooOld) === fed)
  const [letter] = await deadLetters(brokers, topics.dead, 1)
  expect(letter?.errorMessage).toContain('time.oldest')
  expect((await sums())[1]).toBe(0)
  expect(await engine.terminate()).toBe(0)
})

test.each([
  ['without checkpoints', 'none'],
  ['with checkpoints', undefined],
])('restarts more often than the idle timeout, beside a topic that is empty, still give rows: %s', async (_, storage) => {
  const checkpoint = storage === undefined ? { interval: '500ms' } : { storage }
  const { topics, config, feeder, sums } = await stand({ window: { size: '1s' }, time: { idleTimeout: '8s' }, checkpoint })
  const start = Math.floor(Date.now() / 1_000) * 1_000 + 3_600_000 // ahead of the clock: only the watermark can close a window
  let second = 0
  let rows = 0
  let folder: string | undefined
  for (let life = 0; life < 12 && rows === 0; life++) {
    const engine = startEngine(['run'], { config, ...(folder !== undefined && { folder }) })
    folder = engine.folder
    await engine.ready()
    const until = Date.now() + 3_000
    while (Date.now() < until && rows === 0) {
      const at = start + second++ * 1_000
      await feeder.append(Array.from({ length: 10 }, (_, i) => record(topics.impressions, 'p', 'impression', at + i)))
      await new Promise((resolve) => setTimeout(resolve, 200))
      rows = (await sums())[0] ?? 0
    }
    engine.signal('SIGKILL')
    await engine.exit()
  }
  expect(rows).toBeGreaterThan(0)
})

/** Several processes of one group: killed, stopped in their sleep, started again. */
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { type EngineProcess, into, merged, runEngine, startEngine } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { runOracle } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed, record } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const START = 1_700_000_000_000
const EVICTED = 'a member of the consumer group whose process is gone was made to leave'
const JOINED = 'joined the consumer group'

const { brokers, clickhouse } = await sharedServers()

/** `topic/partition` of all that the process owns. */
async function owned(engine: EngineProcess): Promise<string[]> {
  const keys = [...(await engine.metrics()).keys()]
  return keys
    .flatMap((key) => /^ctr_consumer_lag_records\{topic="(.+)",partition="(\d+)"\}$/.exec(key)?.slice(1).join('/') ?? [])
    .toSorted()
}

test.each([
  ['with the default name', {}],
  ['with a name of its own', { clientId: 'pod-0' }],
])('a killed process %s counts again as soon as it is started again, long before its session ends', async (_what, name) => {
  const topics = await freshTopics(brokers, 1)
  const config = merged(from(brokers, topics), into(clickhouse, fresh('tenant')), { kafka: { sessionTimeout: '60s', ...name } })
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const first = startEngine(['run'], { config })
  await feeder.append([record(topics.clicks, 'p', 'click', START)])
  await first.until('it counts', async () => (await first.metric('ctr_clicks_total')) === 1)
  first.signal('SIGKILL')
  await first.exit()
  const startedAt = performance.now()
  const second = startEngine(['run'], { config })
  await second.until('it counts again', async () => (await second.metric('ctr_clicks_total')) === 1, 20_000)
  console.log(`counting ${Math.round(performance.now() - startedAt)} ms after the start`)
  await second.logged(EVICTED)
  expect(await second.terminate()).toBe(0)
})

test('processes that share the default name and live leave each other alone, and share the partitions', async () => {
  const topics = await freshTopics(brokers, 2)
  const config = merged(from(brokers, topics), into(clickhouse, fresh('tenant')))
  const first = startEngine(['run'], { config })
  await first.logged(JOINED)
  const second = startEngine(['run'], { config })
  const half = async (engine: EngineProcess) => (await owned(engine)).length === 2
  await second.until('half each', async () => (await half(first)) && (await half(second)))
  expect(second.logs.filter(({ msg }) => msg === EVICTED)).toEqual([])
  expect(first.logs.filter(({ msg }) => msg === JOINED)).toHaveLength(2)
  expect([await first.terminate(), await second.terminate()]).toEqual([0, 0])
})

test('a process stopped in its sleep past its session loses its partitions, joins again when it wakes, and harms no row', async () => {
  const topics = await freshTopics(brokers, 2)
  const tenant = fresh('tenant')
  const config = merged(from(brokers, topics), into(clickhouse, tenant), { kafka: { fetchBytesPerPartition: '64KiB' } })
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const lists = placed(makeRecords({ seed: 11, partitions: 2, records: 30_000, products: 50, stepMs: 10 }), topics)
  /** The records from `from` to `to` (shares of all) in small batches, as a live topic grows. */
  const grow = async (from: number, to: number) => {
    const slices = lists.map((list) => list.slice(list.length * from, list.length * to))
    for (let at = 0; slices.some((slice) => at < slice.length); at += 100) {
      await Promise.all(slices.map((slice) => feeder.append(slice.slice(at, at + 100))))
      await sleep(5)
    }
  }
  const sleeper = startEngine(['run'], { config: merged(config, { kafka: { clientId: 'sleeper' } }) })
  const other = startEngine(['run'], { config: merged(config, { kafka: { clientId: 'other' } }) })
  await other.until('half each', async () => (await owned(sleeper)).length === 2 && (await owned(other)).length === 2)

  const growing = grow(0, 0.3)
  await sleep(500)
  sleeper.signal('SIGSTOP')
  await growing
  await other.until('the other has all', async () => (await owned(other)).length === 4)
  await grow(0.3, 0.6)
  const more = grow(0.6, 0.8)
  sleeper.signal('SIGCONT')
  await other.until('half each again', async () => (await owned(sleeper)).length === 2 && (await owned(other)).length === 2)
  await more
  await grow(0.8, 1)
  const all = [...(await owned(sleeper)), ...(await owned(other))]
  expect(new Set(all).size).toBe(4)

  expect([await sleeper.terminate(), sleeper.complaints]).toEqual([0, []])
  expect([await other.terminate(), other.complaints]).toEqual([0, []])
  const last = await runEngine(['run', '--until-end'], { config })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
}, 120_000)

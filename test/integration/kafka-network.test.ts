/** What networks and brokers do to a running engine, and what its user sees of it: nothing is lost, and the rows are the oracle's. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine } from '../../workshop/engine-process.ts'
import { type Broker, startBroker } from '../../workshop/kafka-broker.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { type OracleRecord, runOracle } from '../../workshop/oracle.ts'
import { TcpProxy } from '../../workshop/tcp-proxy.ts'
import { Feeder, freshTopics, from, placed, type Topics } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const PARTITIONS = 2
const RECORDS = 6_000
const BATCH_RECORDS = 100
const PARTS = 3

let proxy: TcpProxy
let broker: Broker
const clickhouse = await sharedClickHouse()

beforeAll(async () => {
  proxy = await TcpProxy.start()
  broker = await startBroker({ own: true, proxyPort: proxy.port })
  proxy.target = broker.behindProxy
})
afterAll(async () => {
  await Promise.all([broker?.stop(), proxy?.close()])
})

interface Live {
  readonly engine: EngineProcess
  /** Part 0, 1 or 2 of the records into the topics. */
  feed(part: number): Promise<void>
  /** Until all that was fed so far is read. */
  readAll(): Promise<void>
  /** Stops the engine and compares what is there with the oracle's. */
  judge(restarts?: number): Promise<void>
}

/** An engine that reaches its broker through the proxy only. */
async function live(more: ConfigTree = {}): Promise<Live> {
  const topics: Topics = await freshTopics(broker.brokers, PARTITIONS)
  const tenant = fresh('tenant')
  // A part may end anywhere in time: no partition is to wait for the next one.
  const patient = { time: { maxDrift: '1h' }, kafka: { connectionTimeout: '1s', requestTimeout: '2s', fetchBytesPerPartition: '64KiB' } }
  const config = merged(from([proxy.address], topics), into(clickhouse, tenant), patient, more)
  const lists = placed(makeRecords({ seed: 3, partitions: PARTITIONS, records: RECORDS, products: 40, stepMs: 20 }), topics)
  const slice = (list: readonly OracleRecord[], part: number) => list.slice((RECORDS / PARTS) * part, (RECORDS / PARTS) * (part + 1))
  let fed = 0
  const engine = startEngine(['run'], { config })
  await engine.ready()
  return {
    engine,
    feed: async (part) => {
      const feeder = await Feeder.connect(broker.brokers, topics)
      await feeder.appendAll(
        lists.map((list) => slice(list, part)),
        0,
        BATCH_RECORDS,
      )
      await feeder.close()
      fed += lists.reduce((sum, list) => sum + slice(list, part).length, 0)
    },
    readAll: async () => {
      const read = async () => {
        // A run that starts again counts from nothing, and not all of it again.
        const again = (await engine.metric('ctr_restarts_total')) > 0 && (await engine.metric('ctr_consumer_lag_records')) === 0
        return again || (await engine.metric('ctr_events_processed_total')) >= fed
      }
      await engine.until('all read', read, 60_000)
      await engine.ready()
    },
    judge: async (restarts = 0) => {
      expect([await engine.metric('ctr_restarts_total'), await engine.terminate(), engine.complaints]).toEqual([restarts, 0, []])
      const last = await runEngine(['run', '--until-end'], { config })
      expect([await last.exit(), last.complaints]).toEqual([0, []])
      expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
    },
  }
}

/** What it said at warn and above, but for invalid input. */
function warnings({ logs }: EngineProcess): string[] {
  const loud = logs.filter(({ level }) => ['warn', 'error'].includes(String(level)))
  return loud.map(({ level, msg }) => `${level}: ${msg}`).filter((line) => !line.includes('invalid input'))
}

test('a network that is cut for a while: not ready with the reason, then all as if nothing had been', async () => {
  const run = await live()
  const { engine } = run
  await run.feed(0)
  await run.readAll()
  await proxy.cut()
  onTestFinished(() => proxy.mend().catch(() => {}))
  await run.feed(1)
  await engine.until('/readyz says so', async () => (await engine.readiness()).reasons.join().includes(proxy.address))
  await sleep(3_000)
  await proxy.mend()
  await run.readAll()
  await run.feed(2)
  await run.readAll()
  expect(warnings(engine)).toContainEqual(
    expect.stringMatching(/^warn: kafka\.brokers .*: .*; check that the brokers run .*; joining again$/),
  )
  expect(warnings(engine).filter((line) => line.includes('ECONNREFUSED') && line.includes('Connection error')).length).toBeLessThan(20)
  await run.judge()
}, 180_000)

test('connections that are reset again and again: no restart, nothing lost', async () => {
  const run = await live()
  for (let part = 0; part < PARTS; part++) {
    const feeding = run.feed(part)
    for (let i = 0; i < 5; i++) {
      proxy.reset()
      await sleep(300)
    }
    await feeding
    await run.readAll()
  }
  expect(warnings(run.engine)).toContain('warn: Connection error: read ECONNRESET')
  await run.judge()
}, 180_000)

test('a slow network: answers trickle, and everything arrives', async () => {
  onTestFinished(() => {
    proxy.latencyMs = 0
    proxy.bytesPerSecond = Number.POSITIVE_INFINITY
  })
  proxy.latencyMs = 30
  proxy.bytesPerSecond = 500_000
  const run = await live()
  for (let part = 0; part < PARTS; part++) await run.feed(part)
  await run.readAll()
  expect(warnings(run.engine)).toEqual([])
  await run.judge()
}, 180_000)

test('packets that vanish for longer than requests may take: the engine gives the connections up and makes new ones', async () => {
  const run = await live()
  onTestFinished(() => {
    proxy.silent = false
  })
  await run.feed(0)
  await run.readAll()
  proxy.silent = true
  await run.feed(1)
  await sleep(8_000)
  proxy.silent = false
  await run.readAll()
  await run.feed(2)
  await run.readAll()
  expect(warnings(run.engine)).toContain('warn: Connection error: dropped by this client: a request has timed out')
  await run.judge()
}, 180_000)

test('a broker that is killed while the engine runs: it is found again, and nothing is lost', async () => {
  const run = await live()
  await run.feed(0)
  await run.feed(1)
  await broker.kill()
  await run.engine.until('/readyz says so', async () => (await run.engine.readiness()).reasons.join().includes(proxy.address))
  await broker.restart()
  await run.readAll()
  await run.feed(2)
  await run.readAll()
  await run.judge()
}, 180_000)

test('fetches that are never answered, on connections that look alive: the watchdog reconnects', async () => {
  const run = await live({ kafka: { requestTimeout: '10m' }, watchdog: { stallTimeout: '2s' } })
  await run.feed(0)
  await run.readAll()
  expect(proxy.forgetFetches()).toBeGreaterThan(0)
  await run.feed(1)
  await run.engine.logged('reconnecting', 40_000)
  await run.readAll()
  await run.feed(2)
  await run.readAll()
  await run.judge()
}, 180_000)

test('a stall that reconnecting does not end: not ready with the reason, then the pipeline starts again', async () => {
  const patience = { kafka: { requestTimeout: '10m' }, watchdog: { stallTimeout: '2s' }, restart: { delay: '500ms' } }
  const run = await live(patience)
  await run.feed(0)
  await run.readAll()
  proxy.forgetsFetches = true
  onTestFinished(() => {
    proxy.forgetsFetches = false
  })
  proxy.forgetFetches()
  await run.engine.until('/readyz says so', async () => (await run.engine.readiness()).reasons.join().includes('nothing heard'), 40_000)
  await run.feed(1)
  const failed = await run.engine.logged('the pipeline failed', 40_000)
  expect(failed).toMatchObject({ code: 'CTR_STALLED', msg: expect.stringContaining('watchdog.stallTimeout is 2s; restarting in 500ms') })
  proxy.forgetsFetches = false
  await run.readAll()
  await run.feed(2)
  await run.readAll()
  await run.judge(1)
}, 180_000)

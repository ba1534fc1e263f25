/**
 * One SIGTERM ends the process within shutdown.timeout and two seconds, whatever it is at and whoever does not answer; code and reason tell
 * what is left. Servers are refusing (nobody listens), or silent (somebody does, and nothing comes through).
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type ConfigTree, type EngineProcess, into, merged, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { createTopics, fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { TcpProxy } from '../../workshop/tcp-proxy.ts'
import { feed, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const SHUTDOWN_MS = 4_000
const GRACE_MS = 2_000
const NOWHERE = 'http://127.0.0.1:1'
const { brokers, clickhouse } = await sharedServers()
const port = Number(new URL(clickhouse.endpoint.url).port)

interface Scene {
  readonly engine: EngineProcess
  /** Resolves when it is at what the scene is about. */
  readonly there: Promise<unknown>
  readonly code: number
  readonly complaint?: string
}

async function engineOn(topics: Topics, more: ConfigTree, words: string[] = [], folder = workFolder()): Promise<EngineProcess> {
  const shutdown = { shutdown: { timeout: `${SHUTDOWN_MS}ms` } }
  return startEngine(['run', ...words], {
    config: merged(from(brokers, topics), into(clickhouse, fresh('tenant')), shutdown, more),
    folder,
  })
}

async function silent(target = port): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(target)
  onTestFinished(() => proxy.close())
  proxy.silent = true
  return proxy
}

const unready = (engine: EngineProcess, why: string) =>
  engine.until(`not ready: ${why}`, async () => (await engine.readiness()).reasons.join().includes(why))

const broken = (topics: Topics) => ({ ...record(topics.clicks, 'p', 'click', Date.now()), value: Buffer.from('{') })

/** Brokers take no letter: not even the shortest is as short as that. */
async function refusingLetters(topics: Topics): Promise<void> {
  await createTopics(brokers, [topics.dead], 1, { 'max.message.bytes': '100' })
  await feed(brokers, topics, [[broken(topics)]])
}

const SCENES: Readonly<Record<string, (topics: Topics) => Promise<Scene>>> = {
  'waiting for a ClickHouse that is not there': async (topics) => {
    const engine = await engineOn(topics, { clickhouse: { url: NOWHERE } })
    return { engine, there: engine.logged('rows wait'), code: 0 }
  },
  'waiting for a ClickHouse that is silent': async (topics) => {
    const engine = await engineOn(topics, { clickhouse: { url: `http://${(await silent()).address}` } })
    return { engine, there: unready(engine, 'not connected'), code: 0 }
  },
  'waiting for brokers that are silent': async (topics) => {
    const engine = await engineOn(topics, { kafka: { brokers: [(await silent()).address] } })
    return { engine, there: unready(engine, 'the source is not connected'), code: 0 }
  },
  'starting the embedded ClickHouse': async (topics) => {
    const shutdown = { timeout: `${SHUTDOWN_MS}ms` }
    const engine = startEngine(['run'], { config: merged(from(brokers, topics), { shutdown }) })
    return { engine, there: engine.logged('health and metrics'), code: 0 }
  },
  'restoring from a store that is silent': async (topics) => {
    const s3 = { endpoint: `http://${(await silent()).address}`, accessKeyId: 'a', secretAccessKey: 'b', region: 'r' }
    const engine = await engineOn(topics, { checkpoint: { storage: 's3://bucket/prefix', s3 } })
    return { engine, there: engine.logged('joined the consumer group'), code: 0 }
  },
  'holding rows that a silent ClickHouse does not take': async (topics) => {
    const proxy = await silent()
    proxy.silent = false
    const engine = await engineOn(topics, { clickhouse: { url: `http://${proxy.address}` } })
    const there = engine.ready().then(async () => {
      proxy.silent = true
      await feed(brokers, topics, [
        [record(topics.clicks, 'p', 'click', 1_700_000_000_000), record(topics.clicks, 'p', 'click', 1_700_000_060_000)],
      ])
      await engine.until('it counts', async () => (await engine.metric('ctr_clicks_total')) === 2)
    })
    return { engine, there, code: 1, complaint: 'waited for ' }
  },
  'holding letters that nobody takes': async (topics) => {
    await refusingLetters(topics)
    const engine = await engineOn(topics, {})
    return { engine, there: unready(engine, 'dead letters not delivered'), code: 1, complaint: 'dead letters not delivered' }
  },
  'ending a bounded run that cannot end': async (topics) => {
    await refusingLetters(topics)
    const engine = await engineOn(topics, {}, ['--until-end'])
    const there = engine.logged('pipeline draining').then(() => unready(engine, 'dead letters not delivered'))
    return { engine, there, code: 1, complaint: 'the result is not complete, run it again' }
  },
  'waiting to have its group for itself': async (topics) => {
    const other = plainClient(brokers).consumer({ groupId: topics.group })
    onTestFinished(() => other.disconnect())
    await other.connect()
    await other.subscribe({ topic: topics.clicks })
    await other.run({ eachMessage: async () => {} })
    const engine = await engineOn(topics, { kafka: { sessionTimeout: '5m' } }, ['--until-end'])
    return { engine, there: engine.logged('waits to see whether'), code: 1, complaint: 'CTR_INTERRUPTED: ended by SIGTERM' }
  },
  'waiting to start again': async (topics) => {
    const folder = workFolder()
    const checkpoint = { storage: 'kept', interval: '500ms', tolerableFailures: 0 }
    const engine = await engineOn(topics, { checkpoint, restart: { delay: '10m' } }, [], folder)
    const there = engine.logged('checkpoint complete').then(async () => {
      rmSync(join(folder, 'kept'), { recursive: true })
      writeFileSync(join(folder, 'kept'), 'in the way')
      await unready(engine, 'restarting after CTR_CHECKPOINT')
    })
    return { engine, there, code: 0 }
  },
}

test('in each of its states, all at once', async () => {
  const ends = await Promise.all(
    Object.entries(SCENES).map(async ([name, set]) => {
      const { engine, there, code, complaint = '' } = await set(await freshTopics(brokers, 1))
      await there
      const from = performance.now()
      engine.signal('SIGTERM')
      const exit = await engine.exit()
      const ms = performance.now() - from
      const said = engine.complaints.join('\n')
      const fine = exit === code && ms < SHUTDOWN_MS + GRACE_MS && said.includes(complaint) && (code !== 0 || said === '')
      console.log(`${name}: ${exit} after ${Math.round(ms)} ms${said === '' ? '' : `, ${said}`}`)
      return fine ? [] : [`${name}: ${exit} after ${Math.round(ms)} ms: ${said}`]
    }),
  )
  expect(ends.flat()).toEqual([])
}, 120_000)

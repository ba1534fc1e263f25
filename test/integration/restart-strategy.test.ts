/** Failures inside a running process: it starts its pipeline again by itself, and in the end nobody can tell from the rows. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { type OracleRecord, runOracle } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows, keyed, rowsSql } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const DYING_THREADS = fileURLToPath(new URL('../../workshop/dying-threads.ts', import.meta.url))
const BATCH_RECORDS = 100
const PARTITIONS = 2

const { brokers, clickhouse } = await sharedServers()

interface Live {
  readonly engine: EngineProcess
  readonly folder: string
  readonly config: ConfigTree
  readonly lists: readonly OracleRecord[][]
  /** Resolves when all records are in the topics; they come in little by little. */
  readonly fed: Promise<void>
}

/** An engine on topics that grow while it runs. */
async function live(more: ConfigTree, records = 30_000): Promise<Live> {
  const topics = await freshTopics(brokers, PARTITIONS)
  const quick = { engine: { workers: 2 }, kafka: { fetchBytesPerPartition: '64KiB' }, restart: { attempts: 100, delay: '100ms' } }
  const config = merged(from(brokers, topics), quick, more)
  const folder = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const lists = placed(makeRecords({ seed: 11, partitions: PARTITIONS, records, products: 60, stepMs: 10 }), topics)
  const grow = async () => {
    for (let at = 0; at < records; at += BATCH_RECORDS) {
      await Promise.all(lists.map((list) => feeder.append(list.slice(at, at + BATCH_RECORDS))))
      await sleep(30)
    }
  }
  const engine = startEngine(['run'], { config, folder, environment: { NODE_OPTIONS: `--import=${DYING_THREADS}` } })
  await engine.ready()
  const fed = grow()
  // Nobody may wait for it any more when the test has failed.
  fed.catch(() => undefined)
  return { engine, folder, config, lists, fed }
}

/** Makes a part of the engine fail, and waits until it counts again. */
async function fail(part: 'worker' | 'sink' | 'source', { engine, folder }: Live): Promise<void> {
  const before = await engine.metric('ctr_restarts_total')
  const logged = engine.logs.length
  writeFileSync(join(folder, `die-${part}`), '')
  await engine.until(`a restart after the ${part} failed`, async () => (await engine.metric('ctr_restarts_total')) === before + 1)
  await engine.ready()
  await engine.until('it reads again', async () => (await engine.metric('ctr_events_processed_total')) > 0)
  const said = engine.logs.slice(logged).map(({ msg }) => msg)
  expect(said).toContainEqual(expect.stringMatching(/^the pipeline failed: .*out of luck.*; restarting in 100ms$/))
}

/** What the process holds: threads, open files and sockets, timers and the like. */
async function holdings(engine: EngineProcess): Promise<{ threads: number; files: number; resources: number }> {
  return {
    threads: readdirSync(`/proc/${engine.pid}/task`).length,
    files: readdirSync(`/proc/${engine.pid}/fd`).length,
    resources: await engine.metric('nodejs_active_resources_total'),
  }
}

test('a worker, the sink and the source that fail in turn are restarted; the rows are the oracle’s, and nothing leaks', async () => {
  const tenant = fresh('tenant')
  const run = await live(into(clickhouse, tenant))
  const { engine } = run
  for (const part of ['worker', 'sink', 'source'] as const) await fail(part, run)
  const early = await holdings(engine)
  for (const part of ['worker', 'sink', 'source', 'worker', 'sink'] as const) await fail(part, run)
  // What is being closed goes within moments; what leaks stays.
  await engine.until(`no more is held than ${JSON.stringify(early)}`, async () => {
    const late = await holdings(engine)
    return (['threads', 'files', 'resources'] as const).every((what) => late[what] <= early[what] + 3)
  })
  await run.fed
  expect([await engine.terminate(), engine.complaints]).toEqual([0, []])
  const last = await runEngine(['run', '--until-end'], { config: run.config, folder: run.folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  expect(differences(await finalRows(clickhouse, tenant), runOracle(run.lists, { tenant }).rows)).toEqual([])
}, 180_000)

test('an embedded ClickHouse that is killed comes back without a restart of the pipeline', async () => {
  const tenant = 'embedded'
  const run = await live({ tenant }, 10_000)
  const { engine } = run
  for (let kill = 0; kill < 2; kill++) {
    const { pid } = JSON.parse(readFileSync(join(run.folder, '.ctr/clickhouse/front.json'), 'utf8')) as { pid: number }
    process.kill(pid, 'SIGKILL')
    await engine.until('another front', () =>
      engine.logs.filter(({ msg }) => msg === 'embedded ClickHouse is back').length > kill ? true : undefined,
    )
    await sleep(500)
  }
  await run.fed
  expect(await engine.metric('ctr_restarts_total')).toBe(0)
  expect([await engine.terminate(), engine.complaints]).toEqual([0, []])
  const last = await runEngine(['run', '--until-end'], { config: run.config, folder: run.folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  const sql = `${rowsSql(tenant)} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0`
  const asked = await runEngine(['query', sql], { config: run.config, folder: run.folder })
  const rows = keyed(
    asked.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )
  expect(differences(rows, runOracle(run.lists, { tenant }).rows)).toEqual([])
}, 120_000)

test('a process that has used its restarts up ends with the reason; SIGTERM ends the wait for the next one at once', async () => {
  const tenant = fresh('tenant')
  const run = await live(merged(into(clickhouse, tenant), { restart: { attempts: 1 } }), 1_000)
  await run.fed
  await fail('worker', run)
  writeFileSync(join(run.folder, 'die-sink'), '')
  expect(await run.engine.exit()).toBe(1)
  expect(run.engine.complaints.join('\n')).toMatch(
    /^ctr: CTR_SINK_DIED: .*out of luck; not restarted again: restart\.attempts \(1\) within restart\.window \(10m\) are used up/,
  )

  const slow = merged(run.config, { restart: { attempts: 1, delay: '1h' } })
  const waiting = startEngine(['run'], { config: slow, folder: run.folder, environment: { NODE_OPTIONS: `--import=${DYING_THREADS}` } })
  await waiting.ready()
  writeFileSync(join(run.folder, 'die-worker'), '')
  await waiting.logged('restarting in 1h')
  // What is answered may be a quarter of a second old.
  await waiting.until('it is not ready', async () => (await waiting.readiness()).status === 503)
  const { status, reasons } = await waiting.readiness()
  expect([status, reasons]).toEqual([503, [expect.stringMatching(/^restarting after CTR_WORKER_DIED: a worker thread died: out of luck$/)]])
  expect([await waiting.terminate(5_000), waiting.complaints]).toEqual([0, []])
}, 120_000)

/**
 * One backlog, read in every way there is: with 1, 2 and 4 workers, undisturbed and killed 20 times, by one pod and by three.
 *
 *   node perf/determinism.ts [--events 3_000_000] [--kills 20] [--json FILE]
 *
 * The hash over all rows must be the same every time, and that of the oracle. Pods are killed with SIGKILL at random moments and started
 * again at once; checkpoints are taken four times a second, so that every life goes on from where another one was.
 */

import { sleep } from '../src/clock.ts'
import { Random } from '../src/load/random.ts'
import { success } from '../workshop/child.ts'
import { type Engine, type EngineOptions, startEngine } from '../workshop/engine.ts'
import { BACKLOG_FROM, startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { rowsHash } from '../workshop/oracle.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { readRows } from '../workshop/result-rows.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { faultsOf, judgeStand } from './verdict.ts'

const options = scriptOptions('perf/determinism.ts', { events: 3_000_000, kills: 20, seed: 0, json: '' })

const PARTITIONS = 6
const LIFE_MAX_MS = 700
const START_MAX_MS = 60_000
const END_MAX_MS = 120_000

interface Way {
  readonly workers: number
  readonly kills: number
  readonly pods: number
}

interface Outcome extends Way {
  readonly hash: string
  readonly seconds: number
  readonly faults: readonly string[]
}

async function main(stand: Stand): Promise<number> {
  const seed = options.seed || Date.now() % 1_000_000_007
  const random = new Random(seed)
  const generate = { seed, products: 500, disorderMs: 14_000, lateShare: 0.02, invalidShare: 0.002 }
  await startLoad(stand, { partitions: PARTITIONS, generate, rate: 0, count: options.events, startTime: BACKLOG_FROM, eventRate: 5_000 })
    .done
  const ways: Way[] = [1, 2, 4].flatMap((workers) =>
    [0, options.kills].flatMap((kills) => [1, 3].map((pods) => ({ workers, kills, pods }))),
  )
  const outcomes: Outcome[] = []
  for (const [i, way] of ways.entries()) {
    outcomes.push(await read(stand, way, `way${i}`, random))
    const { hash, seconds } = outcomes.at(-1)!
    process.stderr.write(`${JSON.stringify(way)}: ${hash.slice(0, 16)} after ${seconds.toFixed(0)} s\n`)
  }
  const hashes = new Set(outcomes.map(({ hash }) => hash))
  const faults = outcomes.flatMap((one) => one.faults)
  if (hashes.size !== 1) faults.push(`${hashes.size} different hashes`)
  const report = { place: place(), seed, events: options.events, outcomes, faults }
  const rows = outcomes.map(
    ({ workers, kills, pods, hash }) => [`${workers} workers, ${kills} kills, ${pods} pods`, hash.slice(0, 16)] as const,
  )
  return conclude(report, table(['way', 'hash of all rows'], rows), options.json)
}

async function read(stand: Stand, { workers, kills, pods }: Way, database: string, random: Random): Promise<Outcome> {
  const begun = performance.now()
  const base: EngineOptions = { topics: TOPICS, groupId: database, database, deadLetterTopic: 'dead-letters' }
  const podOptions = (pod: number): EngineOptions => ({
    ...base,
    sets: [
      `kafka.clientId=pod-${pod}`,
      `engine.workers=${workers}`,
      'checkpoint.interval=250ms',
      'checkpoint.minPause=0ms',
      'time.idleTimeout=1h',
    ],
  })
  const engines = Array.from({ length: pods }, (_, pod) => startEngine(stand, podOptions(pod)))
  for (const engine of engines) await running(engine)
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.below(LIFE_MAX_MS))
    const pod = random.below(pods)
    engines[pod]!.process.kill('SIGKILL')
    await engines[pod]!.ended
    engines[pod] = startEngine(stand, podOptions(pod))
    await running(engines[pod]!)
  }
  for (const engine of engines) engine.process.kill('SIGTERM')
  for (const engine of engines) await success(database, engine, END_MAX_MS)
  await success(database, startEngine(stand, { ...podOptions(0), untilEnd: true }), END_MAX_MS)
  const faults = faultsOf(await judgeStand(stand, database)).map((fault) => `${database}: ${fault}`)
  const hash = rowsHash((await readRows(stand.clickhouse, database)).values())
  return { workers, kills, pods, hash, seconds: (performance.now() - begun) / 1000, faults }
}

async function running(engine: Engine): Promise<void> {
  await Promise.race([engine.consuming, sleep(START_MAX_MS)])
  if (engine.milestones.running === undefined) throw new Error('a pod does not get to counting')
}

await runScript(() => withStand(main))

/**
 * Kills the engine while it starts and joins its group, under the names that it has by default, and has a bounded run read it all:
 *
 *   node perf/joins.ts [--rounds 100] [--delay 3000] [--events 12_000] [--kills 3] [--lanes 2] [--seed N] [--json FILE]
 *
 * A round has a group and a database of its own. In it up to `kills` engines are killed 0.05 to 3 s after their start, each started when
 * the one before is dead; in every other round a live run follows, which is timed until it has all tasks, and killed too. Then `ctr run
 * --until-end` must end with 0 and every row of the oracle, or with another code. `delay` is the broker's
 * group.initial.rebalance.delay.ms; `lanes` rounds run side by side.
 */

import { readFileSync } from 'node:fs'
import { sleep } from '../src/clock.ts'
import { Random } from '../src/load/random.ts'
import { type Engine, type EngineOptions, startEngine } from '../workshop/engine.ts'
import { startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { Oracle } from '../workshop/oracle.ts'
import { readBack } from '../workshop/read-back.ts'
import { conclude, median, place, table } from '../workshop/report.ts'
import { compareRows, type Rows, readRows } from '../workshop/result-rows.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { within } from './lives.ts'

const PARTITIONS = 3
const KILL_MIN_MS = 50
const KILL_MAX_MS = 3_000
const END_MAX_MS = 150_000
const TASKS_MAX_MS = 60_000
const READS_MAX = 5

const options = scriptOptions('perf/joins.ts', { rounds: 100, delay: 3_000, events: 12_000, kills: 3, lanes: 2, seed: 0, json: '' })

interface Round {
  readonly round: number
  readonly killedAfterMs: readonly number[]
  /** From the start of a live run to its last task; absent when there was none. */
  readonly allTasksMs?: number
  readonly boundedSeconds: number
  readonly exit: number | NodeJS.Signals
  readonly rowsDiffering: number
  readonly tasks: string
}

async function main(stand: Stand): Promise<number> {
  const seed = options.seed || Date.now() % 1_000_000_007
  const load = startLoad(stand, { partitions: PARTITIONS, generate: { seed, products: 200 }, rate: 0, count: options.events })
  await load.done
  const rows = await wanted(stand)
  const rounds: Round[] = []
  let next = 0
  const lane = async () => {
    for (let round = next++; round < options.rounds; round = next++) {
      const done = await play(stand, round, new Random(seed + round), rows)
      rounds.push(done)
      process.stderr.write(`${JSON.stringify(done)}\n`)
    }
  }
  await Promise.all(Array.from({ length: options.lanes }, lane))
  const silent = rounds.filter(({ exit, rowsDiffering }) => exit === 0 && rowsDiffering > 0)
  const slow = rounds.filter(({ allTasksMs = 0 }) => allTasksMs > options.delay + 3_000)
  const faults = silent.map(({ round, rowsDiffering }) => `round ${round}: exit 0, and ${rowsDiffering} rows differ`)
  const report = { place: place(), seed, delay: options.delay, rounds, slow: slow.length, faults }
  return conclude(report, render(rounds, slow.length), options.json)
}

/** A broker that has just started may not be able to answer yet. */
async function wanted(stand: Stand): Promise<Rows> {
  for (let attempt = 0; ; attempt++) {
    const oracle = new Oracle({})
    try {
      await readBack(stand.brokers, TOPICS, (record) => oracle.add(record))
      return oracle.result().rows
    } catch (error) {
      if (attempt === READS_MAX) throw error
      await sleep(1_000)
    }
  }
}

async function play(stand: Stand, round: number, random: Random, want: Rows): Promise<Round> {
  const name = `joins_${round}`
  const of: EngineOptions = { topics: TOPICS, groupId: name, database: name }
  const killedAfterMs: number[] = []
  for (let kills = 1 + random.below(options.kills); kills > 0; kills--) {
    const afterMs = KILL_MIN_MS + random.below(KILL_MAX_MS - KILL_MIN_MS)
    const engine = startEngine(stand, of)
    await sleep(afterMs)
    await kill(engine)
    killedAfterMs.push(afterMs)
  }
  const live = round % 2 === 0 ? { allTasksMs: await timeTasks(stand, of) } : {}
  const began = performance.now()
  const { code, signal, stdout, stderr } = await within(
    END_MAX_MS,
    startEngine(stand, { ...of, untilEnd: true }).ended,
    'the bounded run ends',
  )
  const exit = code ?? signal ?? 1
  const rowsDiffering = exit === 0 ? compareRows(await readRows(stand.clickhouse, name), want).count : 0
  const tasks = /^ +tasks +(.*)$/m.exec(stdout)?.[1] ?? ''
  if (exit !== 0) process.stderr.write(`round ${round}: ${stderr.slice(-5).join('\n')}\n`)
  return { round, killedAfterMs, ...live, boundedSeconds: (performance.now() - began) / 1000, exit, rowsDiffering, tasks }
}

/** ms from the start of a live run until all tasks have begun in it. */
async function timeTasks(stand: Stand, of: EngineOptions): Promise<number> {
  const began = performance.now()
  let tasks = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const onLog = ({ msg }: { readonly msg: string }) => {
    if (msg.startsWith('the task begins') && ++tasks === PARTITIONS) resolve()
  }
  const engine = startEngine(stand, { ...of, onLog })
  await within(TASKS_MAX_MS, promise, 'not all tasks begin')
  const ms = performance.now() - began
  await kill(engine)
  return ms
}

/** Node may run the engine as a child of its own. */
async function kill(engine: Engine): Promise<void> {
  for (const pid of childrenOf(engine.pid)) process.kill(pid, 'SIGKILL')
  engine.process.kill('SIGKILL')
  await engine.ended
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function render(rounds: readonly Round[], slow: number): string {
  const times = rounds.flatMap(({ allTasksMs = [] }) => allTasksMs)
  const differing = rounds.filter(({ rowsDiffering }) => rowsDiffering > 0).length
  return table(
    [`rounds, delay ${options.delay} ms`, String(rounds.length)],
    [
      ['  bounded run ended with 0', String(rounds.filter(({ exit }) => exit === 0).length)],
      ['  … and rows differ', String(differing)],
      ['  ended with another code', String(rounds.filter(({ exit }) => exit !== 0).length)],
      ['live runs: start to all tasks, median, ms', Math.round(median(times)).toString()],
      ['  longest, ms', Math.round(Math.max(0, ...times)).toString()],
      ['  above delay + 3 s', String(slow)],
    ],
  )
}

await runScript(() => withStand(main, { 'group.initial.rebalance.delay.ms': String(options.delay) }))

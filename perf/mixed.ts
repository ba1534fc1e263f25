/**
 * An engine of before beside the one of now, in one group, and tasks that go from one to the other and back:
 *
 *   node perf/mixed.ts [--old e22b50f] [--moves 8] [--rate 20_000] [--hold 4] [--window 5] [--seed 1] [--json FILE]
 *
 * One pod of each counts a live load with late events. In turn one of them ends, by SIGTERM or by SIGKILL; the other one takes all tasks
 * from where they are kept, holds them for `hold` seconds, and gives half of them back when the first one has started again. Both keep
 * checkpoints in one place and write to one database. Of each task that begins it is looked up which engine wrote what it begins at.
 * Afterwards the tasks must have gone both ways by checkpoints, every row must be the oracle's, and the ledger must balance.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { Random } from '../src/load/random.ts'
import { formatCount } from '../src/text.ts'
import { type Checkout, checkOut, findRevision } from '../workshop/checkout.ts'
import { success } from '../workshop/child.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import { createTopics } from '../workshop/kafka-harness.ts'
import { type Load, startLoad, TOPICS } from '../workshop/load.ts'
import type { LogLine } from '../workshop/log-line.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { endBy, unlessFailed } from './lives.ts'
import { consuming, type Pod, startAgain, startPod } from './pods.ts'
import { faultsOf, figureLines, figuresOf, judgeStand, type VerdictFigures } from './verdict.ts'

const GROUP = 'mixed'
const TASKS = 6
/** No event is invalid: what is has changed, and is tested elsewhere. */
const PUNCTUAL = { products: 500, disorderMs: 0, lateShare: 0, invalidShare: 0 }
const FIRST = 5_000
/** Some of it within what is forgiven, some not. */
const DISORDER_MS = 14_000
const LATE_SHARE = 0.02
/** The least that Kafka's brokers allow: a pod that was killed is missed after it. */
const SETS = ['kafka.sessionTimeout=6s', 'checkpoint.interval=1s']
const TAKEN_MAX_MS = 60_000
const POLL_MS = 100
const END_MAX_MS = 180_000
/** Every third end. */
const KILL_EVERY = 3

const options = scriptOptions('perf/mixed.ts', { old: 'e22b50f', moves: 8, rate: 20_000, hold: 4, window: 5, seed: 1, json: '' })

/** Tasks that began, by who wrote what they began at and who took them: `old to new`; `offsets to new` of those without. */
type Ways = Record<string, number>

/** A pod that is always of the same engine. */
interface Side {
  readonly pod: Pod
  readonly engineOptions: EngineOptions
}

async function main(stand: Stand, checkout: Checkout): Promise<number> {
  const ways: Ways = {}
  const storage = join(stand.folder, 'checkpoints')
  // An engine of before does not find the front of an embedded ClickHouse of now.
  const clickhouseUrl = stand.clickhouse.endpoint.url
  const sets = [...SETS, `window.size=${options.window}s`]
  const common = { topics: TOPICS, groupId: GROUP, database: GROUP, clickhouseUrl, sets }
  const side = (name: string, own: Partial<EngineOptions>): Side => {
    const engineOptions: EngineOptions = { ...common, ...own, onLog: (line) => note(ways, storage, line, name) }
    return { pod: startPod(stand, name, engineOptions), engineOptions }
  }
  await createTopics([...stand.brokers], TOPICS, TASKS)
  // Of a partition's first eight events engines have made different things: none of these is late.
  const first = await startLoad(stand, { partitions: TASKS, generate: { ...PUNCTUAL, seed: options.seed }, rate: 0, count: FIRST }).done
  const old = side('old', { checkout })
  await consuming(old.pod)
  const now = side('new', {})
  await consuming(now.pod)
  const generate = { ...PUNCTUAL, seed: options.seed, disorderMs: DISORDER_MS, lateShare: LATE_SHARE }
  const load = startLoad(stand, { partitions: TASKS, generate, rate: options.rate })
  const random = new Random(options.seed)
  for (let move = 0; move < options.moves; move++) {
    const [goes, stays] = move % 2 === 0 ? [old, now] : [now, old]
    const signal = move % KILL_EVERY === KILL_EVERY - 1 ? 'SIGKILL' : 'SIGTERM'
    await unlessFailed(load, [old.pod.engine, now.pod.engine], sleep(options.hold * 1000 + random.below(1000)))
    await giveAll(stand, load, goes, stays, signal)
    process.stderr.write(
      `${move + 1}: ${goes.pod.name} ended by ${signal}; ${formatCount(load.events)} events sent; ${JSON.stringify(ways)}\n`,
    )
  }
  load.enough()
  const sent = await load.done
  for (const { pod } of [old, now]) await endBy(pod.engine, 'SIGTERM')
  await success('the last life', startEngine(stand, { ...common, untilEnd: true }), END_MAX_MS)
  const verdict = await judgeStand(stand, GROUP, undefined, { windowSize: options.window * 1000 })
  const faults = faultsOf(verdict)
  const events = first.events + sent.events
  if (verdict.records !== events) faults.push(`${verdict.records} records in the topics, ${events} were sent`)
  if (verdict.late === 0) faults.push('no late events: the run proves too little')
  for (const way of ['old to new', 'new to old']) if (!ways[way]) faults.push(`no task went from ${way} by a checkpoint`)
  const report = { place: place(), options, ...figuresOf(verdict), moves: options.moves, ways, faults }
  return conclude(report, render(report), options.json)
}

/** One ends, the other one holds all tasks for a while, and the first one is back. */
async function giveAll(stand: Stand, load: Load, goes: Side, stays: Side, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  await unlessFailed(load, [stays.pod.engine], endBy(goes.pod.engine, signal))
  await unlessFailed(load, [stays.pod.engine], hasAll(stays.pod))
  await unlessFailed(load, [stays.pod.engine], sleep(options.hold * 1000))
  startAgain(stand, goes.pod, goes.engineOptions)
  await unlessFailed(load, [stays.pod.engine], consuming(goes.pod))
}

async function hasAll({ name, joins }: Pod): Promise<void> {
  for (const giveUpAt = performance.now() + TAKEN_MAX_MS; joins.at(-1)?.partitions !== TASKS * TOPICS.length; await sleep(POLL_MS)) {
    if (performance.now() > giveUpAt) throw new Error(`${name} does not take all tasks within ${TAKEN_MAX_MS / 1000} s`)
  }
}

const BEGINS = /^the task begins /

function note(ways: Ways, storage: string, line: LogLine, taker: string): void {
  if (!BEGINS.test(line.msg ?? '')) return
  const { id } = line as { readonly id?: unknown }
  const writer = typeof id === 'string' ? writerOf(storage, id) : 'offsets'
  const way = `${writer} to ${taker}`
  ways[way] = (ways[way] ?? 0) + 1
}

/** kafka.clientId of who wrote the checkpoint or savepoint; 'gone' when it has expired since. */
function writerOf(storage: string, id: string): string {
  try {
    const path = readdirSync(storage, { recursive: true, encoding: 'utf8' }).find((one) => basename(one) === `${id}.json`) ?? id
    return (JSON.parse(readFileSync(join(storage, path), 'utf8')) as { readonly writer: string }).writer
  } catch {
    // Old checkpoints are removed at any time.
    return 'gone'
  }
}

interface Figures extends VerdictFigures {
  readonly moves: number
  readonly ways: Ways
}

function render(report: Figures): string {
  const ways = Object.entries(report.ways).toSorted(([a], [b]) => a.localeCompare(b))
  return table(
    [`${options.old} beside the engine of now, ends of a pod`, String(report.moves)],
    [...ways.map(([way, count]) => [`  tasks, ${way}`, String(count)]), ...figureLines(report)],
  )
}

await runScript(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-mixed-'))
  try {
    const checkout = await checkOut(findRevision(options.old), join(folder, 'old'))
    return await withStand((stand) => main(stand, checkout))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

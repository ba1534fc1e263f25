/**
 * Who takes part in the end-to-end bench. Each runs in a process of its own over the same topics and is checked before it counts: every
 * event that was produced must have been read, and whoever makes rows must make the same ones.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION_UNIT } from '../src/sink/row-binary.ts'
import { fresh, type Run, runEngine } from '../workshop/backlog.ts'
import { finished, startChild, startProgram, success } from '../workshop/child.ts'
import type { OracleRow } from '../workshop/oracle.ts'
import { byKey, compareRows, type Rows, readRows } from '../workshop/result-rows.ts'
import type { Stand } from '../workshop/stand.ts'
import { buildJava, buildLibrdkafka, type Program } from './support/build.ts'

/** Rows, once somebody has made some. */
export interface Reference {
  first?: { readonly name: string; readonly rows: Rows }
}

export interface Arena {
  readonly stand: Stand
  readonly events: number
  readonly workers: number
  readonly topics: readonly string[]
  /** Gives up on a run after so long. */
  readonly runMaxMs: number
  /** The first rows somebody made; everybody else's must be the same. */
  readonly reference: Reference
}

export interface Contestant {
  readonly name: string
  readonly what: string
  /** Builds what it runs; rejects with the reason when it can't run here. Not measured. */
  readonly prepare?: () => Promise<unknown>
  readonly run: (arena: Arena) => Promise<Run>
}

/**
 * The engine, first: the others are compared with it, and so is it itself with other settings. Then the peers, which do the same work; then
 * the limits, which do none.
 */
export const CONTESTANTS: readonly Contestant[] = [
  ours('ctr', 'ctr run --until-end into ClickHouse'),
  ours('ctr-crc', 'ctr run --until-end, kafka.checkCrc', ['kafka.checkCrc=true']),
  scripted('kafkajs', 'stock kafkajs eachBatch, JSON.parse, Map; no sink', 'stock-kafkajs.ts', true),
  scripted('platformatic', '@platformatic/kafka stream, JSON.parse, Map; no sink', 'platformatic-kafka.ts', true),
  java('flink', 'Apache Flink 2.2 on a MiniCluster, parallelism 2, Jackson, checkpoints; JSON lines', 'FlinkPeer'),
  java('streams', 'Kafka Streams 4.4, 2 threads, Jackson, in-memory store with changelog; JSON lines', 'StreamsPeer'),
  scripted('kafkajs-count', 'stock kafkajs eachBatch, only counting', 'stock-kafkajs.ts', false, ['--count-only']),
  librdkafka(),
  scripted('source', "the engine's Kafka source, only adding up batch headers", 'count-source.ts', false),
  scripted('bare-socket', 'Fetch responses over a bare socket, only adding up batch headers: the limit', 'bare-socket.ts', false),
]

/** Lets the broker compile its own code and the page cache fill, before anybody is measured. */
export async function warmUp(arena: Arena): Promise<void> {
  await runScripted('source', 'count-source.ts', arena, false, [])
}

/** The engine, with more `sets` than the defaults. */
function ours(name: string, what: string, sets: readonly string[] = []): Contestant {
  return { name, what, run: (arena) => runOurs(name, arena, sets) }
}

/** The engine over an arena's topics, its rows compared. */
export async function runOurs(name: string, arena: Arena, sets: readonly string[]): Promise<Run & { readonly busyCpuSeconds: number }> {
  const { stand, events, workers, topics } = arena
  const check = async (database: string) => sameRows(arena, name, await readRows(stand.clickhouse, database))
  const made = await runEngine(stand, { events, topics, sets: [`engine.workers=${workers}`, ...sets], check })
  const { seconds, wallSeconds, cpuSeconds, busyCpuSeconds, peakRssBytes } = made
  return { seconds, wallSeconds, cpuSeconds, busyCpuSeconds, peakRssBytes }
}

/** A peer that Node runs. */
function scripted(name: string, what: string, script: string, makesRows: boolean, more: readonly string[] = []): Contestant {
  return { name, what, run: (arena) => runScripted(name, script, arena, makesRows, more) }
}

/** A peer in bench/peers over an arena's topics, its rows compared when it makes some. */
export async function runScripted(name: string, script: string, arena: Arena, makesRows: boolean, more: readonly string[]): Promise<Run> {
  const { brokers, folder } = arena.stand
  const rowsFolder = mkdtempSync(join(folder, 'rows-'))
  const common = ['--brokers', brokers.join(), '--topics', arena.topics.join(), '--group', fresh(), ...more]
  const args = makesRows ? [...common, '--rows', join(rowsFolder, 'rows.jsonl')] : common
  // Its negative timers are kafkajs's own business; only the warning about them is left out.
  const child = startChild(`bench/peers/${script}`, args, { folder, execArgv: ['--disable-warning=TimeoutNegativeWarning'] })
  const { wallSeconds, usage, stdout } = await success(name, child, arena.runMaxMs)
  const { seconds } = readOutcome(name, stdout, arena.events)
  if (makesRows) sameRows(arena, name, readPeerRows(rowsFolder))
  rmSync(rowsFolder, { recursive: true })
  return { seconds, wallSeconds, ...usage }
}

function java(name: string, what: string, className: string): Contestant {
  let program: Program | undefined
  const prepare = async () => {
    program ??= await buildJava(name, className)
  }
  const run = async (arena: Arena): Promise<Run> => {
    const { brokers, folder } = arena.stand
    const rowsFolder = mkdtempSync(join(folder, 'rows-'))
    mkdirSync(join(rowsFolder, 'checkpoints'))
    const made = await runProgram(name, program, arena, [brokers.join(), arena.topics.join(), fresh(), String(arena.events), rowsFolder])
    sameRows(arena, name, readPeerRows(rowsFolder))
    rmSync(rowsFolder, { recursive: true })
    return made
  }
  return { name, what, prepare, run }
}

function librdkafka(): Contestant {
  let program: Program | undefined
  return {
    name: 'librdkafka',
    what: 'a C consumer on librdkafka, only counting',
    prepare: async () => {
      program ??= await buildLibrdkafka()
    },
    run: (arena) => runProgram('librdkafka', program, arena, [arena.stand.brokers.join(), arena.topics.join(), String(arena.events)]),
  }
}

/** Programs of other languages say themselves what they have used, at their end. */
async function runProgram(name: string, program: Program | undefined, arena: Arena, args: readonly string[]): Promise<Run> {
  if (program === undefined) throw new Error(`${name} was not built`)
  const child = startProgram(program.command, [...program.args, ...args], { folder: arena.stand.folder })
  const { wallSeconds, stdout } = await finished(name, child, arena.runMaxMs)
  const { seconds, cpuSeconds = Number.NaN, peakRssBytes = Number.NaN, ...half } = readOutcome(name, stdout, arena.events)
  const { secondHalfSeconds, secondHalfCpuSeconds } = half
  const secondHalf =
    secondHalfSeconds === undefined || secondHalfCpuSeconds === undefined
      ? undefined
      : { seconds: secondHalfSeconds, cpuSeconds: secondHalfCpuSeconds }
  return { seconds, wallSeconds, cpuSeconds, peakRssBytes, secondHalf }
}

/** What peers print. */
interface Outcome {
  readonly events: number
  readonly seconds: number
  readonly late?: number
  readonly invalid?: number
  readonly cpuSeconds?: number
  readonly peakRssBytes?: number
  readonly secondHalfSeconds?: number
  readonly secondHalfCpuSeconds?: number
}

function readOutcome(name: string, stdout: string, wanted: number): Outcome {
  const outcome = JSON.parse(stdout) as Outcome
  const { events, late = 0, invalid = 0 } = outcome
  if (events !== wanted) throw new Error(`${name} has read ${events} events, ${wanted} were produced`)
  if (late !== 0 || invalid !== 0) throw new Error(`${name} finds ${late} events late and ${invalid} invalid, none is`)
  return outcome
}

/** All rows-….jsonl of a folder. */
function readPeerRows(folder: string): Rows {
  const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl'))
  const lines = files.flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n')).filter((line) => line !== '')
  const rows = lines.map((line): OracleRow => {
    const row = JSON.parse(line) as Pick<OracleRow, 'product' | 'windowStart' | 'windowEnd' | 'task' | 'impressions' | 'clicks'>
    const { impressions, clicks } = row
    const version = (impressions + clicks) % VERSION_UNIT
    return { tenant: 'default', ...row, ctr: impressions === 0 ? 0 : clicks / impressions, version }
  })
  return byKey(rows)
}

function sameRows(arena: Arena, name: string, rows: Rows): void {
  arena.reference.first ??= { name, rows }
  const { first } = arena.reference
  const { count, examples } = compareRows(rows, first.rows)
  if (count > 0) throw new Error(`${count} rows of ${name} differ from those of ${first.name}:\n${examples.join('\n')}`)
}

/**
 * Who takes part in the end-to-end bench. Each runs in a process of its own over the same topics and is checked before it counts: every
 * event that was produced must have been read, and whoever makes rows must make the same ones.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION_UNIT } from '../src/sink/row-binary.ts'
import type { OracleRow } from '../test/support/oracle.ts'
import { startChild, success } from './support/child.ts'
import { startEngine } from './support/engine.ts'
import { TOPICS } from './support/load.ts'
import { byKey, compareRows, type Rows, readRows, sumOfWindows } from './support/rows.ts'
import type { Stand } from './support/stand.ts'

/** One run of one contestant. */
export interface Run {
  /** From the moment it has joined its group until it has the last record. */
  readonly seconds: number
  /** Of the whole process, its start included; as are CPU and memory. */
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly peakRssBytes: number
}

export interface Arena {
  readonly stand: Stand
  readonly events: number
  readonly workers: number
  /** Gives up on a run after so long. */
  readonly runMaxMs: number
  /** The first rows somebody made; everybody else's must be the same. */
  reference: { readonly name: string; readonly rows: Rows } | undefined
}

export interface Contestant {
  readonly name: string
  readonly what: string
  run(arena: Arena): Promise<Run>
}

/** The engine, first; the others are compared with it. */
export const CONTESTANTS: readonly Contestant[] = [
  { name: 'ctr', what: 'ctr run --until-end into ClickHouse', run: runEngine },
  {
    name: 'kafkajs',
    what: 'stock kafkajs eachBatch, JSON.parse, Map; no sink',
    run: (arena) => runStock('kafkajs', arena, false),
  },
  {
    name: 'kafkajs-count',
    what: 'stock kafkajs eachBatch, only counting',
    run: (arena) => runStock('kafkajs-count', arena, true),
  },
  { name: 'source', what: "the engine's Kafka source, only adding up batch headers: the limit", run: runSource },
]

/** Lets the broker compile its own code and the page cache fill, before anybody is measured. */
export async function warmUp(arena: Arena): Promise<void> {
  await runSource(arena)
}

async function runEngine(arena: Arena): Promise<Run> {
  const { stand, events } = arena
  const name = fresh()
  const engine = startEngine(stand, {
    topics: TOPICS,
    groupId: name,
    database: name,
    untilEnd: true,
    sets: [`engine.workers=${arena.workers}`],
  })
  const { wallSeconds, usage, stdout } = await success('ctr run', engine, arena.runMaxMs)
  if (!/^\s*ledger\s+exact/m.test(stdout)) throw new Error(`ctr: the ledger does not balance:\n${stdout}`)
  const sum = await sumOfWindows(stand.clickhouse, name)
  if (sum !== events) throw new Error(`ctr: ctr_windows holds ${sum} events, ${events} were produced`)
  sameRows(arena, 'ctr', await readRows(stand.clickhouse, name))
  await stand.clickhouse.command(`DROP DATABASE ${name} SYNC`)
  const { running, draining } = engine.milestones
  if (running === undefined || draining === undefined) throw new Error('ctr: the log does not say when it ran and drained')
  return { seconds: (draining - running) / 1000, wallSeconds, ...usage }
}

async function runStock(name: string, arena: Arena, countOnly: boolean): Promise<Run> {
  const { folder } = arena.stand
  const rowsFile = join(folder, 'stock-rows.jsonl')
  const args = [...common(arena.stand), ...(countOnly ? ['--count-only'] : ['--rows', rowsFile])]
  // Its negative timers are kafkajs's own business; only the warning about them is left out.
  const child = startChild('bench/peers/stock-kafkajs.ts', args, { folder, execArgv: ['--disable-warning=TimeoutNegativeWarning'] })
  const { wallSeconds, usage, stdout } = await success(name, child, arena.runMaxMs)
  const seconds = checkedSeconds(name, stdout, arena.events)
  if (!countOnly) sameRows(arena, name, readPeerRows(rowsFile))
  return { seconds, wallSeconds, ...usage }
}

async function runSource(arena: Arena): Promise<Run> {
  const child = startChild('bench/peers/count-source.ts', common(arena.stand), { folder: arena.stand.folder })
  const { wallSeconds, usage, stdout } = await success('source', child, arena.runMaxMs)
  return { seconds: checkedSeconds('source', stdout, arena.events), wallSeconds, ...usage }
}

function common(stand: Stand): string[] {
  return ['--brokers', stand.brokers.join(), '--topics', TOPICS.join(), '--group', fresh()]
}

/** Of groups and databases. */
function fresh(): string {
  return `bench_${randomUUID().replaceAll('-', '').slice(0, 12)}`
}

function checkedSeconds(name: string, stdout: string, wanted: number): number {
  const { events, seconds } = JSON.parse(stdout) as { events: number; seconds: number }
  if (events !== wanted) throw new Error(`${name} has read ${events} events, ${wanted} were produced`)
  return seconds
}

function readPeerRows(file: string): Rows {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const rows = lines.map((line): OracleRow => {
    const row = JSON.parse(line) as Pick<OracleRow, 'product' | 'windowStart' | 'windowEnd' | 'task' | 'impressions' | 'clicks'>
    const { impressions, clicks } = row
    const version = (impressions + clicks) % VERSION_UNIT
    return { tenant: 'default', ...row, ctr: impressions === 0 ? 0 : clicks / impressions, version }
  })
  return byKey(rows)
}

function sameRows(arena: Arena, name: string, rows: Rows): void {
  arena.reference ??= { name, rows }
  const { count, examples } = compareRows(rows, arena.reference.rows)
  if (count > 0) throw new Error(`${count} rows of ${name} differ from those of ${arena.reference.name}:\n${examples.join('\n')}`)
}

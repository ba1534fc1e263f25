/** A backlog of generated events, and one run of the engine over it that counts only when every event is in ClickHouse. */
import { randomUUID } from 'node:crypto'
import type { EventEncoding } from '../src/load/event-formats.ts'
import type { GenerateOptions } from '../src/load/generate.ts'
import type { LoadResult } from '../src/load/produce.ts'
import { success } from './child.ts'
import { type EngineOptions, startEngine } from './engine.ts'
import { BACKLOG_FROM, startLoad, TOPICS } from './load.ts'
import type { LogLine } from './log-line.ts'
import { sumOfWindows } from './result-rows.ts'
import type { Stand } from './stand.ts'
import { cpuSecondsOf } from './usage.ts'

export interface BacklogOptions {
  readonly events: number
  readonly partitions: number
  readonly topics?: readonly string[]
  readonly generate: Partial<GenerateOptions>
  /** Kafka's number. */
  readonly codec?: number | undefined
  /** Of values that are not JSON. */
  readonly encoding?: EventEncoding | undefined
  /** Events per second of event time; 100,000 when absent, which is a window of 10 s per million. */
  readonly eventRate?: number
}

const EVENT_RATE = 100_000
/** Ten times slower than stock kafkajs on a small machine. */
const RUN_EVENTS_PER_SECOND_MIN = 30_000
const RUN_START_MAX_MS = 60_000

/** Produces events, none of them late; throws unless they are as many as asked for, and valid ones, unless others were asked for, too. */
export async function loadBacklog(stand: Stand, { events, eventRate = EVENT_RATE, ...order }: BacklogOptions): Promise<LoadResult> {
  const load = startLoad(stand, { ...order, rate: 0, count: events, startTime: BACKLOG_FROM, eventRate })
  const loaded = await load.done
  const valid = loaded.impressions + loaded.clicks
  if (valid !== events && !order.generate.invalidShare) throw new Error(`${valid} events were produced, not ${events}`)
  return loaded
}

/** The most that a run over so many events may take, ms. */
export function runMaxMs(events: number): number {
  return RUN_START_MAX_MS + (events / RUN_EVENTS_PER_SECOND_MIN) * 1000
}

/** One run of somebody over a backlog. */
export interface Run {
  /** From the moment it has joined its group, or is ready to read, until it has the last record. */
  readonly seconds: number
  /** Of the whole process, its start included; as are CPU and memory. */
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly peakRssBytes: number
  /** Where it was measured: while it read, without its start and its end. */
  readonly busyCpuSeconds?: number
  /** Where it was measured (JVMs, which compile as they go): of the second half of the events only. */
  readonly secondHalf?: { readonly seconds: number; readonly cpuSeconds: number } | undefined
}

export interface EngineRunOptions extends Pick<EngineOptions, 'checkout' | 'clickhouseUrl' | 'deadLetterTopic'> {
  /** That are in the topics. */
  readonly events: number
  readonly topics?: readonly string[] | undefined
  readonly sets?: readonly string[]
  /** Options of Node for the engine's process, and a command that runs it. */
  readonly execArgv?: readonly string[]
  readonly under?: readonly string[]
  /** Looks at the results before they are removed; throws when they are wrong. */
  readonly check?: (database: string) => Promise<void>
}

export interface EngineRun extends Run {
  readonly pid: number
  readonly busyCpuSeconds: number
  readonly stdout: string
  /** When it began to count and when it had read all, ms since the epoch. */
  readonly running: number
  readonly draining: number
}

/** `ctr run --until-end` over the topics. Throws when the ledger does not balance or ctr_windows does not hold exactly `events`. */
export async function runEngine(stand: Stand, options: EngineRunOptions): Promise<EngineRun> {
  const { events, topics = TOPICS, check, ...more } = options
  const name = fresh()
  const cpu = new Map<unknown, number>()
  const onLog = ({ state }: LogLine) => {
    if (state !== undefined) cpu.set(state, cpuSecondsOf(engine.pid) ?? Number.NaN)
  }
  const engine = startEngine(stand, { ...more, topics, groupId: name, database: name, untilEnd: true, onLog })
  const { wallSeconds, usage, stdout, stderr } = await success('ctr run', engine, runMaxMs(events))
  if (!/ledger\s+exact/.test(stdout)) throw new Error(`ctr: the ledger does not balance:\n${stdout}${stderr.join('\n')}`)
  const sum = await sumOfWindows(stand.clickhouse, name)
  if (sum !== events) throw new Error(`ctr: ctr_windows holds ${sum} events, ${events} were produced`)
  await check?.(name)
  await stand.clickhouse.command(`DROP DATABASE ${name} SYNC`)
  const { running, draining } = engine.milestones
  if (running === undefined || draining === undefined) throw new Error('ctr: the log does not say when it ran and drained')
  const busyCpuSeconds = (cpu.get('draining') ?? Number.NaN) - (cpu.get('running') ?? Number.NaN)
  return { seconds: (draining - running) / 1000, wallSeconds, ...usage, busyCpuSeconds, pid: engine.pid, stdout, running, draining }
}

/** Of groups and databases. */
export function fresh(): string {
  return `bench_${randomUUID().replaceAll('-', '').slice(0, 12)}`
}

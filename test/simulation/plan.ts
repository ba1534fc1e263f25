/** What a seed stands for: input, rules, how often things go wrong, who runs. Everything is drawn here, or later from the same sequence. */
import type { IngestRules } from '../../src/ingest/ingest.ts'
import type { Random } from '../../src/load/random.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'
import { makeRecords } from '../support/records.ts'

export const TOPICS: readonly string[] = ['impressions', 'clicks']
export const GROUP = 'g'
export const TENANT = 'default'
export const REVISION = 0

/** Times in ms. */
export interface Plan {
  readonly tasks: number
  readonly lists: readonly (readonly OracleRecord[])[]
  readonly rules: IngestRules
  readonly codec: number
  readonly stateTtl: number
  readonly emitInterval: number
  readonly commitInterval: number
  readonly maintainIntervalMs: number
  readonly shutdownTimeout: number
  readonly checkpointInterval: number
  readonly checkpointTimeout: number
  readonly minPause: number
  readonly retain: number
  readonly savepointOnStop: boolean
  readonly sessionTimeout: number
  /** How fast the pods' wall clocks go: an hour, for which objects are young, passes in seconds. */
  readonly clockRate: number
  readonly keepsCheckpoints: boolean
  readonly corrupts: boolean
  readonly retention: boolean
  /** A product whose rows ClickHouse refuses. */
  readonly poison: string | undefined
  /** Pods that run side by side. */
  readonly pods: number
  /** How long things go wrong, and how long it takes on average until the next one does. */
  readonly troubleMs: number
  readonly troubleEvery: number
  /** Chance that a request fails, or takes very long. */
  readonly flaky: number
  readonly slow: number
  readonly slowInserts: number
  readonly slowStore: number
  /** The end: to the end offsets and out, or until nothing comes any more. */
  readonly end: 'bounded' | 'quiet'
}

export function makePlan(random: Random): Plan {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)]!
  const tasks = pick(1, 1, 2, 2, 3, 4)
  const windowSize = 10_000
  const hurried = random.chance(0.2)
  const clockRate = hurried ? 600 : 1
  return {
    clockRate,
    tasks,
    lists: makeLists(random, tasks),
    rules: {
      windowSize,
      outOfOrderness: pick(0, 2_000, 5_000),
      allowedLateness: pick(0, 5_000, 5_000, 20_000),
      idleTimeout: 3_600_000,
      maxDrift: pick(15_000, 60_000, 600_000),
      futureTolerance: 60_000,
      checkCrc: random.chance(0.2),
    },
    codec: pick(0, 0, 0, 1, 3),
    stateTtl: pick(0, 20_000, 3_600_000),
    emitInterval: pick(50, 200, 1_000),
    commitInterval: pick(50, 200, 1_000, 3_000),
    maintainIntervalMs: pick(20, 100),
    shutdownTimeout: pick(2_000, 30_000),
    checkpointInterval: pick(100, 500, 2_000),
    checkpointTimeout: hurried ? 1_000 : pick(1_000, 10_000),
    minPause: pick(0, 100),
    retain: pick(1, 2, 3),
    savepointOnStop: random.chance(0.7),
    sessionTimeout: hurried ? 1_000 : pick(1_000, 4_000),
    keepsCheckpoints: random.chance(0.8),
    corrupts: random.chance(0.4),
    retention: random.chance(0.3),
    poison: random.chance(0.1) ? 'p-1' : undefined,
    pods: pick(1, 1, 2, 3),
    troubleMs: hurried ? 20_000 : pick(3_000, 8_000, 15_000),
    troubleEvery: pick(150, 500, 1_500),
    flaky: pick(0, 0.01, 0.05),
    slow: hurried ? 0 : pick(0, 0.01, 0.03),
    slowInserts: pick(0, 0.05, 0.3),
    slowStore: pick(0, 0.05, 0.3),
    end: pick('bounded', 'quiet'),
  }
}

/** Partitions differ in length; one may be empty, and then holds its task's watermark until it is idle or at its end. */
function makeLists(random: Random, tasks: number): OracleRecord[][] {
  const records = 30 + random.below(Math.ceil(900 / tasks))
  const stepMs = [100, 300, 800][random.below(3)]!
  const lists = makeRecords({ seed: random.next() >>> 0, partitions: tasks, records, products: 2 + random.below(15), stepMs })
  return lists.map((list) => {
    if (random.chance(0.03)) return []
    return random.chance(0.4) ? list.slice(0, 1 + random.below(list.length)) : list
  })
}

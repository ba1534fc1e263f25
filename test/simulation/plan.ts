/** What a seed stands for: input, rules, how often things go wrong, who runs. Everything is drawn here, or later from the same sequence. */
import type { IngestRules } from '../../src/ingest/ingest.ts'
import { Random } from '../../src/load/random.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'
import { listMapping, makeLists } from '../support/list-records.ts'
import { makeRecords, type RecordsOptions } from '../support/records.ts'
import { type Finale, makeFinale } from './finale.ts'

export const TOPICS: readonly string[] = ['impressions', 'clicks']
export const GROUP = 'g'
export const TENANT = 'default'
export const REVISION = 0

/**
 * Where a member is with its join: it asks for it, the coordinator has it and tells it of the generation, it looks for what was kept of its
 * tasks, it has its first records.
 */
export const JOIN_STEPS = ['asks', 'syncs', 'restores', 'fetched'] as const

export type JoinStep = (typeof JOIN_STEPS)[number]

/** A member dies so long, ms, after it has come to this step for the first time. */
export interface JoinDeath {
  readonly step: JoinStep
  readonly afterMs: number
}

/** Times in ms. */
export interface Plan {
  readonly tasks: number
  readonly lists: readonly (readonly OracleRecord[])[]
  /** How records are read that are several events; undefined when they are one. */
  readonly mapping: ReturnType<typeof listMapping> | undefined
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
  readonly finale: Finale | undefined
  /** When the store is emptied, ms after the start: in the time of trouble, or in the calm. */
  readonly emptiedAt: number | undefined
  /** How the pods die that start while things go wrong, in the order of their starts; the others are not meant to. */
  readonly joinDeaths: readonly (JoinDeath | undefined)[]
}

/** What the records are all of, but those of a clock that is a year ahead: wall clocks begin there. */
export const RECORDS_END_MS = 1_700_060_000_000
/** Producers' clocks: in how many seeds some are wrong, and how. */
const WRONG_CLOCKS_SHARE = 0.4
const YEAR_MS = 365 * 86_400_000
const JOIN_DEATHS_SHARE = 0.33
const JOIN_DEATHS_MAX = 20
const JOIN_DEATHS_SALT = 0x9e3779b9

/** Of overlapping windows: an event is in one of them or two, in two or three, in three or four, in twenty. */
const SLIDES_MS = [8_000, 4_000, 3_000, 500]

/** What is other than usual: windows that overlap, or records that are several events, or both; all else goes as it would. */
export const VARIANTS = ['usual', 'sliding', 'several', 'sliding-several'] as const
export type Variant = (typeof VARIANTS)[number]

/** The plan of a seed. */
export function makePlan(seed: number, variant: Variant = 'usual'): Plan {
  const plan = makeOwnPlan(seed)
  if (variant === 'usual') return plan
  const rules = { ...plan.rules, windowSlide: SLIDES_MS[seed % SLIDES_MS.length] }
  if (variant === 'sliding') return { ...plan, rules }
  const shape = { partitions: plan.tasks, records: 400, products: 60, elementsMax: 40, ownTimes: seed % 2 === 0, stepMs: 150 }
  const several = { ...plan, lists: makeLists({ ...shape, seed }), mapping: listMapping(shape), finale: undefined, poison: undefined }
  return variant === 'several' ? several : { ...several, rules }
}

function makeOwnPlan(seed: number): Plan {
  const random = new Random(seed)
  const { plan, isRight } = drawPlan(random)
  const { tasks, lists, clockRate, end, keepsCheckpoints, savepointOnStop, troubleMs } = plan
  const other = new Random(seed ^ 0x1b873593)
  const possible = { killed: keepsCheckpoints, away: keepsCheckpoints && savepointOnStop }
  // What comes behind a clock far ahead of it would be late, or far ahead itself.
  const finale = end === 'quiet' && clockRate === 1 && isRight ? makeFinale(seed, tasks, lists, possible) : undefined
  const ends = (finale?.lists ?? []).flat().map(({ recordTimestamp }) => recordTimestamp)
  const emptied = keepsCheckpoints && clockRate === 1 && other.chance(0.3)
  return {
    ...plan,
    mapping: undefined,
    finale: Math.max(...ends) < RECORDS_END_MS ? finale : undefined,
    emptiedAt: emptied ? (other.chance(0.5) ? other.below(troubleMs) : troubleMs + CALM_MS + other.below(8_000)) : undefined,
    joinDeaths: drawJoinDeaths(new Random(seed ^ JOIN_DEATHS_SALT)),
  }
}

/** In the calm, by then everything has been read and rests. */
const CALM_MS = 8_000

/** In a third of the seeds, none of which is one of found-seeds.ts: they go on as they went. */
function drawJoinDeaths(random: Random): Plan['joinDeaths'] {
  if (!random.chance(JOIN_DEATHS_SHARE)) return []
  const death = (): JoinDeath => {
    const step = JOIN_STEPS[random.below(JOIN_STEPS.length)]!
    return { step, afterMs: random.chance(0.5) ? random.below(3) : random.below(60) }
  }
  return Array.from({ length: JOIN_DEATHS_MAX }, () => (random.chance(0.7) ? death() : undefined))
}

/** With it, whether producers' clocks are right, and events come without gaps. */
function drawPlan(random: Random): { plan: Omit<Plan, 'mapping' | 'finale' | 'emptiedAt' | 'joinDeaths'>; isRight: boolean } {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)]!
  const tasks = pick(1, 1, 2, 2, 3, 4)
  const windowSize = 10_000
  const hurried = random.chance(0.2)
  const clockRate = hurried ? 600 : 1
  const lists = drawLists(random, tasks)
  const plan: Omit<Plan, 'lists' | 'mapping' | 'finale' | 'emptiedAt' | 'joinDeaths'> = {
    clockRate,
    tasks,
    rules: {
      windowSize,
      outOfOrderness: pick(0, 2_000, 5_000),
      allowedLateness: pick(0, 5_000, 5_000, 20_000),
      idleTimeout: 3_600_000,
      maxDrift: pick(15_000, 60_000, 600_000),
      maxJump: 600_000,
      futureTolerance: 60_000,
      oldest: Date.UTC(2000, 0, 1),
      wallClockGuard: Number.POSITIVE_INFINITY,
      checkCrc: random.chance(0.2),
      maxBatchBytes: 64 * 1024 * 1024,
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
  const clocks = { share: pick(0.003, 0.03, 0.1), aheadMs: pick(1_800_000, 3_000_000, YEAR_MS), gapsMs: pick(1, 3_600_000) }
  const isRight = !random.chance(WRONG_CLOCKS_SHARE)
  return { plan: { ...plan, lists: lists(isRight ? undefined : clocks) }, isRight }
}

/** Partitions differ in length; one may be empty, and then holds its task's watermark until it is idle or at its end. */
function drawLists(random: Random, tasks: number): (clocks: RecordsOptions['clocks']) => OracleRecord[][] {
  const records = 30 + random.below(Math.ceil(900 / tasks))
  const stepMs = [100, 300, 800][random.below(3)]!
  const options = { seed: random.next() >>> 0, partitions: tasks, records, products: 2 + random.below(15), stepMs }
  const lengths = Array.from({ length: TOPICS.length * tasks }, () => {
    if (random.chance(0.03)) return 0
    return random.chance(0.4) ? 1 + random.below(records) : records
  })
  return (clocks) => makeRecords({ ...options, clocks }).map((list, i) => list.slice(0, lengths[i]))
}

/**
 * What all simulated processes share: time, what they know each other by, what went wrong, and the network between them and what they use.
 *
 *   request     leaves → takes effect there → the answer comes back. Each way takes its time. It may fail before or after it took effect,
 *               and what a process that has died had sent may take effect or not.
 */
import { CtrError } from '../../src/errors.ts'
import type { Random } from '../../src/load/random.ts'
import { type Plan, RECORDS_END_MS } from './plan.ts'
import { type Owner, Scheduler } from './scheduler.ts'
import type { Truth } from './truth.ts'

/** What requests go to. */
export type Place = 'kafka' | 'clickhouse' | 'store' | 'letters'

/** What a mutation test breaks, one at a time. */
export const MUTATIONS = [
  'commit before the rows are acknowledged',
  'version ignored',
  'marks without event time',
  'marks without totals',
  'marks without candidates',
  'marks without windowsFrom',
  'checkpoint before the rows are acknowledged',
  'changed task refers to its old object',
  'restore without first offsets',
  'dirty panes restored as clean',
  'dead letters not awaited',
  'ledger not awaited',
  'ids of topics ignored',
  'objects that are gone are listed',
] as const

export type Mutation = (typeof MUTATIONS)[number]

/** Behind all event times of the records, but those of a clock that is a year ahead. */
const START_MS = RECORDS_END_MS
const LOG_MAX = 20_000
const VIOLATIONS_MAX = 6

export class World {
  readonly plan: Plan
  readonly truth: Truth
  readonly time: Scheduler
  readonly random: Random
  readonly mutation: Mutation | undefined
  readonly violations: string[] = []
  /** Warnings of pods. */
  readonly told: string[] = []
  /** Tasks of which a start has told that windows far ahead lack what only a checkpoint had. */
  readonly incomplete = new Set<number>()
  readonly #down = new Set<Place>()
  readonly #log: string[] = []
  /** Trouble is over: everything answers, and soon. */
  calm = false

  constructor(seed: number, plan: Plan, truth: Truth, mutation: Mutation | undefined) {
    this.plan = plan
    this.truth = truth
    this.mutation = mutation
    this.time = new Scheduler(seed ^ 0x5bd1e995, START_MS)
    this.random = this.time.random
  }

  /** By the clock of a process that is ahead by `skew` ms. */
  wallTime(skew: number): number {
    return Math.floor(START_MS + (this.time.now - START_MS) * this.plan.clockRate + skew)
  }

  note(who: string, what: string): void {
    if (this.#log.length < LOG_MAX) this.#log.push(`${((this.time.now - START_MS) / 1000).toFixed(3).padStart(8)} ${who.padEnd(6)} ${what}`)
  }

  log(): readonly string[] {
    return this.#log
  }

  /** What must never be. */
  violation(what: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return
    this.violations.push(what)
    this.note('!!', what)
  }

  setDown(place: Place, down: boolean): void {
    if (down) this.#down.add(place)
    else this.#down.delete(place)
    this.note('world', `${place} is ${down ? 'down' : 'up'}`)
  }

  /** How long something takes, ms. */
  latency(place?: Place): number {
    const { random, plan, calm } = this
    if (calm) return random.below(6)
    if (place === 'clickhouse' && random.chance(plan.slowInserts)) return random.below(3_000)
    if (place === 'store' && random.chance(plan.slowStore)) return random.below(500)
    if (random.chance(plan.slow)) return random.chance(0.2) ? random.below(8_000) : random.below(1_000)
    return random.chance(0.9) ? random.below(8) : random.below(100)
  }

  /** Waits, in the process that asks. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.time.after(ms, resolve))
  }

  /** See the file's comment. Rejects with a retriable CtrError. */
  request<T>(pod: Owner, place: Place, effect: () => T): Promise<T> {
    const { time, random } = this
    return new Promise((resolve, reject) => {
      const answer = (act: () => void) => time.after(this.latency(place), act, pod)
      const fail = (why: string) => answer(() => reject(failure(place, why)))
      const arrive = () => {
        if (pod.dead && random.chance(0.5)) return
        if (this.#down.has(place)) return fail('it is down')
        const flaky = !this.calm && random.chance(this.plan.flaky)
        if (flaky && random.chance(0.5)) return fail('the connection broke')
        let value: T
        try {
          value = effect()
        } catch (error) {
          if (!(error instanceof CtrError)) throw error
          return answer(() => reject(error))
        }
        if (flaky) return fail('the answer got lost')
        answer(() => resolve(value))
      }
      time.after(this.latency(place), arrive, undefined)
    })
  }
}

function failure(place: Place, why: string): CtrError {
  const codes = {
    kafka: 'CTR_KAFKA_UNREACHABLE',
    clickhouse: 'CTR_CLICKHOUSE_UNREACHABLE',
    store: 'CTR_CHECKPOINT_STORE',
    letters: 'CTR_DEAD_LETTER',
  } as const
  return new CtrError(codes[place], `${place}: ${why}`, { retriable: true })
}

/**
 * One seed: the plan, some time in which things go wrong, then calm until everything is read, then the judgement. `simulate` must be given
 * the same seed to go the same way again, in any process.
 */

import { Broker } from './broker.ts'
import { ClickHouse } from './clickhouse.ts'
import type { Finale } from './finale.ts'
import { SharedStore } from './object-store.ts'
import { makePlan, type Variant } from './plan.ts'
import { type Places, Pod, type PodOptions } from './pod.ts'
import type { Timer } from './scheduler.ts'
import { Trouble } from './trouble.ts'
import { truthOf } from './truth.ts'
import { judgeEnd } from './verdict.ts'
import { underTime } from './virtual-time.ts'
import { type Mutation, World } from './world.ts'

export interface Outcome {
  readonly seed: number
  readonly violations: readonly string[]
  readonly log: readonly string[]
  readonly events: number
  readonly starts: number
  /** Simulated, ms. */
  readonly ms: number
}

const EVENTS_MAX = 400_000
/** By then everything is read, and every window is closed that will be. */
const FINALE_MS = 30_000
const QUIET_IDLE_MS = 5_000
const RESTART_MAX_MS = 1_500
const NEVER_IDLE_MS = 3_600_000

/** One seed, from the first pod to the last row. */
export async function simulate(seed: number, mutation?: Mutation, variant: Variant = 'usual'): Promise<Outcome> {
  const plan = makePlan(seed, variant)
  const world = new World(seed, plan, truthOf(plan), mutation)
  const { time } = world
  const begun = time.now
  const cluster = new Cluster(world)
  const keeper = {
    after: (ms: number, run: () => void) => time.after(ms + (world.random.chance(0.02) ? world.random.below(300) : 0), run),
    cancel: (timer: unknown) => time.cancel(timer as Timer),
    random: () => world.random.below(1 << 30) / (1 << 30),
  }
  const rejected = (error: unknown) => world.violation(`unhandled rejection: ${error instanceof Error ? error.stack : String(error)}`)
  process.on('unhandledRejection', rejected)
  try {
    await underTime(keeper, async () => {
      cluster.begin()
      try {
        while (!cluster.over && world.violations.length === 0) {
          if (time.events > EVENTS_MAX) world.violation(`not over after ${EVENTS_MAX} events`)
          if (!(await time.step())) world.violation('nothing happens any more')
        }
      } catch (error) {
        world.violation(`thrown: ${error instanceof Error ? error.stack : String(error)}`)
      }
    })
  } finally {
    process.off('unhandledRejection', rejected)
  }
  if (world.violations.length === 0) judgeEnd(world, cluster.places, plan)
  return { seed, violations: world.violations, log: world.log(), events: time.events, starts: cluster.starts, ms: time.now - begun }
}

/** The pods, one after the other in as many places, and what happens to them. */
export class Cluster {
  over = false
  starts = 0
  readonly places: Places
  readonly #world: World
  /** Present pods; those that died are replaced. */
  readonly pods: Pod[] = []
  readonly #trouble: Trouble
  #ending = false

  constructor(world: World) {
    this.#world = world
    this.places = { broker: new Broker(world), clickHouse: new ClickHouse(world), store: new SharedStore(world), letters: new Set() }
    this.#trouble = new Trouble(world, this)
  }

  begin(): void {
    const { plan, time } = this.#world
    for (let i = 0; i < plan.pods; i++) time.after(this.#world.random.below(500), () => this.start())
    this.#trouble.begin(() => this.#end())
    if (plan.emptiedAt !== undefined) time.after(plan.emptiedAt, () => this.places.store.empty(), undefined)
    this.#watch()
  }

  start(options: Partial<PodOptions> = {}): void {
    const { random, plan, time } = this.#world
    const number = ++this.starts
    const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)]!
    const pod = new Pod(this.#world, this.places, {
      name: `pod-${number}`,
      writerId: number.toString(16).padStart(8, '0'),
      workers: pick(1, 2, 4),
      // With corrections among the events of a record smaller rings than the rules of the configuration ask for hold none.
      ringBytes: Math.max(pick(4_096, 16_384, 65_536), plan.mapping !== undefined && plan.rules.windowSlide !== undefined ? 65_536 : 0),
      bounded: false,
      idleTimeout: NEVER_IDLE_MS * this.#world.plan.clockRate,
      from: 'latest',
      skew: random.chance(0.3) ? random.below(6_000) - 3_000 : 0,
      queueMaxBytes: pick(600, 1 << 20),
      joinDeath: plan.joinDeaths[number],
      onJoinDeath: () => time.after(random.below(RESTART_MAX_MS), () => !this.#world.calm && this.start(), undefined),
      ...options,
    })
    this.pods.push(pod)
  }

  /** Every half second: the group forgets who is silent, retention passes, the dead are buried. */
  #watch(): void {
    const { time, plan } = this.#world
    for (const pod of [...this.pods]) {
      const { silentSince } = pod
      if (silentSince !== undefined && time.now - silentSince > plan.sessionTimeout) this.places.broker.leave(pod.name)
      if (pod.dead && !this.places.broker.has(pod.name)) this.pods.splice(this.pods.indexOf(pod), 1)
    }
    if (plan.retention) this.places.broker.retain()
    if (this.#ending) this.#lookForEnd()
    if (!this.over) time.after(500, () => this.#watch(), undefined)
  }

  /** Trouble is over. */
  #end(): void {
    const { plan, time, random } = this.#world
    for (const pod of this.pods) pod.resume()
    if (plan.end === 'quiet') {
      for (const pod of this.pods) {
        if (random.chance(0.5)) pod.drain()
        else pod.crash()
      }
      this.#startQuietly()
      const { finale } = plan
      if (finale !== undefined) time.after(FINALE_MS, () => this.#finale(finale), undefined)
      time.after(finale === undefined ? 60_000 : 60_000 + FINALE_MS, () => {
        for (const pod of this.pods) if (!pod.dead) pod.drain()
        this.#ending = true
      })
      return
    }
    for (const pod of this.pods) if (!pod.dead) pod.drain()
    const startWhenGone = (crashes: number) => {
      if (this.pods.length > 0) return void time.after(500, () => startWhenGone(crashes), undefined)
      // A bounded run is one process: a member that has no task ends at once.
      this.start({ bounded: true })
      this.#ending = crashes === 0
      if (crashes === 0) return
      time.after(random.below(2_000), () => {
        for (const pod of this.pods) pod.crash()
        startWhenGone(crashes - 1)
      })
    }
    time.after(500, () => startWhenGone(random.below(3)), undefined)
  }

  #startQuietly(): void {
    const { plan } = this.#world
    for (let i = 0; i < plan.pods; i++) this.start({ idleTimeout: QUIET_IDLE_MS * plan.clockRate })
  }

  #killAll(): void {
    for (const pod of this.pods) pod.crash()
    this.#startQuietly()
  }

  /** See finale.ts. */
  #finale(finale: Finale): void {
    const { time, random } = this.#world
    const { broker } = this.places
    if (finale.kind === 'remade' || finale.kind === 'remade, killed') {
      broker.finish(finale)
      for (let death = finale.kind === 'remade' ? 2 : 0; death < 2; death++) {
        time.after(random.below(death === 0 ? 500 : 8_000), () => this.#killAll(), undefined)
      }
      return
    }
    for (const pod of this.pods) if (!pod.dead) pod.drain()
    const whenGone = () => {
      if (this.pods.some(({ dead }) => !dead)) return void time.after(500, whenGone, undefined)
      broker.finish(finale)
      this.#startQuietly()
    }
    whenGone()
  }

  /** All have gone, and what they had sent has arrived. */
  #lookForEnd(): void {
    if (this.pods.length > 0) return
    this.#ending = false
    this.#world.time.after(15_000, () => {
      this.over = true
    })
  }
}

/** What goes wrong, and when: drawn step by step while records come in. */
import type { Places, Pod, PodOptions } from './pod.ts'
import type { Place, World } from './world.ts'

const PLACES: readonly Place[] = ['kafka', 'clickhouse', 'store', 'letters']

/** What trouble comes over. */
export interface Victims {
  readonly places: Places
  readonly pods: readonly Pod[]
  start(options?: Partial<PodOptions>): void
}

export class Trouble {
  readonly #world: World
  readonly #cluster: Victims
  #endsAt = 0

  constructor(world: World, cluster: Victims) {
    this.#world = world
    this.#cluster = cluster
  }

  /** `over` when the last record is there and nothing goes wrong any more. */
  begin(over: () => void): void {
    const { plan, time, random } = this.#world
    this.#endsAt = time.now + plan.troubleMs
    const steps = 10 + random.below(40)
    for (let step = 0; step < steps; step++) {
      time.after(
        (plan.troubleMs * step) / steps,
        () => void this.#cluster.places.broker.produce(random.below(1000) / 1000 / (steps - step)),
      )
    }
    this.#next()
    time.after(plan.troubleMs, () => {
      this.#world.note('world', 'trouble is over')
      this.#world.calm = true
      this.#cluster.places.broker.produce(1)
      this.#cluster.places.store.full = false
      for (const place of PLACES) this.#world.setDown(place, false)
      over()
    })
  }

  #next(): void {
    const { plan, time, random } = this.#world
    time.after(random.below(2 * plan.troubleEvery), () => {
      if (time.now >= this.#endsAt) return
      this.#strike()
      this.#next()
    })
  }

  #strike(): void {
    const { random, plan, time } = this.#world
    const { places } = this.#cluster
    const live = this.#cluster.pods.filter((pod) => !pod.dead && !pod.paused)
    const pod = live[random.below(live.length)]
    const chance = random.below(100)
    if (chance < 35 && pod !== undefined) {
      pod.crash()
      this.#startLater()
      if (random.chance(0.3)) places.broker.leave(pod.name)
    } else if (chance < 50 && pod !== undefined) {
      pod.pause()
      time.after(random.below(random.chance(0.5) ? 500 : plan.sessionTimeout * 3), () => pod.resume(), undefined)
    } else if (chance < 60 && pod !== undefined) {
      pod.drain()
      this.#startLater()
    } else if (chance < 64 && pod !== undefined) {
      pod.breakDown()
      this.#startLater()
    } else if (chance < 68 && pod !== undefined) pod.keep(random.chance(0.5) ? 'before' : 'after')
    else if (chance < 76) this.#rebalance()
    else if (chance < 81 && this.#cluster.pods.length < 4) this.#cluster.start()
    else if (chance < 88) {
      const place = PLACES[random.below(PLACES.length)]!
      this.#world.setDown(place, true)
      time.after(random.below(3_000), () => this.#world.setDown(place, false), undefined)
    } else if (chance < 91) {
      places.store.full = true
      time.after(random.below(3_000), () => {
        places.store.full = false
      })
    } else if (plan.corrupts) places.store.damage()
  }

  /** Once, or again and again before the members are through with it. */
  #rebalance(): void {
    const { random, time } = this.#world
    const times = random.chance(0.5) ? 1 : 2 + random.below(4)
    for (let i = 0; i < times; i++) time.after(i * random.below(300), () => this.#cluster.places.broker.rebalance(), undefined)
  }

  /** What an operator might ask for. */
  #someStart(): 'none' | { savepoint: string } {
    const names = this.#cluster.places.store.manifests().flatMap(({ savepoint }) => savepoint ?? [])
    const name = names[this.#world.random.below(names.length)]
    return name === undefined ? 'none' : { savepoint: name }
  }

  #startLater(): void {
    const { random, time } = this.#world
    time.after(random.below(1_500), () => {
      if (time.now < this.#endsAt) this.#cluster.start(random.chance(0.1) ? { from: this.#someStart() } : {})
    })
  }
}

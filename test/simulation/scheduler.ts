/**
 * One clock and one order for everything that happens in a simulation. An event runs with all promises that it settles, then the next one
 * is taken: the earliest by virtual time, at random among equals. Between two events anything can be done to a process: it can die (its
 * events never come), stand still (they come after it was woken), or be told something.
 */
import { Random } from '../../src/load/random.ts'

/** A process that events belong to. */
export interface Owner {
  readonly name: string
  dead: boolean
  paused: boolean
  /** What is due while it stands still. */
  readonly held: Timer[]
  /** After each of its events. */
  afterEvent(): void
}

/** Something to happen. */
export interface Timer {
  at: number
  readonly tie: number
  readonly owner: Owner | undefined
  run: (() => void) | undefined
}

export class Scheduler {
  /** ms since the epoch. */
  now: number
  events = 0
  readonly random: Random
  /** Whose event runs. */
  current: Owner | undefined
  readonly #heap: Timer[] = []

  constructor(seed: number, now: number) {
    this.random = new Random(seed)
    this.now = now
  }

  after(ms: number, run: () => void, owner: Owner | undefined = this.current): Timer {
    const timer = { at: this.now + Math.max(0, ms), tie: this.random.next(), owner, run }
    this.#push(timer)
    return timer
  }

  cancel(timer: Timer): void {
    timer.run = undefined
  }

  resume(owner: Owner): void {
    owner.paused = false
    for (const timer of owner.held.splice(0)) {
      timer.at = this.now + this.random.below(20)
      this.#push(timer)
    }
  }

  /** Runs the next event; false when there is none. */
  async step(): Promise<boolean> {
    for (;;) {
      const timer = this.#pop()
      if (timer === undefined) return false
      const { owner, run } = timer
      if (run === undefined || owner?.dead) continue
      if (owner?.paused) {
        owner.held.push(timer)
        continue
      }
      if (timer.at > this.now) this.now = timer.at
      this.events++
      this.current = owner
      run()
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (owner !== undefined && !owner.dead) owner.afterEvent()
      this.current = undefined
      return true
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(timer)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(timer, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie)
}

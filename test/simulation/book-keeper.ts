/** The engine's checkpoint writer without its thread: messages to the book and back come in order and take their time. */
import { Book } from '../../src/checkpoint/book.ts'
import type { ObjectReference, StateRules } from '../../src/checkpoint/manifest.ts'
import type { WorkerCopy } from '../../src/checkpoint/snapshot.ts'
import type { CheckpointWriter, Cut, Written } from '../../src/checkpoint/writer.ts'
import { CtrError } from '../../src/errors.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { giveBack } from './inline-workers.ts'
import { GROUP } from './plan.ts'
import type { Owner } from './scheduler.ts'
import type { World } from './world.ts'

export class BookKeeper implements CheckpointWriter {
  readonly ports: readonly never[] = []
  readonly #world: World
  readonly #pod: Owner
  readonly #book: Book
  readonly #orders: (act: () => void) => void
  readonly #answers: (act: () => void) => void
  readonly #copies: readonly ((act: () => void) => void)[]
  readonly #waiting = new Map<number, PromiseWithResolvers<Written>>()
  /** For mutations: what was written last. */
  readonly #last = new Map<number, ObjectReference>()
  readonly #early = new Map<number, Promise<Written>>()

  constructor(world: World, pod: Owner, writerId: string, rules: StateRules, workers: number, store: () => ObjectStore, now: () => number) {
    this.#world = world
    this.#pod = pod
    this.#orders = inOrder(world, pod)
    this.#answers = inOrder(world, pod)
    this.#copies = Array.from({ length: workers }, () => inOrder(world, pod))
    this.#book = new Book({
      group: GROUP,
      writer: pod.name,
      writerId,
      workers,
      retain: world.plan.retain,
      rules,
      open: async () => store(),
      warn: (message) => world.note(pod.name, `book: ${message}`),
      done: giveBack,
      now,
    })
  }

  /** From a worker. */
  copied(copy: WorkerCopy): void {
    this.#copies[copy.worker]?.(() => this.#book.copied(copy))
  }

  begin(cut: Cut): void {
    const told = this.#world.mutation === 'changed task refers to its old object' ? this.#stale(cut) : cut
    this.#orders(() => {
      this.#book.begin(told)
      if (this.#world.mutation !== 'checkpoint before the rows are acknowledged') return
      const early = this.#book.complete(cut.number)
      early.catch(() => {})
      this.#early.set(cut.number, early)
    })
  }

  complete(number: number): Promise<Written> {
    const waiter = Promise.withResolvers<Written>()
    this.#waiting.set(number, waiter)
    this.#orders(() => void this.#complete(number))
    return waiter.promise
  }

  abandon(number: number): void {
    this.#waiting.get(number)?.reject(new CtrError('CTR_CHECKPOINT_FAILED', `checkpoint ${number} was given up`))
    this.#waiting.delete(number)
    this.#orders(() => this.#book.abandon(number))
  }

  onDied(): void {}

  close(): Promise<void> {
    return new Promise((resolve) => this.#orders(() => void this.#book.close().then(resolve)))
  }

  async #complete(number: number): Promise<void> {
    try {
      const written = await (this.#early.get(number) ?? this.#book.complete(number))
      for (const { task, object } of written.objects) if (object !== null) this.#last.set(task, object)
      this.#answers(() => this.#settle(number)?.resolve(written))
    } catch (error) {
      // Anything else would have ended the thread.
      if (!(error instanceof CtrError)) this.#world.violation(`${this.#pod.name}: the book failed: ${(error as Error).stack}`)
      this.#answers(() => this.#settle(number)?.reject(error))
    }
  }

  #settle(number: number): PromiseWithResolvers<Written> | undefined {
    const waiter = this.#waiting.get(number)
    this.#waiting.delete(number)
    return waiter
  }

  #stale(cut: Cut): Cut {
    return {
      ...cut,
      tasks: cut.tasks.map((task) => {
        const object = this.#last.get(task.task)
        return task.copied && object !== undefined ? { ...task, copied: false, object } : task
      }),
    }
  }
}

/** One way of a channel between two threads. */
function inOrder(world: World, pod: Owner): (act: () => void) => void {
  const waiting: (() => void)[] = []
  return (act) => {
    waiting.push(act)
    world.time.after(Math.min(world.latency(), 500), () => waiting.shift()?.(), pod)
  }
}

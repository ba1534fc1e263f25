/**
 * The engine's workers without threads: each takes some blocks of its ring whenever it gets its turn. A worker never waits for room: it
 * takes no block while there is anything in its row ring.
 */
import { buffersOf, type WorkerCopy } from '../../src/checkpoint/snapshot.ts'
import { CtrError } from '../../src/errors.ts'
import { BLOCK, createRing, HEAD_WORD, RING_HEADER_BYTES, TAIL_WORD } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import type { WorkerPool, WorkerSettings } from '../../src/worker/pool.ts'
import { type CopyPort, WindowWorker } from '../../src/worker/worker.ts'
import { createWorkerStats } from '../../src/worker/worker-stats.ts'
import type { Owner } from './scheduler.ts'
import type { World } from './world.ts'

/** More than one block can emit, of windows that overlap many in one step. */
const ROW_RING_BYTES = 128 * 1024
const ROW_RING_OVERLAP_BYTES = 2 * 1024 * 1024
const TURN_BLOCKS = 8

// A worker that waited here would wait for ever.
RingWriter.prototype.waitRoom = () => {
  throw new Error('simulation: a row ring is too small')
}

interface InlineWorker {
  readonly reader: RingReader
  readonly worker: WindowWorker
  readonly input: Int32Array
  readonly output: Int32Array
  readonly waiting: (() => void)[]
  due: boolean
  ended: boolean
}

/** Where the memory of a copy goes when it is written. */
const homes = new WeakMap<WorkerCopy, (buffers: ArrayBuffer[]) => void>()

/** Gives a copy's memory back to its worker, which will make the next one in it: whoever still reads it will see something else. */
export function giveBack(copy: WorkerCopy): void {
  const buffers = buffersOf(copy.shards)
  for (const buffer of buffers) new Uint8Array(buffer).fill(0xee)
  homes.get(copy)?.(buffers)
}

export class InlineWorkers implements WorkerPool {
  readonly writers: readonly RingWriter[]
  readonly rings: readonly SharedArrayBuffer[]
  readonly rowRings: readonly SharedArrayBuffer[]
  readonly stats: readonly SharedArrayBuffer[]
  readonly done: Promise<void>
  readonly #world: World
  readonly #pod: Owner
  readonly #workers: readonly InlineWorker[]
  readonly #done = Promise.withResolvers<void>()

  constructor(world: World, pod: Owner, count: number, ringBytes: number, settings: WorkerSettings, copied: (copy: WorkerCopy) => void) {
    this.#world = world
    this.#pod = pod
    this.rings = Array.from({ length: count }, () => createRing(ringBytes))
    this.rowRings = Array.from({ length: count }, () =>
      createRing(settings.windows.windowSlide === undefined ? ROW_RING_BYTES : ROW_RING_OVERLAP_BYTES),
    )
    this.stats = Array.from({ length: count }, () => createWorkerStats())
    this.writers = this.rings.map((ring) => new RingWriter(ring))
    this.done = this.#done.promise
    this.done.catch(() => {})
    this.#workers = this.rings.map((input, worker) => {
      const output = this.rowRings[worker]!
      const returned: ArrayBuffer[] = []
      const copies: CopyPort = {
        send: (copy) => {
          homes.set(copy, (buffers) => returned.push(...buffers))
          copied(copy)
        },
        returned: () => returned.splice(0),
      }
      const reader = new RingReader(input)
      const job = { ...settings, worker, input, output, stats: this.stats[worker]! }
      const control = (ring: SharedArrayBuffer) => new Int32Array(ring, 0, RING_HEADER_BYTES / 4)
      const state = { reader, worker: new WindowWorker(job, reader, copies), waiting: [], due: false, ended: false }
      return { ...state, input: control(input), output: control(output) }
    })
  }

  room(worker: number): Promise<void> {
    return new Promise((resolve) => {
      this.#workers[worker]?.waiting.push(resolve)
      this.#world.time.after(1_000, resolve, this.#pod)
    })
  }

  async close(): Promise<void> {}

  /** One of the threads dies. */
  die(): void {
    this.#done.reject(new CtrError('CTR_WORKER_DIED', 'a worker thread died: out of luck'))
  }

  /** Gives a turn to every worker that has something to do; true when there are rows. */
  wake(): boolean {
    const { time, latency } = { time: this.#world.time, latency: () => this.#world.random.below(5) }
    let rows = false
    for (const one of this.#workers) {
      if (!isEmpty(one.output)) rows = true
      else if (!one.due && !one.ended && (one.waiting.length > 0 || !isEmpty(one.input))) {
        one.due = true
        time.after(latency(), () => this.#turn(one), this.#pod)
      }
    }
    return rows
  }

  #turn(one: InlineWorker): void {
    one.due = false
    const { reader, worker } = one
    for (let left = 1 + this.#world.random.below(TURN_BLOCKS); left > 0 && isEmpty(one.output) && reader.next(); left--) {
      worker.step()
      if (reader.kind === BLOCK.end) one.ended = true
    }
    reader.release()
    for (const resolve of one.waiting.splice(0)) resolve()
    if (this.#workers.every(({ ended }) => ended)) this.#done.resolve()
  }
}

function isEmpty(control: Int32Array): boolean {
  return Atomics.load(control, HEAD_WORD) === Atomics.load(control, TAIL_WORD)
}

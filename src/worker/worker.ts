/**
 * Entry of a worker: one long-running task of the Piscina pool. It reads its ring block by block, keeps the panes of its share of the
 * products, and writes rows to its row ring. It sleeps in Atomics.wait when there is nothing to do; no timers, sockets or promises.
 *
 * Time comes from main in blocks: watermarks, ticks, quiet. The worker decides nothing by the clock; it only stamps rows with it.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { assert } from '../assert.ts'
import { CopyMemory } from '../checkpoint/copy-memory.ts'
import type { ShardCopy, WorkerCopy } from '../checkpoint/snapshot.ts'
import { buffersOf } from '../checkpoint/snapshot.ts'
import { BLOCK, PANE_DIRTY, PANE_EMITTED } from '../ring/layout.ts'
import { RingReader } from '../ring/ring-reader.ts'
import { RingWriter } from '../ring/ring-writer.ts'
import type { Pane } from '../window/pane.ts'
import { type WindowRules, type Windows, windowsOf } from '../window/windows.ts'
import { Emission } from './emission.ts'
import { TaskState } from './task-state.ts'
import { EVENTS, OPEN_PANES, PRODUCTS } from './worker-stats.ts'

/** What main hands to a worker. Rings and counters are shared memory. */
export interface WorkerJob {
  /** Its place among the workers. */
  readonly worker: number
  readonly input: SharedArrayBuffer
  readonly output: SharedArrayBuffer
  readonly stats: SharedArrayBuffer
  readonly windows: WindowRules
  readonly tenant: string
  readonly revision: number
  /** Where copies for checkpoints go, and their memory comes back; without it none are made. */
  readonly copies?: MessagePort | undefined
}

const WAIT_MS = 1000
/** Memory of read blocks is given back at the latest after this many words, so that main never waits for a whole ring to be read. */
const RELEASE_WORDS = 1 << 14

/** Runs until an end block arrives. */
export default function work(job: WorkerJob): void {
  const reader = new RingReader(job.input)
  const { copies } = job
  const worker = new WindowWorker(job, reader, copies && copyPort(copies))
  for (;;) {
    while (reader.next()) {
      worker.step()
      if (reader.kind === BLOCK.end) {
        reader.release()
        return
      }
      if (reader.held > RELEASE_WORDS) reader.release()
    }
    reader.release()
    worker.gauge()
    reader.wait(WAIT_MS)
  }
}

/** How a worker hands copies over, and gets memory for the next ones. */
export interface CopyPort {
  send(copy: WorkerCopy, buffers: ArrayBuffer[]): void
  /** What has come back since the last call. */
  returned(): ArrayBuffer[]
}

function copyPort(port: MessagePort): CopyPort {
  return {
    send: (copy, buffers) => port.postMessage(copy, buffers),
    returned() {
      const buffers: ArrayBuffer[] = []
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
        buffers.push(...(got.message as ArrayBuffer[]))
      }
      return buffers
    },
  }
}

/** One worker's state and what it does at each block; `work` drives it, and so do simulations. */
export class WindowWorker {
  readonly #job: Omit<WorkerJob, 'copies'>
  readonly #copies: CopyPort | undefined
  readonly #copyMemory = new CopyMemory()
  readonly #reader: RingReader
  readonly #emission: Emission
  readonly #stats: Float64Array
  readonly #windows: Windows
  readonly #tasks = new Map<number, TaskState>()
  readonly #emit = (state: TaskState, pane: Pane) => this.#emission.emit(state, pane, Date.now())

  constructor(job: Omit<WorkerJob, 'copies'>, reader: RingReader, copies?: CopyPort) {
    this.#job = job
    this.#windows = windowsOf(job.windows)
    this.#copies = copies
    this.#reader = reader
    this.#stats = new Float64Array(job.stats)
    this.#emission = new Emission(new RingWriter(job.output), job.tenant, job.revision, this.#stats)
  }

  /** Acts on the reader's current block. */
  step(): void {
    const reader = this.#reader
    const { task, payload } = reader
    switch (reader.kind) {
      case BLOCK.events:
        this.#state(task).panes.add(reader.words, payload, reader.count, reader.time)
        this.#stats[EVENTS]! += reader.count
        break
      case BLOCK.product:
        this.#state(task).addProduct(reader.aux, reader.bytes, payload * 4, payload * 4 + reader.byteLength)
        break
      case BLOCK.forget:
        for (let i = 0; i < reader.count; i++) this.#state(task).removeProduct(reader.words[payload + i]!)
        break
      case BLOCK.watermark:
        this.#state(task).onWatermark(reader.time, this.#emit)
        this.gauge()
        break
      case BLOCK.quiet:
        this.#state(task).onQuiet(reader.time, this.#emit)
        break
      case BLOCK.tick:
        for (const state of this.#tasks.values()) state.onTick(this.#emit)
        break
      case BLOCK.drop:
        this.#tasks.delete(task)
        break
      case BLOCK.barrier:
        this.#emission.pass(BLOCK.barrier, reader.aux)
        break
      case BLOCK.checkpoint:
        this.#copy(reader.aux, reader.words.subarray(payload, payload + reader.count))
        this.#emission.pass(BLOCK.barrier, reader.aux)
        break
      case BLOCK.restore:
        this.#restore()
        break
      case BLOCK.end:
        if (reader.aux === 1) for (const state of this.#tasks.values()) state.onEnd(this.#emit)
        this.gauge()
        this.#emission.pass(BLOCK.end, 0)
        break
      default:
        assert(false, 'main sends only blocks a worker knows', { kind: reader.kind })
    }
  }

  /** Brings the counters that say how much there is now up to date. */
  gauge(): void {
    let panes = 0
    let products = 0
    for (const state of this.#tasks.values()) {
      panes += state.panes.open.length
      products += state.products.size
    }
    this.#stats[OPEN_PANES] = panes
    this.#stats[PRODUCTS] = products
  }

  /** Copying is all that a checkpoint makes the worker wait for. */
  #copy(number: number, tasks: Int32Array): void {
    const begun = performance.now()
    this.#copyMemory.refill(this.#copies?.returned() ?? [])
    const shards: ShardCopy[] = []
    for (const task of tasks) {
      const state = this.#tasks.get(task)
      if (state !== undefined) shards.push(state.copy(this.#copyMemory))
    }
    const copy: WorkerCopy = { number, worker: this.#job.worker, shards, pausedMs: performance.now() - begun }
    this.#copies?.send(copy, buffersOf(shards))
  }

  #restore(): void {
    const { task, time, words, payload, count, aux } = this.#reader
    const { panes } = this.#state(task)
    panes.restore(time, words, this.#reader.doubles, payload, count, (aux & PANE_DIRTY) !== 0, (aux & PANE_EMITTED) !== 0)
  }

  #state(task: number): TaskState {
    let state = this.#tasks.get(task)
    if (state === undefined) {
      state = new TaskState(task, this.#windows)
      this.#tasks.set(task, state)
    }
    return state
  }
}

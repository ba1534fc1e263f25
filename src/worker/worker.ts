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
import {
  type CellsBlock,
  idOfCell,
  missedByCells,
  readBarrier,
  readCells,
  readCheckpoint,
  readCorrections,
  readEmitted,
  readEnd,
  readEvents,
  readForget,
  readProduct,
  readQuiet,
  readWatermark,
} from '../ring/blocks.ts'
import { BLOCK } from '../ring/layout.ts'
import { RingReader } from '../ring/ring-reader.ts'
import { RingWriter } from '../ring/ring-writer.ts'
import type { Pane } from '../window/pane.ts'
import { type WindowRules, type Windows, windowsOf } from '../window/windows.ts'
import { Emission } from './emission.ts'
import { OverlappingState, type WindowRows } from './overlapping-state.ts'
import { TaskState } from './task-state.ts'
import { STATS_EVENTS, STATS_OPEN_PANES, STATS_PANE_BYTES, STATS_PRODUCTS } from './worker-stats.ts'

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
  readonly revisionFrom?: number | undefined
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
  readonly #tasks = new Map<number, TaskState | OverlappingState>()
  /** The number of the last barrier passed on. */
  #barrier = 0
  readonly #emit = (state: TaskState, pane: Pane) => this.#emission.emit(state, pane, Date.now())
  readonly #rows: WindowRows = {
    begin: (state, start, end, first) => this.#emission.beginWindow(state, start, end, first, Date.now()),
    row: (id, impressions, clicks) => this.#emission.row(id, impressions, clicks),
    end: () => this.#emission.endWindow(),
  }

  constructor(job: Omit<WorkerJob, 'copies'>, reader: RingReader, copies?: CopyPort) {
    this.#job = job
    this.#windows = windowsOf(job.windows)
    this.#copies = copies
    this.#reader = reader
    this.#stats = new Float64Array(job.stats)
    this.#emission = new Emission(new RingWriter(job.output), job.tenant, job, this.#stats, this.#windows.name)
  }

  /** Acts on the reader's current block. */
  step(): void {
    const reader = this.#reader
    const { task } = reader
    switch (reader.kind) {
      case BLOCK.events:
        this.#count(task)
        break
      case BLOCK.product:
        this.#addProduct(task)
        break
      case BLOCK.forget:
        this.#state(task).removeProduct(readForget(reader))
        break
      case BLOCK.watermark:
        this.#state(task).onWatermark(readWatermark(reader), this.#emit)
        this.gauge()
        break
      case BLOCK.quiet:
        this.#state(task).onQuiet(readQuiet(reader), this.#emit)
        break
      case BLOCK.tick:
        for (const state of this.#tasks.values()) state.onTick(this.#emit)
        break
      case BLOCK.drop:
        this.#tasks.delete(task)
        break
      case BLOCK.barrier:
        this.#passBarrier(readBarrier(reader))
        break
      case BLOCK.checkpoint: {
        const { number, tasks } = readCheckpoint(reader)
        this.#copy(number, tasks)
        this.#passBarrier(number)
        break
      }
      case BLOCK.restore:
        this.#restore(task)
        break
      case BLOCK.corrections:
        this.#correct(task)
        break
      case BLOCK.restoreCorrections:
        this.#overlapping(task).restoreCorrections(this.#restored(task), missedByCells(reader))
        break
      case BLOCK.emitted:
        this.#overlapping(task).restoreEmitted(readEmitted(reader))
        break
      case BLOCK.end:
        if (readEnd(reader)) for (const state of this.#tasks.values()) state.onEnd(this.#emit)
        this.gauge()
        this.#emission.passEnd()
        break
      default:
        assert(false, 'main sends only blocks a worker knows', { kind: reader.kind })
    }
  }

  /** Brings the counters that say how much there is now up to date. */
  gauge(): void {
    let panes = 0
    let products = 0
    let paneBytes = 0
    for (const state of this.#tasks.values()) {
      panes += state.panes.open.length
      paneBytes += state.sizeBytes
      products += state.products.size
    }
    this.#stats[STATS_PANE_BYTES] = paneBytes
    this.#stats[STATS_OPEN_PANES] = panes
    this.#stats[STATS_PRODUCTS] = products
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

  #count(task: number): void {
    const { words, at, count, base } = readEvents(this.#reader)
    this.#state(task).panes.add(words, at, count, base)
    this.#stats[STATS_EVENTS]! += count
  }

  #addProduct(task: number): void {
    const { id, bytes, start, end } = readProduct(this.#reader)
    this.#state(task).addProduct(id, bytes, start, end)
  }

  #correct(task: number): void {
    const corrections = readCorrections(this.#reader)
    this.#overlapping(task).correct(corrections)
    this.#stats[STATS_EVENTS]! += corrections.count
  }

  #restore(task: number): void {
    const { words, doubles, at, count, start, dirty, emitted } = this.#restored(task)
    this.#state(task).panes.restore(start, words, doubles, at, count, dirty, emitted)
  }

  /** Nothing of the task has been purged before its last cell is back, and whatever is counted again has its product. */
  #restored(task: number): CellsBlock {
    const cells = readCells(this.#reader)
    const { count, start } = cells
    const state = this.#state(task)
    assert(state.watermark === Number.NEGATIVE_INFINITY, 'a task is restored before its watermark comes', {
      task,
      start,
      of: state.watermark,
    })
    for (let cell = 0; cell < count; cell++) {
      const id = idOfCell(cells, cell)
      assert(state.products.has(id), 'a restored cell counts a product that was told', { task, start, id })
    }
    return cells
  }

  #passBarrier(number: number): void {
    assert(number > this.#barrier, 'barriers come in the order of their numbers', { number, last: this.#barrier })
    this.#barrier = number
    this.#emission.passBarrier(number)
  }

  #overlapping(task: number): OverlappingState {
    const state = this.#state(task)
    assert(state instanceof OverlappingState, 'corrections are of windows that overlap', { task })
    return state
  }

  #state(task: number): TaskState | OverlappingState {
    let state = this.#tasks.get(task)
    if (state === undefined) {
      const windows = this.#windows
      state = windows.overlap ? new OverlappingState(task, windows, this.#rows) : new TaskState(task, windows)
      this.#tasks.set(task, state)
    }
    return state
  }
}

/**
 * Starts the workers: a Piscina pool with one long-running task per thread, a ring to each and a row ring from each.
 */
import type { MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { CtrError } from '../errors.ts'
import { createRing } from '../ring/layout.ts'
import { RingWriter } from '../ring/ring-writer.ts'
import type { WorkerJob } from './worker.ts'
import { createWorkerStats } from './worker-stats.ts'

/** Row rings hold a burst of emissions while an insert is under way; a full one blocks its worker. */
const ROW_RING_BYTES = 4 * 1024 * 1024

export interface WorkerPool {
  readonly writers: readonly RingWriter[]
  readonly rings: readonly SharedArrayBuffer[]
  readonly rowRings: readonly SharedArrayBuffer[]
  readonly stats: readonly SharedArrayBuffer[]
  /** Resolves when every worker has read its end block; rejects with CTR_WORKER_DIED as soon as one dies. */
  readonly done: Promise<void>
  /** Resolves when a worker's ring may have room again. */
  room(worker: number): Promise<void>
  close(): Promise<void>
}

/** What all workers share. */
export type WorkerSettings = Omit<WorkerJob, 'worker' | 'input' | 'output' | 'stats' | 'copies'>

/** Starts a pool; `copyPorts`, when there are checkpoints, gets one port per worker. Second implementation: simulations. */
export type StartWorkers = (
  count: number,
  ringBytes: number,
  settings: WorkerSettings,
  copyPorts: readonly MessagePort[] | undefined,
) => WorkerPool

const ROOM_WAIT_MS = 1000

/** Rings and counters are made here. */
export const startWorkers: StartWorkers = (count, ringBytes, settings, copyPorts) => {
  const rings = Array.from({ length: count }, () => createRing(ringBytes))
  const rowRings = Array.from({ length: count }, () => createRing(ROW_RING_BYTES))
  const stats = Array.from({ length: count }, () => createWorkerStats())
  const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js'
  const pool = new Piscina<WorkerJob, void>({
    filename: new URL(`./worker${extension}`, import.meta.url).href,
    minThreads: count,
    maxThreads: count,
    concurrentTasksPerWorker: 1,
    atomics: 'disabled', // a worker runs one task for its whole life
    recordTiming: false,
  })
  const runs = rings.map((input, i) => {
    const output = rowRings[i]
    const counters = stats[i]
    if (output === undefined || counters === undefined) throw new CtrError('CTR_WORKER_DIED', 'no ring for the worker')
    const copies = copyPorts?.[i]
    const job: WorkerJob = { ...settings, worker: i, input, output, stats: counters, copies }
    return pool.run(job, copies === undefined ? {} : { transferList: [copies] })
  })
  const done = Promise.all(runs).then(
    () => {},
    (cause: unknown) => {
      throw new CtrError('CTR_WORKER_DIED', `a worker thread died: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    },
  )
  done.catch(() => {}) // the owner awaits it later; until then a rejection is not unhandled
  const writers = rings.map((ring) => new RingWriter(ring))
  const room = async (worker: number) => writers[worker]?.waitRoomAsync(ROOM_WAIT_MS)
  return { writers, rings, rowRings, stats, done, room, close: () => pool.destroy() }
}

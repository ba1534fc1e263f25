/**
 * Starts the workers: a Piscina pool with one long-running task per thread, a ring to each and a row ring from each.
 */
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
  close(): Promise<void>
}

/** `job` is what all workers share; rings and counters are made here. */
export function startWorkers(count: number, ringBytes: number, job: Omit<WorkerJob, 'input' | 'output' | 'stats'>): WorkerPool {
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
    return pool.run({ ...job, input, output, stats: counters })
  })
  const done = Promise.all(runs).then(
    () => {},
    (cause: unknown) => {
      throw new CtrError('CTR_WORKER_DIED', `a worker thread died: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    },
  )
  done.catch(() => {}) // the owner awaits it later; until then a rejection is not unhandled
  return { writers: rings.map((ring) => new RingWriter(ring)), rings, rowRings, stats, done, close: () => pool.destroy() }
}

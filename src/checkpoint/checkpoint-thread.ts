/**
 * Entry of the checkpoint thread: copies from the workers' ports, orders from main, objects to the store (book.ts). Nothing of it is on the
 * way of events; while the store is slow, only checkpoints wait.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { assert } from '../assert.ts'
import type { Config } from '../config/schema.ts'
import { CtrError, type CtrErrorCode } from '../errors.ts'
import { openStore } from '../store/open-store.ts'
import { Book } from './book.ts'
import type { StateRules } from './manifest.ts'
import { buffersOf, type WorkerCopy } from './snapshot.ts'
import { type Cut, type Excuse, NotWritten, type Written } from './writer.ts'

/** The thread's workerData. */
export interface CheckpointThreadData {
  readonly config: Config['checkpoint']
  readonly group: string
  readonly writer: string
  readonly writerId: string
  readonly rules: StateRules
  /** One from each worker. */
  readonly ports: readonly MessagePort[]
}

/** What the thread is told. */
export type CheckpointOrder =
  | { readonly kind: 'begin'; readonly cut: Cut }
  | { readonly kind: 'complete' | 'abandon'; readonly number: number }
  | { readonly kind: 'close' }

/** What the thread says. */
export type CheckpointReport =
  | { readonly kind: 'written'; readonly number: number; readonly written: Written }
  | { readonly kind: 'failed'; readonly number: number; readonly code: CtrErrorCode; readonly message: string; readonly retriable: boolean }
  | { readonly kind: 'excused'; readonly number: number; readonly excuse: Excuse; readonly message: string }
  | { readonly kind: 'warning'; readonly message: string }

const port = parentPort
assert(port !== null, 'checkpoints are written by a thread')
const report = (message: CheckpointReport) => port.postMessage(message)
const data = workerData as CheckpointThreadData
const { config, ports, ...names } = data
const book = new Book({
  ...names,
  workers: ports.length,
  retain: config.retain,
  open: async () => {
    const store = await openStore(config, (message) => report({ kind: 'warning', message }))
    assert(store !== undefined, 'without a storage there is no checkpoint thread')
    return store
  },
  warn: (message) => report({ kind: 'warning', message }),
  done: ({ worker, shards }) => {
    const buffers = buffersOf(shards)
    ports[worker]?.postMessage(buffers, buffers)
  },
  now: Date.now,
})
for (const worker of ports) worker.on('message', (copy: WorkerCopy) => book.copied(copy))

port.on('message', (order: CheckpointOrder) => {
  if (order.kind === 'begin') book.begin(order.cut)
  else if (order.kind === 'abandon') book.abandon(order.number)
  else if (order.kind === 'complete') void complete(order.number)
  else void close()
})

async function complete(number: number): Promise<void> {
  try {
    report({ kind: 'written', number, written: await book.complete(number) })
  } catch (error) {
    if (error instanceof NotWritten) return report({ kind: 'excused', number, excuse: error.excuse, message: error.message })
    if (!(error instanceof CtrError)) throw error
    report({ kind: 'failed', number, code: error.code, message: error.message, retriable: error.retriable })
  }
}

async function close(): Promise<void> {
  await book.close()
  for (const worker of ports) worker.close()
  port?.close()
}

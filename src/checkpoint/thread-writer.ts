/**
 * Main's side of the checkpoint thread. When that ends though nobody closed it, every checkpoint fails from then on, and `onDied` tells
 * whoever owns the pipeline.
 */
import { randomBytes } from 'node:crypto'
import { extname } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { CheckpointOrder, CheckpointReport, CheckpointThreadData } from './checkpoint-thread.ts'
import { type CheckpointWriter, NotWritten, type Written } from './writer.ts'

const CLOSE_MAX_MS = 2_000
/** Its objects are few; what it works on lies outside of its heap. */
const YOUNG_MAX_MB = 12

export interface ThreadWriterOptions extends Omit<CheckpointThreadData, 'ports' | 'writerId'> {
  readonly workers: number
  readonly warn: (message: string) => void
}

/** Starts the thread. */
export function threadWriter({ workers, warn, ...options }: ThreadWriterOptions): CheckpointWriter {
  const channels = Array.from({ length: workers }, () => new MessageChannel())
  const ports: MessagePort[] = channels.map(({ port2 }) => port2)
  const data: CheckpointThreadData = { ...options, writerId: randomBytes(4).toString('hex'), ports }
  const entry = new URL(`./checkpoint-thread${extname(import.meta.filename)}`, import.meta.url)
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MAX_MB }
  const thread = new Worker(entry, { workerData: data, transferList: ports, name: 'checkpoint', resourceLimits })
  const waiting = new Map<number, PromiseWithResolvers<Written>>()
  let dead: CtrError | undefined
  let closing = false

  thread.on('message', (message: CheckpointReport) => {
    if (message.kind === 'warning') return warn(message.message)
    const waiter = waiting.get(message.number)
    waiting.delete(message.number)
    if (message.kind === 'written') waiter?.resolve(message.written)
    else if (message.kind === 'excused') waiter?.reject(new NotWritten(message.excuse, message.message))
    else waiter?.reject(new CtrError(message.code, message.message, { retriable: message.retriable }))
  })
  const died = Promise.withResolvers<CtrError>()
  const die = (reason: string, cause?: unknown) => {
    if (dead !== undefined) return
    dead = new CtrError('CTR_CHECKPOINT_FAILED', `the checkpoint thread ${reason}`, { cause })
    for (const waiter of waiting.values()) waiter.reject(dead)
    waiting.clear()
    if (closing) return
    warn(dead.message)
    died.resolve(dead)
  }
  thread.once('error', (error) => die(`failed: ${error.message}`, error))
  const exited = new Promise<void>((resolve) => {
    thread.once('exit', () => {
      die('has ended')
      resolve()
    })
  })

  const tell = (order: CheckpointOrder) => thread.postMessage(order)
  return {
    ports: channels.map(({ port1 }) => port1),
    begin: (cut) => tell({ kind: 'begin', cut }),
    complete(number) {
      const waiter = Promise.withResolvers<Written>()
      if (dead !== undefined) waiter.reject(dead)
      else {
        waiting.set(number, waiter)
        tell({ kind: 'complete', number })
      }
      return waiter.promise
    },
    abandon(number) {
      waiting.get(number)?.reject(new CtrError('CTR_CHECKPOINT_FAILED', `checkpoint ${number} was given up`))
      waiting.delete(number)
      tell({ kind: 'abandon', number })
    },
    onDied: (callback) => void died.promise.then(callback),
    async close() {
      closing = true
      tell({ kind: 'close' })
      const patience = new AbortController()
      await Promise.race([exited, sleep(CLOSE_MAX_MS, patience.signal)])
      patience.abort()
      await thread.terminate()
    },
  }
}

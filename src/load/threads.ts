/** The threads of a load, as the thread that started them sees them; thread.ts is the other side. */
import { Worker } from 'node:worker_threads'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { PartOutcome } from './part.ts'
import type { LoadJob, LoadNews } from './thread.ts'

export interface LoadThread {
  /** Events, as of a moment ago. */
  readonly acknowledged: number
  /** Reject with CtrError when its thread fails. */
  readonly ready: Promise<void>
  readonly done: Promise<PartOutcome>
  start(): void
  /** Ends it early; what was sent stays. */
  stop(): void
  close(): Promise<void>
}

/** Starts a thread; it connects, and then waits for `start`. */
export function startLoadThread(job: LoadJob, logger: Logger): LoadThread {
  const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js'
  const worker = new Worker(new URL(`./thread${extension}`, import.meta.url), { workerData: job })
  const ready = Promise.withResolvers<void>()
  const done = Promise.withResolvers<PartOutcome>()
  ready.promise.catch(() => {})
  done.promise.catch(() => {})
  const fail = (error: Error) => {
    ready.reject(error)
    done.reject(error)
  }
  let acknowledged = 0
  worker.on('message', (news: LoadNews) => {
    if (news.kind === 'ready') ready.resolve()
    else if (news.kind === 'progress') acknowledged = news.acknowledged
    else if (news.kind === 'log') logger.warn(news.details, news.text)
    else if (news.kind === 'failed') fail(news.code === undefined ? new Error(news.message) : new CtrError(news.code, news.message))
    else {
      acknowledged = news.outcome.acknowledged
      done.resolve(news.outcome)
    }
  })
  worker.on('error', (cause) => fail(new CtrError('CTR_WORKER_DIED', `a thread of the load died: ${String(cause)}`, { cause })))
  worker.on('exit', () => fail(new CtrError('CTR_WORKER_DIED', 'a thread of the load ended before its work')))
  return {
    get acknowledged() {
      return acknowledged
    },
    ready: ready.promise,
    done: done.promise,
    start: () => worker.postMessage('start'),
    stop: () => worker.postMessage('stop'),
    close: async () => {
      await worker.terminate()
    },
  }
}

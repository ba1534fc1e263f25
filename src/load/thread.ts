/**
 * Entry of a thread that makes and produces a part of a load; LoadJob is its workerData.
 *
 *   to the thread      'start' when all threads are ready, 'stop' to end early
 *   from the thread    LoadNews: 'ready' once, 'progress' now and then, 'done' or 'failed' at its end
 */
import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import { sleep } from '../clock.ts'
import { CtrError, type CtrErrorCode } from '../errors.ts'
import { BatchProducer } from '../kafka/batch-producer.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { LoadPart, type PartOptions, type PartOutcome } from './part.ts'

export interface LoadJob {
  readonly kafka: Omit<KafkaClientOptions, 'logger'>
  readonly part: PartOptions
}

/** `code` is that of a CtrError; anything else is a bug and comes as it is. */
export type LoadNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly acknowledged: number }
  | { readonly kind: 'log'; readonly details: object; readonly text: string }
  | { readonly kind: 'done'; readonly outcome: PartOutcome }
  | { readonly kind: 'failed'; readonly code: CtrErrorCode | undefined; readonly message: string }

const PROGRESS_MS = 250

const port = parentPort
if (port !== null) {
  const tell = (news: LoadNews) => port.postMessage(news)
  const started = Promise.withResolvers<void>()
  const stop = new AbortController()
  port.on('message', (word: 'start' | 'stop') => {
    if (word === 'stop') stop.abort()
    started.resolve()
  })
  try {
    await produce(workerData as LoadJob, tell, started.promise, stop.signal)
  } catch (error) {
    const code = error instanceof CtrError ? error.code : undefined
    tell({
      kind: 'failed',
      code,
      message: error instanceof Error ? (code === undefined ? String(error.stack) : error.message) : String(error),
    })
  }
  port.close()
}

async function produce({ kafka, part }: LoadJob, tell: (news: LoadNews) => void, started: Promise<void>, stop: AbortSignal): Promise<void> {
  const warnings = pino(
    { level: 'warn', base: null, timestamp: false },
    {
      write: (line: string) => {
        const { msg = '', level: _, ...details } = JSON.parse(line) as { msg?: string; level: number }
        tell({ kind: 'log', details, text: msg })
      },
    },
  )
  const producer = new BatchProducer({ ...kafka, logger: warnings })
  try {
    const identity = await producer.connect()
    // They are there; this makes the client look for their leaders.
    await producer.prepareTopics(part.topics, part.shards.partitions, {})
    const load = new LoadPart(part, producer, identity)
    tell({ kind: 'ready' })
    await started
    const ended = new AbortController()
    const telling = (async () => {
      while (!ended.signal.aborted) {
        tell({ kind: 'progress', acknowledged: load.acknowledged })
        await sleep(PROGRESS_MS, ended.signal)
      }
    })()
    const outcome = await load.run(stop).finally(() => ended.abort())
    await telling
    tell({ kind: 'done', outcome })
  } finally {
    await producer.close()
  }
}

/**
 * Main's side of the HTTP server, which runs on a thread of its own (http-thread.ts): starts it, answers its questions, and starts it again
 * should it ever end by itself, for the engine works without it and nobody would see that.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { sleep } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import type { Server } from '../server/http.ts'
import type { SavepointActions } from '../server/savepoints.ts'
import type { DrawRequest } from './attached-screen.ts'
import type { HttpOrder, HttpQuestion, HttpReport, HttpThreadData } from './http-thread.ts'
import { type PackedStats, packStats } from './packed-stats.ts'

export interface HttpServerOptions {
  readonly config: Config
  readonly version: string
  readonly metrics: { readonly contentType: string; expose(): Promise<string> }
  readonly read: () => PipelineStats
  /** undefined when there is nowhere to put savepoints; then nothing else is kept either. */
  readonly savepoints: SavepointActions | undefined
  readonly log: Logger
  /** See HttpThreadData. */
  readonly unserved?: boolean
  readonly liveMaxMs?: number
}

const AGAIN_MS = 1_000
const CLOSE_MAX_MS = 1_500
/** What it allocates dies at once. */
const YOUNG_MAX_MB = 8

/** As it is seen from main. */
export interface HttpServer extends Server {
  /** The process is about to stop, and draining takes its time: what is remembered is kept meanwhile. */
  keep(): void
  /** The lines of a view of the pipeline; none while its thread is not there. */
  draw(request: DrawRequest): Promise<readonly string[]>
}

/** Resolves when it listens; rejects with CtrError CTR_CONFIG that names the key to change. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { config, version, metrics, savepoints, log, unserved, liveMaxMs } = options
  const entry = new URL(`./http-thread${extname(import.meta.filename)}`, import.meta.url)
  let closing = false
  let thread: Worker | undefined
  let closed = Promise.withResolvers<void>()
  const drawings = new Drawings()

  const begin = (http: Config['http']): Promise<{ url: string; port: number }> => {
    const listening = Promise.withResolvers<{ url: string; port: number }>()
    const data: HttpThreadData = {
      config: { ...config, http },
      version,
      contentType: metrics.contentType,
      unserved,
      keeps: savepoints !== undefined,
      liveMaxMs,
    }
    const begun = new Worker(entry, { workerData: data, name: 'http', resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MAX_MB } })
    thread = begun
    closed = Promise.withResolvers()
    begun.on('message', (message: HttpReport) => {
      if (message.kind === 'listening') listening.resolve(message)
      else if (message.kind === 'failed') listening.reject(new CtrError(message.code, message.message))
      else if (message.kind === 'closed') closed.resolve()
      else if (message.kind === 'drawn') drawings.drawn(message.id, message.lines)
      else void answer(options, message).then((order) => begun.postMessage(order, buffersOf(order)))
    })
    begun.once('error', (error) => {
      log.error({ err: error }, 'the thread of the HTTP server failed')
      listening.reject(error)
    })
    begun.once('exit', () => {
      drawings.end()
      closed.resolve()
      listening.reject(new Error('the thread of the HTTP server ended'))
    })
    return listening.promise
  }

  const first = await begin(config.http).catch(async (error: unknown) => {
    await thread?.terminate()
    throw error
  })
  const again = () => {
    thread?.once('exit', async () => {
      if (closing) return
      await sleep(AGAIN_MS)
      if (closing) return
      log.warn({}, 'the thread of the HTTP server starts again')
      await begin({ ...config.http, port: first.port }).catch((error: unknown) => log.error({ err: error }, 'it does not start'))
      again()
    })
  }
  again()

  return {
    ...first,
    keep: () => thread?.postMessage({ kind: 'keep' } satisfies HttpOrder),
    draw: (request) => drawings.ask(thread, (id) => ({ kind: 'draw', id, request })),
    async close() {
      closing = true
      thread?.postMessage({ kind: 'close' } satisfies HttpOrder)
      const patience = new AbortController()
      await Promise.race([closed.promise, sleep(CLOSE_MAX_MS, patience.signal)])
      patience.abort()
      await thread?.terminate()
    },
  }
}

/** What was asked to be drawn, until it is or never will be. */
class Drawings {
  readonly #waiting = new Map<number, (lines: readonly string[]) => void>()
  #last = 0

  ask(thread: Worker | undefined, order: (id: number) => HttpOrder): Promise<readonly string[]> {
    // One that has ended answers nothing.
    if (thread === undefined || thread.threadId < 0) return Promise.resolve([])
    const id = ++this.#last
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      thread.postMessage(order(id))
    })
  }

  drawn(id: number, lines: readonly string[]): void {
    this.#waiting.get(id)?.(lines)
    this.#waiting.delete(id)
  }

  end(): void {
    for (const resolve of this.#waiting.values()) resolve([])
    this.#waiting.clear()
  }
}

/** What is handed over instead of copied. */
function buffersOf(order: HttpOrder): ArrayBuffer[] {
  const { partitions } = (order.kind === 'answer' && order.value ? order.value : {}) as Partial<PackedStats>
  return partitions instanceof Float64Array ? [partitions.buffer] : []
}

async function answer(
  options: HttpServerOptions,
  { id, question, name }: { readonly id: number; readonly question: HttpQuestion; readonly name: string },
): Promise<HttpOrder> {
  try {
    return { kind: 'answer', id, value: await doneFor(options, question, name) }
  } catch (error) {
    const { code, retriable } = error instanceof CtrError ? error : { code: undefined, retriable: false }
    return { kind: 'refusal', id, error: { code, message: error instanceof Error ? error.message : String(error), retriable } }
  }
}

function doneFor({ read, metrics, savepoints }: HttpServerOptions, question: HttpQuestion, name: string): unknown {
  switch (question) {
    case 'stats':
      return packStats(read())
    case 'metrics':
      return metrics.expose()
    case 'createSavepoint':
      return savepoints?.create(name)
    case 'listSavepoints':
      return savepoints?.list()
    case 'removeSavepoint':
      return savepoints?.remove(name)
  }
}

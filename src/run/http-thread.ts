/**
 * Entry of the thread of the HTTP server: whatever is asked of the engine is answered here, and history, rendering and questions to
 * ClickHouse are its. Of main it wants a snapshot once a second, and up to four while somebody asks; what only main can do (the metrics of
 * its own isolate, savepoints) it asks it for, one message each.
 *
 * Main that does not answer is how it is known that main stands still: /livez says so after LIVE_MAX_MS.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../assert.ts'
import { monotonicClock, sleep, systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { CtrError, type CtrErrorCode } from '../errors.ts'
import { History } from '../history/history.ts'
import { createLogger } from '../log.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { type Server, startServer } from '../server/http.ts'
import { pageFiles } from '../server/page-files.ts'
import type { SavepointActions } from '../server/savepoints.ts'
import { makeFolder } from '../store/file-store.ts'
import { storageDirectory } from '../store/open-store.ts'
import type { DrawRequest } from './attached-screen.ts'
import { engineApi } from './engine-api.ts'
import { keepHistory, restoreHistory } from './keep-history.ts'
import { type PackedStats, unpackStats } from './packed-stats.ts'

/** The thread's workerData. */
export interface HttpThreadData {
  readonly config: Config
  readonly version: string
  /** Of the metrics. */
  readonly contentType: string
  /** Nobody is listened to; main asks for what it draws. */
  readonly unserved?: boolean | undefined
  /** There are savepoints to be asked for, and the history is kept beside them. */
  readonly keeps: boolean
  /** Main that has not answered for so long is dead; LIVE_MAX_MS when not given. */
  readonly liveMaxMs?: number | undefined
}

/** What main is asked for; the name of a savepoint with it. */
export type HttpQuestion = 'stats' | 'metrics' | 'createSavepoint' | 'listSavepoints' | 'removeSavepoint'

/** What the thread says. */
export type HttpReport =
  | { readonly kind: 'listening'; readonly url: string; readonly port: number }
  | { readonly kind: 'failed'; readonly code: CtrErrorCode; readonly message: string }
  | { readonly kind: 'closed' }
  | { readonly kind: 'drawn'; readonly id: number; readonly lines: readonly string[] }
  | { readonly kind: 'question'; readonly id: number; readonly question: HttpQuestion; readonly name: string }

/** What the thread is told. */
export type HttpOrder =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'refusal'
      readonly id: number
      readonly error: { readonly code: CtrErrorCode | undefined; readonly message: string; readonly retriable: boolean }
    }
  /** Wants the lines of a view. */
  | { readonly kind: 'draw'; readonly id: number; readonly request: DrawRequest }
  /** The process is about to stop: the history is kept now, while there is time. */
  | { readonly kind: 'keep' }
  /** Ends it, and keeps the history if that was not done yet. */
  | { readonly kind: 'close' }

/** Main answers within a collection of its garbage; a snapshot that is so old will do meanwhile. */
const PATIENCE_MS = 1_000
const LIVE_MAX_MS = 10_000

const port = parentPort
assert(port !== null, 'the HTTP server runs as a thread')
const { config, version, contentType, unserved = false, keeps, liveMaxMs = LIVE_MAX_MS } = workerData as HttpThreadData
const report = (message: HttpReport) => port.postMessage(message)
const log = createLogger(config.log)
const waiting = new Map<number, PromiseWithResolvers<unknown>>()
let asked = 0

function ask<T>(question: HttpQuestion, name = ''): Promise<T> {
  const id = ++asked
  const answer = Promise.withResolvers<unknown>()
  waiting.set(id, answer)
  report({ kind: 'question', id, question, name })
  return answer.promise as Promise<T>
}

let last: { readonly at: number; readonly stats: PipelineStats } | undefined
let asking: Promise<PipelineStats> | undefined

/** One question at a time: while main stands still, no more than that waits for it. */
async function read(): Promise<PipelineStats | undefined> {
  asking ??= ask<PackedStats>('stats')
    .then(unpackStats)
    .finally(() => {
      asking = undefined
    })
  const fresh = asking.then((stats) => {
    last = { at: monotonicClock(), stats }
    return stats
  })
  const known = last
  // Before the first answer there is nothing to fall back on.
  const patience = known === undefined ? liveMaxMs : Math.min(PATIENCE_MS, liveMaxMs)
  const stats = await Promise.race([fresh, sleep(patience)])
  if (stats !== undefined) return stats
  return known !== undefined && monotonicClock() - known.at < liveMaxMs ? known.stats : undefined
}

const history = new History()
const engine = engineApi({ config, version, log, clock: systemClock, monotonic: monotonicClock, read, history })
/** What was kept is back. Before that nothing is kept in its place. */
let restored = false
if (keeps) {
  void restoreHistory(config, history, systemClock(), log).then(() => {
    restored = true
  })
}

const savepoints: SavepointActions | undefined = keeps
  ? {
      group: config.kafka.groupId,
      async create(name) {
        const facts = await ask<object>('createSavepoint', name)
        history.timeline.add({ at: systemClock(), kind: 'savepoint', severity: 'info', message: `savepoint ${name} was taken` })
        return facts
      },
      list: () => ask('listSavepoints'),
      remove: (name) => ask('removeSavepoint', name),
    }
  : undefined

async function start(): Promise<Server | undefined> {
  if (unserved) {
    report({ kind: 'listening', url: '', port: 0 })
    return undefined
  }
  const directory = keeps ? storageDirectory(config.checkpoint) : undefined
  try {
    const server = await startServer({
      ...config.http,
      registry: { contentType, expose: () => ask('metrics') },
      read: engine.read,
      savepoints,
      api: engine.api,
      ui: pageFiles,
      control: directory === undefined ? undefined : { directory, makeFolder },
      log,
    })
    report({ kind: 'listening', url: server.url, port: server.port })
    return server
  } catch (error) {
    if (!(error instanceof CtrError)) throw error
    report({ kind: 'failed', code: error.code, message: error.message })
    return undefined
  }
}

const server = start()

port.on('message', (order: HttpOrder) => {
  if (order.kind === 'close') return void close()
  if (order.kind === 'keep') return void keep()
  if (order.kind === 'draw') return void draw(order.id, order.request)
  const answer = waiting.get(order.id)
  waiting.delete(order.id)
  if (order.kind === 'answer') return answer?.resolve(order.value)
  const { code, message, retriable } = order.error
  answer?.reject(code === undefined ? new Error(message) : new CtrError(code, message, { retriable }))
})

let screen: Promise<(request: DrawRequest) => Promise<string[]>> | undefined

/** What draws is loaded when somebody looks. */
async function draw(id: number, request: DrawRequest): Promise<void> {
  let lines: readonly string[] = []
  try {
    screen ??= import('./attached-screen.ts').then(({ attachedScreen }) => attachedScreen(engine.api, monotonicClock))
    lines = await (await screen)(request)
  } catch (error) {
    // A picture is not worth the thread.
    screen = undefined
    log.debug({ err: error }, 'the view could not be drawn')
  }
  report({ kind: 'drawn', id, lines })
}

let kept: Promise<void> | undefined

function keep(): Promise<void> {
  kept ??= restored ? keepHistory(config, history, systemClock(), log) : Promise.resolve()
  return kept
}

async function close(): Promise<void> {
  const keeping = keep()
  await (await server)?.close()
  await engine.close()
  await keeping
  report({ kind: 'closed' })
  port?.close()
}

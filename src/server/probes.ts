/** What probes and scrapers ask for, answered by Node's own server alone: they come first, and in most processes nobody else comes. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isReady } from '../metrics/metrics.ts'
import type { Registry } from '../metrics/registry.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { addressRefusal } from './access.ts'
import { HEADERS } from './headers.ts'
import { ROUTES } from './routes.ts'

/** Of whom probes are answered. */
export interface ProbeOptions {
  readonly registry: Registry
  /** Undefined: the engine does not answer. */
  readonly read: () => PipelineStats | Promise<PipelineStats | undefined>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const STUCK = 'the main thread does not answer'

/** Answers a request if it is one of a probe, and says whether it is. */
export function answersProbes({ registry, read }: ProbeOptions): (request: IncomingMessage, response: ServerResponse) => boolean {
  const expose = shared(() => registry.expose())
  const answers: Readonly<Record<string, () => Promise<Answer>>> = {
    [ROUTES.live.path]: async () => {
      const live = (await read()) !== undefined
      return json(live ? 200 : 503, { live })
    },
    [ROUTES.ready.path]: async () => {
      const stats = await read()
      if (stats === undefined) return json(503, { ready: false, state: 'stuck', reasons: [STUCK], degraded: [] })
      const ready = isReady(stats)
      return json(ready ? 200 : 503, { ready, state: stats.state, reasons: stats.notReady, degraded: stats.degraded })
    },
    [ROUTES.metrics.path]: async () => ({ status: 200, type: registry.contentType, body: await expose() }),
  }
  return ({ method, url = '' }, response) => {
    if (method !== 'GET' && method !== 'HEAD') return false
    const [path = ''] = url.split('?', 1)
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined
    if (answer === undefined) return false
    const refusal = addressRefusal(url)
    if (refusal === undefined)
      answer().then(
        (made) => send(response, made),
        (error: unknown) => sendError(response, error),
      )
    else send(response, json(refusal.status, { error: refusal.error }))
    return true
  }
}

/** Something of ours is broken. */
export function sendError(response: ServerResponse, error: unknown): void {
  send(response, json(500, { error: error instanceof Error ? error.message : String(error) }))
}

function json(status: number, value: object): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(value) }
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { ...HEADERS, 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}

/** Whoever asks while an answer is made gets that one: many at once cost what one does. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().finally(() => {
      made = undefined
    })
    return made
  }
}

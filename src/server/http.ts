/**
 * Health, metrics and savepoints over HTTP. routes.ts has what can be asked, guard.ts who may ask for savepoints. The index at `/` and the
 * answer to an unknown path name the paths that this server has.
 */
import fastify, { type RouteHandlerMethod } from 'fastify'
import { CtrError } from '../errors.ts'
import { isReady } from '../metrics/metrics.ts'
import type { Registry } from '../metrics/registry.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { guard } from './guard.ts'
import { pathsOf, ROUTES, type Route } from './routes.ts'
import { addSavepoints, type SavepointActions } from './savepoints.ts'

export interface ServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly registry: Registry
  readonly read: () => PipelineStats
  /** Without it there are no routes for savepoints. */
  readonly savepoints?: SavepointActions | undefined
  /** What requests for savepoints must bear; undefined: they are for the loopback only. */
  readonly token?: string | undefined
}

export interface Server {
  /** With the port that was taken. */
  readonly url: string
  close(): Promise<void>
}

/** Whoever dawdles or floods must not take the descriptors that Kafka's connections need. */
const REQUEST_MAX_MS = 10_000
const BODY_MAX_BYTES = 4096
const CONNECTIONS_MAX = 256

/** Listens, or throws CtrError CTR_CONFIG that names the key to change. */
export async function startServer({ host, port, registry, read, savepoints, token }: ServerOptions): Promise<Server> {
  // A scraper's idle keep-alive connection must not hold up the shutdown.
  const app = fastify({ forceCloseConnections: true, requestTimeout: REQUEST_MAX_MS, bodyLimit: BODY_MAX_BYTES })
  app.server.maxConnections = CONNECTIONS_MAX
  const served = Object.values(ROUTES).filter(({ guarded }) => !guarded || savepoints !== undefined)
  const see = pathsOf(served)
  const add = ({ method, path }: Route & { readonly guarded: false }, handler: RouteHandlerMethod) =>
    app.route({ method, url: path, handler })
  add(ROUTES.index, () => ({ name: 'ctr', state: read().state, see }))
  add(ROUTES.live, () => ({ live: true }))
  add(ROUTES.ready, (_, reply) => {
    const stats = read()
    const ready = isReady(stats)
    return reply.code(ready ? 200 : 503).send({ ready, state: stats.state, reasons: stats.notReady })
  })
  add(ROUTES.metrics, async (_, reply) => reply.type(registry.contentType).send(await registry.expose()))
  if (savepoints !== undefined) addSavepoints(app, savepoints, guard(token, savepoints.group))
  app.setNotFoundHandler((_, reply) => reply.code(404).send({ error: 'not found', see }))
  try {
    const url = await app.listen({ host, port })
    return { url: wildcard(host) ? url.replace(/^(http:\/\/)[^/]*(:\d+)$/, '$1localhost$2') : url, close: () => app.close() }
  } catch (error) {
    await app.close()
    throw listenError(error, host, port)
  }
}

function wildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function listenError(cause: unknown, host: string, port: number): CtrError {
  const code = (cause as NodeJS.ErrnoException).code
  const messages: Readonly<Record<string, string>> = {
    EADDRINUSE: `http.port ${port} on ${host} is in use; set http.port to a free one, or to 0 to take any`,
    EACCES: `http.port ${port} may not be opened by this user; set http.port to one above 1023`,
    EADDRNOTAVAIL: `http.host ${host} is not an address of this machine; set http.host to 127.0.0.1, or 0.0.0.0 for all addresses`,
    ENOTFOUND: `http.host ${host} can't be resolved; set http.host to 127.0.0.1, or 0.0.0.0 for all addresses`,
  }
  const known = code === undefined ? undefined : messages[code]
  return new CtrError('CTR_CONFIG', known ?? `can't listen on http.host ${host}, http.port ${port}: ${String(cause)}`, { cause })
}

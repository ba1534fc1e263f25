/**
 * Health and metrics over HTTP.
 *
 *   /livez    200 while the process answers at all
 *   /readyz   200 when the pipeline works; 503 with the reasons when it doesn't
 *   /metrics  Prometheus' text exposition
 *
 *   POST /savepoints {"name": …}     takes a savepoint of what this process has; answers when it is complete
 *   GET /savepoints                  those there are
 *   DELETE /savepoints/NAME          removes one
 *
 * Savepoints are for the loopback, or for who bears `http.token`.
 */
import fastify from 'fastify'
import { CtrError } from '../errors.ts'
import { isReady } from '../metrics/metrics.ts'
import type { Registry } from '../metrics/registry.ts'
import type { PipelineStats } from '../metrics/stats.ts'
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
  app.get('/', () => ({ name: 'ctr', state: read().state, see: ['/livez', '/readyz', '/metrics'] }))
  app.get('/livez', () => ({ live: true }))
  app.get('/readyz', (_, reply) => {
    const stats = read()
    const ready = isReady(stats)
    return reply.code(ready ? 200 : 503).send({ ready, state: stats.state, reasons: stats.notReady })
  })
  app.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.expose()))
  if (savepoints !== undefined) addSavepoints(app, savepoints, token)
  app.setNotFoundHandler((_, reply) => reply.code(404).send({ error: 'not found', see: ['/livez', '/readyz', '/metrics'] }))
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

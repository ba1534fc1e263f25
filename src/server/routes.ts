/**
 * What can be asked over HTTP. The index at `/`, the answer to an unknown path, the documents and openapi.json are made from this list, and
 * a route is registered with the guard of who may ask (access.ts).
 */
import type { AccessRole } from './access.ts'
import type { ApiName } from './api-schemas.ts'

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for what varies. */
  readonly path: string
  /** What it does and answers, for the documents. */
  readonly what: string
  readonly who: AccessRole | 'everybody'
}

/** Every route but those of the API; those of savepoints are served where savepoints can be taken. */
export const ROUTES = {
  index: { method: 'GET', path: '/', what: 'name and state of the engine, and the paths there are', who: 'everybody' },
  live: { method: 'GET', path: '/livez', what: '200 while the process works at all', who: 'everybody' },
  ready: { method: 'GET', path: '/readyz', what: '200 while the pipeline works; 503 with the reasons when it does not', who: 'everybody' },
  metrics: { method: 'GET', path: '/metrics', what: "Prometheus' text exposition", who: 'everybody' },
  savepointTake: {
    method: 'POST',
    path: '/savepoints',
    what: 'takes a savepoint `{"name": …}` of what this process has; answers when it is complete',
    who: 'operator',
  },
  savepointList: { method: 'GET', path: '/savepoints', what: 'the savepoints there are', who: 'operator' },
  savepointRemove: { method: 'DELETE', path: '/savepoints/:name', what: 'removes one', who: 'operator' },
} as const satisfies Readonly<Record<string, Route>>

const API = '/api/v1'

function read(path: string, what: string): Route & { readonly method: 'GET' } {
  return { method: 'GET', path: `${API}${path}`, what, who: 'viewer' }
}

/** The API: what is read of a running engine. */
export const API_ROUTES: { readonly [name in ApiName]: Route & { readonly method: 'GET' } } = {
  state: read('/state', 'what the engine does now, and what limits it'),
  history: read('/history', 'its totals over time, from memory'),
  partitions: read('/partitions', 'partitions and tasks: lag, watermark, who holds whom back'),
  windows: read('/windows', 'the newest windows over all products, from ClickHouse'),
  products: read('/products', 'products on top, or that have changed, from ClickHouse'),
  product: read('/products/:id', 'the windows of one product and their versions, from ClickHouse'),
  checkpoints: read('/checkpoints', 'checkpoints and savepoints there are'),
  deadLetters: read('/dead-letters', 'what could not be counted, by reason, with masked samples'),
  ledger: read('/ledger', 'what became of each record read, by partition and by minute'),
  quality: read('/quality', 'lateness, invalid records, skew, hot products'),
  config: read('/config', 'the configuration in effect, secrets masked'),
  events: read('/events', 'what has happened: starts, outages, rebalances, savepoints'),
}

/** Paths that can be asked for as they are, each once; not the index, which is where they are read. */
export function pathsOf(routes: readonly Route[]): string[] {
  return [...new Set(routes.map(({ path }) => path))].filter((path) => path !== ROUTES.index.path && !path.includes(':'))
}

/**
 * What can be asked over HTTP. The index at `/`, the answer to an unknown path and the documents are made from this list, and a route that
 * is guarded here is registered with its guard or not at all.
 */

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for what varies. */
  readonly path: string
  /** What it does and answers, for the documents. */
  readonly what: string
  /** Only for whom guard.ts lets through. */
  readonly guarded: boolean
}

/** Every route there is; those of savepoints are served where savepoints can be taken. */
export const ROUTES = {
  index: { method: 'GET', path: '/', what: 'name and state of the engine, and the paths there are', guarded: false },
  live: { method: 'GET', path: '/livez', what: '200 while the process answers at all', guarded: false },
  ready: { method: 'GET', path: '/readyz', what: '200 while the pipeline works; 503 with the reasons when it does not', guarded: false },
  metrics: { method: 'GET', path: '/metrics', what: "Prometheus' text exposition", guarded: false },
  savepointTake: {
    method: 'POST',
    path: '/savepoints',
    what: 'takes a savepoint `{"name": …}` of what this process has; answers when it is complete',
    guarded: true,
  },
  savepointList: { method: 'GET', path: '/savepoints', what: 'the savepoints there are', guarded: true },
  savepointRemove: { method: 'DELETE', path: '/savepoints/:name', what: 'removes one', guarded: true },
} as const satisfies Readonly<Record<string, Route>>

/** Paths that can be asked for as they are, each once; not the index, which is where they are read. */
export function pathsOf(routes: readonly Route[]): string[] {
  return [...new Set(routes.map(({ path }) => path))].filter((path) => path !== ROUTES.index.path && !path.includes(':'))
}

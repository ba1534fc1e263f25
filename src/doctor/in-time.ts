/** A bound on what has none of its own. */
import { sleep } from '../clock.ts'

/** The share of a check's time that a request may take, so that its own failure is told. */
const REQUEST_SHARE = 0.8
/** The share after which a connection is given up that other checks wait for: they are skipped then, and not late themselves. */
const CONNECTION_SHARE = 0.9

/** How long requests and connections may take in a check of so many ms. */
export function sharesOf(timeoutMs: number): { readonly requestMs: number; readonly connectionMs: number } {
  return {
    requestMs: Math.max(1, Math.floor(timeoutMs * REQUEST_SHARE)),
    connectionMs: Math.max(1, Math.floor(timeoutMs * CONNECTION_SHARE)),
  }
}

/** The outcome of `work`, or after `ms` a rejection with what `late` gives; the work goes on by itself. */
export async function inTime<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const patience = new AbortController()
  const over = sleep(ms, patience.signal).then(() => {
    if (patience.signal.aborted) return new Promise<never>(() => undefined)
    throw late()
  })
  try {
    return await Promise.race([work, over])
  } finally {
    patience.abort()
    work.catch(() => undefined)
  }
}

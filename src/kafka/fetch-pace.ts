/**
 * How much a fetch waits for at the broker. A round of fetching costs as much as a few thousand events, so under a steady stream it
 * should bring what comes in PACE_MS, not the first few kilobytes: at most some hundred rounds a second, at the price of PACE_MS of delay.
 * A fetch that waits for more than its request says does so for PATIENCE_MS at most, for the stream may just have become slow, or a backlog
 * have come to its end. Where little comes, and while there is a backlog, nothing waits longer than it would.
 */
import type { FetchRequest } from './fetch-ahead.ts'

const PACE_MS = 10
const PATIENCE_MS = 2 * PACE_MS
const MOST_BYTES = 1 << 20
/** The rate is that of about the last so many ms. */
const MEMORY_MS = 200

/**
 * `fetch` with `minBytes` by what its responses brought: never less than the request says, nor more than a single partition may bring, for
 * all may come from one. `now`: ms that only grow.
 */
export function pacedFetch<D extends { readonly bytes: number }>(
  fetch: (request: FetchRequest) => Promise<D>,
  now: () => number,
): (request: FetchRequest) => Promise<D> {
  let bytesPerMs = 0
  let before = now()
  return async (request) => {
    const most = Math.min(MOST_BYTES, request.topics[0]?.partitions[0]?.maxBytes ?? 0)
    const minBytes = Math.max(request.minBytes, Math.min(most, Math.round(bytesPerMs * PACE_MS)))
    const patient = minBytes === request.minBytes
    const maxWaitTime = patient ? request.maxWaitTime : Math.min(request.maxWaitTime, PATIENCE_MS)
    const response = await fetch({ ...request, minBytes, maxWaitTime })
    const at = now()
    const elapsed = Math.max(at - before, 0.1)
    before = at
    bytesPerMs += (1 - Math.exp(-elapsed / MEMORY_MS)) * (response.bytes / elapsed - bytesPerMs)
    return response
  }
}

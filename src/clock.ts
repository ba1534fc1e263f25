/** Wall clock in ms since the epoch, where nothing else is said. Passed as an argument wherever time matters, so that tests can own it. */
export type Clock = () => number

/** The machine's own. */
export const systemClock: Clock = Date.now

/** Since some beginning, ms; it never steps, as the wall clock does when it is set. For how long something took, or how old it is. */
export const monotonicClock: Clock = () => performance.now()

/** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}

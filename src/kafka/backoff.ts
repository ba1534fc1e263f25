const MIN_MS = 200
const MAX_MS = 10_000

/** How long to wait before attempt number `attempt` + 1: doubling from 0.2 s up to 10 s, a quarter more or less at random. */
export function backoffMs(attempt: number): number {
  return Math.min(MAX_MS, MIN_MS * 2 ** Math.min(attempt, 10)) * (0.75 + Math.random() / 2)
}

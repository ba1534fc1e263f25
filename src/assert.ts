/**
 * Bugs end the process. An assertion names what must hold and shows the values; it is never used for input from outside.
 */

/** A broken invariant of the engine itself; nothing catches it but the process boundary. */
export class BugError extends Error {
  override readonly name = 'BugError'
}

/** Throws BugError when `condition` is false; `values` are printed as JSON after the claim. */
export function assert(condition: boolean, claim: string, values?: Record<string, unknown>): asserts condition {
  if (!condition) throw new BugError(values === undefined ? claim : `${claim} ${JSON.stringify(values)}`)
}

/** For the default branch of a switch over a closed union. */
export function unreachable(value: never): never {
  throw new BugError(`unreachable: ${String(value)}`)
}

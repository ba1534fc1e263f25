/**
 * How long to wait before something that failed is tried again: a bound that doubles with every failure in a row up to a largest one, and
 * of it a share at random, so that many who failed together do not come back together.
 */

/** How one place waits. The wait is between `shares` of the bound. */
export interface Backoff {
  /** The bound after the first failure. */
  readonly firstMs: number
  /** The largest bound. */
  readonly maxMs: number
  /** Smallest and largest; [1, 1] waits for exactly the bound. */
  readonly shares: readonly [number, number]
}

/** The wait after `failures` failures in a row, 1 or more. `random` gives 0 to 1. */
export function backoffMs(failures: number, { firstMs, maxMs, shares }: Backoff, random: () => number = Math.random): number {
  const [least, most] = shares
  return Math.min(maxMs, firstMs * 2 ** (failures - 1)) * (least + random() * (most - least))
}

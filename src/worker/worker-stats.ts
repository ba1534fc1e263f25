/**
 * A worker's counters: doubles in a SharedArrayBuffer. The worker writes, anyone reads; an aligned double is never torn.
 *
 *   slot 0       1      2            3          4            5         6 ...
 *        | events | rows | open panes | products | pane bytes | ctr sum | ctr counts (one more than CTR_BOUNDS) |
 */
import type { HistogramStats } from '../histogram.ts'

export const STATS_EVENTS = 0
export const STATS_ROWS = 1
export const STATS_OPEN_PANES = 2
export const STATS_PRODUCTS = 3
/** What the open panes take, bytes. */
export const STATS_PANE_BYTES = 4
const STATS_CTR_SUM = 5
const STATS_CTR_COUNTS = 6

/** Upper bounds of the CTR histogram: one observation per window and product, at the window's first emission. */
const CTR_BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1]
const SLOTS = STATS_CTR_COUNTS + CTR_BOUNDS.length + 1

/** What readWorkerStats gives; events and rows are totals since start. */
export interface WorkerStats {
  readonly events: number
  readonly rows: number
  readonly openPanes: number
  readonly products: number
  readonly ctr: HistogramStats
}

/** Fresh counters, all zero. */
export function createWorkerStats(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * 8)
}

/** What the open panes of all workers take, bytes. */
export function paneBytesOf(stats: readonly SharedArrayBuffer[]): number {
  return stats.reduce((sum, slots) => sum + new Float64Array(slots, STATS_PANE_BYTES * 8, 1)[0]!, 0)
}

/** Counts one window's CTR of one product. */
export function countCtr(slots: Float64Array, impressions: number, clicks: number): void {
  const ctr = impressions === 0 ? 0 : clicks / impressions
  let bucket = 0
  while (bucket < CTR_BOUNDS.length && ctr > CTR_BOUNDS[bucket]!) bucket++
  slots[STATS_CTR_COUNTS + bucket]! += 1
  slots[STATS_CTR_SUM]! += ctr
}

/** A snapshot; any thread may ask. */
export function readWorkerStats(stats: SharedArrayBuffer): WorkerStats {
  const slots = new Float64Array(stats)
  return {
    events: slots[STATS_EVENTS]!,
    rows: slots[STATS_ROWS]!,
    openPanes: slots[STATS_OPEN_PANES]!,
    products: slots[STATS_PRODUCTS]!,
    ctr: { bounds: CTR_BOUNDS, counts: Array.from(slots.subarray(STATS_CTR_COUNTS)), sum: slots[STATS_CTR_SUM]! },
  }
}

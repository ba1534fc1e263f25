/**
 * The sink's counters: doubles in one SharedArrayBuffer. The sink thread writes, anyone reads; an aligned double is never torn, and a
 * reader may be one batch behind between two slots.
 *
 *   slot 0      1         2         3        4         5            6            7 ...            7 + F ...
 *        | rows | batches | retries | parked | pending | flush sum  | delay sum  | flush counts   | delay counts   |
 *
 * F is the number of flush buckets (the last one is +Inf), sums are seconds.
 */
import type { HistogramStats } from '../histogram.ts'

const ROWS = 0
const BATCHES = 1
const RETRIES = 2
const PARKED = 3
const PENDING = 4
const FLUSH_SUM = 5
const DELAY_SUM = 6
const FLUSH_COUNTS = 7

/** Upper bounds, seconds: one insert from its first byte to the acknowledgement. */
export const FLUSH_BOUNDS: readonly number[] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Upper bounds, seconds: from a window's end to the acknowledgement of its first rows, by the wall clock. */
export const EMIT_DELAY_BOUNDS: readonly number[] = [0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 30, 60, 120, 300, 900, 3600]

const DELAY_COUNTS = FLUSH_COUNTS + FLUSH_BOUNDS.length + 1
const SLOTS = DELAY_COUNTS + EMIT_DELAY_BOUNDS.length + 1

/** What readSinkStats gives; totals since the buffer was made. */
export interface SinkStats {
  readonly rowsWritten: number
  readonly batches: number
  readonly retries: number
  /** Rows that are not in ClickHouse because it refuses them for what they hold. */
  readonly rowsParked: number
  /** Rows taken from the rings and not acknowledged yet: no total. */
  readonly rowsPending: number
  readonly flushSeconds: HistogramStats
  readonly emitDelaySeconds: HistogramStats
}

/** Fresh counters, all zero. */
export function createSinkStats(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * 8)
}

/** One insert acknowledged: its rows, and how long it took from first byte to answer. */
export function countFlush(slots: Float64Array, rows: number, seconds: number): void {
  slots[ROWS]! += rows
  slots[BATCHES]! += 1
  observe(slots, FLUSH_BOUNDS, FLUSH_COUNTS, FLUSH_SUM, seconds)
}

/** One attempt failed and will be made again. */
export function countRetry(slots: Float64Array): void {
  slots[RETRIES]! += 1
}

/** Rows reported as parked. */
export function countParked(slots: Float64Array, rows: number): void {
  slots[PARKED]! += rows
}

/** Rows taken from the rings and not acknowledged, right now. */
export function setPending(slots: Float64Array, rows: number): void {
  slots[PENDING] = rows
}

/** A window's first rows are acknowledged. A window end ahead of the wall clock counts as no delay. */
export function countEmitDelay(slots: Float64Array, seconds: number): void {
  observe(slots, EMIT_DELAY_BOUNDS, DELAY_COUNTS, DELAY_SUM, Math.max(0, seconds))
}

/** A snapshot; any thread may ask. */
export function readSinkStats(stats: SharedArrayBuffer): SinkStats {
  const slots = new Float64Array(stats)
  return {
    rowsWritten: slots[ROWS]!,
    batches: slots[BATCHES]!,
    retries: slots[RETRIES]!,
    rowsParked: slots[PARKED]!,
    rowsPending: slots[PENDING]!,
    flushSeconds: { bounds: FLUSH_BOUNDS, counts: Array.from(slots.subarray(FLUSH_COUNTS, DELAY_COUNTS)), sum: slots[FLUSH_SUM]! },
    emitDelaySeconds: { bounds: EMIT_DELAY_BOUNDS, counts: Array.from(slots.subarray(DELAY_COUNTS, SLOTS)), sum: slots[DELAY_SUM]! },
  }
}

function observe(slots: Float64Array, bounds: readonly number[], counts: number, sum: number, value: number): void {
  let bucket = 0
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++
  slots[counts + bucket]! += 1
  slots[sum]! += value
}

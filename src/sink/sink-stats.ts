/**
 * The sink's counters: doubles in one SharedArrayBuffer. The sink thread writes, anyone reads; an aligned double is never torn, and a
 * reader may be one batch behind between two slots.
 *
 *   slot 0      1         2         3        4         5           6           7          8 ...          8 + F ...
 *        | rows | batches | retries | parked | pending | flush sum | delay sum | roll-ups | flush counts | delay counts | expired | moves |
 *
 * and behind them for each of LATENCY_PARTS its sum and its counts. F is the number of flush buckets (the last one is +Inf), sums are
 * seconds.
 */
import type { HistogramStats } from '../histogram.ts'

const ROWS = 0
const BATCHES = 1
const RETRIES = 2
const PARKED = 3
const PENDING = 4
const FLUSH_SUM = 5
const DELAY_SUM = 6
const ROLL_UPS_SUM = 7
const FLUSH_COUNTS = 8

/** Upper bounds, seconds: one insert from its first byte to the acknowledgement. */
export const FLUSH_BOUNDS: readonly number[] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Upper bounds, seconds: from a window's end to the acknowledgement of its first rows, by the wall clock. */
export const EMIT_DELAY_BOUNDS: readonly number[] = [0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 30, 60, 120, 300, 900, 3600]

const DELAY_COUNTS = FLUSH_COUNTS + FLUSH_BOUNDS.length + 1
const EXPIRED = DELAY_COUNTS + EMIT_DELAY_BOUNDS.length + 1
const MOVES = EXPIRED + 1
const LATENCIES = MOVES + 1

/** Upper bounds, seconds: from the record that closes a window to its first rows being readable, and the parts of that. */
const LATENCY_BOUNDS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300,
]
const LATENCY_PARTS = ['endToEnd', 'watermarkWait', 'emission', 'insert'] as const
/** What is measured of how late rows are to be read; see LatencyStats. */
type LatencyPart = (typeof LATENCY_PARTS)[number]

const LATENCY_SLOTS = 1 + LATENCY_BOUNDS.length + 1
const SLOTS = LATENCIES + LATENCY_PARTS.length * LATENCY_SLOTS

/** What readSinkStats gives; totals since the buffer was made. */
export interface SinkStats {
  readonly rowsWritten: number
  readonly batches: number
  readonly retries: number
  /** How often rows went on to another address of ClickHouse. */
  readonly moves: number
  /** Rows that are not in ClickHouse because it refuses them for what they hold. */
  readonly rowsParked: number
  /** Rows written of windows that ended longer ago than rows are kept. */
  readonly rowsExpired: number
  /** Rows taken from the rings and not acknowledged yet: no total. */
  readonly rowsPending: number
  readonly flushSeconds: HistogramStats
  readonly emitDelaySeconds: HistogramStats
  /** Spent on computing roll-ups. */
  readonly rollUpSeconds: number
  readonly latency: Readonly<Record<LatencyPart, HistogramStats>>
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

/** Rows go on to another address. */
export function countMove(slots: Float64Array): void {
  slots[MOVES]! += 1
}

/** Rows reported as parked. */
export function countParked(slots: Float64Array, rows: number): void {
  slots[PARKED]! += rows
}

/** Rows written that ClickHouse drops again. */
export function countExpired(slots: Float64Array, rows: number): void {
  slots[EXPIRED]! += rows
}

/** Rows taken from the rings and not acknowledged, right now. */
export function setPending(slots: Float64Array, rows: number): void {
  slots[PENDING] = rows
}

/** Roll-ups were computed, or tried. */
export function countRollUp(slots: Float64Array, seconds: number): void {
  slots[ROLL_UPS_SUM]! += seconds
}

/** A window's first rows are acknowledged. A window end ahead of the wall clock counts as no delay. */
export function countEmitDelay(slots: Float64Array, seconds: number): void {
  observe(slots, EMIT_DELAY_BOUNDS, DELAY_COUNTS, DELAY_SUM, Math.max(0, seconds))
}

/** When a window's rows were on their way: times in ms, by the wall clock. A clock that went back counts as no time. */
export interface LatencyTimes {
  readonly closedAt: number
  readonly publishedAt: number
  readonly cameAt: number
  readonly acknowledgedAt: number
}

/** A window's first rows are acknowledged, of which it is known when it was closed. */
export function countLatency(slots: Float64Array, { closedAt, publishedAt, cameAt, acknowledgedAt }: LatencyTimes): void {
  const parts: Readonly<Record<LatencyPart, number>> = {
    endToEnd: acknowledgedAt - closedAt,
    watermarkWait: publishedAt - closedAt,
    emission: cameAt - publishedAt,
    insert: acknowledgedAt - cameAt,
  }
  LATENCY_PARTS.forEach((part, i) => {
    const at = LATENCIES + i * LATENCY_SLOTS
    observe(slots, LATENCY_BOUNDS, at + 1, at, Math.max(0, parts[part]) / 1000)
  })
}

/** A snapshot; any thread may ask. */
export function readSinkStats(stats: SharedArrayBuffer): SinkStats {
  const slots = new Float64Array(stats)
  return {
    rowsWritten: slots[ROWS]!,
    batches: slots[BATCHES]!,
    retries: slots[RETRIES]!,
    moves: slots[MOVES]!,
    rowsParked: slots[PARKED]!,
    rowsExpired: slots[EXPIRED]!,
    rowsPending: slots[PENDING]!,
    flushSeconds: { bounds: FLUSH_BOUNDS, counts: Array.from(slots.subarray(FLUSH_COUNTS, DELAY_COUNTS)), sum: slots[FLUSH_SUM]! },
    emitDelaySeconds: { bounds: EMIT_DELAY_BOUNDS, counts: Array.from(slots.subarray(DELAY_COUNTS, EXPIRED)), sum: slots[DELAY_SUM]! },
    rollUpSeconds: slots[ROLL_UPS_SUM]!,
    latency: Object.fromEntries(LATENCY_PARTS.map((part, i) => [part, latencyOf(slots, i)])) as SinkStats['latency'],
  }
}

function latencyOf(slots: Float64Array, i: number): HistogramStats {
  const at = LATENCIES + i * LATENCY_SLOTS
  return { bounds: LATENCY_BOUNDS, counts: Array.from(slots.subarray(at + 1, at + LATENCY_SLOTS)), sum: slots[at]! }
}

function observe(slots: Float64Array, bounds: readonly number[], counts: number, sum: number, value: number): void {
  let bucket = 0
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++
  slots[counts + bucket]! += 1
  slots[sum]! += value
}

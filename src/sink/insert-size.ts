/**
 * How many rows one insert may have: all of a batch, until inserts fail in a way that smaller ones may not. Then half, down to ROWS_MIN;
 * and twice as many again when they go through quickly, but not so many as failed in the last FORGET_MS.
 *
 * What helps: a server that takes longer than clickhouse.requestTimeout for so many rows, or runs out of memory; something between that
 * limits the size of a request. What does not: a server that is away. Nothing is sent to it, and that doesn't count.
 */

const ROWS_MIN = 1_000
const FORGET_MS = 10_000
/** So many unexplained failures of the same rows may have any cause. */
const UNEXPLAINED_MAX = 2

export class InsertSize {
  /** Infinity while there is no reason for less. */
  rows = Number.POSITIVE_INFINITY
  readonly #timeoutMs: number
  #failedRows = Number.POSITIVE_INFINITY
  #failedAt = 0
  #unexplained = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  accepted(ms: number, now: number): void {
    this.#unexplained = 0
    if (now - this.#failedAt >= FORGET_MS) this.#failedRows = Number.POSITIVE_INFINITY
    if (ms * 4 < this.#timeoutMs && this.rows * 2 < this.#failedRows) this.rows *= 2
  }

  /** An insert of `rows` failed after `ms`. `explained` when ClickHouse said why; `tooLarge` when it said that it was too much. */
  failed(rows: number, ms: number, explained: boolean, tooLarge: boolean, now: number): void {
    const timedOut = !explained && ms >= this.#timeoutMs
    if (explained) this.#unexplained = 0
    else this.#unexplained++
    if (!tooLarge && !timedOut && this.#unexplained <= UNEXPLAINED_MAX) return
    if (rows <= ROWS_MIN) return
    this.#failedRows = rows
    this.#failedAt = now
    this.rows = Math.max(ROWS_MIN, rows >> 1)
  }
}

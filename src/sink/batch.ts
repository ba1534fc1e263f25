/**
 * Rows on their way to one insert: RowBinary bytes back to back in memory that grows to what the largest batch took and is then reused.
 *
 * An insert touches at most DAYS_MAX days of window ends. Windows start in the day they end in or one before it, whatever their
 * size divides, so the partitions (days of window starts) stay below the 100 that ClickHouse takes in one insert.
 */
import { LIMITS } from '../config/limits.ts'
import type { RowsBlock } from '../ring/row-blocks.ts'

const DAY_MS = 86_400_000
const DAYS_MAX = 45
const FIRST_BYTES = 256 * 1024

export class Batch {
  bytes = new Uint8Array(FIRST_BYTES)
  size = 0
  rows = 0
  /** When the first row came, ms; means nothing while there are no rows. */
  since = 0
  /** Window ends of the blocks that are their window's first emission. */
  readonly firstEnds: number[] = []
  /** Their tasks, and when they came, wall time, ms. */
  readonly firstTasks: number[] = []
  readonly firstCame: number[] = []

  /** Rows of windows that ended longer ago than rows are kept: ClickHouse drops them again. */
  rowsExpired = 0

  readonly #rowsMax: number
  readonly #keptMs: number
  readonly #days = new Set<number>()

  constructor(rowsMax: number, keptMs = Number.POSITIVE_INFINITY) {
    this.#rowsMax = rowsMax
    this.#keptMs = keptMs
  }

  /** Whether another block may not come in: enough rows or bytes, or its day would be one too many. An empty batch takes any block. */
  refuses(windowEnd: number): boolean {
    if (this.isFull) return true
    return this.#days.size >= DAYS_MAX && !this.#days.has(dayOf(windowEnd))
  }

  get isFull(): boolean {
    return this.rows >= this.#rowsMax || this.size >= LIMITS.batchRowsMaxBytes
  }

  /** Copies a block of rows; its memory may be released afterwards. */
  add({ bytes, start, end, count, task, windowEnd, first }: RowsBlock, now: number): void {
    const size = this.size + end - start
    if (size > this.bytes.length) this.#grow(size)
    this.bytes.set(bytes.subarray(start, end), this.size)
    this.size = size
    if (this.rows === 0) this.since = now
    this.rows += count
    const wallTime = Date.now()
    if (windowEnd + this.#keptMs <= wallTime) this.rowsExpired += count
    this.#days.add(dayOf(windowEnd))
    if (!first) return
    this.firstEnds.push(windowEnd)
    this.firstTasks.push(task)
    this.firstCame.push(wallTime)
  }

  /** Empty again; the memory stays. */
  clear(): void {
    this.size = 0
    this.rows = 0
    this.rowsExpired = 0
    this.firstEnds.length = 0
    this.firstTasks.length = 0
    this.firstCame.length = 0
    this.#days.clear()
  }

  #grow(size: number): void {
    let length = this.bytes.length
    while (length < size) length *= 2
    const bytes = new Uint8Array(length)
    bytes.set(this.bytes.subarray(0, this.size))
    this.bytes = bytes
  }
}

/** A window that ends at midnight belongs to the day before. */
function dayOf(windowEnd: number): number {
  return Math.floor((windowEnd - 1) / DAY_MS)
}

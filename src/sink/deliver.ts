/**
 * Brings batches to ClickHouse, however long it takes. Nothing is given up: failures that pass are retried with exponential backoff and
 * full jitter, others every FIXED_DELAY_MS, for somebody may mend the table, the right or the password meanwhile. What goes wrong is
 * reported once per kind of trouble: at once when waiting won't help by itself, else after maxRetries failures in a row.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { sleep } from '../clock.ts'
import type { CtrError } from '../errors.ts'
import type { Batch } from './batch.ts'
import { clickHouseCode, connect, type Endpoint, explainClickHouse } from './connect.ts'
import { insertRows } from './insert.ts'
import { countEmitDelay, countFlush, countRetry } from './sink-stats.ts'

const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 10_000
const FIXED_DELAY_MS = 5_000

/** Every insert makes a part, so fewer and larger ones help. */
const TOO_MANY_PARTS = 252
const INTERVAL_WIDEST_MS = 10_000

/** Trouble as it begins or changes, and its end. */
export interface TroubleReports {
  trouble(error: CtrError): void
  recovered(): void
}

export interface DeliveryOptions {
  readonly endpoint: Endpoint
  readonly maxRetries: number
  readonly flushIntervalMs: number
  readonly stats: SharedArrayBuffer
  readonly reports: TroubleReports
  readonly random: () => number
  /** Ends every wait and request; deliver then resolves false. */
  readonly signal: AbortSignal
}

/** Wait before attempt `failures` + 1: anything up to a bound that doubles. */
export function backoffMs(failures: number, random: () => number): number {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1))
}

export class Delivery {
  /** How long rows may wait for others to share an insert, ms: flushIntervalMs, or more while ClickHouse complains of too many parts. */
  interval: number

  #client: ClickHouseClient
  #endpoint: Endpoint
  readonly #options: DeliveryOptions
  readonly #slots: Float64Array
  #troubled: string | undefined

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#endpoint = options.endpoint
    this.interval = options.flushIntervalMs
    this.#client = connect(options.endpoint, options.endpoint.database)
    this.#slots = new Float64Array(options.stats)
  }

  /** Resolves true when ClickHouse has acknowledged every row of the batch, false when it was told to stop. */
  async deliver(batch: Batch): Promise<boolean> {
    const { signal } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      const begun = performance.now()
      try {
        await insertRows(this.#client, batch.bytes.subarray(0, batch.size), signal)
        this.#delivered(batch, (performance.now() - begun) / 1000)
        return true
      } catch (error) {
        if (signal.aborted) break
        failures++
        await this.#failed(error, failures)
      }
    }
    return false
  }

  /** Waits until `attempt` succeeds; throws what waiting won't mend. For the start, when wrong settings should be told at once. */
  async persist(attempt: (endpoint: Endpoint) => Promise<void>): Promise<void> {
    for (let failures = 0; !this.#options.signal.aborted; ) {
      try {
        await attempt(this.#endpoint)
        return this.#recovered()
      } catch (error) {
        const problem = explainClickHouse(error, this.#endpoint)
        if (!problem.retriable) throw problem
        failures++
        this.#trouble(problem)
        await sleep(backoffMs(failures, this.#options.random), this.#options.signal)
      }
    }
  }

  /** Later attempts go to another address. */
  move(address: Pick<Endpoint, 'url' | 'username' | 'password'>): void {
    void this.#client.close()
    const { url, username, password } = address
    this.#endpoint = { ...this.#endpoint, url, username, password }
    this.#client = connect(this.#endpoint, this.#endpoint.database)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  #delivered(batch: Batch, seconds: number): void {
    countFlush(this.#slots, batch.rows, seconds)
    const now = Date.now()
    for (const windowEnd of batch.firstEnds) countEmitDelay(this.#slots, (now - windowEnd) / 1000)
    this.interval = Math.max(this.#options.flushIntervalMs, this.interval * 0.9)
    this.#recovered()
  }

  async #failed(error: unknown, failures: number): Promise<void> {
    const { maxRetries, random, signal } = this.#options
    const problem = explainClickHouse(error, this.#endpoint)
    countRetry(this.#slots)
    if (clickHouseCode(error) === TOO_MANY_PARTS) this.interval = Math.max(this.interval, Math.min(this.interval * 2, INTERVAL_WIDEST_MS))
    if (!problem.retriable || failures > maxRetries) this.#trouble(problem)
    await sleep(problem.retriable ? backoffMs(failures, random) : FIXED_DELAY_MS, signal)
  }

  #trouble(problem: CtrError): void {
    if (this.#troubled === problem.message) return
    this.#troubled = problem.message
    this.#options.reports.trouble(problem)
  }

  #recovered(): void {
    if (this.#troubled === undefined) return
    this.#troubled = undefined
    this.#options.reports.recovered()
  }
}

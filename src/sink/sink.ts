/**
 * The pipeline's end as main sees it: starts the sink's thread (sink-thread.ts) and, when no server is configured, the embedded ClickHouse
 * before it. Rows don't pass through here; main hears of barriers, trouble, rows that are refused, and the end.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { assert, unreachable } from '../assert.ts'
import type { EmbeddedClickHouse, FrontLogger } from '../clickhouse/embedded-front.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import type { FrontAddress } from '../clickhouse/front-child.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { LedgerRow, WindowLedgerRow } from '../window/ledger.ts'
import type { ParkedRow } from './deliver.ts'
import { parkedLog } from './parked-log.ts'
import { createSinkStats, readSinkStats, type SinkStats } from './sink-stats.ts'
import type { SinkOrder, SinkReport, SinkThreadData } from './sink-thread.ts'

export interface SinkOptions {
  /** One ring per worker; the sink's thread is their reader. */
  readonly rings: readonly SharedArrayBuffer[]
  readonly clickhouse: Config['clickhouse']
  /** What the ledger's rows carry; those of windows come with both. */
  readonly tenant: string
  readonly revision: number
  readonly logger: SinkLogger
  /** Says when the ledger is written; the machine's own when not given. */
  readonly clock?: Clock
}

/** pino fits. */
export interface SinkLogger extends FrontLogger {
  error(values: object, message: string): void
}

export interface Sink {
  /**
   * ClickHouse answers, the schema is right, rows are read. Waits for a server that is down (onTrouble tells); rejects with
   * CTR_CLICKHOUSE_AUTH, CTR_CLICKHOUSE_REFUSED, CTR_CLICKHOUSE_EMBEDDED or CTR_CONFIG when waiting won't help.
   */
  readonly ready: Promise<void>
  /** Every ring has ended and every row is acknowledged. */
  readonly ended: Promise<void>
  /**
   * Every row that any ring carried before barrier `number` is acknowledged, or was told to onParked. Ascending; a later one stands for
   * those before it.
   */
  onBarrier(callback: (number: number) => void): void
  /** Rows can't be written: they are kept, tried on, and hold the pipeline back. Told again with a new reason; undefined when over. */
  onTrouble(callback: (trouble: CtrError | undefined) => void): void
  /**
   * Rows that ClickHouse refuses for what they hold, and that are in no table: they belong into the dead letters before the barrier behind
   * them counts for anything. A row may be told again after a restart, and with a higher version. Somebody must take them.
   */
  onParked(callback: (rows: readonly ParkedRow[]) => void): void
  /** The thread is gone though nobody stopped it: a bug, or memory ran out. */
  onDied(callback: (error: CtrError) => void): void
  stats(): SinkStats
  /**
   * Resolves when ClickHouse has acknowledged all rows of both kinds, however long it takes. To be called when the rows they speak of are
   * acknowledged; the same rows may be written again. Works until `stop`, after `ended` too. Rejects when the sink is stopped or has died.
   */
  writeLedger(rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]): Promise<void>
  /** Ends the thread and gives the embedded ClickHouse back. Before `ended`, rows that are not acknowledged are given up. */
  stop(): Promise<void>
}

/** Starts the sink. */
export function startSink(options: SinkOptions): Sink {
  return new ThreadSink(options)
}

/** What it allocates dies at once, so that a small young generation serves; without a bound V8 lets it grow to many times that. */
const YOUNG_MAX_MB = 12

class ThreadSink implements Sink {
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  readonly #options: SinkOptions
  readonly #stats = createSinkStats()
  readonly #ready = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #starting: Promise<void>
  #worker: Worker | undefined
  #embedded: EmbeddedClickHouse | undefined
  #stopped = false
  #failure: CtrError | undefined
  /** The thread has said that it can't start, or died; its exit is no surprise. */
  #over = false
  #onBarrier: (number: number) => void = () => undefined
  #onTrouble: (trouble: CtrError | undefined) => void = () => undefined
  #onDied: (error: CtrError) => void = () => undefined
  #onParked: (rows: readonly ParkedRow[]) => void = (rows) => assert(false, 'parked rows have a taker', { rows: rows.length })
  readonly #logParked: (rows: readonly ParkedRow[]) => void
  /** Ledger orders without an answer, by number. */
  readonly #ledgers = new Map<number, PromiseWithResolvers<void>>()
  #ledgerNumber = 0

  constructor(options: SinkOptions) {
    this.#options = options
    this.#logParked = parkedLog(options.logger, options.clock ?? systemClock)
    this.ready = this.#ready.promise
    this.ended = this.#ended.promise
    // Whoever doesn't wait for them must not be ended by their rejection.
    this.ready.catch(() => undefined)
    this.ended.catch(() => undefined)
    this.#starting = this.#start().catch((error: unknown) => {
      this.#over = true
      this.#ready.reject(error)
    })
  }

  onBarrier(callback: (number: number) => void): void {
    this.#onBarrier = callback
  }

  onTrouble(callback: (trouble: CtrError | undefined) => void): void {
    this.#onTrouble = callback
  }

  onDied(callback: (error: CtrError) => void): void {
    this.#onDied = callback
  }

  onParked(callback: (rows: readonly ParkedRow[]) => void): void {
    this.#onParked = callback
  }

  async writeLedger(rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]): Promise<void> {
    const number = ++this.#ledgerNumber
    const cutAt = (this.#options.clock ?? systemClock)()
    await this.ready
    if (this.#failure !== undefined) throw this.#failure
    const answered = Promise.withResolvers<void>()
    this.#ledgers.set(number, answered)
    this.#worker?.postMessage({ kind: 'ledger', number, rows, windows, cutAt } satisfies SinkOrder)
    return answered.promise
  }

  stats(): SinkStats {
    return readSinkStats(this.#stats)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#starting
    await this.#worker?.terminate()
    this.#embedded?.close()
    this.#giveUp(new CtrError('CTR_SINK_DIED', 'the sink was stopped'))
  }

  async #start(): Promise<void> {
    const { clickhouse, logger, rings, tenant, revision } = this.#options
    const moved = (address: FrontAddress) => this.#worker?.postMessage({ kind: 'moved', ...address } satisfies SinkOrder)
    const { endpoint, front } = await openEndpoint(clickhouse, logger, moved)
    this.#embedded = front
    if (this.#stopped) return
    const { batchRows, flushInterval: flushIntervalMs, maxRetries, applySchema } = clickhouse
    const settings = { tenant, revision, batchRows, flushIntervalMs, maxRetries, applySchema }
    const data: SinkThreadData = { rings, stats: this.#stats, endpoint, ...settings }
    const entry = new URL(`./sink-thread${extname(import.meta.filename)}`, import.meta.url)
    this.#worker = new Worker(entry, { workerData: data, name: 'sink', resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MAX_MB } })
    this.#worker.on('message', (message: SinkReport) => this.#hear(message))
    this.#worker.once('error', (error) => this.#died('the sink thread failed', error))
    this.#worker.once('exit', (code) => this.#died(`the sink thread ended (exit ${code})`))
  }

  #hear(message: SinkReport): void {
    const { logger } = this.#options
    switch (message.kind) {
      case 'ready':
        this.#ready.resolve()
        break
      case 'failed':
        this.#over = true
        this.#ready.reject(errorOf(message))
        break
      case 'trouble':
        logger.error({ code: message.code, retriable: message.retriable }, `rows wait: ${message.message}`)
        this.#onTrouble(errorOf(message))
        break
      case 'recovered':
        logger.info({}, 'ClickHouse takes rows again')
        this.#onTrouble(undefined)
        break
      case 'barrier':
        this.#onBarrier(message.number)
        break
      case 'parked':
        this.#logParked(message.rows)
        this.#onParked(message.rows)
        break
      case 'ledger':
        this.#ledgers.get(message.number)?.resolve()
        this.#ledgers.delete(message.number)
        break
      case 'ended':
        this.#ended.resolve()
        break
      default:
        unreachable(message)
    }
  }

  #died(message: string, cause?: unknown): void {
    if (this.#stopped || this.#over) return
    this.#over = true
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message
    const error = new CtrError('CTR_SINK_DIED', reason, { cause })
    this.#giveUp(error)
    this.#onDied(error)
  }

  /** What was promised and has not come won't come any more. */
  #giveUp(error: CtrError): void {
    this.#failure ??= error
    this.#ready.reject(error)
    this.#ended.reject(error)
    for (const { reject } of this.#ledgers.values()) reject(error)
    this.#ledgers.clear()
  }
}

function errorOf(message: SinkReport & { kind: 'failed' | 'trouble' }): CtrError {
  return new CtrError(message.code, message.message, { retriable: message.retriable })
}

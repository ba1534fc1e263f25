/**
 * The pipeline's end as main sees it: starts the sink's thread (sink-thread.ts) and, when no server is configured, the embedded ClickHouse
 * before it. Rows don't pass through here; main hears of barriers, trouble, rows that are refused, and the end.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { assert, unreachable } from '../assert.ts'
import type { EmbeddedClickHouse, FrontLogger } from '../clickhouse/embedded-front.ts'
import { frontEndpoint, openEndpoint } from '../clickhouse/endpoint.ts'
import type { FrontAddress } from '../clickhouse/front-address.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { HOUR } from '../config/units.ts'
import type { Degradations } from '../degraded.ts'
import { CtrError } from '../errors.ts'
import { formOf, placementOf } from '../tables/objects.ts'
import { expiredText, leftOutText } from '../tables/retention.ts'
import type { RollUpOutcome } from '../tables/roll-up-job.ts'
import type { LedgerRow, WindowLedgerRow } from '../window/ledger.ts'
import type { ParkedRow } from './deliver.ts'
import { parkedLog } from './parked-log.ts'
import { createSinkStats, readSinkStats, type SinkStats } from './sink-stats.ts'
import type { SinkOrder, SinkReport, SinkThreadData } from './sink-thread.ts'

export interface SinkOptions {
  /** One ring per worker; the sink's thread is their reader. */
  readonly rings: readonly SharedArrayBuffer[]
  readonly clickhouse: Config['clickhouse']
  /** Windows that are closed go to the log at debug. */
  readonly tellsWindows?: boolean
  /** See window/closings.ts. */
  readonly closings?: SharedArrayBuffer | undefined
  /** What the ledger's rows carry; those of windows come with both. */
  readonly tenant: string
  readonly revision: number
  readonly revisionFrom?: number | undefined
  /** The name of the windows, see RESULTS_TABLE; empty when not given. */
  readonly windowName?: string
  /** Whether ClickHouse keeps every version of each row (tables/emissions.ts); not when not given. */
  readonly history?: boolean
  /** Why ClickHouse refuses a row is told by its code alone: its words quote the row. */
  readonly hidesRows?: boolean
  readonly logger: SinkLogger
  /** Where it is said what ClickHouse does wrong beside the inserts; nowhere when not given. */
  readonly degradations?: Degradations
  /** Says when the ledger is written; the machine's own when not given. */
  readonly clock?: Clock
}

/** pino fits. */
export interface SinkLogger extends FrontLogger {
  /** Takes a line for each window that is closed; without it none are made. */
  debug?(values: object, message: string): void
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
  /**
   * Computes roll-ups and newest windows, up to what is written. Resolves with what could not be; rejects with CtrError when ClickHouse is
   * away or the sink is stopped, and at once when `signal` aborts. `told` hears what is being done. Not every sink has any.
   */
  rollUp?(signal: AbortSignal, told: (step: string) => void): Promise<RollUpOutcome>
  /** Ends the thread and gives the embedded ClickHouse back. Before `ended`, rows that are not acknowledged are given up. */
  stop(): Promise<void>
}

/** Starts the sink. */
export function startSink(options: SinkOptions): Sink {
  return new ThreadSink(options)
}

/** For so long it is told that rows were written which expire at once. */
const EXPIRED_TOLD_MS = HOUR

/** What it allocates dies at once, so that a small young generation serves; without a bound V8 lets it grow to many times that. */
const YOUNG_MAX_MB = 12

class ThreadSink implements Sink {
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  readonly #options: SinkOptions
  readonly #stats = createSinkStats()
  readonly #ready = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
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
  #rollingUp: (PromiseWithResolvers<RollUpOutcome> & { readonly told: (step: string) => void }) | undefined
  /** When rows were last written that expire at once. */
  #expiredAt = 0

  constructor(options: SinkOptions) {
    this.#options = options
    this.#logParked = parkedLog(options.logger, options.clock ?? systemClock)
    this.ready = this.#ready.promise
    this.ended = this.#ended.promise
    // Whoever doesn't wait for them must not be ended by their rejection.
    this.ready.catch(() => undefined)
    this.ended.catch(() => undefined)
    this.#start().catch((error: unknown) => {
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

  async rollUp(signal: AbortSignal, told: (step: string) => void): Promise<RollUpOutcome> {
    if (this.#failure !== undefined) throw this.#failure
    const rollingUp = { ...Promise.withResolvers<RollUpOutcome>(), told }
    this.#rollingUp = rollingUp
    const abort = () => rollingUp.reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    else this.#worker?.postMessage({ kind: 'rollUp' } satisfies SinkOrder)
    return rollingUp.promise.finally(() => signal.removeEventListener('abort', abort))
  }

  stats(): SinkStats {
    return readSinkStats(this.#stats)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    // An embedded engine that is still starting is given back as soon as it has.
    await this.#worker?.terminate()
    this.#embedded?.close()
    this.#giveUp(new CtrError('CTR_SINK_DIED', 'the sink was stopped'))
  }

  async #start(): Promise<void> {
    const { clickhouse, closings, logger, rings, tenant, revision, revisionFrom } = this.#options
    const { windowName = '', history = false, hidesRows = false } = this.#options
    const moved = (address: FrontAddress) =>
      this.#worker?.postMessage({ kind: 'moved', endpoint: frontEndpoint(address) } satisfies SinkOrder)
    const { endpoint, front } = await openEndpoint(clickhouse, logger, moved)
    if (this.#stopped) return front?.close()
    this.#embedded = front
    const { batchRows, flushInterval: flushIntervalMs, maxRetries, applySchema, rollUps, retention } = clickhouse
    const settings = { tenant, revision, revisionFrom, windowName, hidesRows, batchRows, flushIntervalMs, maxRetries, applySchema }
    const tables = {
      form: formOf(clickhouse, history),
      placement: placementOf(clickhouse),
      keptMs: retention.results,
      rollUpIntervalMs: rollUps.interval,
      tellsWindows: this.#options.tellsWindows ?? false,
    }
    const data: SinkThreadData = { rings, stats: this.#stats, closings, endpoint, ...settings, ...tables }
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
      case 'schema':
        logger.info({}, message.text)
        break
      case 'schemaLoss':
        logger.warn({}, message.text)
        break
      case 'trouble':
        logger.error({ code: message.code, retriable: message.retriable }, `rows wait: ${message.message}`)
        this.#onTrouble(errorOf(message))
        break
      case 'retrying':
        logger.warn({ code: message.code }, `rows are not written yet: ${message.message}`)
        break
      case 'recovered':
        logger.info({}, 'ClickHouse takes rows again')
        this.#onTrouble(undefined)
        break
      case 'moved':
        logger.warn({ url: message.url }, `rows go to another address of clickhouse.url now: ${message.why}`)
        break
      case 'windows':
        for (const { start, end, ...told } of message.windows) logger.debug?.({ window: windowText(start, end), ...told }, 'window closed')
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
      case 'expired':
        this.#tellExpired()
        break
      case 'rollUps':
        this.#tellRollUps(message.outcome)
        this.#forgetExpired()
        break
      case 'rollingUp':
        this.#rollingUp?.told(message.step)
        break
      case 'rolledUp':
        this.#rollingUp?.resolve(message.outcome)
        break
      case 'notRolledUp':
        this.#rollingUp?.reject(errorOf(message))
        break
      case 'ended':
        this.#ended.resolve()
        break
      default:
        unreachable(message)
    }
  }

  #tellExpired(): void {
    const { degradations, clickhouse, clock = systemClock } = this.#options
    this.#expiredAt = clock()
    degradations?.report('expired', '', expiredText(this.stats().rowsExpired, clickhouse.retention.results))
  }

  #forgetExpired(): void {
    const { degradations, clock = systemClock } = this.#options
    if (clock() - this.#expiredAt >= EXPIRED_TOLD_MS) degradations?.clear('expired', '')
  }

  #tellRollUps({ failed, leftOut }: RollUpOutcome): void {
    const { degradations, logger } = this.#options
    for (const { view, reason } of failed) {
      const remedy = 'it is tried again by itself; `ctr schema refresh` does it at once'
      degradations?.report('refresh', view, `${view} misses what was written since it was computed last, which fails: ${reason}; ${remedy}`)
    }
    degradations?.keepOnly('refresh', new Set(failed.map(({ view }) => view)))
    if (leftOut > 0) logger.info({ rows: leftOut }, leftOutText(leftOut))
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
    this.#rollingUp?.reject(error)
  }
}

function windowText(start: number, end: number): string {
  return `${new Date(start).toISOString()}/${new Date(end).toISOString()}`
}

function errorOf({ code, message, retriable }: Extract<SinkReport, { readonly code: unknown }>): CtrError {
  return new CtrError(code, message, { retriable })
}

/**
 * The pipeline's end as main sees it: starts the sink's thread (sink-thread.ts) and, when no server is configured, the embedded ClickHouse
 * before it. Rows don't pass through here; main hears of barriers, trouble and the end.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { unreachable } from '../assert.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { EmbeddedClickHouse, FrontLogger } from './embedded-front.ts'
import { openEndpoint } from './endpoint.ts'
import type { FrontAddress } from './front-child.ts'
import { createSinkStats, readSinkStats, type SinkStats } from './sink-stats.ts'
import type { SinkOrder, SinkReport, SinkThreadData } from './sink-thread.ts'

export interface SinkOptions {
  /** One ring per worker; the sink's thread is their reader. */
  readonly rings: readonly SharedArrayBuffer[]
  readonly clickhouse: Config['clickhouse']
  readonly logger: SinkLogger
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
  /** Every row that any ring carried before barrier `number` is acknowledged. Ascending; a later one stands for those before it. */
  onBarrier(callback: (number: number) => void): void
  /** Rows can't be written: they are kept, tried on, and hold the pipeline back. Told again with a new reason; undefined when over. */
  onTrouble(callback: (trouble: CtrError | undefined) => void): void
  /** The thread is gone though nobody stopped it: a bug, or memory ran out. */
  onDied(callback: (error: CtrError) => void): void
  stats(): SinkStats
  /** Ends the thread and gives the embedded ClickHouse back. Before `ended`, rows that are not acknowledged are given up. */
  stop(): Promise<void>
}

/** Starts the sink. */
export function startSink(options: SinkOptions): Sink {
  return new ThreadSink(options)
}

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
  /** The thread has said its last word; its exit is no surprise. */
  #over = false
  #onBarrier: (number: number) => void = () => undefined
  #onTrouble: (trouble: CtrError | undefined) => void = () => undefined
  #onDied: (error: CtrError) => void = () => undefined

  constructor(options: SinkOptions) {
    this.#options = options
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

  stats(): SinkStats {
    return readSinkStats(this.#stats)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#starting
    await this.#worker?.terminate()
    this.#embedded?.close()
    const error = new CtrError('CTR_SINK_DIED', 'the sink was stopped')
    this.#ready.reject(error)
    this.#ended.reject(error)
  }

  async #start(): Promise<void> {
    const { clickhouse, logger, rings } = this.#options
    const moved = (address: FrontAddress) => this.#worker?.postMessage({ kind: 'moved', ...address } satisfies SinkOrder)
    const { endpoint, front } = await openEndpoint(clickhouse, logger, moved)
    this.#embedded = front
    if (this.#stopped) return
    const { batchRows, flushInterval, maxRetries, applySchema } = clickhouse
    const data: SinkThreadData = { rings, stats: this.#stats, endpoint, batchRows, flushIntervalMs: flushInterval, maxRetries, applySchema }
    const entry = new URL(`./sink-thread${extname(import.meta.filename)}`, import.meta.url)
    this.#worker = new Worker(entry, { workerData: data, name: 'sink' })
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
      case 'ended':
        this.#over = true
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
    this.#ready.reject(error)
    this.#ended.reject(error)
    this.#onDied(error)
  }
}

function errorOf(message: SinkReport & { kind: 'failed' | 'trouble' }): CtrError {
  return new CtrError(message.code, message.message, { retriable: message.retriable })
}

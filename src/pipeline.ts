/**
 * The pipeline's lifecycle, and the one place where its stages meet.
 *
 *   starting ──► running ──► draining ──► stopped
 *       │            │           │
 *       └────────────┴───────────┴──────► stopped (failed: `finished` rejects with the reason)
 *
 * Draining after `drain` (SIGTERM): the source stops, the rings run empty, what is due is emitted, flushed and acknowledged, and the
 * low-water marks are committed; windows still open are rebuilt from there. Draining after a bounded run's end: all windows are emitted.
 */
import { assert } from './assert.ts'
import { Barriers, sameMarks } from './checkpoint/barriers.ts'
import { type Clock, sleep } from './clock.ts'
import { EventBlocks } from './decode/event-blocks.ts'
import { Ingest, type IngestRules } from './decode/ingest.ts'
import { Intake } from './decode/intake.ts'
import type { DeadLetterOffice } from './dlq/dead-letter.ts'
import { letterWriter } from './dlq/letters.ts'
import { CtrError } from './errors.ts'
import { collectStats } from './metrics/collect.ts'
import type { PipelineStats } from './metrics/stats.ts'
import { BLOCK } from './ring/layout.ts'
import type { Sink } from './sink/sink.ts'
import type { LowWaterMark, Source } from './source/source.ts'
import { startWorkers, type WorkerPool } from './worker/pool.ts'
import { readWorkerStats } from './worker/worker-stats.ts'

/** pino fits. */
export interface PipelineLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** Times in ms, sizes in bytes. */
export interface PipelineOptions {
  readonly topics: readonly string[]
  readonly rules: IngestRules
  readonly stateTtl: number
  readonly tenant: string
  readonly revision: number
  readonly workers: number
  readonly ringBytes: number
  readonly emitInterval: number
  readonly commitInterval: number
  readonly shutdownTimeout: number
  /** How often idleness, watermarks and the dictionaries are looked after, ms; 100 when not given. */
  readonly maintainInterval?: number
  /** Expired products are looked for in so many steps a round, one at every maintenance; 300 when not given. */
  readonly sweepsPerRound?: number
  /** The run ends by itself when the source has delivered all there is. */
  readonly bounded: boolean
  /** Named in every dead letter. */
  readonly name: string
  readonly source: Source
  readonly letters: DeadLetterOffice
  /** Starts the sink that reads these row rings. */
  readonly sink: (rowRings: readonly SharedArrayBuffer[]) => Sink
  readonly log: PipelineLog
  readonly clock: Clock
}

/** Where the pipeline is in its life. */
export type PipelineState = PipelineStats['state']

const TRANSITIONS: { readonly [from in PipelineState]: readonly PipelineState[] } = {
  starting: ['running', 'draining', 'stopped'],
  running: ['draining', 'stopped'],
  draining: ['stopped'],
  stopped: [],
}

const MAINTAIN_MS = 100
const SWEEPS_PER_ROUND = 300

/** One run of the engine. Workers and sink start with it, the source with `start`. */
export class Pipeline {
  /** Resolves when the run has ended cleanly, by its own end or by `drain`; rejects with the reason when it failed. */
  readonly finished: Promise<void>
  state: PipelineState = 'starting'
  readonly #options: PipelineOptions
  readonly #pool: WorkerPool
  readonly #sink: Sink
  readonly #ingest: Ingest
  readonly #intake: Intake
  readonly #barriers = new Barriers()
  readonly #halt = new AbortController()
  #committed: readonly LowWaterMark[] = []
  #sourceStarted = false
  #checkpointing: Promise<void> | undefined
  #sinkReady = false
  #trouble = ''
  #maintaining: Promise<void> = Promise.resolve()
  #resolve: () => void = () => {}
  #reject: (reason: unknown) => void = () => {}

  constructor(options: PipelineOptions) {
    this.#options = options
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.finished.catch(() => {})
    const { rules, topics, letters, log, clock } = options
    this.#pool = startWorkers(options.workers, options.ringBytes, {
      windowSize: rules.windowSize,
      allowedLateness: rules.allowedLateness,
      tenant: options.tenant,
      revision: options.revision,
    })
    this.#ingest = new Ingest(rules, topics, new EventBlocks(this.#pool.writers), letterWriter(letters, options.name, topics, log, clock))
    this.#intake = new Intake({
      rules,
      stateTtl: options.stateTtl,
      sweepsPerRound: options.sweepsPerRound ?? SWEEPS_PER_ROUND,
      bounded: options.bounded,
      writers: this.#pool.writers,
      ingest: this.#ingest,
      lettersRoom: () => letters.room(),
      clock,
      onFailed: (error) => this.#fail(error),
    })
    this.#intake.bind(options.source)
    this.#pool.done.catch((error: unknown) => this.#fail(error))
    this.#sink = options.sink(this.#pool.rowRings)
    this.#sink.onBarrier((number) => this.#barriers.acknowledge(number))
    this.#sink.onTrouble((trouble) => {
      this.#trouble = trouble === undefined ? '' : trouble.message
    })
    this.#sink.onDied((error) => this.#fail(error))
  }

  /** Connects, then runs until `finished`. Failures of start reject `finished`. */
  async start(): Promise<void> {
    try {
      await this.#sink.ready
      this.#sinkReady = true
      if (this.state !== 'starting') return
      await this.#options.source.start(this.#intake)
      this.#sourceStarted = true
      if (this.state !== 'starting') return
      this.#become('running')
      this.#maintaining = this.#maintain().catch((error: unknown) => this.#fail(error))
      this.#intake.ended.then(() => this.#finish(true)).catch((error: unknown) => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Stops cleanly, within shutdown.timeout; `finished` tells how it went. */
  async drain(): Promise<void> {
    if (this.state !== 'starting' && this.state !== 'running') return
    const timer = setTimeout(() => this.#giveUp(), this.#options.shutdownTimeout)
    const stopping = this.state === 'starting' ? this.#stop() : this.#finish(false)
    await stopping.catch((error: unknown) => this.#fail(error))
    clearTimeout(timer)
  }

  stats(): PipelineStats {
    const notReady: string[] = []
    if (!this.#sinkReady) notReady.push('ClickHouse is not connected yet')
    else if (!this.#sourceStarted) notReady.push('the source is not connected yet')
    if (this.#trouble !== '') notReady.push(this.#trouble)
    if (this.state === 'draining' || this.state === 'stopped') notReady.push(`the pipeline is ${this.state}`)
    return collectStats({
      state: this.state,
      notReady,
      topics: this.#options.topics,
      ingest: this.#ingest,
      intake: this.#intake,
      rings: this.#pool.rings,
      workerStats: this.#pool.stats,
      sink: this.#sink.stats(),
    })
  }

  async #maintain(): Promise<void> {
    const { clock, emitInterval, commitInterval } = this.#options
    let tickAt = clock() + emitInterval
    let commitAt = clock() + commitInterval
    while (this.state === 'running') {
      await sleep(this.#options.maintainInterval ?? MAINTAIN_MS, this.#halt.signal)
      if (this.state !== 'running') return
      await this.#intake.maintain()
      if (clock() >= tickAt) {
        tickAt = clock() + emitInterval
        await this.#intake.tell(BLOCK.tick, 0, 0, 0)
        await this.#intake.emitQuiet()
      }
      if (clock() >= commitAt && this.#checkpointing === undefined) {
        commitAt = clock() + commitInterval
        this.#checkpointing = this.#checkpoint()
          .catch((error: unknown) => this.#fail(error))
          .finally(() => {
            this.#checkpointing = undefined
          })
      }
    }
  }

  /** One barrier through the rings; when all before it is safe, the marks noted at the cut are committed. */
  async #checkpoint(): Promise<void> {
    let safe: Promise<readonly LowWaterMark[]> | undefined
    await this.#intake.tell(BLOCK.barrier, 0, this.#barriers.next, 0, () => {
      safe = this.#barriers.cut(this.#intake.lowWaterMarks(), this.#options.letters.settled())
    })
    const marks = await safe
    if (marks === undefined || marks.length === 0 || sameMarks(marks, this.#committed)) return
    if (await this.#options.source.commit(marks)) this.#committed = marks
  }

  /** Drains everything; `emitAll` also emits the windows still open, as the end of a bounded run does. */
  async #finish(emitAll: boolean): Promise<void> {
    if (this.state !== 'running') return
    this.#become('draining')
    this.#halt.abort()
    await this.#options.source.stop()
    await this.#maintaining
    await this.#checkpointing // a barrier behind the end would never be answered
    await this.#intake.tell(BLOCK.tick, 0, 0, 0)
    await this.#intake.tell(BLOCK.end, 0, emitAll ? 1 : 0, 0)
    const marks = this.#intake.lowWaterMarks()
    await this.#pool.done
    await this.#sink.ended
    await this.#options.letters.settled()
    this.#checkLedger()
    if (marks.length > 0) await this.#options.source.commit(marks)
    await this.#stop()
  }

  /** Every record read is counted, late or invalid; every event counted on main has reached a worker. */
  #checkLedger(): void {
    for (const { topicIndex, partition, read, counted, late, invalid } of this.#intake.partitions) {
      const topic = this.#options.topics[topicIndex]
      if (read !== counted + late + invalid) {
        const sums = `read ${read}, counted ${counted} + late ${late} + invalid ${invalid}`
        throw new CtrError('CTR_LEDGER', `the ledger of ${topic} partition ${partition} does not balance: ${sums}`)
      }
    }
    const worked = this.#pool.stats.reduce((sum, stats) => sum + readWorkerStats(stats).events, 0)
    const counted = this.#ingest.impressions + this.#ingest.clicks
    if (worked !== counted) throw new CtrError('CTR_LEDGER', `main counted ${counted} events, the workers ${worked}`)
  }

  async #stop(): Promise<void> {
    if (this.state === 'stopped') return
    this.#become('stopped')
    this.#intake.stop()
    this.#halt.abort()
    await this.#release()
    this.#resolve()
  }

  #giveUp(): void {
    const seconds = this.#options.shutdownTimeout / 1000
    const why = this.#trouble === '' ? '' : `: ${this.#trouble}`
    const rest = 'nothing is lost, the next start reads on from the committed offsets'
    const failure = new CtrError('CTR_SHUTDOWN_TIMEOUT', `not drained within shutdown.timeout (${seconds} s)${why}; ${rest}`)
    if (this.state === 'stopped') this.#reject(failure)
    else this.#fail(failure)
  }

  #fail(error: unknown): void {
    if (this.state === 'stopped') return
    this.#become('stopped')
    this.#intake.stop()
    this.#halt.abort()
    this.#reject(error)
    void this.#release()
  }

  async #release(): Promise<void> {
    const { source, letters } = this.#options
    const closing = [source.stop().then(() => source.close()), letters.close(), this.#sink.stop(), this.#pool.close()]
    const results = await Promise.allSettled(closing)
    for (const result of results) if (result.status === 'rejected') this.#options.log.warn({ err: result.reason }, 'while stopping')
  }

  #become(next: PipelineState): void {
    assert(TRANSITIONS[this.state].includes(next), 'a state follows its predecessor', { from: this.state, to: next })
    this.state = next
    this.#options.log.info({ state: next }, `pipeline ${next}`)
  }
}

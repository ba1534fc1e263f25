/**
 * The pipeline's lifecycle, and the one place where its stages meet.
 *
 *   starting ──► running ──► draining ──► stopped
 *       │            │           │
 *       └────────────┴───────────┴──────► stopped (failed: `finished` rejects with the reason)
 *
 * Draining after `drain` (SIGTERM): the source stops, the rings run empty, what is due is emitted, flushed and acknowledged, a savepoint is
 * taken and the low-water marks are committed; windows still open go on from there. Draining after a bounded run's end: all windows are
 * emitted.
 */
import { assert } from '../assert.ts'
import { type CheckpointPolicy, Coordinator } from '../checkpoint/coordinator.ts'
import type { Restorer } from '../checkpoint/restore.ts'
import { nameFault } from '../checkpoint/selection.ts'
import type { CheckpointWriter, Written } from '../checkpoint/writer.ts'
import { type Clock, sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { type FormatName, formatsOf } from '../format/format.ts'
import { EventBlocks } from '../ingest/event-blocks.ts'
import { createInflow, type Inflow } from '../ingest/inflow.ts'
import { Ingest, type IngestRules } from '../ingest/ingest.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { allDelivered, type Outputs } from '../output/output.ts'
import { refusedRow } from '../output/refused-row.ts'
import { rejectedInput } from '../output/rejected-input.ts'
import type { Sink } from '../sink/sink.ts'
import type { OfferedPartition, Source } from '../source/source.ts'
import { spellCounts, unaccounted } from '../window/ledger.ts'
import { type StartWorkers, startWorkers, type WorkerPool } from '../worker/pool.ts'
import { readWorkerStats } from '../worker/worker-stats.ts'
import { collectStats } from './collect.ts'

/** pino fits. */
export interface PipelineLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** Times in ms, sizes in bytes. */
export interface PipelineOptions {
  readonly topics: readonly string[]
  /** Of the records of each topic; json when not given. */
  readonly formats?: readonly FormatName[] | undefined
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
  readonly maintainIntervalMs?: number
  /** Expired products are looked for in so many steps a round, one at every maintenance; 300 when not given. */
  readonly sweepsPerRound?: number
  /** The run ends by itself when the source has delivered all there is. */
  readonly bounded: boolean
  /** Named in every record of an output. */
  readonly name: string
  readonly source: Source
  readonly outputs: Outputs
  /** Starts the sink that reads these row rings. */
  readonly sink: (rowRings: readonly SharedArrayBuffer[]) => Sink
  /** Without it, Kafka's low-water marks are all there is to start from. */
  readonly checkpoints?: Checkpoints | undefined
  readonly log: PipelineLog
  readonly clock: Clock
  /** ms that only grow, for intervals; those of the machine when not given. */
  readonly monotonic?: Clock
  /** Threads of its own when not given; simulations put others in their place. */
  readonly startWorkers?: StartWorkers
}

/** Where state is kept, and when. */
export interface Checkpoints {
  readonly policy: CheckpointPolicy
  readonly savepointOnStop: boolean
  /** Starts the writer for so many workers. */
  readonly writer: (workers: number) => CheckpointWriter
  readonly restorer: Pick<Restorer, 'find' | 'stats'>
}

/** Where the pipeline is in its life. */
export type PipelineState = Exclude<PipelineStats['state'], 'restarting'>

const TRANSITIONS: { readonly [from in PipelineState]: readonly PipelineState[] } = {
  starting: ['running', 'draining', 'stopped'],
  running: ['draining', 'stopped'],
  draining: ['stopped'],
  stopped: [],
}

/** The savepoint of a drain. Of each task the newest one counts, so it needs no other name. */
const STOP_SAVEPOINT = 'stop'
const MAINTAIN_MS = 100
const SWEEPS_PER_ROUND = 300

/** One run of the engine. Workers and sink start with it, the source with `start`. */
export class Pipeline {
  /** Resolves when the run has ended cleanly, by its own end or by `drain`; rejects with the reason when it failed. */
  readonly finished: Promise<void>
  /** Resolves when threads, connections and timers of an ended run are gone. */
  readonly released: Promise<void>
  state: PipelineState = 'starting'
  readonly #options: PipelineOptions
  readonly #pool: WorkerPool
  readonly #sink: Sink
  readonly #ingest: Ingest
  readonly #inflow: Inflow
  readonly #coordinator: Coordinator
  readonly #writer: CheckpointWriter | undefined
  readonly #monotonic: Clock
  readonly #halt = new AbortController()
  #sourceStarted = false
  #sinkReady = false
  #trouble = ''
  #maintaining: Promise<void> = Promise.resolve()
  #resolve: () => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #released: () => void = () => {}

  constructor(options: PipelineOptions) {
    this.#options = options
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.finished.catch(() => {})
    this.released = new Promise((resolve) => {
      this.#released = resolve
    })
    const { rules, topics, outputs, log, clock } = options
    const { deadLetters } = outputs
    this.#monotonic = options.monotonic ?? performance.now.bind(performance)
    this.#writer = options.checkpoints?.writer(options.workers)
    const settings = { windows: rules, tenant: options.tenant, revision: options.revision }
    this.#pool = (options.startWorkers ?? startWorkers)(options.workers, options.ringBytes, settings, this.#writer?.ports)
    const rejected = rejectedInput(deadLetters, options.name, topics, log, clock)
    this.#ingest = new Ingest(
      rules,
      topics,
      formatsOf(options.formats ?? topics.map(() => 'json')),
      new EventBlocks(this.#pool.writers),
      rejected,
    )
    this.#inflow = createInflow({
      rules,
      topics,
      stateTtl: options.stateTtl,
      sweepsPerRound: options.sweepsPerRound ?? SWEEPS_PER_ROUND,
      bounded: options.bounded,
      writers: this.#pool.writers,
      ingest: this.#ingest,
      lettersRoom: () => deadLetters.room(),
      ringRoom: (ring) => this.#pool.room(ring),
      source: options.source,
      begin: (offered) => this.#begin(offered),
      clock,
      onFailed: (error) => this.#fail(error),
    })
    this.#pool.done.catch((error: unknown) => this.#fail(error))
    this.#sink = options.sink(this.#pool.rowRings)
    this.#coordinator = this.#createCoordinator()
    this.#writer?.onDied((error) => this.#fail(error))
    this.#sink.onBarrier((number) => this.#coordinator.acknowledge(number))
    this.#sink.onTrouble((trouble) => {
      this.#trouble = trouble === undefined ? '' : trouble.message
    })
    this.#sink.onParked((rows) => {
      for (const row of rows) deadLetters.put(refusedRow(row, options.name, clock()))
    })
    this.#sink.onDied((error) => this.#fail(error))
  }

  /** Connects, then runs until `finished`. Failures of start reject `finished`. */
  async start(): Promise<void> {
    try {
      await this.#sink.ready
      this.#sinkReady = true
      if (this.state !== 'starting') return
      await this.#options.source.start(this.#inflow.deliveries)
      this.#sourceStarted = true
      if (this.state !== 'starting') return
      this.#become('running')
      this.#maintaining = this.#maintain().catch((error: unknown) => this.#fail(error))
      this.#inflow.deliveries.ended.then(() => this.#finish(true)).catch((error: unknown) => this.#fail(error))
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

  /** Ends the run; `finished` rejects with the reason. Without effect on one that has ended. */
  fail(reason: unknown): void {
    this.#fail(reason)
  }

  stats(): PipelineStats {
    const { source, outputs } = this.#options
    const notReady: string[] = []
    if (!this.#sinkReady) notReady.push('ClickHouse is not connected yet')
    else if (!this.#sourceStarted) notReady.push('the source is not connected yet')
    for (const trouble of [this.#trouble, source.trouble, ...Object.values(outputs).map((output) => output.trouble)])
      if (trouble) notReady.push(trouble)
    if (this.state === 'draining' || this.state === 'stopped') notReady.push(`the pipeline is ${this.state}`)
    return collectStats({
      state: this.state,
      notReady,
      held: this.#trouble !== '' || source.trouble !== undefined,
      topics: this.#options.topics,
      ingest: this.#ingest,
      inflow: this.#inflow,
      rings: this.#pool.rings,
      workerStats: this.#pool.stats,
      sink: this.#sink.stats(),
      checkpoints: this.#coordinator.stats,
      restore: this.#options.checkpoints?.restorer.stats,
    })
  }

  /** Takes a savepoint of all tasks of this process. Rejects with CtrError when it can't be had, or not within checkpoint.timeout. */
  async savepoint(name: string): Promise<Written> {
    const fault = name === STOP_SAVEPOINT ? 'is the name of the one that a stop takes' : nameFault(name)
    if (fault !== undefined) throw new CtrError('CTR_CHECKPOINT_FAILED', `a savepoint can't be called ${JSON.stringify(name)}: ${fault}`)
    if (this.state !== 'running') throw new CtrError('CTR_CHECKPOINT_FAILED', `the pipeline is ${this.state}: there is nothing to keep`)
    return this.#coordinator.take(name)
  }

  #createCoordinator(): Coordinator {
    const { topics, commitInterval, checkpoints, outputs, source, log, clock } = this.#options
    const { owned, broadcasts } = this.#inflow
    return new Coordinator({
      topics,
      commitInterval,
      checkpoints: checkpoints && this.#writer ? { writer: this.#writer, policy: checkpoints.policy } : undefined,
      tasks: () => [...owned.tasks.values()].map(({ time }) => time),
      marks: () => owned.lowWaterMarks(),
      tell: (number, cut) => broadcasts.barrier(number, cut),
      tellCheckpoint: (number, tasks, cut) => broadcasts.checkpoint(number, tasks, cut),
      delivered: () => allDelivered(outputs),
      writeLedger: (rows, windows) => this.#sink.writeLedger(rows, windows),
      commit: (marks) => source.commit(marks),
      log,
      clock,
      monotonic: this.#monotonic,
      sleep,
    })
  }

  /** How tasks begin that this process gets. */
  async #begin(offered: readonly OfferedPartition[]) {
    const starts = await this.#options.checkpoints?.restorer.find(offered)
    for (const { partition } of offered) this.#coordinator.begins(partition, starts?.get(partition)?.kept?.object)
    return starts ?? new Map()
  }

  async #maintain(): Promise<void> {
    const { emitInterval } = this.#options
    let tickAt = this.#monotonic() + emitInterval
    while (this.state === 'running') {
      await sleep(this.#options.maintainIntervalMs ?? MAINTAIN_MS, this.#halt.signal)
      if (this.state !== 'running') return
      await this.#inflow.upkeep.maintain()
      if (this.#monotonic() >= tickAt) {
        tickAt = this.#monotonic() + emitInterval
        await this.#inflow.broadcasts.tick()
        await this.#inflow.upkeep.emitQuiet()
      }
      this.#coordinator.tick()?.catch((error: unknown) => this.#fail(error))
    }
  }

  /** Drains everything; `emitAll` also emits the windows still open, as the end of a bounded run does. */
  async #finish(emitAll: boolean): Promise<void> {
    if (this.state !== 'running') return
    this.#become('draining')
    this.#halt.abort()
    await this.#options.source.stop()
    await this.#maintaining
    await this.#inflow.broadcasts.tick()
    await this.#keepAtEnd(emitAll)
    await this.#coordinator.last(emitAll)
    await this.#inflow.broadcasts.end(emitAll) // a barrier behind it would never be answered
    await this.#pool.done
    await this.#sink.ended
    await allDelivered(this.#options.outputs)
    this.#checkLedger()
    await this.#stop()
  }

  /** A savepoint, so that the next start repeats nothing. When it can't be had in half the time there is, the last checkpoint serves. */
  async #keepAtEnd(bounded: boolean): Promise<void> {
    const { checkpoints, log, shutdownTimeout } = this.#options
    if (checkpoints === undefined || !(bounded || checkpoints.savepointOnStop)) return
    const patience = new AbortController()
    const taking = this.#coordinator.take(bounded ? null : STOP_SAVEPOINT).catch((error: unknown) => {
      log.warn({ err: error }, 'stopping without a savepoint; the next start goes on from the last checkpoint')
    })
    await Promise.race([taking, sleep(shutdownTimeout / 2, patience.signal)])
    patience.abort()
  }

  /** Every record read is in a term of the ledger; every event counted on main has reached a worker. */
  #checkLedger(): void {
    for (const counts of this.#inflow.owned.partitions) {
      if (unaccounted(counts) === 0) continue
      const name = `${this.#options.topics[counts.topicIndex]} partition ${counts.partition}`
      throw new CtrError('CTR_LEDGER', `the ledger of ${name} does not balance: ${spellCounts(counts)}`)
    }
    const worked = this.#pool.stats.reduce((sum, stats) => sum + readWorkerStats(stats).events, 0)
    const counted = this.#ingest.impressions + this.#ingest.clicks
    if (worked !== counted) throw new CtrError('CTR_LEDGER', `main counted ${counted} events, the workers ${worked}`)
  }

  async #stop(): Promise<void> {
    if (this.state === 'stopped') return
    this.#become('stopped')
    this.#inflow.broadcasts.stop()
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
    this.#inflow.broadcasts.stop()
    this.#halt.abort()
    this.#reject(error)
    void this.#release()
  }

  async #release(): Promise<void> {
    const { source, outputs } = this.#options
    const closing = [
      source.stop().then(() => source.close()),
      ...Object.values(outputs).map((output) => output.close()),
      this.#sink.stop(),
      this.#pool.close(),
      this.#writer?.close(),
    ]
    const results = await Promise.allSettled(closing)
    for (const result of results) if (result.status === 'rejected') this.#options.log.warn({ err: result.reason }, 'while stopping')
    this.#released()
  }

  #become(next: PipelineState): void {
    assert(TRANSITIONS[this.state].includes(next), 'a state follows its predecessor', { from: this.state, to: next })
    this.state = next
    this.#options.log.info({ state: next }, `pipeline ${next}`)
  }
}

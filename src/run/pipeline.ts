/**
 * The pipeline's lifecycle, and the one place where its stages meet.
 *
 *   starting ──► running ──► draining ──► stopped
 *       │            │           │
 *       └────────────┴───────────┴──────► stopped (failed: `finished` rejects with the reason)
 *
 * Draining after `drain` (SIGTERM): the source stops, the rings run empty, what is due is emitted, flushed and acknowledged, a savepoint is
 * taken and the low-water marks are committed; windows still open go on from there. Draining after a bounded run's end: all windows are
 * emitted. A drain is over within shutdown.timeout, whatever the run was at.
 */
import { assert } from '../assert.ts'
import { Coordinator } from '../checkpoint/coordinator.ts'
import { nameFault, STOP_SAVEPOINT } from '../checkpoint/selection.ts'
import type { CheckpointWriter, Written } from '../checkpoint/writer.ts'
import { type Clock, sleep } from '../clock.ts'
import { Degradations } from '../degraded.ts'
import { CtrError } from '../errors.ts'
import { formatsOf, PLAIN_JSON, type TopicFormat, valueTexts } from '../format/format.ts'
import { EventBlocks } from '../ingest/event-blocks.ts'
import { createInflow, type Inflow } from '../ingest/inflow.ts'
import { Ingest } from '../ingest/ingest.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { lateEvents } from '../output/late-events.ts'
import { LetterQuota } from '../output/letter-quota.ts'
import { LetterSamples } from '../output/letter-samples.ts'
import { allDelivered, allHaveRoom, outputsOf } from '../output/output.ts'
import { refusedRow } from '../output/refused-row.ts'
import { rejectedInput } from '../output/rejected-input.ts'
import type { Sink } from '../sink/sink.ts'
import { type NameOfPartition, namesIn, type OfferedPartition } from '../source/source.ts'
import { Closings, createClosings } from '../window/closings.ts'
import { spellCounts, unaccounted } from '../window/ledger.ts'
import { startWorkers, type WorkerPool } from '../worker/pool.ts'
import { paneBytesOf, readWorkerStats } from '../worker/worker-stats.ts'
import { collectStats } from './collect.ts'
import { DataWatch } from './data-watch.ts'
import { notDrained, spellLeft, troublesOf } from './left-undone.ts'
import type { PipelineOptions } from './pipeline-options.ts'

/** Where the pipeline is in its life. */
export type PipelineState = Exclude<PipelineStats['state'], 'restarting'>

const TRANSITIONS: { readonly [from in PipelineState]: readonly PipelineState[] } = {
  starting: ['running', 'draining', 'stopped'],
  running: ['draining', 'stopped'],
  draining: ['stopped'],
  stopped: [],
}

const MAINTAIN_MS = 100
const SWEEPS_PER_ROUND = 300
/** With checkpoints: an open pane and its copy. */
const PANE_COPIES = 2

/** One run of the engine. Workers and sink start with it, the source with `start`. */
export class Pipeline {
  /** Resolves when the run has ended cleanly, by its own end or by `drain`; rejects with the reason when it failed. */
  readonly finished: Promise<void>
  /** Resolves when threads, connections and timers of an ended run are gone. */
  readonly released: Promise<void>
  state: PipelineState = 'starting'
  /** A bounded run has read everything, and every row is written. */
  complete = false
  readonly #options: PipelineOptions
  readonly #pool: WorkerPool
  readonly #sink: Sink
  readonly #degradations: Degradations
  readonly #quota: LetterQuota
  readonly #samples = new LetterSamples()
  readonly #ingest: Ingest
  readonly #nameOf: NameOfPartition
  readonly #dataWatch: DataWatch
  readonly #inflow: Inflow
  readonly #closings = createClosings()
  readonly #coordinator: Coordinator
  readonly #writer: CheckpointWriter | undefined
  readonly #monotonic: Clock
  readonly #halt = new AbortController()
  #sourceStarted = false
  #drained = false
  #step = 'connections to close' // what a drain waits for
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
    this.#degradations = options.degradations ?? new Degradations(log, clock)
    this.#monotonic = options.monotonic ?? performance.now.bind(performance)
    this.#writer = options.checkpoints?.writer(options.workers)
    const { tenant, revision, revisionFrom } = options
    const settings = { windows: rules, tenant, revision, revisionFrom }
    this.#pool = (options.startWorkers ?? startWorkers)(options.workers, options.ringBytes, settings, this.#writer?.ports)
    this.#quota = new LetterQuota(options.lettersPerReason ?? Number.POSITIVE_INFINITY)
    const formats = options.formats ?? topics.map(() => PLAIN_JSON)
    const texts = options.privacy && valueTexts(formats, options.schemas)
    const place = { texts, output: deadLetters, quota: this.#quota, writer: options.name, samples: this.#samples, privacy: options.privacy }
    const rejected = rejectedInput(place, topics, log, clock)
    this.#ingest = new Ingest(
      rules,
      topics,
      formatsOf(formats, options.fileSchemas ?? options.schemas),
      new EventBlocks(this.#pool.writers),
      { letters: rejected, late: outputs.late && lateEvents(outputs.late, options.name, topics, clock, texts) },
      clock,
    )
    this.#nameOf = options.nameOf ?? namesIn(topics)
    this.#dataWatch = new DataWatch(watchedTopics(topics, formats), this.#nameOf, this.#degradations, log, clock, (topic, why) =>
      this.#hold(topic, why),
    )
    this.#inflow = createInflow({
      closings: new Closings(this.#closings),
      rules,
      topics,
      nameOf: this.#nameOf,
      stateTtl: options.stateTtl,
      sweepsPerRound: options.sweepsPerRound ?? SWEEPS_PER_ROUND,
      bounded: options.bounded,
      writers: this.#pool.writers,
      ingest: this.#ingest,
      lettersRoom: () => allHaveRoom(outputs),
      ringRoom: (ring) => this.#pool.room(ring),
      source: options.source,
      begin: (offered) => this.#begin(offered),
      degradations: this.#degradations,
      schemas: options.schemas,
      stateLimits: options.stateLimits,
      paneBytes: () => paneBytesOf(this.#pool.stats) * (options.checkpoints === undefined ? 1 : PANE_COPIES),
      clock,
      onReplaced: () => this.#coordinator.soon(),
      onFailed: (error) => this.#fail(error),
    })
    this.#pool.done.catch((error: unknown) => this.#fail(error))
    this.#sink = options.sink(this.#pool.rowRings, this.#closings)
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

  /** Stops cleanly, within shutdown.timeout; `finished` tells how it went. A run that ends already has as long to come to its end. */
  async drain(): Promise<void> {
    if (this.#drained) return
    this.#drained = true
    const { state } = this
    const timer = setTimeout(() => this.#giveUp(state === 'starting'), this.#options.shutdownTimeout)
    const stopping = state === 'starting' ? this.#stop() : state === 'running' ? this.#finish(false) : this.finished
    await stopping.catch((error: unknown) => this.#fail(error))
    clearTimeout(timer)
  }

  /** The group knows where this run has begun. */
  get hasCommitted(): boolean {
    return this.#coordinator.hasCommitted
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
    notReady.push(...troublesOf(this.#trouble, source, outputs))
    if (this.state === 'draining' || this.state === 'stopped') notReady.push(`the pipeline is ${this.state}`)
    return collectStats({
      state: this.state,
      notReady,
      degradations: this.#degradations,
      held: this.#trouble !== '' || source.trouble !== undefined,
      certificates: this.#options.certificates?.() ?? [],
      topics: this.#options.topics,
      taskCount: source.extent?.tasks,
      ingest: this.#ingest,
      lettersLeftOut: this.#quota.leftOut,
      letterSamples: this.#samples.newest,
      inflow: this.#inflow,
      rings: this.#pool.rings,
      workerStats: this.#pool.stats,
      sink: this.#sink.stats(),
      schemas: this.#options.schemas?.stats,
      checkpoints: this.#coordinator.stats,
      restore: this.#options.checkpoints?.restorer.stats,
      safeOffset: (partition) => this.#coordinator.safeOffset(partition),
    })
  }

  /** Takes a savepoint of all tasks of this process. Rejects with CtrError when it can't be had, or not within checkpoint.timeout. */
  async savepoint(name: string): Promise<Written> {
    const fault = name === STOP_SAVEPOINT ? 'is the name of the one that a stop takes' : nameFault(name)
    if (fault !== undefined) throw new CtrError('CTR_CHECKPOINT_FAILED', `a savepoint can't be called ${JSON.stringify(name)}: ${fault}`)
    if (this.state !== 'running') throw new CtrError('CTR_CHECKPOINT_FAILED', `the pipeline is ${this.state}: there is nothing to keep`)
    return this.#coordinator.take(name)
  }

  /** Nobody waits for a bounded run that would not end. */
  #hold(topicIndex: number, why: string): void {
    if (this.#options.bounded) this.#fail(new CtrError('CTR_INPUT', why))
    else this.#inflow.upkeep.hold(topicIndex)
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
    this.#options.checkMarks?.(offered.filter(({ partition }) => starts?.get(partition)?.kept === undefined))
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
      this.#dataWatch.look(this.#inflow.owned.partitions)
      this.#quota.look(this.#options.clock())
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
    this.#inflow.upkeep.letGo()
    await this.#at('deliveries that are under way', this.#options.source.stop())
    await this.#maintaining
    await this.#inflow.broadcasts.tick()
    await this.#at('the last checkpoint', this.#keepAtEnd(emitAll))
    await this.#at('ClickHouse and outputs to acknowledge', this.#coordinator.last(emitAll))
    await this.#inflow.broadcasts.end(emitAll) // a barrier behind it would never be answered
    await this.#pool.done
    await this.#sink.ended
    await this.#at('the last letters', allDelivered(this.#options.outputs))
    this.#dataWatch.end(this.#inflow.owned.partitions)
    this.#checkLedger(emitAll)
    this.complete = emitAll
    await this.#at('connections to close', this.#stop())
  }

  /** A savepoint, so that the next start repeats nothing. When it can't be had in half the time there is, the last checkpoint serves. */
  async #keepAtEnd(bounded: boolean): Promise<void> {
    const { checkpoints, log, shutdownTimeout } = this.#options
    if (checkpoints === undefined || !(bounded || checkpoints.savepointOnStop)) return
    const patience = new AbortController()
    const taking = this.#coordinator.take(bounded ? null : STOP_SAVEPOINT).catch((error: unknown) => {
      log.warn({ err: error }, 'stopping without a savepoint; the next start goes on from the last checkpoint')
    })
    const taken = await Promise.race([taking.then(() => true), sleep(shutdownTimeout / 2, patience.signal).then(() => false)])
    patience.abort()
    if (!taken) log.warn({}, 'stopping without a savepoint, it takes too long; the next start goes on from the last checkpoint')
  }

  /** Every record read is in a term of the ledger; every event counted on main has reached a worker; a bounded run has read all tasks. */
  #checkLedger(bounded: boolean): void {
    const { tasks = 0 } = this.#options.source.extent ?? {}
    const { size } = this.#inflow.owned.tasks
    if (bounded && size < tasks) throw new CtrError('CTR_LEDGER', `${size} of ${tasks} tasks were read to their ends: nothing is complete`)
    for (const counts of this.#inflow.owned.partitions) {
      if (unaccounted(counts) === 0) continue
      throw new CtrError('CTR_LEDGER', `the ledger of ${this.#nameOf(counts)} does not balance: ${spellCounts(counts)}`)
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

  /** `idle`: nothing had been begun that could be left undone. */
  #giveUp(idle: boolean): void {
    const { shutdownTimeout, bounded, source, outputs, log } = this.#options
    const { rowsPending } = this.#sink.stats()
    const troubles = troublesOf(this.#trouble, source, outputs)
    const left = { shutdownTimeout, bounded, rowsPending, troubles, step: this.#step }
    if (idle) {
      log.warn({}, `connections do not close ${spellLeft(left)}; nothing was begun`)
      this.#resolve()
    } else if (this.state === 'stopped') this.#reject(notDrained(left))
    else this.#fail(notDrained(left))
  }

  #at<T>(step: string, work: T): T {
    this.#step = step
    return work
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
    const { source, outputs, schemas, rollUpAtEnd } = this.#options
    const closing = [
      source.stop().then(() => source.close()),
      ...outputsOf(outputs).map((output) => output.close()),
      Promise.resolve(this.complete ? rollUpAtEnd?.(this.#sink) : undefined).then(() => this.#sink.stop()),
      this.#pool.close(),
      this.#writer?.close(),
      schemas?.close(),
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

function watchedTopics(topics: readonly string[], formats: readonly TopicFormat[]) {
  return topics.map((name, i) => {
    const { alarmNotCounted = 1, onNothingCounted } = formats[i]?.events ?? {}
    return { name, alarmNotCounted, holds: onNothingCounted === 'hold' }
  })
}

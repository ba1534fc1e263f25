/** One process: the engine's pipeline over simulated neighbours. It can die, stand still, be woken, and be told to stop, at any moment. */
import type { Logger } from 'pino'
import type { StartWish } from '../../src/checkpoint/decide.ts'
import { Restorer } from '../../src/checkpoint/restore.ts'
import { CtrError } from '../../src/errors.ts'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import type { Lines } from '../../src/output/lines.ts'
import { DEAD_LETTERS, type Output } from '../../src/output/output.ts'
import { outputQueue } from '../../src/output/output-queue.ts'
import { Pipeline } from '../../src/run/pipeline.ts'
import type { Checkpoints } from '../../src/run/pipeline-options.ts'
import { BookKeeper } from './book-keeper.ts'
import type { Broker } from './broker.ts'
import { type ClickHouse, SimulatedSink } from './clickhouse.ts'
import { InlineWorkers } from './inline-workers.ts'
import { SimulatedMember } from './member.ts'
import type { SharedStore } from './object-store.ts'
import { GROUP, type JoinDeath, REVISION, TENANT, TOPICS } from './plan.ts'
import type { Owner, Timer } from './scheduler.ts'
import type { World } from './world.ts'

/** What all processes use. */
export interface Places {
  readonly broker: Broker
  readonly clickHouse: ClickHouse
  readonly store: SharedStore
  /** Keys of the dead letters: `topic/partition/offset`, or `refused/…` of a row. */
  readonly letters: Set<string>
}

export interface PodOptions {
  readonly name: string
  /** 8 hexadecimal digits. */
  readonly writerId: string
  readonly workers: number
  readonly ringBytes: number
  readonly bounded: boolean
  readonly from: StartWish['from']
  readonly idleTimeout: number
  /** Its clock is ahead by so much, ms. */
  readonly skew: number
  readonly queueMaxBytes: number
  readonly joinDeath: JoinDeath | undefined
  /** It has died so. */
  readonly onJoinDeath: () => void
}

const TOLD_MAX = 10_000
/** Ways to end that are no fault. */
const FINE: readonly string[] = ['CTR_SHUTDOWN_TIMEOUT', 'CTR_WORKER_DIED', 'CTR_SINK_DIED']
/** A start from a savepoint that can't be had. */
const FINE_BY_NAME: readonly string[] = ['CTR_STATE_MISMATCH', 'CTR_CHECKPOINT_STORE', 'CTR_CHECKPOINT_CORRUPT']

export class Pod implements Owner {
  readonly name: string
  dead = false
  paused = false
  readonly held: Timer[] = []
  /** Since when the group hears nothing of it. */
  silentSince: number | undefined
  readonly member: SimulatedMember
  readonly pipeline: Pipeline
  readonly #world: World
  readonly #byName: boolean
  #sink: SimulatedSink | undefined
  #workers: InlineWorkers | undefined
  #book: BookKeeper | undefined

  constructor(world: World, places: Places, options: PodOptions) {
    const { plan, time } = world
    this.#world = world
    this.name = options.name
    this.#byName = typeof options.from === 'object'
    const logger = this.#logger()
    const clock = () => world.wallTime(options.skew)
    this.member = new SimulatedMember(world, places.broker, this, options.bounded, logger)
    this.pipeline = new Pipeline({
      topics: TOPICS,
      formats: plan.mapping?.formats,
      rules: { ...plan.rules, idleTimeout: options.idleTimeout },
      stateTtl: plan.stateTtl,
      tenant: TENANT,
      revision: REVISION,
      workers: options.workers,
      ringBytes: options.ringBytes,
      emitInterval: plan.emitInterval,
      commitInterval: plan.commitInterval,
      maintainIntervalMs: plan.maintainIntervalMs,
      sweepsPerRound: 3,
      shutdownTimeout: plan.shutdownTimeout,
      bounded: options.bounded,
      name: `ctr/${GROUP}`,
      source: this.member,
      outputs: { deadLetters: this.#deadLetters(places.letters, logger, options.queueMaxBytes) },
      sink: (rings) => {
        this.#sink = new SimulatedSink(world, places.clickHouse, this, rings)
        return this.#sink
      },
      checkpoints: plan.keepsCheckpoints ? this.#checkpoints(places.store, options, logger) : undefined,
      log: logger,
      clock,
      monotonic: () => time.now,
      startWorkers: (count, ringBytes, settings) => {
        this.#workers = new InlineWorkers(world, this, count, ringBytes, settings, (copy) => this.#book?.copied(copy))
        return this.#workers
      },
    })
    if (options.joinDeath !== undefined) this.#dieJoining(options.joinDeath, options.onJoinDeath)
    this.pipeline.finished.then(
      () => this.#ended('ended'),
      (error: unknown) => this.#ended('failed', error),
    )
    time.after(0, () => void this.pipeline.start(), this)
    world.note(this.name, `starts with ${options.workers} workers${options.bounded ? ', bounded' : ''}`)
  }

  afterEvent(): void {
    if (this.#workers?.wake()) this.#sink?.wake()
  }

  /** SIGKILL. */
  crash(): void {
    this.#world.note(this.name, `dies (${this.pipeline.state})`)
    this.#silent()
    this.dead = true
  }

  /** Once, and only while things go wrong: who has begun to end it all must come to the end. */
  #dieJoining({ step: last, afterMs }: JoinDeath, onDied: () => void): void {
    this.member.onStep = (step) => {
      if (step !== last) return
      this.member.onStep = () => {}
      const die = () => {
        if (this.#world.calm || this.dead) return
        this.#world.note(this.name, `joining: ${step}`)
        this.crash()
        onDied()
      }
      this.#world.time.after(afterMs, die, undefined)
    }
  }

  /** SIGSTOP. */
  pause(): void {
    this.#world.note(this.name, `stands still (${this.pipeline.state})`)
    this.#silent()
    this.paused = true
  }

  /** SIGCONT. */
  resume(): void {
    if (!this.paused) return
    this.#world.note(this.name, 'goes on')
    this.silentSince = undefined
    this.#world.time.resume(this)
    this.#world.time.after(this.#world.latency() * 10, () => this.member.heartbeat(), this)
  }

  /** SIGTERM. */
  drain(): void {
    this.#world.note(this.name, `drains (${this.pipeline.state})`)
    this.#world.time.after(0, () => void this.pipeline.drain(), this)
  }

  /** A thread of it dies. */
  breakDown(): void {
    this.#world.note(this.name, `breaks down (${this.pipeline.state})`)
    const part = this.#world.random.chance(0.5) ? this.#workers : this.#sink
    this.#world.time.after(0, () => part?.die(), this)
  }

  /** A savepoint by hand. */
  keep(name: string): void {
    const act = async () => {
      try {
        const { id } = await this.pipeline.savepoint(name)
        this.#world.note(this.name, `savepoint ${name} is ${id}`)
      } catch (error) {
        if (!(error instanceof CtrError)) this.#world.violation(`${this.name}: savepoint: ${(error as Error).stack}`)
      }
    }
    this.#world.time.after(0, () => void act(), this)
  }

  #silent(): void {
    this.silentSince ??= this.#world.time.now
  }

  #ended(how: string, error?: unknown): void {
    this.#world.note(this.name, error === undefined ? how : `${how}: ${error instanceof Error ? error.message : String(error)}`)
    const fine = this.#byName ? [...FINE, ...FINE_BY_NAME] : FINE
    if (error !== undefined && !(error instanceof CtrError && fine.includes(error.code))) {
      this.#world.violation(`${this.name} failed: ${error instanceof Error ? error.stack : String(error)}`)
    }
    // The process exits when it has let go of everything, or is killed before.
    this.#world.time.after(this.#world.latency(), () => {
      this.#silent()
      this.dead = true
    })
  }

  #checkpoints(store: SharedStore, { from, writerId, skew }: PodOptions, log: Logger): Checkpoints {
    const { plan } = this.#world
    const { windowSize, windowSlide, outOfOrderness, allowedLateness } = plan.rules
    const windowType = windowSlide === undefined ? 'tumbling' : 'sliding'
    const rules = { windowType, windowSize, windowSlide, outOfOrderness, allowedLateness, topics: TOPICS, tenant: TENANT }
    const open = () => store.open(this)
    const restorer = new Restorer({ open: async () => open(), group: GROUP, rules, wish: { from, ignoreState: false }, log })
    return {
      policy: {
        interval: plan.checkpointInterval,
        timeout: plan.checkpointTimeout,
        minPause: plan.minPause,
        tolerableFailures: Number.POSITIVE_INFINITY,
      },
      savepointOnStop: plan.savepointOnStop,
      writer: (workers) => {
        this.#book = new BookKeeper(this.#world, this, writerId, rules, workers, open, () => this.#world.wallTime(skew))
        return this.#book
      },
      restorer: { stats: restorer.stats, find: async (offered) => this.#mutated(await restorer.find(offered)) },
    }
  }

  #deadLetters(letters: Set<string>, logger: Logger, queueMaxBytes: number): Output {
    const deliver = ({ bytes }: Lines) => {
      const lines = bytes.toString().trimEnd().split('\n')
      return this.#world.request(this, 'letters', () => {
        for (const line of lines) letters.add(letterKey(JSON.parse(line) as DeadLetter))
      })
    }
    const output = outputQueue({ place: 'topic dead', parallel: 2, deliver, close: async () => {} }, DEAD_LETTERS, logger, queueMaxBytes)
    return this.#world.mutation === 'dead letters not awaited' ? unawaited(output) : output
  }

  #logger(): Logger {
    const say = (fields: Record<string, unknown>, message: string) => {
      const { err, ...rest } = fields
      this.#world.note(this.name, `${message} ${JSON.stringify(rest)}${err instanceof Error ? ` ${err.message}` : ''}`)
    }
    const warn = (fields: Record<string, unknown>, message: string) => {
      if (this.#world.told.length < TOLD_MAX) this.#world.told.push(message)
      const { degraded, subject } = fields
      if (degraded === 'farWindows') this.#world.incomplete.add(Number(String(subject).split('/')[1]))
      say(fields, message)
    }
    return { info: say, warn, error: say, debug() {} } as unknown as Logger
  }

  #mutated(found: Awaited<ReturnType<Restorer['find']>>) {
    const { mutation } = this.#world
    if (mutation !== 'restore without first offsets' && mutation !== 'dirty panes restored as clean') return found
    for (const [task, restored] of found) {
      if (restored.kept === undefined) continue
      const { facts, state } = restored.kept
      if (mutation === 'restore without first offsets') {
        const partitions = facts.partitions.map((partition) => ({ ...partition, windows: [] }))
        found.set(task, { ...restored, kept: { ...restored.kept, facts: { ...facts, partitions } } })
      } else if (state !== undefined) {
        const panes = state.panes.map((pane) => ({ ...pane, dirty: false, emitted: true }))
        found.set(task, { ...restored, kept: { ...restored.kept, state: { ...state, panes } } })
      }
    }
    return found
  }
}

function letterKey({ errorCode, rawTopic, partition, offset, eventTimeMillisUtc, rawData }: DeadLetter): string {
  if (errorCode !== 'ROW_REFUSED') return `${rawTopic}/${partition}/${offset}`
  const { product_id, version } = JSON.parse(rawData) as { product_id: string; version: number }
  return `refused/${partition}/${eventTimeMillisUtc}/${product_id}/${version}`
}

function unawaited(output: Output): Output {
  return {
    get full() {
      return output.full
    },
    get trouble() {
      return output.trouble
    },
    put: (record) => output.put(record),
    room: () => output.room(),
    delivered: async () => {},
    close: () => output.close(),
  }
}

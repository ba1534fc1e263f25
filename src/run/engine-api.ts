/**
 * The API of a running engine: one snapshot for whoever asks within LOOK_MS, memory, and ClickHouse. It works wherever a snapshot can be
 * had, on main or on the thread of the HTTP server.
 */
import { type Clock, sleep } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { type CausesFound, CauseWatch, NOT_LOOKED } from '../diagnosis/cause-watch.ts'
import type { EngineSample } from '../diagnosis/sample.ts'
import { CtrError } from '../errors.ts'
import type { History } from '../history/history.ts'
import type { Logger } from '../log.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import type { Api } from '../server/api.ts'
import type { ApiQuery } from '../server/api-queries.ts'
import {
  deadLettersAnswer,
  type EngineFacts,
  eventsAnswer,
  historyAnswer,
  type Look,
  ledgerAnswer,
  limitNow,
  partitionsAnswer,
  qualityAnswer,
  stateAnswer,
} from '../server/state-answers.ts'
import { type ThreadUse, threadUse } from '../server/threads.ts'
import { windowRules, windowsOf } from '../window/windows.ts'
import type { OutsideAnswers } from './outside-answers.ts'

/** The engine is read at most so often, however many ask. */
const LOOK_MS = 250
/** And so often when nobody does, for the history. */
const BEAT_MS = 1_000
const CHECKPOINTS_MS = 5_000
const ADDED_MAX_MS = 3_000

export interface EngineApiOptions {
  readonly config: Config
  readonly version: string
  readonly log: Logger
  readonly clock: Clock
  /** For ages: it never steps. */
  readonly monotonic: Clock
  /** A snapshot; undefined when the engine does not answer. */
  readonly read: () => Promise<PipelineStats | undefined>
  readonly history: History
}

/** An API that remembers from when it was made on, until it is closed. */
export interface EngineApi {
  readonly api: Api
  /** The newest snapshot, at most LOOK_MS old. */
  read(): Promise<PipelineStats | undefined>
  close(): Promise<void>
}

interface Uses {
  readonly at: number
  readonly uses: readonly ThreadUse[]
}

/** Begins to remember. */
export function engineApi({ config, version, log, clock, monotonic, read, history }: EngineApiOptions): EngineApi {
  const facts: EngineFacts = factsOf(config, version, clock())
  const newest = newestOf(read, monotonic)
  let lookedAt = Number.NEGATIVE_INFINITY
  let uses: [before: Uses, now: Uses] = [usesNow(monotonic), usesNow(monotonic)]
  let limit = { by: '', since: clock() }
  const causes = new CauseWatch()
  let found: CausesFound = NOT_LOOKED

  /** Into the history once a beat, whoever asked for it. */
  const remember = (stats: PipelineStats, now: number) => {
    const beat = monotonic()
    if (beat - lookedAt < BEAT_MS * 0.9) return
    lookedAt = beat
    if (beat - uses[1].at >= BEAT_MS * 5) uses = [uses[1], usesNow(monotonic)]
    history.look(stats, { rssBytes: process.memoryUsage.rss(), cpuSeconds: cpuSeconds() }, now)
    const { by } = limitNow(lookAt(stats, now))
    if (by !== limit.by || limit.since > now) limit = { by, since: now }
    found = causes.next(sampleOf(lookAt(stats, now)))
  }
  const lookAt = (stats: PipelineStats, now: number): Look => ({
    stats,
    history,
    facts,
    uses: uses[1].uses,
    usesBefore: uses[0].uses,
    usesSeconds: (uses[1].at - uses[0].at) / 1000,
    rssBytes: process.memoryUsage.rss(),
    limitedSince: limit.since,
    now,
  })
  const look = async (): Promise<Look> => {
    const stats = await newest()
    if (stats === undefined) throw new CtrError('CTR_STALLED', 'the main thread does not answer', { retriable: true })
    const now = clock()
    remember(stats, now)
    return lookAt(stats, now)
  }
  const beat = setInterval(() => void look().catch(() => undefined), BEAT_MS)
  beat.unref()
  void look().catch(() => undefined)

  const outside = lazy(async () => (await import('./outside-answers.ts')).outsideAnswers(config, log, clock, monotonic))
  const api: Api = {
    state: async () => ({ ...stateAnswer(await look()), diagnosis: found }),
    history: async (query) => historyAnswer(await look(), query),
    events: async () => eventsAnswer(await look()),
    partitions: async (query) => partitionsAnswer(await look(), query),
    windows: async (query) => (await outside()).queries.windows(query, clock()),
    products: async (query) => (await outside()).queries.products(query, clock()),
    product: async (query) => (await outside()).queries.product(query, clock()),
    checkpoints: shared(async () => (await outside()).checkpoints(), CHECKPOINTS_MS, monotonic),
    deadLetters: async () => deadLettersAnswer(await look()),
    ledger: async (query) => withMinutes(ledgerAnswer(await look()), outside(), query),
    quality: async () => withHotProducts(qualityAnswer(await look()), outside()),
    config: async () => (await outside()).config(version),
  }
  return {
    api,
    read: newest,
    async close() {
      clearInterval(beat)
      await (await outside.made?.catch(() => undefined))?.close()
    },
  }
}

/** Made when it is asked for first. What fails is tried again by whoever asks next. */
function lazy<T>(make: () => Promise<T>): { (): Promise<T>; made: Promise<T> | undefined } {
  const asked: { (): Promise<T>; made: Promise<T> | undefined } = Object.assign(
    () => {
      asked.made ??= make().catch((error: unknown) => {
        asked.made = undefined
        throw error
      })
      return asked.made
    },
    { made: undefined },
  )
  return asked
}

async function withMinutes<A extends object>(answer: A, outside: Promise<OutsideAnswers>, query: ApiQuery<'ledger'>) {
  return { ...answer, minutes: await orNull(outside.then(({ queries }) => queries.ledgerMinutes(query))) }
}

async function withHotProducts<A extends object>(answer: A, outside: Promise<OutsideAnswers>) {
  return { ...answer, hotProducts: await orNull(outside.then(({ queries }) => queries.hotProducts())) }
}

function sampleOf(seen: Look): EngineSample {
  return { ...stateAnswer(seen), ...partitionsAnswer(seen, {}) }
}

function factsOf(config: Config, version: string, startedAt: number): EngineFacts {
  const { kafka, tenant, time, clickhouse } = config
  const windows = windowsOf(windowRules(config))
  return {
    version,
    group: kafka.groupId,
    tenant,
    clientId: kafka.clientId,
    startedAt,
    allowedLatenessMs: time.allowedLateness,
    intervals: clickhouse.intervals,
    nextWindow(watermark) {
      const end = windows.firstEnd(windows.sliceEnd(windows.sliceStart(watermark)))
      return { start: windows.windowStart(end), end }
    },
  }
}

/** One snapshot for all who ask within LOOK_MS, and one question at a time. */
function newestOf(read: EngineApiOptions['read'], monotonic: Clock): EngineApiOptions['read'] {
  return shared(read, LOOK_MS, monotonic)
}

/** What `make` gives, made at most once in `ms`. */
function shared<T>(make: () => Promise<T>, ms: number, monotonic: Clock): () => Promise<T> {
  let made: { readonly at: number; readonly answer: Promise<T> } | undefined
  return () => {
    const now = monotonic()
    if (made === undefined || now - made.at >= ms) {
      const answer = make()
      made = { at: now, answer }
      answer.catch(() => {
        made = undefined
      })
    }
    return made.answer
  }
}

/** What ClickHouse adds to an answer that has more in it: nothing when it does not come soon. */
async function orNull<T>(rows: Promise<T>): Promise<T | null> {
  const patience = new AbortController()
  const late = sleep(ADDED_MAX_MS, patience.signal).then(() => null)
  try {
    return await Promise.race([rows, late])
  } catch (error) {
    if (!(error instanceof CtrError)) throw error
    return null
  } finally {
    patience.abort()
    rows.catch(() => undefined)
  }
}

function usesNow(monotonic: Clock): Uses {
  return { at: monotonic(), uses: threadUse() }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

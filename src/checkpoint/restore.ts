/**
 * Finds what was kept of tasks and reads it. What can't be read is passed over, with a warning and a count; without any, a task begins at
 * its low-water marks, which is exact too. Only what the user has asked for by name, or must decide about, ends the run.
 */
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { OfferedPartition } from '../source/source.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Candidate, decideTaskStart, nameOf, type StartWish } from './decide.ts'
import { type ContinuedTask, goOnFrom } from './go-on.ts'
import { listManifests, type Manifest, type ObjectReference, type StateRules, type StoredManifest } from './manifest.ts'
import { type DecodedTask, decodeTask } from './task-object-reader.ts'

/** How a task begins. */
export interface RestoredTask {
  /** See TaskFacts. */
  readonly incarnation: number
  /** As it was kept and goes on; undefined when it begins as offered. */
  readonly kept:
    | { readonly facts: ContinuedTask; readonly state: DecodedTask | undefined; readonly object: ObjectReference | null }
    | undefined
}

/** Reading takes so long at most; then Kafka has to do. */
const FIND_MAX_MS = 60_000
/** After this it is told that tasks wait for it. */
const TOLD_AFTER_MS = 3_000
const READ_AT_ONCE = 8

interface Log {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** Where to look, and for what. */
export interface RestorerOptions {
  readonly open: () => Promise<ObjectStore | undefined>
  readonly group: string
  readonly rules: StateRules
  readonly wish: StartWish
  readonly log: Log
}

/** How restoring went so far. */
export interface RestoreStats {
  readonly tasks: number
  /** Checkpoints passed over because they could not be read. */
  readonly fallbacks: number
  /** How long the last one took, until the last cell was in a ring. */
  readonly seconds: number
}

export class Restorer {
  readonly #options: RestorerOptions
  /** Tasks that this process has had. */
  readonly #seen = new Set<number>()
  /** Manifests read before, by key. */
  readonly #known = new Map<string, StoredManifest>()
  #stats = { tasks: 0, fallbacks: 0 }

  constructor(options: RestorerOptions) {
    this.#options = options
  }

  get stats(): Omit<RestoreStats, 'seconds'> {
    return this.#stats
  }

  /**
   * How each task begins. Throws CTR_STATE_MISMATCH, and CTR_CHECKPOINT_STORE when a savepoint can't be looked for. A store that doesn't
   * answer within FIND_MAX_MS is done without.
   */
  async find(offered: readonly OfferedPartition[]): Promise<Map<number, RestoredTask>> {
    if (offered.length === 0) return new Map()
    const patience = new AbortController()
    const late = sleep(FIND_MAX_MS, patience.signal).then(() => {
      if (patience.signal.aborted) return new Promise<never>(() => {})
      throw new CtrError('CTR_CHECKPOINT_STORE', `checkpoint.storage did not answer within ${FIND_MAX_MS / 1000} s`, { retriable: true })
    })
    void sleep(TOLD_AFTER_MS, patience.signal).then(() => {
      if (patience.signal.aborted) return
      const remedy = `look whether the store answers, and at checkpoint.s3.endpoint; after ${FIND_MAX_MS / 1000} s it is done without`
      this.#options.log.warn({}, `checkpoint.storage: the tasks have waited ${TOLD_AFTER_MS / 1000} s for what is kept of them; ${remedy}`)
    })
    const finding = this.#findAll(offered, patience.signal)
    finding.catch(() => {}) // it may fail later, when nobody waits any more
    try {
      return await Promise.race([finding, late])
    } catch (error) {
      // Where Kafka has deleted what open windows need, the marks are not enough: the run fails, and is tried again.
      if (this.#mustHave(error) || offered.some(({ lost }) => lost === true)) throw error
      this.#options.log.warn({ reason: String(error) }, 'checkpoints can not be read; the tasks begin at the offsets of their group')
      return this.#decideAll(undefined, offered, [], patience.signal)
    } finally {
      patience.abort()
    }
  }

  async #findAll(offered: readonly OfferedPartition[], signal: AbortSignal): Promise<Map<number, RestoredTask>> {
    const store = await this.#options.open()
    try {
      return await this.#decideAll(store, offered, store === undefined ? [] : await this.#manifests(store, signal), signal)
    } finally {
      await store?.close()
    }
  }

  async #decideAll(
    store: ObjectStore | undefined,
    offered: readonly OfferedPartition[],
    manifests: readonly Manifest[],
    signal: AbortSignal,
  ): Promise<Map<number, RestoredTask>> {
    const found = new Map<number, RestoredTask>()
    const broken = new Set<string>()
    const tasks = [...new Set(offered.map(({ partition }) => partition))]
    const readSome = async () => {
      for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
        const partitions = offered.filter(({ partition }) => partition === task)
        const candidates = candidatesOf(task, manifests)
        found.set(task, await this.#restore(store, task, partitions, candidates, broken, signal))
        this.#seen.add(task)
      }
    }
    await Promise.all(Array.from({ length: READ_AT_ONCE }, readSome))
    this.#stats.tasks += [...found.values()].filter(({ kept }) => kept !== undefined).length
    return found
  }

  async #restore(
    store: ObjectStore | undefined,
    task: number,
    offered: readonly OfferedPartition[],
    candidates: readonly Candidate[],
    broken: Set<string>,
    signal: AbortSignal,
  ): Promise<RestoredTask> {
    const { rules, log } = this.#options
    // By name only once: afterwards this process knows better than an old savepoint.
    const wish: StartWish = this.#seen.has(task) ? { ...this.#options.wish, from: 'latest' } : this.#options.wish
    for (;;) {
      const start = decideTaskStart(offered, candidates, wish, rules, broken)
      if (start.kind === 'refused') throw mismatch(start.why)
      const { incarnation, why } = start
      if (start.kind === 'offered') {
        const { left = [] } = start
        const where = why === '--reset' ? 'where --reset says' : 'at the offsets of its group'
        if (left.length === 0) log.info({ task, why }, `the task begins ${where}`)
        else
          log.warn(
            { task, why, left: left.map(({ manifest }) => nameOf(manifest)) },
            `the task begins ${where}, without what is kept of it`,
          )
        if (cutsWindows(offered, rules)) log.warn({ task, revision: rules.revision }, CUT)
        return { incarnation, kept: undefined }
      }
      const { manifest, entry } = start.candidate
      try {
        const { object } = entry
        const state = object === null || store === undefined ? undefined : decodeTask(await read(store, object, signal), object)
        log.info({ task, id: manifest.id, cells: object?.cells ?? 0 }, `the task begins at ${why}`)
        const facts = goOnFrom(entry, offered, rules.topics)
        for (const { topic, partition, loss, missing, isNew } of facts.partitions) {
          if (loss) log.warn({ topic, partition, missing }, loss)
          if (!isNew) continue
          const kept = entry.partitions.find((one) => one.topic === topic)?.position
          const what = `topic ${topic} was deleted and made again: it is read from its beginning, what is kept of the old one counts`
          log.warn({ topic, partition, kept }, `${what}; its records from offset ${kept} on are gone, if there were any`)
        }
        return { incarnation, kept: { facts, state, object } }
      } catch (error) {
        if (!(error instanceof CtrError) || signal.aborted) throw error
        broken.add(manifest.id)
        this.#stats.fallbacks++
        log.warn(
          { task, id: manifest.id, code: error.code },
          `${nameOf(manifest)} can't be read: ${error.message}; taking the one before it`,
        )
      }
    }
  }

  async #manifests(store: ObjectStore, signal: AbortSignal): Promise<readonly Manifest[]> {
    const { group, wish, log } = this.#options
    const listing = await listManifests(store, group, signal, this.#known)
    for (const { key, reason } of listing.unreadable) log.warn({ key }, `a manifest can't be read: ${reason.message}`)
    this.#stats.fallbacks += listing.unreadable.length
    const manifests = listing.manifests.map(({ manifest }) => manifest)
    const name = typeof wish.from === 'object' ? wish.from.savepoint : undefined
    if (name !== undefined && this.#seen.size === 0 && !manifests.some(({ savepoint }) => savepoint === name)) {
      throw new CtrError('CTR_STATE_MISMATCH', `--from savepoint:${name}: ${store.place} has no such savepoint of group ${group}`)
    }
    return manifests
  }

  /** Without a named savepoint, Kafka will do. */
  #mustHave(error: unknown): boolean {
    const named = typeof this.#options.wish.from === 'object' && this.#seen.size === 0
    return !(error instanceof CtrError) || error.code === 'CTR_STATE_MISMATCH' || named
  }
}

const CUT =
  'sink.revision without sink.revisionFrom, and not from the first record on: windows that are read in part override whole ones. ' +
  'Set sink.revisionFrom to a window behind the first events that are read'

/** Whether the first windows that are read would carry a revision above that of whole ones. A mark knows which of them are late. */
function cutsWindows(offered: readonly OfferedPartition[], { revision = 0, revisionFrom }: StateRules): boolean {
  return revision > 0 && revisionFrom === undefined && offered.some(({ origin, position }) => origin !== 'mark' && position > 0)
}

function candidatesOf(task: number, manifests: readonly Manifest[]): Candidate[] {
  return manifests.flatMap((manifest) => {
    const entry = manifest.tasks.find((one) => one.task === task)
    return entry === undefined ? [] : [{ manifest, entry }]
  })
}

async function read(store: ObjectStore, { key }: ObjectReference, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await store.get(key, signal)
  if (bytes === undefined) throw new CtrError('CTR_CHECKPOINT_CORRUPT', `${store.place}: ${key} is missing`)
  return bytes
}

/** What was counted so far, `why`, can't be gone on with. */
export function mismatch(why: string): CtrError {
  const remedy =
    'set it back, use a new kafka.groupId with another tenant or a higher sink.revision, or leave the state with --ignore-state'
  return new CtrError('CTR_STATE_MISMATCH', `kept state does not fit the configuration: ${why}; ${remedy}`)
}

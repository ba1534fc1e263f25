/**
 * Puts checkpoints together: copies come from the workers, facts from main, objects and manifest go to the store.
 *
 *   begin      facts of the cut; copies may have come before
 *   copies     one from each worker → objects are encoded and written, while main waits for ClickHouse and the dead letters
 *   complete   objects written → what is referred to again is there still → manifest written; behind it, what has expired is removed
 *
 * A failure anywhere fails that checkpoint only. Objects without a manifest are left to retention.ts.
 *
 * One write at a time: what a checkpoint that is given up has under way is aborted, and the next one writes when it has settled. So a
 * store that hangs holds one write, one removal and one checkpoint's copies, however many checkpoints time out meanwhile.
 */
import { assert } from '../assert.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { ObjectStore, StoredObject } from '../store/object-store.ts'
import { type Claim, claimName, dropClaims } from './claims.ts'
import {
  checkpointId,
  encodeManifest,
  type Manifest,
  manifestKey,
  type ObjectReference,
  objectKey,
  objectsPrefix,
  type StateRules,
  type StoredManifest,
} from './manifest.ts'
import { removeExpired } from './retention.ts'
import { STOP_SAVEPOINT } from './selection.ts'
import type { WorkerCopy } from './snapshot.ts'
import { encodeTask, ObjectOutput } from './task-object.ts'
import { type Cut, NotWritten, type TaskCut, type Written } from './writer.ts'

export interface BookOptions {
  readonly group: string
  /** kafka.clientId. */
  readonly writer: string
  /** Of this process, 8 hexadecimal digits: two processes never write under one id. */
  readonly writerId: string
  readonly workers: number
  readonly retain: number
  readonly rules: StateRules
  /** Opens the store; called again after a failure. */
  readonly open: () => Promise<ObjectStore>
  readonly warn: (message: string) => void
  /** Takes a worker's copies back when they are not needed any more. */
  readonly done?: (copy: WorkerCopy) => void
  readonly now: () => number
}

/** What came of one task. */
interface TaskWritten {
  readonly task: number
  readonly object: ObjectReference | null
  readonly written: boolean
}

interface Page {
  readonly cut: Cut
  readonly objects: Promise<readonly TaskWritten[]>
  /** Aborted when the page is given up. */
  readonly life: AbortController
}

/** How long what is under way may take when the book is closed. */
const CLOSE_MAX_MS = 1_000

export class Book {
  readonly #options: BookOptions
  #store: Promise<ObjectStore> | undefined
  #page: Page | undefined
  /** Copies by number, and who waits for the last of them. */
  readonly #copies = new Map<number, WorkerCopy[]>()
  #onCopies: () => void = () => {}
  #lowest = 0
  /** Settles when nothing is being written; never rejects. */
  #writing: Promise<unknown> = Promise.resolve()
  /** The last checkpoint of which nobody knows whether its manifest was written. */
  #unsure = -1
  /** Objects of the last complete checkpoint: the next one may refer to them. */
  #held: ReadonlySet<string> = new Set()
  /** The last complete checkpoint behind which nothing was removed yet, and the removing that is under way. */
  #retireUpTo: { readonly number: number; readonly objects: readonly StoredObject[] | undefined } | undefined
  #retiring: Promise<void> | undefined
  /** What the last removing found no manifest referring to. */
  #loose: ReadonlySet<string> = new Set()
  /** Objects are encoded here one after the other: one is written before the next. */
  readonly #output = new ObjectOutput()
  /** Manifests read before, by key. */
  readonly #known = new Map<string, StoredManifest>()

  constructor(options: BookOptions) {
    this.#options = options
  }

  copied(copy: WorkerCopy): void {
    if (copy.number < this.#lowest) return
    const copies = this.#copies.get(copy.number) ?? []
    const { number, worker } = copy
    const known = worker < this.#options.workers && copies.every((other) => other.worker !== worker)
    assert(known, 'a worker gives one copy to a checkpoint', { number, worker, workers: this.#options.workers })
    copies.push(copy)
    this.#copies.set(copy.number, copies)
    this.#onCopies()
  }

  begin(cut: Cut): void {
    this.#forget(cut.number)
    const life = new AbortController()
    const objects = this.#alone(life.signal, () => this.#writeObjects(cut, life.signal))
    objects.catch(() => {}) // `complete` tells
    this.#page = { cut, objects, life }
  }

  /** Throws CtrError. */
  async complete(number: number): Promise<Written> {
    const page = this.#page
    if (page?.cut.number !== number) throw givenUp(number)
    const objects = await page.objects
    const id = this.#idOf(page.cut)
    const listed = await this.#alone(page.life.signal, () => this.#lookAtObjects(objects, page.life.signal))
    await this.#alone(page.life.signal, () => this.#writeManifest(page, id, objects))
    const pausedMs = Math.max(0, ...(this.#copies.get(number) ?? []).map((copy) => copy.pausedMs))
    const known = objects.flatMap(({ object }) => object ?? [])
    this.#held = new Set(known.map(({ key }) => key))
    if (this.#page === page) this.#forget(number + 1)
    this.#retire(number, listed)
    return {
      id,
      objects: objects.map(({ task, object }) => ({ task, object })),
      cells: known.reduce((sum, { cells }) => sum + cells, 0),
      bytes: known.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesWritten: objects.reduce((sum, { object, written }) => (written ? sum + (object?.bytes ?? 0) : sum), 0),
      pausedMs,
    }
  }

  abandon(number: number): void {
    if (this.#page?.cut.number === number) this.#forget(number + 1)
  }

  async close(): Promise<void> {
    this.#forget(Number.POSITIVE_INFINITY)
    const patience = new AbortController()
    const closing = async () => {
      await this.#writing
      await this.#retiring
    }
    await Promise.race([closing(), sleep(CLOSE_MAX_MS, patience.signal)])
    patience.abort()
    const store = await this.#store?.catch(() => undefined)
    await store?.close()
  }

  #forget(below: number): void {
    this.#lowest = Math.max(this.#lowest, below)
    for (const number of this.#copies.keys()) if (number < below) this.#copies.delete(number)
    this.#page?.life.abort(givenUp(this.#page.cut.number))
    this.#page = undefined
    this.#onCopies()
  }

  /** `write`, when all writing before has settled. Throws the reason of `signal` when that is aborted. */
  #alone<T>(signal: AbortSignal, write: () => Promise<T>): Promise<T> {
    const writing = this.#writing.then(async () => {
      signal.throwIfAborted()
      try {
        return await write()
      } catch (error) {
        throw signal.aborted ? signal.reason : error
      }
    })
    this.#writing = writing.catch(() => {})
    return writing
  }

  /**
   * What is referred to again must be there still: somebody may have emptied the store. One listing, which the removing behind it uses as
   * well; none when everything was written just now.
   */
  async #lookAtObjects(objects: readonly TaskWritten[], signal: AbortSignal): Promise<readonly StoredObject[] | undefined> {
    if (objects.every(({ object, written }) => object === null || written)) return undefined
    const store = await this.#open()
    const listed = await store.list(objectsPrefix(this.#options.group), signal)
    const sizes = new Map(listed.map(({ key, bytes }) => [key, bytes]))
    const tasks = objects.flatMap(({ task, object }) => (object === null || sizes.get(object.key) === object.bytes ? [] : [task]))
    if (tasks.length === 0) return listed
    const message = `checkpoint.storage ${store.place}: what was written of task ${tasks.join(', ')} is gone (was it emptied?)`
    throw new NotWritten({ kind: 'missing', tasks }, message)
  }

  async #writeManifest({ cut, life: { signal } }: Page, id: string, objects: readonly TaskWritten[]): Promise<void> {
    const { group, writer, rules } = this.#options
    const tasks = cut.tasks.map(({ copied, ...facts }) => {
      return { ...facts, object: objects.find((one) => one.task === facts.task)?.object ?? null }
    })
    const manifest: Manifest = { format: 1, id, savepoint: cut.savepoint, group, writer, createdAt: cut.createdAt, rules, tasks }
    const key = manifestKey(manifest)
    const store = await this.#open()
    signal.throwIfAborted()
    const claim = claimOf(manifest)
    const claimed = claim && (await claimName(store, claim, this.#options.now(), signal))
    const unsure = this.#unsure
    this.#unsure = cut.number
    if (!(await store.put(key, encodeManifest(manifest), { ifAbsent: true, signal }))) {
      if (claimed !== undefined) await dropClaims(store, claimed, this.#options.now())
      throw new CtrError('CTR_CHECKPOINT_STORE', `checkpoint.storage ${store.place}: ${key} is there already, written by somebody else`)
    }
    this.#unsure = unsure
  }

  /** Removes what has expired now that checkpoint `number` is there. Nobody waits for it; a failure is only warned about. */
  #retire(number: number, objects: readonly StoredObject[] | undefined): void {
    if (this.#lowest === Number.POSITIVE_INFINITY) return // the book is closed
    this.#retireUpTo = { number, objects }
    this.#retiring ??= this.#removeExpired()
  }

  async #removeExpired(): Promise<void> {
    const { group, writerId, retain, now, warn } = this.#options
    const holds = (key: string) => this.#held.has(key) || this.#page?.cut.tasks.some(({ object }) => object?.key === key) === true
    try {
      for (let upTo = this.#retireUpTo; upTo !== undefined; upTo = this.#retireUpTo) {
        this.#retireUpTo = undefined
        const own = { writerId, ...upTo, after: this.#unsure, loose: this.#loose, holds }
        try {
          const gone = await removeExpired(await this.#open(), group, retain, now(), own, this.#known)
          this.#loose = gone.loose
        } catch (error) {
          warn(`old checkpoints were not removed: ${String(error)}`)
        }
      }
    } finally {
      this.#retiring = undefined
    }
  }

  /** Copies are let go of as soon as they are written, but for how long they took. */
  async #writeObjects(cut: Cut, signal: AbortSignal): Promise<readonly TaskWritten[]> {
    const copies = cut.tasks.some(({ copied }) => copied) ? await this.#allCopies(cut.number, signal) : []
    const objects: TaskWritten[] = []
    try {
      for (const task of cut.tasks) {
        signal.throwIfAborted()
        if (task.copied) objects.push(await this.#writeObject(cut, task, copies, signal))
        else objects.push({ task: task.task, object: task.object, written: false })
      }
    } finally {
      if (this.#copies.has(cut.number)) {
        this.#copies.set(
          cut.number,
          copies.map((copy) => ({ ...copy, shards: [] })),
        )
      }
      for (const copy of copies) this.#options.done?.(copy)
    }
    return objects
  }

  async #allCopies(number: number, signal: AbortSignal): Promise<readonly WorkerCopy[]> {
    while ((this.#copies.get(number)?.length ?? 0) < this.#options.workers) {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#onCopies = resolve
      })
    }
    return this.#copies.get(number) ?? []
  }

  async #writeObject(cut: Cut, task: TaskCut, copies: readonly WorkerCopy[], signal: AbortSignal): Promise<TaskWritten> {
    const { group, writer, rules } = this.#options
    const shards = copies.flatMap((copy) => copy.shards.filter((shard) => shard.task === task.task))
    const { copied, object, ...facts } = task
    const { bytes, crc32, cells, products } = encodeTask({ ...facts, rules, createdAt: cut.createdAt, writer }, shards, this.#output)
    if (cells === 0) return { task: task.task, object: null, written: false }
    const key = objectKey(group, task.task, this.#idOf(cut))
    const store = await this.#open()
    await store.put(key, bytes, { signal })
    return { task: task.task, object: { key, bytes: bytes.length, crc32, cells, products }, written: true }
  }

  #idOf({ createdAt, number }: Cut): string {
    return checkpointId(createdAt, this.#options.writerId, number)
  }

  #open(): Promise<ObjectStore> {
    this.#store ??= this.#options.open().catch((error: unknown) => {
      this.#store = undefined
      throw error
    })
    return this.#store
  }
}

/** The savepoint of a stop may be taken again and again. */
function claimOf({ group, savepoint, id, tasks }: Manifest): Claim | undefined {
  if (savepoint === null || savepoint === STOP_SAVEPOINT) return undefined
  return { group, name: savepoint, id, tasks: tasks.map(({ task }) => task) }
}

const givenUp = (number: number) => new CtrError('CTR_CHECKPOINT_FAILED', `checkpoint ${number} was given up`)

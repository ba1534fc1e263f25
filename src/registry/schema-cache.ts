/**
 * Schemas in memory, brought from the registry and from the store when a record needs one that is not here.
 *
 *   asked first         one request for it is under way, whoever asks; it is tried again with backoff for as long as somebody wants it
 *   the registry says   it is written to the store before anybody reads by it, so that a start can read again what was read
 *   it fails            what the store has serves, and is held against what the registry says when that answers again
 *   both, and differ    nobody is given either: the registry was made anew, or it is another one
 *   it does not know    whoever waits goes on waiting; with `unknownAfter`, it is unknown from then on, and asked for again now and then
 *
 * Memory is bound by number and size: what was not asked for longest goes, and is read again when it is asked for.
 */
import { type Backoff, backoffMs } from '../backoff.ts'
import { type Clock, sleep } from '../clock.ts'
import { LIMITS } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import type { SchemaKey, Schemas, SchemaTrouble, WriterSchema } from '../format/schemas.ts'
import { clip } from '../text.ts'
import { fetchSchema } from './fetch-schema.ts'
import { type KeptSchemas, sameSchema } from './kept-schemas.ts'
import type { RegistryClient } from './registry-client.ts'

/** pino fits. */
interface Log {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** Times in ms, sizes in bytes. */
export interface SchemaCacheOptions {
  readonly client: Pick<RegistryClient, 'get' | 'close' | 'requests'>
  /** Without it nothing outlives the process. */
  readonly kept?: Pick<KeptSchemas, 'find' | 'keep' | 'placeOf' | 'close'> | undefined
  /** Infinity: never. */
  readonly unknownAfter: number
  readonly maxSchemas: number
  readonly maxBytes: number
  readonly log: Log
  readonly clock: Clock
}

/** What is counted. */
export interface SchemaStats {
  readonly schemas: number
  readonly bytes: number
  /** Asked for and not here. */
  readonly missing: number
  /** How often one was read from the store since the registry did not give it. */
  readonly fromStore: number
  readonly requests: RegistryClient['requests']
}

const WANTED: Backoff = { firstMs: 200, maxMs: 10_000, shares: [0.5, 1] }
/** Of what is here, and has only to be written to the store or held against the registry. */
const HERE: Backoff = { firstMs: 1_000, maxMs: 60_000, shares: [0.5, 1] }
/** What the store has waits for so long for what the registry says. The same is the most that a read or write of the store may hold up. */
const PATIENCE_MS = 1_000
/** What nobody has asked for in this time nobody waits for: who does asks several times a second. */
const ABANDONED_MS = 60_000
/** The registry is asked again for what it does not know. */
const UNKNOWN_AGAIN_MS = 60_000
const LEAST_PAUSE_MS = 50

class Entry {
  readonly key: SchemaKey
  schema: WriterSchema | undefined
  bytes = 0
  /** It will not come, by `unknownAfter`. */
  unknown = false
  /** Since when the registry says that it does not know it, and when it was asked last. */
  unknownSince: number | undefined
  askedAt = 0
  wantedAt = 0
  /** Number of the use that was the last. */
  used = 0
  trouble: SchemaTrouble | undefined
  bringing = false
  readonly arrived = Promise.withResolvers<void>()

  constructor(key: SchemaKey) {
    this.key = key
  }
}

export class SchemaCache implements Schemas {
  /** Keys under which the registry says something else than it did, and what that means. */
  readonly changed = new Map<SchemaKey, string>()
  readonly #options: SchemaCacheOptions
  readonly #entries = new Map<SchemaKey, Entry>()
  /** Requests under way. */
  readonly #flying = new Map<SchemaKey, Promise<WriterSchema | CtrError>>()
  readonly #closing = new AbortController()
  #uses = 0
  #bytes = 0
  #fromStore = 0
  /** The last request found no registry. */
  #down = false

  constructor(options: SchemaCacheOptions) {
    this.#options = options
  }

  find(key: SchemaKey): WriterSchema | 'unknown' | undefined {
    const entry = this.#entries.get(key) ?? this.#add(key)
    entry.used = ++this.#uses
    if (entry.schema !== undefined) return entry.schema
    const now = this.#options.clock()
    entry.wantedAt = now
    if (!entry.bringing && (!entry.unknown || now - entry.askedAt > UNKNOWN_AGAIN_MS)) void this.#bring(entry)
    return entry.unknown ? 'unknown' : undefined
  }

  unfit(key: SchemaKey, why: string): void {
    this.#options.log.warn({ schema: key }, `schema ${key} can't be used: ${clip(why, LIMITS.detailMaxLength)}`)
  }

  /** Resolves when `find` has something to say that it had not. Who waits goes on asking `find`, or nobody wants the schema. */
  arrival(key: SchemaKey): Promise<void> {
    return this.#entries.get(key)?.arrived.promise ?? Promise.resolve()
  }

  /** undefined as long as nothing has gone wrong. */
  troubleOf(key: SchemaKey): SchemaTrouble | undefined {
    return this.#entries.get(key)?.trouble
  }

  get stats(): SchemaStats {
    const all = [...this.#entries.values()]
    const schemas = all.filter(({ schema }) => schema !== undefined).length
    const missing = all.filter(({ schema, unknown }) => schema === undefined && !unknown).length
    return { schemas, bytes: this.#bytes, missing, fromStore: this.#fromStore, requests: this.#options.client.requests }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#options.client.close()
    await this.#options.kept?.close()
  }

  #add(key: SchemaKey): Entry {
    const entry = new Entry(key)
    this.#entries.set(key, entry)
    return entry
  }

  /** Until the schema is here, written and held against the registry, or nobody wants it. One at a time for an entry. */
  async #bring(entry: Entry): Promise<void> {
    entry.bringing = true
    for (let tries = 0; tries === 0 || (await this.#goesOn(entry, tries)); tries++) if (await this.#try(entry)) break
    entry.bringing = false
    if (entry.schema === undefined && !entry.unknown) this.#entries.delete(entry.key)
  }

  async #goesOn(entry: Entry, tries: number): Promise<boolean> {
    const { clock, unknownAfter } = this.#options
    const pauseMs = backoffMs(tries, entry.schema === undefined ? WANTED : HERE)
    const untilUnknownMs = entry.unknownSince === undefined ? pauseMs : entry.unknownSince + unknownAfter - clock()
    await sleep(Math.max(LEAST_PAUSE_MS, Math.min(pauseMs, untilUnknownMs)), this.#closing.signal)
    const wanted = entry.schema !== undefined || clock() - entry.wantedAt < ABANDONED_MS
    return wanted && !this.#closing.signal.aborted && this.#entries.get(entry.key) === entry
  }

  /** Whether nothing more is to be done. */
  async #try(entry: Entry): Promise<boolean> {
    const fetching = this.#fetch(entry.key)
    const kept = await this.#readKept(entry.key)
    if (kept !== undefined && !(await this.#inTime(fetching))) this.#serveKept(entry, kept, 'it has not answered yet')
    const answer = await fetching
    if (this.#closing.signal.aborted) return true
    entry.askedAt = this.#options.clock()
    if (answer instanceof CtrError) {
      if (kept !== undefined) this.#serveKept(entry, kept, answer.message)
      else if (entry.schema === undefined) this.#note(entry, answer)
      return entry.unknown || (entry.schema !== undefined && answer.code === 'CTR_SCHEMA_UNKNOWN')
    }
    const written = kept === undefined ? await this.#keep(entry.key, answer) : { there: kept }
    if (written?.there !== undefined && !sameSchema(written.there, answer)) {
      await this.#noteChanged(entry)
      return false
    }
    this.changed.delete(entry.key)
    this.#serve(entry, answer, 'the registry')
    return written !== undefined
  }

  /** Also of one that had to go meanwhile, and is asked for again, one request is under way. */
  #fetch(key: SchemaKey): Promise<WriterSchema | CtrError> {
    const flying = this.#flying.get(key) ?? this.#request(key).finally(() => this.#flying.delete(key))
    this.#flying.set(key, flying)
    return flying
  }

  async #request(key: SchemaKey): Promise<WriterSchema | CtrError> {
    try {
      const schema = await fetchSchema(this.#options.client, key)
      this.#down = false
      return schema
    } catch (error) {
      const failure = error instanceof CtrError ? error : unexpected(key, error)
      this.#down = failure.code === 'CTR_REGISTRY_UNREACHABLE'
      return failure
    }
  }

  /** Whether the registry answers while what the store has can wait for it. */
  async #inTime(fetching: Promise<unknown>): Promise<boolean> {
    if (this.#down) return false
    const patience = new AbortController()
    const late = sleep(PATIENCE_MS, patience.signal).then(() => false)
    const inTime = await Promise.race([fetching.then(() => true), late])
    patience.abort()
    return inTime
  }

  /** A call of the store, which is not waited for longer than PATIENCE_MS, nor when all is closed. */
  async #patiently<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController()
    const late = new AbortController()
    const { promise, reject } = Promise.withResolvers<never>()
    void sleep(PATIENCE_MS, AbortSignal.any([over.signal, this.#closing.signal])).then(() => {
      const error = new CtrError('CTR_CHECKPOINT_STORE', `checkpoint.storage has not answered within ${PATIENCE_MS} ms`, {
        retriable: true,
      })
      late.abort(error)
      reject(error)
    })
    promise.catch(() => undefined)
    const calling = call(late.signal)
    calling.catch(() => undefined) // it may be late
    try {
      return await Promise.race([calling, promise])
    } finally {
      over.abort()
    }
  }

  async #readKept(key: SchemaKey): Promise<WriterSchema | undefined> {
    try {
      return await this.#patiently(async (signal) => this.#options.kept?.find(key, signal))
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error, schema: key }, 'a kept schema can not be read')
      return undefined
    }
  }

  /** `there`: something else is kept already. undefined when it could not be written. */
  async #keep(key: SchemaKey, schema: WriterSchema): Promise<{ readonly there: WriterSchema | undefined } | undefined> {
    try {
      return { there: await this.#patiently(async (signal) => this.#options.kept?.keep(key, schema, signal)) }
    } catch (error) {
      const what = 'a schema can not be written to checkpoint.storage: it is tried again, and until then a start needs the registry for it'
      if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error, schema: key }, what)
      return undefined
    }
  }

  #serveKept(entry: Entry, kept: WriterSchema, why: string): void {
    if (entry.schema !== undefined || this.changed.has(entry.key)) return
    this.#fromStore++
    this.#options.log.warn(
      { schema: entry.key },
      `schema ${entry.key} is taken from checkpoint.storage, for the registry does not give it: ${why}`,
    )
    this.#serve(entry, kept, 'the store')
  }

  #serve(entry: Entry, schema: WriterSchema, from: string): void {
    if (entry.schema !== undefined) return
    entry.schema = schema
    entry.unknown = false
    entry.trouble = undefined
    entry.bytes = sizeOf(schema)
    this.#bytes += entry.bytes
    this.#options.log.info({ schema: entry.key, type: schema.type, bytes: entry.bytes }, `schema ${entry.key} has come from ${from}`)
    this.#evict(entry)
    entry.arrived.resolve()
  }

  #note(entry: Entry, { code, message }: CtrError): void {
    const { clock, unknownAfter } = this.#options
    if (code !== 'CTR_SCHEMA_UNKNOWN') {
      entry.trouble = { code, message }
      return
    }
    const now = clock()
    entry.unknownSince ??= now
    const remedy = 'register it there, or look whether schemaRegistry.url is the registry that its producer uses'
    entry.trouble = { code, message: `${message}; ${remedy}` }
    if (now - entry.unknownSince < unknownAfter) return
    entry.unknown = true
    this.#evict(entry)
    entry.arrived.resolve()
  }

  async #noteChanged(entry: Entry): Promise<void> {
    if (this.changed.has(entry.key)) return
    const place = await this.#options.kept?.placeOf(entry.key).catch(() => 'checkpoint.storage')
    const what = `the registry says another schema under ${entry.key} than it did: it was made anew, or is another one`
    const message = `${what}; let schemaRegistry.url be the one of before, or remove ${place} when what it says now is right`
    this.changed.set(entry.key, message)
    if (entry.schema === undefined) entry.trouble = { code: 'CTR_SCHEMA_CHANGED', message }
  }

  /** Makes room for what has just come. */
  #evict(latest: Entry): void {
    const { maxSchemas, maxBytes } = this.#options
    const settled = [...this.#entries.values()].filter((entry) => entry !== latest && (entry.schema !== undefined || entry.unknown))
    if (settled.length < maxSchemas && this.#bytes <= maxBytes) return
    let left = settled.length
    for (const entry of settled.toSorted((a, b) => a.used - b.used)) {
      if (left < maxSchemas && this.#bytes <= maxBytes) return
      left--
      this.#bytes -= entry.bytes
      this.#entries.delete(entry.key)
    }
  }
}

/** Nobody catches what a request rejects with, and a schema that can't be had ends no process. */
function unexpected(key: SchemaKey, cause: unknown): CtrError {
  const message = `schema ${key} can't be fetched: ${cause instanceof Error ? cause.message : String(cause)}`
  const remedy = 'check schemaRegistry.url and schemaRegistry.auth, and what the schema refers to'
  return new CtrError('CTR_REGISTRY_REFUSED', `${message}; ${remedy}`, { retriable: true, cause })
}

function sizeOf({ text, references }: WriterSchema): number {
  return references.reduce((bytes, other) => bytes + Buffer.byteLength(other.text), Buffer.byteLength(text))
}

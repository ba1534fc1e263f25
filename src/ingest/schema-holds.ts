/**
 * Partitions that stand at a record whose schema is not here. Nothing is passed over: the delivery waits, and its lane with it, while the
 * others go on as far as time.maxDrift lets them. What waits is told with the reason and what to do.
 *
 * Most schemas come within milliseconds. A delivery that waits for longer is given back to a source that can deliver it again, and its
 * partition is paused until the schema comes: else each that waits would keep the memory of a response.
 */
import { type Clock, sleep } from '../clock.ts'
import type { Degradations } from '../degraded.ts'
import { CtrError } from '../errors.ts'
import type { SchemaKey, Schemas, SchemaTrouble } from '../format/schemas.ts'
import type { NameOfPartition } from '../source/source.ts'
import type { Partition } from '../window/partition.ts'
import type { OwnedTasks } from './owned-tasks.ts'

/** Schemas that may be waited for. */
export interface AwaitedSchemas extends Schemas {
  /** Resolves when `find` has something to say that it had not. */
  arrival(key: SchemaKey): Promise<void>
  /** Why it does not come; undefined as long as nothing has gone wrong. */
  troubleOf(key: SchemaKey): SchemaTrouble | undefined
  /** Keys of which the registry says something else than it did, each with what to tell. */
  readonly changed: ReadonlyMap<SchemaKey, string>
}

/** How soon a delivery that is held looks again whether it may go on. */
const HELD_LOOK_MS = 50
/** A request that takes longer is told. */
const SLOW_MS = 2_000
/** A run that is to end fails when it has waited for so long for what won't come by waiting: nobody may be there to see it. */
const STUCK_MS = 30_000
/** What passes by waiting, as with every server that is away. */
const AWAY = 'CTR_REGISTRY_UNREACHABLE'

/** A delivery is given back after so long. */
const GIVE_BACK_MS = 1_000

interface Hold {
  readonly key: SchemaKey
  readonly offset: number
  /** Wall time, ms. */
  readonly since: number
  /** The delivery was given back, and the partition is paused. */
  readonly givenBack: boolean
}

/** What came of a wait. */
export type WaitEnd = 'here' | 'long' | 'over'

/** Reasons of DEGRADED. */
const CODES = ['schemaUnknown', 'schemaRegistry', 'schemaChanged'] as const

export class SchemaHolds {
  /** Wall time, ms, that partitions have waited, of those that wait no more. */
  #waitedMs = 0
  readonly #held = new Map<Partition, Hold>()
  readonly #owned: Pick<OwnedTasks, 'partitions'>
  readonly #schemas: AwaitedSchemas
  readonly #degradations: Degradations
  readonly #nameOf: NameOfPartition
  readonly #clock: Clock

  constructor(
    owned: Pick<OwnedTasks, 'partitions'>,
    schemas: AwaitedSchemas,
    degradations: Degradations,
    nameOf: NameOfPartition,
    clock: Clock,
  ) {
    this.#owned = owned
    this.#schemas = schemas
    this.#degradations = degradations
    this.#nameOf = nameOf
    this.#clock = clock
  }

  /** Every partition of this process waits. */
  get all(): boolean {
    return this.#held.size > 0 && this.#held.size === this.#owned.partitions.length
  }

  /** What the partition waits for; undefined when it doesn't. */
  keyOf(partition: Partition): SchemaKey | undefined {
    return this.#held.get(partition)?.key
  }

  /** How many partitions wait now, and for how long all have waited since the start. */
  get stats(): { readonly waiting: number; readonly waitedSeconds: number } {
    const now = this.#clock()
    const waitedMs = [...this.#held.values()].reduce((sum, { since }) => sum + now - since, this.#waitedMs)
    return { waiting: this.#held.size, waitedSeconds: waitedMs / 1000 }
  }

  /**
   * Waits until the partition may be read on at `partition.position`: `here`. `over` when `goesOn` says that it is given up; `long` when it
   * takes long and `mayGiveBack`: then the partition is to be paused, and `comeTo` says when it may go on.
   */
  async wait(partition: Partition, key: SchemaKey, mayGiveBack: boolean, goesOn: () => boolean): Promise<WaitEnd> {
    const since = this.#held.get(partition)?.since ?? this.#clock()
    const hold = { key, offset: partition.position, since, givenBack: false }
    this.#held.set(partition, hold)
    let patienceMs = mayGiveBack ? GIVE_BACK_MS : Number.POSITIVE_INFINITY
    let arrived = this.#arrival(key)
    // Asking again and again says that it is still wanted. What has come may have gone again, to make room for others.
    while (this.#schemas.find(key) === undefined && goesOn()) {
      if (patienceMs <= 0) {
        this.#held.set(partition, { ...hold, givenBack: true })
        return 'long'
      }
      if (arrived.aborted) arrived = this.#arrival(key)
      await sleep(HELD_LOOK_MS, arrived)
      patienceMs -= HELD_LOOK_MS
    }
    const end = goesOn() ? 'here' : 'over'
    this.#end(partition, hold, end === 'here')
    return end
  }

  /** Partitions that were given back and may be read on, for their schema has come. To be called often. */
  comeTo(): Partition[] {
    return [...this.#held].flatMap(([partition, hold]) => {
      const owned = this.#owned.partitions.includes(partition)
      if (!hold.givenBack || (owned && this.#schemas.find(hold.key) === undefined)) return []
      this.#end(partition, hold, owned)
      return owned ? [partition] : []
    })
  }

  #end(partition: Partition, { since }: Hold, here: boolean): void {
    this.#held.delete(partition)
    this.#waitedMs += this.#clock() - since
    // A run may end before anybody looks again.
    if (here) for (const code of CODES) this.#degradations.clear(code, this.#nameOf(partition))
  }

  #arrival(key: SchemaKey): AbortSignal {
    const arrived = new AbortController()
    void this.#schemas.arrival(key).then(() => arrived.abort())
    return arrived.signal
  }

  /** To be called often; tells and takes back. With `bounded`, throws CtrError for what won't come by waiting. */
  look(now: number, bounded: boolean): void {
    const told = { schemaUnknown: new Set<string>(), schemaRegistry: new Set<string>(), schemaChanged: new Set<string>() }
    for (const [partition, hold] of this.#held) {
      const trouble = this.#schemas.troubleOf(hold.key) ?? slow(hold, now)
      if (trouble === undefined) continue
      const name = this.#nameOf(partition)
      const since = new Date(hold.since).toISOString()
      const message = `${name} waits at offset ${hold.offset} since ${since} for schema ${hold.key}: ${trouble.message}`
      if (bounded && trouble.code !== AWAY && now - hold.since >= STUCK_MS) throw new CtrError(trouble.code, message)
      const code = reasonOf(trouble)
      told[code].add(name)
      this.#degradations.report(code, name, message)
    }
    for (const [key, message] of this.#schemas.changed) {
      told.schemaChanged.add(key)
      this.#degradations.report('schemaChanged', key, message)
    }
    for (const code of CODES) this.#degradations.keepOnly(code, told[code])
  }
}

function reasonOf({ code }: SchemaTrouble): (typeof CODES)[number] {
  if (code === 'CTR_SCHEMA_UNKNOWN') return 'schemaUnknown'
  return code === 'CTR_SCHEMA_CHANGED' ? 'schemaChanged' : 'schemaRegistry'
}

function slow({ since }: Hold, now: number): SchemaTrouble | undefined {
  if (now - since < SLOW_MS) return undefined
  return { code: AWAY, message: 'the registry has not answered yet; look whether it is busy or nothing comes through' }
}

/**
 * A store of checkpoints that all processes share. Objects appear whole or not at all; answers get lost, it may be down or full, and bytes
 * may rot. Every manifest is compared with the truth when it appears, and must refer to objects that are there.
 */
import type { Manifest } from '../../src/checkpoint/manifest.ts'
import { CtrError } from '../../src/errors.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { REMADE_ID } from './finale.ts'
import type { Owner } from './scheduler.ts'
import { differenceOf } from './truth.ts'
import type { World } from './world.ts'

/** A checkpoint that was under way when the store was emptied is through by then, whatever it met. */
const SETTLED_MS = 15_000

export class SharedStore {
  readonly objects = new Map<string, Uint8Array>()
  /** Keys that were damaged or removed on purpose. */
  readonly damaged = new Set<string>()
  full = false
  /** What went when the store was emptied, with its size. */
  readonly #gone = new Map<string, number>()
  #emptiedAt = Number.POSITIVE_INFINITY
  /** When manifests appeared, by id. */
  readonly #writtenAt = new Map<string, number>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** A process' view of it. */
  open(pod: Owner): ObjectStore {
    const world = this.#world
    const ask = <T>(effect: () => T) => world.request(pod, 'store', effect)
    return {
      place: 'sim://store',
      put: (key, bytes, { ifAbsent = false } = {}) => {
        const copy = bytes.slice()
        return ask(() => this.#put(pod, key, copy, ifAbsent))
      },
      get: (key) => ask(() => this.objects.get(key)?.slice()),
      list: (prefix) =>
        ask(() => {
          const there = new Map([...this.objects].map(([key, { length }]) => [key, length]))
          if (world.mutation === 'objects that are gone are listed') for (const [key, bytes] of this.#gone) there.set(key, bytes)
          return [...there]
            .filter(([key]) => key.startsWith(prefix))
            .map(([key, bytes]) => ({ key, bytes }))
            .sort((a, b) => (a.key < b.key ? -1 : 1))
        }),
      remove: (keys) => ask(() => this.#remove(pod, keys)),
      close: async () => {},
    }
  }

  /** Bytes rot, or somebody's hand slips. */
  damage(): void {
    const { random } = this.#world
    const keys = [...this.objects.keys()].slice(random.chance(0.7) ? -6 : 0)
    const key = keys[random.below(keys.length)]
    const bytes = key === undefined ? undefined : this.objects.get(key)
    if (key === undefined || bytes === undefined) return
    this.damaged.add(key)
    const how = random.below(3)
    if (how === 0) this.objects.delete(key)
    else if (how === 1) this.objects.set(key, bytes.slice(0, random.below(bytes.length)))
    else bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    this.#world.note('store', `damaged ${key}`)
  }

  /** Somebody removes everything. */
  empty(): void {
    for (const key of this.objects.keys()) {
      this.damaged.add(key)
      this.#gone.set(key, this.objects.get(key)!.length)
    }
    this.objects.clear()
    this.#emptiedAt = this.#world.time.now
    this.#world.note('store', 'emptied')
  }

  /** What was written well after the store was emptied refers to nothing that went then. */
  checkAfterEmptied(): void {
    for (const { id, tasks } of this.manifests()) {
      if (!((this.#writtenAt.get(id) ?? 0) > this.#emptiedAt + SETTLED_MS)) continue
      for (const { object } of tasks) {
        if (object !== null && this.#gone.has(object.key)) this.#world.violation(`checkpoint ${id} refers to ${object.key}, gone for long`)
      }
    }
  }

  /** Manifests that can be read as they were written. */
  manifests(): Manifest[] {
    return [...this.objects].filter(([key]) => key.endsWith('.json') && !this.damaged.has(key)).map(([, bytes]) => parse(bytes))
  }

  /** Objects that manifests refer to and that are not there. */
  checkReferences(when: string): void {
    for (const { id, tasks } of this.manifests()) {
      for (const { task, object } of tasks) {
        if (object === null || this.objects.has(object.key) || this.damaged.has(object.key)) continue
        this.#world.violation(`${when}: checkpoint ${id} refers to ${object.key} for task ${task}, which is missing`)
      }
    }
  }

  #put(pod: Owner, key: string, bytes: Uint8Array, ifAbsent: boolean): boolean {
    if (this.full) throw new CtrError('CTR_CHECKPOINT_STORE', 'no space left on device', { retriable: true })
    const there = this.objects.get(key)
    if (ifAbsent && there !== undefined) return Buffer.compare(there, bytes) === 0
    this.objects.set(key, bytes)
    this.#world.note(pod.name, `put ${key}`)
    if (key.endsWith('.json')) this.#check(parse(bytes))
    return true
  }

  #remove(pod: Owner, keys: readonly string[]): void {
    const { random } = this.#world
    const some = pod.dead ? keys.slice(0, random.below(keys.length + 1)) : keys
    for (const key of some) {
      this.objects.delete(key)
      this.#world.note(pod.name, `removed ${key}`)
    }
    this.checkReferences(`after ${pod.name} removed ${some.length} objects`)
  }

  #check({ id, tasks }: Manifest): void {
    this.#writtenAt.set(id, this.#world.time.now)
    this.checkReferences('when a manifest appeared')
    if (this.#world.mutation !== undefined) return
    for (const { partitions } of tasks) {
      for (const { topic, partition, topicId, position, maxEventTime, totals } of partitions) {
        const want = this.#world.truth.prefix(topicId === REMADE_ID ? `${topic}#${REMADE_ID}` : topic, partition, position)
        const difference = differenceOf(totals, want)
        if (difference !== undefined) this.#world.violation(`checkpoint ${id}, ${topic}/${partition}@${position}: ${difference}`)
        if ((maxEventTime ?? undefined) !== want.maxEventTime) {
          this.#world.violation(`checkpoint ${id}, ${topic}/${partition}@${position}: event time ${maxEventTime}, not ${want.maxEventTime}`)
        }
      }
    }
  }
}

function parse(bytes: Uint8Array): Manifest {
  return JSON.parse(Buffer.from(bytes).toString()) as Manifest
}

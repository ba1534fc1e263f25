/** Registry and store fail at random, for a minute of virtual time; in the end they work, and each schema comes, the right one. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CtrError, type CtrErrorCode } from '../../src/errors.ts'
import { Random } from '../../src/load/random.ts'
import { KeptSchemas } from '../../src/registry/kept-schemas.ts'
import { SchemaCache } from '../../src/registry/schema-cache.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { silentLog } from '../../workshop/memory-run.ts'
import { repetitions } from '../support/effort.ts'
import { memoryStore } from '../support/memory-store.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) }))
afterEach(() => void vi.useRealTimers())

const RUNS = repetitions({ unit: 15, all: 40, long: 1_000 })
const KEYS = 6
const MAX_SCHEMAS = 3
const FAULTS: readonly CtrErrorCode[] = ['CTR_REGISTRY_UNREACHABLE', 'CTR_REGISTRY_AUTH', 'CTR_REGISTRY_REFUSED', 'CTR_SCHEMA_UNKNOWN']

test('whatever fails meanwhile, one request is under way for a schema, no other one is given, and all come in the end', async () => {
  for (let run = 0; run < RUNS; run++) {
    const seed = Math.floor(Math.random() * 1e9)
    await one(seed).catch((cause: unknown) => {
      throw new Error(`seed ${seed}`, { cause })
    })
  }
}, 300_000)

async function one(seed: number): Promise<void> {
  const random = new Random(seed)
  const world = { registry: 'well' as CtrErrorCode | 'well' | 'slow', store: 'well' as 'well' | 'fails' | 'hangs' }
  let atOnce = 0
  const clientOf = (flying = new Set<string>()) => ({
    requests: { found: 0, unknown: 0, denied: 0, limited: 0, refused: 0, failed: 0 },
    close: () => {},
    get: async (path: string) => {
      if (flying.has(path)) atOnce++
      flying.add(path)
      const { registry } = world
      await new Promise((resolve) => setTimeout(resolve, registry === 'slow' ? random.below(5_000) : random.below(50)))
      flying.delete(path)
      if (registry !== 'well' && registry !== 'slow') throw new CtrError(registry, registry)
      return { schema: textOf(path) }
    },
  })
  const objects = new Map<string, Uint8Array>()
  const process = () => {
    const store = faulty(memoryStore(objects), () => world.store)
    const kept = new KeptSchemas(async () => store, 'g/schemas/', ['http://r'])
    const bounds = { unknownAfter: Number.POSITIVE_INFINITY, maxSchemas: MAX_SCHEMAS, maxBytes: 1e6 }
    return new SchemaCache({ client: clientOf(), kept, ...bounds, log: silentLog, clock: Date.now })
  }
  let cache = process()
  const look = (id: number) => {
    const found = cache.find(`id:${id}`)
    if (found !== undefined && found !== 'unknown') expect(found.text).toBe(textOf(`/schemas/ids/${id}`))
    expect(found).not.toBe('unknown')
    return found
  }
  const wanted = new Set<number>()
  for (let at = 0; at < 60_000; at += 50) {
    if (random.below(40) === 0) world.registry = (['well', 'slow', ...FAULTS] as const)[random.below(FAULTS.length + 2)] ?? 'well'
    if (random.below(40) === 0) world.store = (['well', 'fails', 'hangs'] as const)[random.below(3)] ?? 'well'
    if (random.below(20) === 0) wanted.add(random.below(KEYS))
    if (random.below(400) === 0) {
      await cache.close()
      cache = process()
    }
    for (const id of wanted) if (look(id) !== undefined) wanted.delete(id)
    await vi.advanceTimersByTimeAsync(50)
    expect(cache.stats.schemas).toBeLessThanOrEqual(MAX_SCHEMAS)
  }
  Object.assign(world, { registry: 'well', store: 'well' })
  for (let id = 0; id < KEYS; id++) {
    for (let at = 0; look(id) === undefined; at += 50) {
      expect(at).toBeLessThan(20_000)
      await vi.advanceTimersByTimeAsync(50)
    }
  }
  // What could not be written meanwhile is, as long as it is in memory.
  await vi.advanceTimersByTimeAsync(120_000)
  expect([atOnce, cache.changed.size]).toEqual([0, 0])
  expect(objects.size).toBeGreaterThanOrEqual(MAX_SCHEMAS)
  await cache.close()
}

const textOf = (path: string) => JSON.stringify(path)

function faulty(store: ObjectStore, state: () => 'well' | 'fails' | 'hangs'): ObjectStore {
  const sometimes = async <T>(call: () => Promise<T>): Promise<T> => {
    if (state() === 'hangs') return new Promise(() => {})
    if (state() === 'fails') throw new CtrError('CTR_CHECKPOINT_STORE', 'the store fails')
    return call()
  }
  return {
    ...store,
    get: (...args) => sometimes(() => store.get(...args)),
    put: (...args) => sometimes(() => store.put(...args)),
  }
}

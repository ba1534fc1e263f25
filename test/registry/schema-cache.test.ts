import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { CtrError, type CtrErrorCode } from '../../src/errors.ts'
import type { WriterSchema } from '../../src/format/schemas.ts'
import { encodeSchema, KeptSchemas } from '../../src/registry/kept-schemas.ts'
import { SchemaCache, type SchemaCacheOptions } from '../../src/registry/schema-cache.ts'
import { type MemoryStore, memoryStore } from '../support/memory-store.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) }))
afterEach(() => void vi.useRealTimers())

type Said = { schema: string; schemaType?: string } | CtrErrorCode | 'silent'

const schemaOf = (text: string): WriterSchema => ({ type: 'avro', text, references: [] })
const DOWN = 'CTR_REGISTRY_UNREACHABLE'
const UNKNOWN = 'CTR_SCHEMA_UNKNOWN'

function bench(options: Partial<SchemaCacheOptions> = {}, store: MemoryStore | undefined = memoryStore()) {
  /** What the registry says, by path. */
  const says = new Map<string, Said>()
  const asked: string[] = []
  const told: string[] = []
  const held: (() => void)[] = []
  const client: SchemaCacheOptions['client'] = {
    requests: { found: 0, unknown: 0, denied: 0, limited: 0, refused: 0, failed: 0 },
    close: () => {},
    async get(path) {
      asked.push(path)
      const said = says.get(path) ?? UNKNOWN
      if (said === 'silent') {
        await new Promise<void>((resolve) => held.push(resolve))
        throw new CtrError(DOWN, 'silent')
      }
      if (typeof said === 'string') throw new CtrError(said, `the registry: ${said}`, { retriable: true })
      return said
    },
  }
  const log = {
    info: (_: object, message: string) => void told.push(message),
    warn: (_: object, message: string) => void told.push(message),
  }
  const kept = store && new KeptSchemas(async () => store, 'g/schemas/', ['http://one', 'http://two'])
  const cache = new SchemaCache({
    client,
    kept,
    unknownAfter: Number.POSITIVE_INFINITY,
    maxSchemas: 100,
    maxBytes: 1e6,
    log,
    clock: Date.now,
    ...options,
  })
  const register = (id: number, text = `"s${id}"`) => void says.set(`/schemas/ids/${id}`, { schema: text })
  /** Goes on asking, as who waits does, for so many ms. */
  const want = async (key: string, ms: number) => {
    for (let at = 0; at < ms; at += 50) {
      const found = cache.find(key)
      if (found !== undefined) return found
      await vi.advanceTimersByTimeAsync(50)
    }
    return cache.find(key)
  }
  return { says, asked, told, held, cache, kept, store, register, want }
}

test('a schema is asked for once, whoever wants it, and stays', async () => {
  const { cache, asked, register, want } = bench()
  register(17, '"string"')
  expect(cache.find('id:17')).toBeUndefined()
  expect(cache.find('id:17')).toBeUndefined()
  let arrived = false
  void cache.arrival('id:17').then(() => {
    arrived = true
  })
  expect(await want('id:17', 100)).toEqual(schemaOf('"string"'))
  expect(arrived).toBe(true)
  await vi.advanceTimersByTimeAsync(300_000)
  expect(cache.find('id:17')).toBe(cache.find('id:17'))
  expect(asked).toEqual(['/schemas/ids/17'])
})

test('a registry that is down is asked again and again, further and further apart, and what it gives then is taken', async () => {
  const { cache, says, asked, register, want } = bench()
  says.set('/schemas/ids/1', DOWN)
  expect(await want('id:1', 60_000)).toBeUndefined()
  expect(cache.troubleOf('id:1')).toEqual({ code: DOWN, message: 'the registry: CTR_REGISTRY_UNREACHABLE' })
  expect(asked.length).toBeGreaterThan(9)
  expect(asked.length).toBeLessThan(25)
  register(1)
  expect(await want('id:1', 10_100)).toEqual(schemaOf('"s1"'))
  expect(cache.troubleOf('id:1')).toBeUndefined()
})

test('what a request fails with that is no failure of a registry is one, and is tried again', async () => {
  const answers = [new TypeError('odd'), { schema: '"string"' }]
  const client = {
    requests: { found: 0, unknown: 0, denied: 0, limited: 0, refused: 0, failed: 0 },
    close: () => {},
    async get() {
      const answer = answers.shift()
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const { cache, want } = bench({ client })
  cache.find('id:1')
  await vi.advanceTimersByTimeAsync(50)
  const message = expect.stringMatching(/schema id:1 can't be fetched: odd; check schemaRegistry.url/)
  expect(cache.troubleOf('id:1')).toEqual({ code: 'CTR_REGISTRY_REFUSED', message })
  expect(await want('id:1', 1_000)).toEqual(schemaOf('"string"'))
})

test('why a schema can not be used is told with an end', () => {
  const { cache, told } = bench()
  cache.unfit('id:1', 'x'.repeat(1_000_000))
  expect(told).toEqual([expect.stringMatching(/^schema id:1 can't be used: x+… \(.* characters more\)$/)])
  expect(told[0]?.length).toBeLessThan(1_200)
})

test('nobody is asked for what nobody wants any more', async () => {
  const { cache, asked, says, want } = bench()
  says.set('/schemas/ids/1', DOWN)
  await want('id:1', 1_000)
  await vi.advanceTimersByTimeAsync(75_000)
  const before = asked.length
  await vi.advanceTimersByTimeAsync(600_000)
  expect(asked.length).toBe(before)
  expect(cache.stats.missing).toBe(0)
  // Who comes later begins anew.
  await want('id:1', 100)
  expect(asked.length).toBe(before + 1)
})

test('requests that hang are one for each schema', async () => {
  const { asked, says, want } = bench()
  says.set('/schemas/ids/1', 'silent')
  await want('id:1', 30_000)
  expect(asked).toEqual(['/schemas/ids/1'])
})

describe('what the registry does not know', () => {
  test('is waited for, for ever', async () => {
    const { cache, want } = bench()
    expect(await want('id:9', 600_000)).toBeUndefined()
    expect(cache.troubleOf('id:9')).toMatchObject({ code: UNKNOWN, message: expect.stringContaining('register it there') })
  })

  test('is unknown after unknownAfter and not before, and known when it is registered', async () => {
    const { cache, asked, register, want } = bench({ unknownAfter: 5_000 })
    expect(await want('id:9', 4_950)).toBeUndefined()
    expect(await want('id:9', 200)).toBe('unknown')
    await cache.arrival('id:9')
    const before = asked.length
    register(9)
    // It is answered at once, and asked for again from time to time.
    expect(cache.find('id:9')).toBe('unknown')
    await vi.advanceTimersByTimeAsync(59_000)
    expect(cache.find('id:9')).toBe('unknown')
    expect(asked.length).toBe(before)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(cache.find('id:9')).toBe('unknown')
    await vi.advanceTimersByTimeAsync(10)
    expect(cache.find('id:9')).toEqual(schemaOf('"s9"'))
  })

  test('is not unknown by a registry that is down, however long', async () => {
    const { says, want } = bench({ unknownAfter: 1_000 })
    says.set('/schemas/ids/9', DOWN)
    expect(await want('id:9', 600_000)).toBeUndefined()
  })
})

describe('the bound of memory', () => {
  const fill = async ({ register, want }: ReturnType<typeof bench>, ids: readonly number[]) => {
    for (const id of ids) {
      register(id, `"${'x'.repeat(98)}"`)
      await want(`id:${id}`, 100)
    }
  }

  test('by number: all that fit stay, one more takes the place of that which was not asked for longest', async () => {
    const made = bench({ maxSchemas: 3 })
    await fill(made, [1, 2, 3])
    expect(made.cache.stats).toMatchObject({ schemas: 3, bytes: 300 })
    made.cache.find('id:1')
    await fill(made, [4])
    expect(made.cache.stats).toMatchObject({ schemas: 3, bytes: 300 })
    expect([1, 3, 4].map((id) => made.cache.find(`id:${id}`)).includes(undefined)).toBe(false)
    // And comes back when it is asked for.
    expect(made.cache.find('id:2')).toBeUndefined()
    expect(await made.want('id:2', 100)).toBeDefined()
    expect(made.cache.stats.schemas).toBe(3)
  })

  test.each([
    [300, 3],
    [299, 2],
  ])('by size: of three with 100 bytes each, %i bytes hold %i', async (maxBytes, left) => {
    const made = bench({ maxBytes })
    await fill(made, [1, 2, 3])
    expect(made.cache.stats).toMatchObject({ schemas: left, bytes: left * 100 })
    expect(made.cache.find('id:3')).toBeDefined()
  })

  test('holds for what is unknown, too', async () => {
    const { cache, want } = bench({ maxSchemas: 2, unknownAfter: 1_000 })
    for (const id of [1, 2, 3]) expect(await want(`id:${id}`, 2_000)).toBe('unknown')
    expect(cache.find('id:2')).toBe('unknown')
    expect(cache.find('id:1')).toBeUndefined()
  })
})

describe('the store', () => {
  test('has a schema before anybody reads by it, and serves the next process when the registry is down', async () => {
    const first = bench()
    first.register(1)
    const put = Promise.withResolvers<void>()
    const store = first.store!
    const { put: write } = store
    store.put = async (...args) => {
      await put.promise
      return write(...args)
    }
    await first.want('id:1', 500)
    expect(first.cache.find('id:1')).toBeUndefined()
    put.resolve()
    expect(await first.want('id:1', 100)).toBeDefined()
    store.put = write

    const second = bench({}, store)
    second.says.set('/schemas/ids/1', DOWN)
    expect(await second.want('id:1', 100)).toEqual(schemaOf('"s1"'))
    expect(second.cache.stats.fromStore).toBe(1)
    expect(second.told).toContainEqual(expect.stringContaining('taken from checkpoint.storage'))
  })

  test('serves for a silent registry after a second, and at once from then on', async () => {
    const { cache, kept, says, want } = bench()
    await kept!.keep('id:1', schemaOf('"a"'))
    await kept!.keep('id:2', schemaOf('"b"'))
    says.set('/schemas/ids/1', 'silent')
    says.set('/schemas/ids/2', DOWN)
    expect(await want('id:1', 900)).toBeUndefined()
    expect(await want('id:1', 150)).toEqual(schemaOf('"a"'))
    expect(await want('id:2', 100)).toEqual(schemaOf('"b"'))
    expect(cache.stats.fromStore).toBe(2)
  })

  test('serves for what the registry has deleted since, and does not ask for ever', async () => {
    const { kept, asked, want } = bench()
    await kept!.keep('id:1', schemaOf('"a"'))
    expect(await want('id:1', 100)).toEqual(schemaOf('"a"'))
    await vi.advanceTimersByTimeAsync(600_000)
    expect(asked.length).toBe(1)
  })

  test('is found under each address of the registry', async () => {
    const { store, says, want } = bench()
    const other = new KeptSchemas(async () => store, 'g/schemas/', ['http://two/'])
    await other.keep('id:1', schemaOf('"a"'))
    says.set('/schemas/ids/1', DOWN)
    expect(await want('id:1', 100)).toEqual(schemaOf('"a"'))
  })

  test.each(['get', 'put'] as const)('that fails to %s costs nothing but that, and is written when it works again', async (call) => {
    const { store, told, register, want } = bench()
    const { get, put } = store!
    const away = () => Promise.reject(new CtrError('CTR_CHECKPOINT_STORE', 'the disk is away'))
    Object.assign(store!, { [call]: away })
    register(1)
    expect(await want('id:1', 2_500)).toEqual(schemaOf('"s1"'))
    expect(told).toContainEqual(expect.stringContaining('can not be'))
    Object.assign(store!, { get, put })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(store!.objects.size).toBe(1)
  })

  test('that hangs holds nothing up for longer than a second at each call', async () => {
    const { store, register, want } = bench()
    const hang = (signal?: AbortSignal) => new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    store!.get = (_, signal) => hang(signal)
    store!.put = (_, __, options) => hang(options?.signal)
    register(1)
    expect(await want('id:1', 2_500)).toEqual(schemaOf('"s1"'))
  })

  test('is not needed', async () => {
    const { register, want } = bench({ kept: undefined })
    register(1)
    expect(await want('id:1', 100)).toEqual(schemaOf('"s1"'))
  })
})

describe('a registry that was made anew', () => {
  test('is found out: nobody is given either schema until the operator says which is right', async () => {
    const { cache, kept, store, register, want } = bench()
    await kept!.keep('id:1', schemaOf('"old"'))
    register(1, '"new"')
    expect(await want('id:1', 60_000)).toBeUndefined()
    expect(cache.troubleOf('id:1')?.code).toBe('CTR_SCHEMA_CHANGED')
    const [message] = cache.changed.values()
    expect(message).toMatch(/remove g\/schemas\/[0-9a-f]{16}\/id\/1\.json in memory when what it says now is right/)
    store!.objects.clear()
    expect(await want('id:1', 11_000)).toEqual(schemaOf('"new"'))
    expect(cache.changed.size).toBe(0)
  })

  test('is found out later when it was down first', async () => {
    const { cache, kept, says, register, want } = bench()
    await kept!.keep('id:1', schemaOf('"old"'))
    says.set('/schemas/ids/1', DOWN)
    expect(await want('id:1', 100)).toEqual(schemaOf('"old"'))
    register(1, '"new"')
    await vi.advanceTimersByTimeAsync(5_000)
    expect([...cache.changed.keys()]).toEqual(['id:1'])
  })

  test('is found out by what another process has written meanwhile', async () => {
    const { cache, store, register, want } = bench()
    const [folder] = await keysOf(store!, '"x"')
    store!.objects.clear()
    const { get } = store!
    let reads = 0
    store!.get = async (key) => {
      // The first look comes before the other process writes.
      if (reads++ < 2) return undefined
      store!.objects.set(folder!, encodeSchema('id:1', schemaOf('"theirs"')))
      return get(key)
    }
    store!.objects.set(folder!, encodeSchema('id:1', schemaOf('"theirs"')))
    register(1, '"ours"')
    expect(await want('id:1', 1_000)).toBeUndefined()
    expect(cache.troubleOf('id:1')?.code).toBe('CTR_SCHEMA_CHANGED')
  })

  test('is none when the same schema is only written in another way', async () => {
    const { kept, register, want } = bench()
    await kept!.keep('id:1', schemaOf('{"type":"fixed","name":"F","size":2}'))
    register(1, '{ "name": "F", "type": "fixed", "size": 2 }')
    expect(await want('id:1', 100)).toBeDefined()
  })
})

async function keysOf(store: MemoryStore, text: string): Promise<string[]> {
  await new KeptSchemas(async () => store, 'g/schemas/', ['http://one']).keep('id:1', schemaOf(text))
  return [...store.objects.keys()]
}

test('closing ends all that is under way', async () => {
  const { cache, asked, says, want } = bench()
  says.set('/schemas/ids/1', DOWN)
  await want('id:1', 1_000)
  const before = asked.length
  await cache.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked.length).toBe(before)
})

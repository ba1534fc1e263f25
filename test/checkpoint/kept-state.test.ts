/** What is done to kept state without a pipeline: found by name, verified, compared, given a name. */
import { beforeEach, describe, expect, test } from 'vitest'
import { claimName } from '../../src/checkpoint/claims.ts'
import { differences, type WindowDifference } from '../../src/checkpoint/difference.ts'
import { checkpointId, encodeManifest, listManifests, type Manifest, manifestKey } from '../../src/checkpoint/manifest.ts'
import { createSavepoint, removeSavepoint } from '../../src/checkpoint/savepoint.ts'
import { nameFault, select } from '../../src/checkpoint/selection.ts'
import { verifyManifest } from '../../src/checkpoint/verify.ts'
import type { PartitionFacts } from '../../src/window/facts.ts'
import { keep } from '../support/kept-state.ts'
import { type MemoryStore, memoryStore } from '../support/memory-store.ts'

let store: MemoryStore

beforeEach(() => {
  store = memoryStore()
})

const chosen = async (what: string) => {
  const { tasks } = select(await listManifests(store, 'ctr'), what)
  return tasks.map(({ entry, from }) => [entry.task, from.manifest.createdAt, entry.partitions[0]?.position])
}
const windows = { 0: { a: [1, 0] as const } }

describe('a name', () => {
  test('latest is the furthest state of each task, whoever wrote it when', async () => {
    await keep(store, { at: 1000, writer: 1, tasks: { 0: { position: 10, windows }, 1: { position: 50, windows } } })
    await keep(store, { at: 2000, writer: 2, tasks: { 1: { position: 40, windows }, 2: { position: 1, windows: {} } } })
    await keep(store, { at: 3000, writer: 1, savepoint: 'stop', tasks: { 0: { position: 10, windows } } })
    expect(await chosen('latest')).toEqual([
      [0, 3000, 10],
      [1, 1000, 50],
      [2, 2000, 1],
    ])
  })

  test('of a savepoint is all its parts, with or without a prefix; an id is one', async () => {
    const first = await keep(store, { at: 1000, writer: 1, savepoint: 'x', tasks: { 0: { position: 1, windows } } })
    await keep(store, { at: 1001, writer: 2, savepoint: 'x', tasks: { 1: { position: 1, windows } } })
    await keep(store, { at: 2000, tasks: { 0: { position: 2, windows } } })
    const parts = [
      [0, 1000, 1],
      [1, 1001, 1],
    ]
    expect(await chosen('x')).toEqual(parts)
    expect(await chosen('savepoint:x')).toEqual(parts)
    expect(await chosen(first.id)).toEqual([[0, 1000, 1]])
  })

  test('that nothing goes by is told, with what there is', async () => {
    await expect(chosen('latest')).rejects.toMatchObject({ code: 'CTR_USAGE', message: expect.stringContaining('there is none at all') })
    for (let i = 0; i < 7; i++) await keep(store, { at: 1000 + i, savepoint: `s${i}`, tasks: {} })
    await expect(chosen('s9')).rejects.toThrow('there is no checkpoint or savepoint "s9"; there is s6, s5, s4, s3, s2 and 2 more')
  })

  test('of something broken says what is broken', async () => {
    const { id } = await keep(store, { at: 1000, tasks: {} })
    store.objects.set(`ctr/checkpoints/${id}.json`, new Uint8Array(1))
    await expect(chosen(id)).rejects.toMatchObject({ code: 'CTR_CHECKPOINT_CORRUPT' })
  })

  test.each([
    ['before-upgrade.2_A', undefined],
    ['x'.repeat(100), undefined],
    ['x'.repeat(101), 'up to 100'],
    ['', 'up to 100'],
    ['a b', 'up to 100'],
    ['latest', 'meaning of its own'],
    ['none', 'meaning of its own'],
    ['1700000000000-0a1b2c3d-1', 'id of a checkpoint'],
  ])('%j for a savepoint: %s', (name, fault) => {
    if (fault === undefined) expect(nameFault(name)).toBeUndefined()
    else expect(nameFault(name)).toContain(fault)
  })
})

describe('verifying', () => {
  const problems = async (manifest: Manifest) =>
    (await verifyManifest(store, { key: manifestKey(manifest), bytes: 1, manifest })).flatMap((verdict) => verdict.problems)

  test('finds nothing wrong where windows were closed since an object was written, or none is open', async () => {
    const written = await keep(store, {
      at: 1000,
      tasks: { 0: { position: 5, windows, closed: { 20000: { b: [7, 7] } } }, 1: { position: 1, windows: {} } },
    })
    expect(await problems(written)).toEqual([])
    const again = await keep(store, { at: 2000, tasks: { 0: { position: 9, windows: {}, object: written.tasks[0]?.object ?? null } } })
    expect(await problems(again)).toEqual([])
  })

  test('finds an object that is missing, one that is damaged, and one that is another', async () => {
    const written = await keep(store, {
      at: 1000,
      tasks: { 0: { position: 5, windows }, 1: { position: 5, windows }, 2: { position: 5, windows } },
    })
    const [first, second, third] = written.tasks.map(({ object }) => object?.key ?? '') as [string, string, string]
    store.objects.delete(first)
    const damaged = Uint8Array.from(store.objects.get(second)!)
    damaged[damaged.length - 1]! ^= 1
    store.objects.set(second, damaged)
    store.objects.set(third, store.objects.get(third)!.subarray(1))
    expect(await problems(written)).toEqual([
      `${first}: it is missing`,
      expect.stringContaining(`${second}: the checksum of section`),
      expect.stringContaining(`${third}: it has`),
    ])
  })

  test('finds that main and the workers counted differently', async () => {
    const written = await keep(store, { at: 1000, tasks: { 0: { position: 5, windows: { 0: { a: [1, 2] } } } } })
    const [task] = written.tasks
    const partitions = task!.partitions.map((one) => ({ ...one, windows: one.windows.map((window) => ({ ...window, events: 4 })) }))
    expect(await problems({ ...written, tasks: [{ ...task!, partitions }] })).toEqual([
      'the window that ends at 1970-01-01T00:00:10.000Z has 4 events, its object has 3',
    ])
    expect(await problems({ ...written, tasks: [{ ...task!, object: null }] })).toEqual([
      'the window that ends at 1970-01-01T00:00:10.000Z has 3 events, no such window is in its object',
    ])
  })

  test('takes a window that was entered but holds no event yet for sound', async () => {
    const written = await keep(store, { at: 1000, tasks: { 0: { position: 5, windows } } })
    const [task] = written.tasks
    const entered = (one: PartitionFacts) => ({ ...one.windows[0]!, end: 90_000, events: 0 })
    const partitions = task!.partitions.map((one) => ({ ...one, windows: [...one.windows, entered(one)] }))
    expect(await problems({ ...written, tasks: [{ ...task!, partitions }] })).toEqual([])
    const empty = task!.partitions.map((one) => ({ ...one, windows: [entered(one)] }))
    expect(await problems({ ...written, tasks: [{ ...task!, partitions: empty, object: null }] })).toEqual([])
  })

  test('finds an object that is ahead of its manifest, or of another task', async () => {
    const written = await keep(store, { at: 1000, tasks: { 0: { position: 5, windows }, 1: { position: 5, windows } } })
    const [a, b] = written.tasks
    const behind = { ...a!, partitions: a!.partitions.map((one) => ({ ...one, position: 4 })) }
    expect(await problems({ ...written, tasks: [behind] })).toEqual(['clicks/0 stands at 4, its object at 5 already'])
    expect(await problems({ ...written, tasks: [{ ...a!, object: b!.object }] })).toEqual(['its object is of task 1'])
  })
})

test('two checkpoints differ in the windows and products that are not the same', async () => {
  const a = await keep(store, {
    at: 1000,
    tasks: {
      0: { position: 5, windows: { 0: { same: [1, 1] }, 10000: { a: [1, 0], b: [2, 2], c: [3, 0] } } },
      1: { position: 5, windows: { 0: { gone: [1, 0] } } },
    },
  })
  const b = await keep(store, {
    at: 2000,
    tasks: { 0: { position: 5, windows: { 0: { same: [1, 1] }, 10000: { a: [1, 1], b: [2, 2], d: [4, 0] }, 20000: { a: [1, 0] } } } },
  })
  const listing = await listManifests(store, 'ctr')
  const found: WindowDifference[] = []
  for await (const one of differences(store, select(listing, a.id), select(listing, b.id))) found.push(one)
  expect(found).toEqual([
    {
      task: 0,
      start: 10_000,
      end: 20_000,
      a: [6, 2],
      b: [7, 3],
      products: [
        { product: 'a', a: [1, 0], b: [1, 1] },
        { product: 'c', a: [3, 0], b: null },
        { product: 'd', a: null, b: [4, 0] },
      ],
    },
    { task: 0, start: 20_000, end: 30_000, a: null, b: [1, 0], products: [{ product: 'a', a: null, b: [1, 0] }] },
    { task: 1, start: 0, end: 10_000, a: [1, 0], b: null, products: [{ product: 'gone', a: [1, 0], b: null }] },
  ])
})

describe('a savepoint', () => {
  const maker = { writerId: '0000000f', clock: () => 9000 }

  test('holds the furthest state of each task, one manifest for each that it comes from', async () => {
    await keep(store, { at: 1000, writer: 1, tasks: { 0: { position: 10, windows }, 1: { position: 50, windows } } })
    await keep(store, { at: 2000, writer: 2, tasks: { 1: { position: 40, windows }, 2: { position: 1, windows: {} } } })
    expect((await createSavepoint(store, 'ctr', 'x', maker)).map(({ entry }) => entry.task)).toEqual([0, 1, 2])
    const parts = (await listManifests(store, 'ctr')).manifests.filter(({ manifest }) => manifest.savepoint === 'x')
    expect(parts.map(({ manifest }) => [manifest.writer, manifest.createdAt, manifest.tasks.map(({ task }) => task)]).sort()).toEqual([
      ['ctr-1', 1000, [0, 1]],
      ['ctr-2', 2000, [2]],
    ])
    expect((await chosen('x')).map(([task, , position]) => [task, position])).toEqual([
      [0, 10],
      [1, 50],
      [2, 1],
    ])
  })

  test('is made once under a name, and only of what is there', async () => {
    await expect(createSavepoint(store, 'ctr', 'x', maker)).rejects.toMatchObject({ code: 'CTR_USAGE' })
    await keep(store, { at: 1000, tasks: { 0: { position: 10, windows } } })
    await expect(createSavepoint(store, 'ctr', 'latest', maker)).rejects.toMatchObject({ code: 'CTR_USAGE' })
    await createSavepoint(store, 'ctr', 'x', maker)
    await expect(createSavepoint(store, 'ctr', 'x', maker)).rejects.toThrow('there is a savepoint x already')
  })

  test('is made by one of several that make it at once; the others are told', async () => {
    await keep(store, { at: 1000, tasks: { 0: { position: 10, windows }, 1: { position: 5, windows } } })
    const makers = Array.from({ length: 5 }, (_, i) => ({ writerId: `0000000${i}`, clock: () => Date.now() }))
    const made = await Promise.allSettled(makers.map((one) => createSavepoint(store, 'ctr', 'x', one)))
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const one of made)
      if (one.status === 'rejected') expect(String(one.reason)).toContain('savepoint x has been taken, or is being taken')
    expect((await listManifests(store, 'ctr')).manifests.filter(({ manifest }) => manifest.savepoint === 'x')).toHaveLength(1)
    await removeSavepoint(store, 'ctr', 'x')
    expect(await store.list('ctr/savepoints/')).toEqual([])
    await createSavepoint(store, 'ctr', 'x', maker)
  })

  test.each([
    [59, false],
    [61, true],
  ])('is not held up for ever by one that died while it took it %i minutes ago', async (minutes, free) => {
    await keep(store, { at: 1000, tasks: { 0: { position: 10, windows } } })
    const now = Date.now()
    await claimName(store, { group: 'ctr', name: 'x', id: checkpointId(now - minutes * 60_000, '0000000a', 1), tasks: [0] }, now)
    const making = createSavepoint(store, 'ctr', 'x', { writerId: '0000000b', clock: () => now })
    // The name is looked up before.
    if (free) await expect(making).resolves.toHaveLength(1)
    else await expect(making).rejects.toThrow(/savepoint x/)
  })

  test('that would be broken is not made', async () => {
    const written = await keep(store, { at: 1000, tasks: { 0: { position: 10, windows } } })
    store.objects.delete(written.tasks[0]?.object?.key ?? '')
    await expect(createSavepoint(store, 'ctr', 'x', maker)).rejects.toMatchObject({ code: 'CTR_CHECKPOINT_CORRUPT' })
    expect(await store.list('ctr/savepoints/')).toEqual([])
  })

  test('is removed whole, and nothing else', async () => {
    await keep(store, { at: 1000, tasks: { 0: { position: 10, windows } } })
    await keep(store, { at: 1000, savepoint: 'x', writer: 1, tasks: {} })
    await keep(store, { at: 1001, savepoint: 'x', writer: 2, tasks: {} })
    await keep(store, { at: 1001, savepoint: 'xy', tasks: {} })
    expect(await removeSavepoint(store, 'ctr', 'x')).toBe(2)
    await expect(removeSavepoint(store, 'ctr', 'x')).rejects.toThrow('there is no savepoint x')
    expect((await listManifests(store, 'ctr')).manifests.map(({ manifest }) => manifest.savepoint)).toEqual(['xy', null])
  })
})

test('manifests that are known are not read again, and forgotten when they are gone', async () => {
  const first = await keep(store, { at: 1000, tasks: {} })
  const read: string[] = []
  const get = async (key: string) => {
    read.push(key)
    return await store.get(key)
  }
  const counting = { ...store, get }
  const known = new Map()
  expect((await listManifests(counting, 'ctr', undefined, known)).manifests).toHaveLength(1)
  const second = await keep(store, { at: 2000, tasks: {} })
  expect((await listManifests(counting, 'ctr', undefined, known)).manifests.map(({ manifest }) => manifest.id)).toEqual([
    second.id,
    first.id,
  ])
  expect(read).toEqual([manifestKey(first), manifestKey(second)])
  store.objects.delete(manifestKey(first))
  expect((await listManifests(counting, 'ctr', undefined, known)).manifests.map(({ manifest }) => manifest.id)).toEqual([second.id])
  expect([...known.keys()]).toEqual([manifestKey(second)])
  expect(encodeManifest(second).length).toBe(known.get(manifestKey(second)).bytes)
})

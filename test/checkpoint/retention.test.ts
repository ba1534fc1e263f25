/** What expires from a store, case by case. Times are in minutes; now is minute 1000. */
import { describe, expect, test } from 'vitest'
import {
  checkpointId,
  encodeManifest,
  type Manifest,
  type ManifestListing,
  manifestKey,
  objectKey,
  type StoredManifest,
} from '../../src/checkpoint/manifest.ts'
import { expired, type OwnCheckpoints, removeExpired } from '../../src/checkpoint/retention.ts'
import { CtrError } from '../../src/errors.ts'
import { memoryStore } from '../support/memory-store.ts'
import { FACTS } from '../support/task-copies.ts'

const NOW = 1000
const NO_TOTALS = { first: 0, read: 0, counted: 0, late: 0, invalid: {} }
const ms = (minute: number) => minute * 60_000
const id = (minute: number) => checkpointId(ms(minute), '00000000', 1)
const object = (task: number, minute: number) => objectKey('g', task, id(minute))
const checkpoint = (minute: number) => `g/checkpoints/${id(minute)}.json`
const savepoint = (name: string, minute: number) => `g/savepoints/${name}/${id(minute)}.json`

/** A manifest of a minute; `tasks` gives the minute in which each task's object was written. */
function manifest(minute: number, tasks: Readonly<Record<number, number | null>>, name: string | null = null): StoredManifest {
  const written: Manifest = {
    format: 1,
    id: id(minute),
    savepoint: name,
    group: 'g',
    writer: 'ctr',
    createdAt: ms(minute),
    rules: FACTS.rules,
    tasks: Object.entries(tasks).map(([task, at]) => ({
      task: Number(task),
      published: null,
      partitions: [],
      object: at === null ? null : { key: object(Number(task), at), bytes: 1, crc32: 1, cells: 1, products: 1 },
    })),
  }
  return { key: manifestKey(written), bytes: 1, manifest: written }
}

const listing = (manifests: StoredManifest[], unreadable: string[] = []): ManifestListing => ({
  manifests: manifests.toSorted((a, b) => b.manifest.createdAt - a.manifest.createdAt),
  unreadable: unreadable.map((key) => ({ key, reason: new CtrError('CTR_CHECKPOINT_CORRUPT', key) })),
  isTorn: false,
})

const decide = (found: ManifestListing, objects: string[], retain = 2, own?: OwnCheckpoints) => {
  const gone = expired(
    found,
    objects.map((key) => ({ key, bytes: 1 })),
    retain,
    ms(NOW),
    own,
  )
  return [...gone.manifests, ...gone.objects]
}

describe('checkpoints', () => {
  test.each([
    [1, [100, 200]],
    [2, [100]],
    [3, []],
    [4, []],
  ])('with retain %d of three, those of minutes %j go, with their objects', (retain, gone) => {
    const found = listing([manifest(100, { 1: 100 }), manifest(200, { 1: 200 }), manifest(300, { 1: 300 })])
    const objects = [100, 200, 300].map((minute) => object(1, minute))
    expect(decide(found, objects, retain).sort()).toEqual([...gone.map(checkpoint), ...gone.map((minute) => object(1, minute))].sort())
  })

  test('stay while they are the newest of one task, whoever wrote the newer ones of the others', () => {
    const found = listing([
      manifest(100, { 1: 100, 2: 100 }),
      manifest(200, { 1: 200 }),
      manifest(300, { 1: 300 }),
      manifest(400, { 1: 400 }),
    ])
    expect(decide(found, [])).toEqual([checkpoint(200)])
  })

  test('that mention no task go', () => {
    expect(decide(listing([manifest(100, {})]), [])).toEqual([checkpoint(100)])
  })

  test('an object that a newer checkpoint refers to again stays when the one that wrote it goes', () => {
    const found = listing([manifest(100, { 1: 100 }), manifest(200, { 1: 100 }), manifest(300, { 1: 100, 2: null })])
    expect(decide(found, [object(1, 100), object(1, 99)])).toEqual([checkpoint(100), object(1, 99)])
  })
})

describe('savepoints', () => {
  test('never expire, and hold their objects', () => {
    const found = listing([manifest(1, { 1: 1 }, 'before'), manifest(2, { 1: 2 }, 'after'), manifest(900, { 1: 900 })])
    expect(decide(found, [object(1, 1), object(1, 2), object(1, 3)], 1)).toEqual([object(1, 3)])
  })

  test('give way to newer ones of the same name, task by task', () => {
    const found = listing([
      manifest(1, { 1: 1, 2: 1 }, 'stop'),
      manifest(2, { 3: 2 }, 'stop'),
      manifest(3, { 1: 3 }, 'stop'),
      manifest(4, { 3: 4 }, 'stop'),
      manifest(5, { 1: 5, 2: 5 }, 'other'),
    ])
    expect(decide(found, [object(1, 1), object(3, 2)])).toEqual([savepoint('stop', 2), object(3, 2)])
  })
})

describe('objects that nothing refers to', () => {
  test.each([
    [NOW - 61, true],
    [NOW - 60, false],
    [NOW - 59, false],
    [NOW + 5, false],
  ])('of minute %d expire at minute 1000: %j', (minute, gone) => {
    expect(decide(listing([]), [object(1, minute)])).toEqual(gone ? [object(1, minute)] : [])
  })

  test('are left alone when their key tells no time', () => {
    expect(decide(listing([]), ['g/objects/1/mine.txt'])).toEqual([])
  })
})

describe('what a writer removes of objects that nothing refers to', () => {
  const numbered = (number: number, writer = '0000000a') => objectKey('g', 1, checkpointId(ms(NOW) - 1, writer, number))
  const young = [1, 2, 3].map((number) => numbered(number))

  const loose = new Set([...young, numbered(1, '0000000b'), object(1, 997), object(1, 996)])

  test('go up to the number that is complete; those of others stay for their hour', () => {
    const own = { writerId: '0000000a', number: 2, loose }
    expect(decide(listing([]), [...young, numbered(1, '0000000b')], 2, own)).toEqual([numbered(1), numbered(2)])
    expect(decide(listing([]), young, 2, { ...own, after: 1 })).toEqual([numbered(2)])
    expect(decide(listing([]), young)).toEqual([])
  })

  test('stay for the first pass that finds them loose: a manifest may have come since it listed', () => {
    const own = { writerId: '0000000a', number: 2 }
    expect(decide(listing([]), young, 2, own)).toEqual([])
    const objects = [999, 998, 997].map((minute) => ({ key: object(1, minute), bytes: 1 }))
    const all = { writerId: '00000000', number: 1 }
    expect(expired(listing([manifest(999, { 1: 999 })]), objects, 2, ms(NOW), all).loose).toEqual(new Set([object(1, 998), object(1, 997)]))
  })

  test('of others stay for the first pass, however old: whoever has lost the task may be writing a manifest that refers to them', () => {
    const old = { writerId: '0000000a', number: 2 }
    const found = listing([manifest(999, { 1: 999 })])
    expect(decide(found, [object(1, 5)], 1, old)).toEqual([])
    expect(decide(found, [object(1, 5)], 1, { ...old, loose: new Set([object(1, 5)]) })).toEqual([object(1, 5)])
  })

  test('are not loose while their own manifest is on its way', () => {
    const objects = young.map((key) => ({ key, bytes: 1 }))
    const { loose } = expired(listing([]), objects, 2, ms(NOW), { writerId: '0000000a', number: 2 })
    expect(loose).toEqual(new Set([numbered(1), numbered(2)]))
  })

  test('stay while a manifest refers to them, also for the pass in which that goes', () => {
    const own = { writerId: '00000000', number: 1, loose }
    const found = [manifest(999, { 1: 999 }), manifest(998, { 1: 998 }), manifest(997, { 1: 997 })]
    const objects = [999, 998, 997, 996].map((minute) => object(1, minute))
    expect(decide(listing(found), objects, 2, own)).toEqual([checkpoint(997), object(1, 996)])
    expect(decide(listing(found.slice(0, 2)), objects, 2, own)).toEqual([object(1, 997), object(1, 996)])
  })

  test('stay while the next one may refer to them, however old they are', () => {
    const own = { writerId: '0000000a', number: 3, loose, holds: (key: string) => key !== numbered(2) }
    expect(decide(listing([]), [...young, object(1, 5)], 2, own)).toEqual([numbered(2)])
  })

  test('stay while one that can not be read may refer to them', () => {
    const found = listing([manifest(999, { 1: 999 })], [savepoint('x', 990)])
    expect(decide(found, [object(1, 980), object(1, 998)], 1, { writerId: '00000000', number: 1 })).toEqual([])
  })
})

describe('manifests that can not be read', () => {
  test('stay when it is the store that can not give them', () => {
    const found = listing([manifest(300, { 1: 300 }), manifest(400, { 1: 400 })])
    const reason = new CtrError('CTR_CHECKPOINT_STORE', 'the disk fails', { retriable: true })
    expect(decide({ ...found, unreadable: [{ key: checkpoint(250), reason }] }, [object(1, 240), object(1, 311)])).toEqual([object(1, 311)])
  })

  test('stay as long as no readable checkpoint is older, and hold what they may refer to', () => {
    const found = listing([manifest(300, { 1: 300 }), manifest(400, { 1: 400 })], [checkpoint(350)])
    expect(decide(found, [object(1, 340), object(1, 410), object(1, 411)])).toEqual([object(1, 411)])
  })

  test('go when all readable checkpoints that stay are newer', () => {
    const found = listing([manifest(300, { 1: 300 }), manifest(400, { 1: 400 })], [checkpoint(250)])
    expect(decide(found, [object(1, 240)])).toEqual([checkpoint(250), object(1, 240)])
    expect(decide(listing([], [checkpoint(250)]), [object(1, 240)])).toEqual([])
  })

  test('never go as savepoints', () => {
    const found = listing([manifest(300, { 1: 300 }), manifest(400, { 1: 400 })], [savepoint('x', 100)])
    expect(decide(found, [object(1, 99), object(1, 161)])).toEqual([object(1, 161)])
  })
})

test('what has expired is removed from a store, and the rest stays', async () => {
  const store = memoryStore()
  for (const minute of [100, 200, 300]) {
    const { key, manifest: written } = manifest(minute, { 1: minute })
    await store.put(key, encodeManifest(written))
    await store.put(object(1, minute), new Uint8Array(1))
  }
  await store.put('other/objects/1/x', new Uint8Array(1))
  expect(await removeExpired(store, 'g', 1, ms(NOW))).toMatchObject({
    manifests: [checkpoint(200), checkpoint(100)],
    objects: [object(1, 100), object(1, 200)],
  })
  expect([...store.objects.keys()].sort()).toEqual([checkpoint(300), object(1, 300), 'other/objects/1/x'])
})

test('the furthest checkpoint of a task stays, though a clock that is behind makes it look old', () => {
  const at = (minute: number, position: number) => {
    const stored = manifest(minute, { 0: minute })
    const partitions = [{ topic: 't', partition: 0, position, maxEventTime: null, totals: NO_TOTALS, windows: [] }]
    return { ...stored, manifest: { ...stored.manifest, tasks: stored.manifest.tasks.map((task) => ({ ...task, partitions })) } }
  }
  const found = listing([at(900, 10), at(901, 20), at(902, 30), at(500, 40), at(499, 39)])
  expect(decide(found, [])).toEqual([checkpoint(900), checkpoint(499)])
})

test('nothing goes while a manifest that was listed is gone when it is read: another may have come in its place', async () => {
  const store = memoryStore()
  const before = manifest(1, { 1: 1 })
  await store.put(object(1, 1), new Uint8Array(1))
  await store.put(before.key, encodeManifest(before.manifest))
  const after = manifest(2, { 1: 1 })
  const replacing = {
    ...store,
    async get(key: string) {
      await store.put(after.key, encodeManifest(after.manifest))
      await store.remove([before.key])
      return await store.get(key)
    },
  }
  expect(await removeExpired(replacing, 'g', 1, ms(NOW))).toMatchObject({ manifests: [], objects: [] })
  expect([...store.objects.keys()].toSorted()).toEqual([after.key, object(1, 1)].toSorted())
})

/** Manifests: what is written is read again or refused with a reason, and what a store holds of a group is listed. */
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  checkpointId,
  checkpointKey,
  decodeManifest,
  encodeManifest,
  listManifests,
  type Manifest,
  manifestKey,
  objectKey,
  savepointKey,
  timeOfKey,
} from '../../src/checkpoint/manifest.ts'
import { CtrError } from '../../src/errors.ts'
import { memoryStore } from '../support/memory-store.ts'
import { FACTS } from '../support/task-copies.ts'

const ID = '1700000011000-0a1b2c3d-7'

const MANIFEST: Manifest = {
  format: 1,
  id: ID,
  savepoint: null,
  group: 'shop/ctr',
  writer: 'ctr-0',
  createdAt: 1_700_000_011_000,
  rules: FACTS.rules,
  tasks: [
    {
      task: 3,
      published: FACTS.published,
      partitions: FACTS.partitions,
      object: { key: 'shop%2Fctr/objects/3/1700000011000-0a1b2c3d-7.ctr', bytes: 9, crc32: 0xffff_ffff, cells: 4, products: 2 },
    },
    { task: 4, published: null, partitions: [], object: null },
  ],
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** The bytes of any JSON object with a right checksum. */
function sealed(input: unknown): Uint8Array {
  const body = JSON.stringify(input).slice(0, -1)
  return Buffer.from(`${body},"crc32":"${crc32(body).toString(16).padStart(8, '0')}"}\n`)
}

const refusal = (bytes: Uint8Array) => {
  try {
    decodeManifest(bytes, 'm.json')
  } catch (error) {
    expect(error).toBeInstanceOf(CtrError)
    expect((error as CtrError).code).toBe('CTR_CHECKPOINT_CORRUPT')
    return (error as CtrError).message
  }
  return 'none'
}

describe('a manifest', () => {
  test('is one line of JSON that comes back as it was', () => {
    const bytes = encodeManifest(MANIFEST)
    expect(text(bytes).indexOf('\n')).toBe(bytes.length - 1)
    expect(JSON.parse(text(bytes))).toMatchObject(MANIFEST)
    expect(decodeManifest(bytes)).toEqual(MANIFEST)
    expect(text(bytes)).toBe(text(sealed(MANIFEST)))
  })

  test('is refused after any change of a bit, and cut anywhere', () => {
    const bytes = encodeManifest(MANIFEST)
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes)
      changed[at]! ^= 1 << (at % 8)
      expect(refusal(changed)).not.toBe('none')
      expect(refusal(bytes.subarray(0, at))).not.toBe('none')
    }
  })

  test.each([
    [sealed({ ...MANIFEST, format: 2 }), 'its format is 2, this version reads 1'],
    [sealed({ ...MANIFEST, id: 'x' }), 'id: '],
    [sealed({ ...MANIFEST, tasks: [{ ...MANIFEST.tasks[0], published: 0.5 }] }), 'tasks.0.published: '],
    [sealed({ ...MANIFEST, tasks: [MANIFEST.tasks[1], MANIFEST.tasks[1]] }), 'it has a task twice'],
    ...['k', '/etc/passwd', 'shop%2Fctr/objects/../../x', 'shop%2Fctr/objects//x', 'shop%2Fctr/objects/3/a b', 'other/objects/3/x.ctr'].map(
      (key): [Uint8Array, string] => {
        const [task] = MANIFEST.tasks
        return [
          sealed({ ...MANIFEST, tasks: [{ ...task, object: { ...task!.object, key } }] }),
          'the key of task 3 is not that of an object',
        ]
      },
    ),
    [sealed({ ...MANIFEST, savepoint: '' }), 'savepoint: '],
    [sealed({ ...MANIFEST, group: '' }), 'group: '],
    [sealed([1]), 'it is not JSON'],
    [Buffer.from('{}'), 'its end is missing or is no checksum'],
    [new Uint8Array(0), 'its end is missing or is no checksum'],
  ])('that makes no sense is refused with the reason', (bytes, reason) => {
    expect(refusal(bytes)).toContain(`m.json: ${reason}`)
  })

  test('may have keys of a later version', () => {
    expect(decodeManifest(sealed({ ...MANIFEST, colour: 'blue' }))).toEqual(MANIFEST)
  })

  test('keeps the numbers of ledger terms that only a later version knows', () => {
    const invalid = { TYPE: 1, EARLIER: 2, ignored: 3 }
    const [task] = MANIFEST.tasks
    const partitions = task!.partitions.map((partition) => ({ ...partition, totals: { ...partition.totals, invalid } }))
    const read = decodeManifest(encodeManifest({ ...MANIFEST, tasks: [{ ...task!, partitions }] }))
    expect(read.tasks[0]?.partitions.map(({ totals }) => totals.invalid)).toEqual(partitions.map(() => invalid))
  })

  test('that could not be read is not written', () => {
    expect(() => encodeManifest({ ...MANIFEST, createdAt: Number.NaN })).toThrow('can be read')
    expect(() => encodeManifest({ ...MANIFEST, tasks: [MANIFEST.tasks[1]!, MANIFEST.tasks[1]!] })).toThrow('once')
  })
})

describe('keys', () => {
  test('are made of safe characters whatever groups and savepoints are called', () => {
    expect(checkpointKey('shop/ctr', ID)).toBe(`shop%2Fctr/checkpoints/${ID}.json`)
    expect(savepointKey('..', "it's (new)*~!", ID)).toBe(`%2E%2E/savepoints/it%27s%20%28new%29%2A%7E%21/${ID}.json`)
    expect(objectKey('.', 12, ID)).toBe(`%2E/objects/12/${ID}.ctr`)
    expect(objectKey('ü.a-b_C', 0, ID)).toBe(`%C3%BC.a-b_C/objects/0/${ID}.ctr`)
  })

  test('have ids that sort by time and tell it', () => {
    expect(checkpointId(1_700_000_011_000, '0a1b2c3d', 7)).toBe(ID)
    expect(checkpointId(5, '00000000', 0)).toBe('0000000000005-00000000-0')
    expect(() => checkpointId(5, 'ABC', 0)).toThrow('an id is')
    expect([objectKey('g', 1, ID), checkpointKey('g', ID), ID].map(timeOfKey)).toEqual([
      1_700_000_011_000, 1_700_000_011_000, 1_700_000_011_000,
    ])
    expect(['g/objects/1/x.ctr', '', `${ID}/x`].map(timeOfKey)).toEqual([undefined, undefined, undefined])
  })
})

describe('a listing', () => {
  test('has what a group has, newest first, and tells what is unreadable', async () => {
    const store = memoryStore()
    const at = (createdAt: number, more: Partial<Manifest> = {}): Manifest => ({
      ...MANIFEST,
      id: checkpointId(createdAt, '0a1b2c3d', 1),
      createdAt,
      ...more,
    })
    const written = [at(2000), at(4000), at(3000, { savepoint: 'before' }), at(1000), at(9000, { group: 'other' })]
    for (const manifest of written) await store.put(manifestKey(manifest), encodeManifest(manifest))
    const broken = checkpointKey('shop/ctr', checkpointId(2500, '0a1b2c3d', 1))
    await store.put(broken, new Uint8Array(3))
    const misplaced = checkpointKey('shop/ctr', checkpointId(8000, '0a1b2c3d', 1))
    await store.put(misplaced, encodeManifest(at(1000)))
    const { manifests, unreadable } = await listManifests(store, 'shop/ctr')
    expect(manifests.map(({ manifest }) => manifest.createdAt)).toEqual([4000, 3000, 2000, 1000])
    expect(manifests[0]).toMatchObject({ key: manifestKey(at(4000)), bytes: encodeManifest(at(4000)).length })
    expect(unreadable.map(({ key }) => key)).toEqual([misplaced, broken])
    expect(unreadable[0]?.reason.message).toBe(`${misplaced}: it is the manifest of ${manifestKey(at(1000))}`)
    expect(await listManifests(store, 'nobody')).toEqual({ manifests: [], unreadable: [], isTorn: false })
  })

  test('does not mind a manifest that is removed meanwhile', async () => {
    const store = memoryStore()
    await store.put(manifestKey(MANIFEST), encodeManifest(MANIFEST))
    const found = await listManifests({ ...store, get: async () => undefined }, MANIFEST.group)
    expect(found).toEqual({ manifests: [], unreadable: [], isTorn: true })
  })

  test("passes over files that are nobody's manifest", async () => {
    const store = memoryStore()
    await store.put(manifestKey(MANIFEST), encodeManifest(MANIFEST))
    for (const name of ['checkpoints/.nfs0001', 'checkpoints/.DS_Store', 'savepoints/x/.DS_Store', 'savepoints/README'])
      await store.put(`shop%2Fctr/${name}`, new Uint8Array(1))
    const { manifests, unreadable } = await listManifests(store, MANIFEST.group)
    expect([manifests.length, unreadable]).toEqual([1, []])
  })

  test('goes on after one that the store refuses to give, but not after a listing or an abort', async () => {
    const store = memoryStore()
    const other = { ...MANIFEST, id: checkpointId(2000, '0a1b2c3d', 1) }
    for (const one of [MANIFEST, other]) await store.put(manifestKey(one), encodeManifest(one))
    const refused = new CtrError('CTR_CHECKPOINT_STORE', 'no permission')
    const refusing = (key: string) => (key === manifestKey(other) ? Promise.reject(refused) : store.get(key))
    const { manifests, unreadable } = await listManifests({ ...store, get: refusing }, MANIFEST.group)
    expect(manifests.map(({ manifest }) => manifest.id)).toEqual([ID])
    expect(unreadable).toEqual([{ key: manifestKey(other), reason: refused }])
    const bug = { ...store, get: () => Promise.reject(new TypeError('bug')) }
    await expect(listManifests(bug, MANIFEST.group)).rejects.toThrow('bug')
    await expect(listManifests({ ...store, list: () => Promise.reject(refused) }, MANIFEST.group)).rejects.toBe(refused)
    const controller = new AbortController()
    const aborted = new CtrError('CTR_CHECKPOINT_FAILED', 'enough')
    const aborting = async () => {
      controller.abort(aborted)
      throw aborted
    }
    await expect(listManifests({ ...store, get: aborting }, MANIFEST.group, controller.signal)).rejects.toBe(aborted)
  })
})

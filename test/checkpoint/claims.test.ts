/** Of several that take a savepoint of one name, one gets it, on the stores that there are. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimName, dropClaims } from '../../src/checkpoint/claims.ts'
import { checkpointId, savepointPrefix } from '../../src/checkpoint/manifest.ts'
import { fileStore } from '../../src/store/file-store.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { s3Store } from '../../src/store/s3-store.ts'
import { workFolder } from '../../workshop/engine-process.ts'
import { S3_START_MAX_MS, type S3Server, startS3 } from '../../workshop/s3-server.ts'

const NOW = 1_800_000_000_000
const HOUR = 3_600_000
let s3: S3Server

beforeAll(async () => {
  s3 = await startS3()
}, S3_START_MAX_MS)
afterAll(() => s3?.stop())

const STORES: Readonly<Record<string, () => Promise<ObjectStore>>> = {
  'a directory': () => fileStore(workFolder()),
  'a bucket': async () => {
    const { endpoint, accessKeyId, secretAccessKey } = s3
    return s3Store({ bucket: await s3.bucket(), prefix: '', endpoint, region: 'us-east-1', pathStyle: true, accessKeyId, secretAccessKey })
  },
}

let writers = 0
const claim = (begunAt: number, tasks = [0]) => {
  const id = checkpointId(begunAt, String(++writers).padStart(8, '0'), 1)
  return { group: 'g', name: 'x', id, tasks }
}

/** Looks at what is there, and goes on only when `until` has come. */
const slowly = (store: ObjectStore, until: Promise<unknown>): ObjectStore => ({
  ...store,
  get: async (key) => {
    const seen = await store.get(key)
    await until
    return seen
  },
})

for (const [name, open] of Object.entries(STORES)) {
  test(`${name}: of two that find the same old claim the one that comes second is told`, async () => {
    const store = await open()
    await claimName(store, claim(NOW - HOUR), NOW - HOUR)
    const first = Promise.withResolvers<void>()
    const second = claimName(slowly(store, first.promise), claim(NOW), NOW)
    await claimName(store, claim(NOW), NOW)
    first.resolve()
    await expect(second).rejects.toThrow('savepoint x has been taken, or is being taken, of task 0')
    await store.close()
  })

  test(`${name}: of eight at once exactly one gets a name whose claims were left twice`, async () => {
    const store = await open()
    for (const hours of [3, 1.5]) await claimName(store, claim(NOW - hours * HOUR, [0, 1]), NOW - hours * HOUR)
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => claimName(store, claim(NOW, [0, 1]), NOW)))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await store.close()
  })
}

test('a claim that is given back is free at once, but an old one is left to whoever may be after it', async () => {
  const store = await fileStore(workFolder())
  const claimed = await claimName(store, claim(NOW), NOW)
  await dropClaims(store, claimed, NOW)
  expect(await store.list(savepointPrefix('g', 'x'))).toEqual([])
  const old = await claimName(store, claim(NOW), NOW)
  await claimName(store, claim(NOW + HOUR), NOW + HOUR)
  await dropClaims(store, old, NOW + HOUR)
  await expect(claimName(store, claim(NOW + HOUR), NOW + HOUR)).rejects.toThrow('has been taken')
})

test('a claim that says nothing is taken over by one', async () => {
  const store = await fileStore(workFolder())
  await store.put(`${savepointPrefix('g', 'x')}0.claim`, Buffer.from(''))
  await claimName(store, claim(NOW), NOW)
  await expect(claimName(store, claim(NOW), NOW)).rejects.toThrow('has been taken')
})

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { schemasPrefix } from '../../src/checkpoint/manifest.ts'
import { removeExpired } from '../../src/checkpoint/retention.ts'
import type { WriterSchema } from '../../src/format/schemas.ts'
import { decodeSchema, encodeSchema, KeptSchemas, sameSchema } from '../../src/registry/kept-schemas.ts'
import { memoryStore } from '../support/memory-store.ts'

const SCHEMA: WriterSchema = {
  type: 'avro',
  text: '{"type":"record","name":"Click","fields":[{"name":"sku","type":"shop.Sku"}]}',
  references: [{ name: 'shop.Sku', text: '{"type":"fixed","name":"Sku","namespace":"shop","size":8}' }],
}
const PLACE = 'http://registry:8081'

test('what was written once is read for ever', () => {
  const bytes = readFileSync(new URL('../golden/schemas/v1.json', import.meta.url))
  expect(decodeSchema('id:17', bytes)).toEqual(SCHEMA)
  expect(encodeSchema('id:17', SCHEMA).toString()).toBe(bytes.toString())
})

test('an object says which key it is of, and that it is whole', () => {
  const bytes = encodeSchema('id:17', SCHEMA)
  expect(() => decodeSchema('id:18', bytes)).toThrow('damaged')
  for (let at = 0; at < bytes.length - 1; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    expect(() => decodeSchema('id:17', damaged)).toThrow('damaged')
    expect(() => decodeSchema('id:17', bytes.subarray(0, at))).toThrow('damaged')
  }
})

test('what is damaged is written over, and what is another schema is given back', async () => {
  const store = memoryStore()
  const kept = new KeptSchemas(async () => store, 'g/schemas/', [PLACE])
  expect(await kept.keep('id:17', SCHEMA)).toBeUndefined()
  const [key = ''] = store.objects.keys()
  store.objects.set(key, Buffer.from('{}'))
  await expect(kept.find('id:17')).rejects.toMatchObject({ code: 'CTR_CHECKPOINT_CORRUPT' })
  expect(await kept.keep('id:17', SCHEMA)).toBeUndefined()
  expect(await kept.find('id:17')).toEqual(SCHEMA)
  expect(await kept.keep('id:17', { ...SCHEMA, text: '"int"' })).toEqual(SCHEMA)
})

test('of two processes that keep a schema at once both have it', async () => {
  const store = memoryStore()
  const pods = [1, 2].map(() => new KeptSchemas(async () => store, 'g/schemas/', [PLACE]))
  expect(await Promise.all(pods.map((kept) => kept.keep('guid:0-1', SCHEMA)))).toEqual([undefined, undefined])
  expect(store.objects.size).toBe(1)
})

test('a registry does not see what is kept of another, nor a group what is of another', async () => {
  const store = memoryStore()
  await new KeptSchemas(async () => store, schemasPrefix('a'), [PLACE]).keep('id:17', SCHEMA)
  expect(await new KeptSchemas(async () => store, schemasPrefix('a'), ['http://other:8081']).find('id:17')).toBeUndefined()
  expect(await new KeptSchemas(async () => store, schemasPrefix('b'), [PLACE]).find('id:17')).toBeUndefined()
  expect(await new KeptSchemas(async () => store, schemasPrefix('a'), ['http://new:8081', `${PLACE}/`]).find('id:17')).toEqual(SCHEMA)
})

test('whoever removes expired checkpoints leaves schemas alone', async () => {
  const store = memoryStore()
  await new KeptSchemas(async () => store, schemasPrefix('g'), [PLACE]).keep('id:17', SCHEMA)
  await store.put('g/objects/0/0000000000001-aaaaaaaa-1.ctr', Buffer.from('old'))
  const own = { writerId: 'aaaaaaaa', number: 9, loose: new Set(store.objects.keys()) }
  await removeExpired(store, 'g', 1, Date.now(), own)
  expect([...store.objects.keys()]).toEqual([expect.stringMatching(/^g\/schemas\/[0-9a-f]{16}\/id\/17\.json$/)])
})

describe('two texts of one schema', () => {
  const same = (a: string, b: string, type: WriterSchema['type'] = 'avro') =>
    sameSchema({ type, text: a, references: [] }, { type, text: b, references: [] })

  test('are the same when their JSON is, in any order and spacing', () => {
    expect(same('{"a":1,"b":[2]}', '{ "b": [2], "a": 1 }')).toBe(true)
    expect(same('{"a":1}', '{"a":2}')).toBe(false)
    expect(same('message A {}', 'message A { }', 'protobuf')).toBe(false)
  })

  test('differ by what they refer to', () => {
    expect(sameSchema(SCHEMA, { ...SCHEMA, references: [] })).toBe(false)
    expect(sameSchema(SCHEMA, { ...SCHEMA, references: [{ name: 'shop.Sku', text: '"int"' }] })).toBe(false)
    expect(sameSchema(SCHEMA, { ...SCHEMA, references: [{ name: 'Sku', text: SCHEMA.references[0]?.text ?? '' }] })).toBe(false)
    expect(sameSchema(SCHEMA, structuredClone(SCHEMA))).toBe(true)
  })
})

/** A real registry: what it answers, and what it is to be away and to come back. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configSchema } from '../../src/config/schema.ts'
import { examine } from '../../src/doctor/examine.ts'
import { registryChecks } from '../../src/doctor/registry-check.ts'
import { fetchSchema } from '../../src/registry/fetch-schema.ts'
import { KeptSchemas } from '../../src/registry/kept-schemas.ts'
import { RegistryClient } from '../../src/registry/registry-client.ts'
import { SchemaCache } from '../../src/registry/schema-cache.ts'
import { type Apicurio, startApicurio } from '../../workshop/apicurio.ts'
import { silentLog } from '../../workshop/memory-run.ts'
import { type RegistryProxy, startRegistryProxy } from '../../workshop/registry-proxy.ts'
import { memoryStore } from '../support/memory-store.ts'

const SKU = '{"type":"record","name":"Sku","namespace":"shop","fields":[{"name":"id","type":"string"}]}'
const CLICK = '{"type":"record","name":"Click","namespace":"shop","fields":[{"name":"sku","type":"shop.Sku"}]}'

let registry: Apicurio
let proxy: RegistryProxy

beforeAll(async () => {
  registry = await startApicurio()
  proxy = await startRegistryProxy(registry.origin)
}, 300_000)
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const eventually = (holds: () => void, timeout = 10_000) => vi.waitFor(holds, { timeout })
const clientOf = (url = registry.url) => new RegistryClient({ url: [url], requestTimeout: 2_000 }, systemClock)

describe('schemas by id', () => {
  test('of each type, with all that they refer to', async () => {
    const client = clientOf()
    const sku = await registry.register('sku', SKU)
    const click = await registry.register('click-value', CLICK, 'AVRO', [{ name: 'shop.Sku', subject: 'sku', version: 1 }])
    expect(await fetchSchema(client, `id:${sku}`)).toEqual({ type: 'avro', text: SKU, references: [] })
    expect(await fetchSchema(client, `id:${click}`)).toEqual({ type: 'avro', text: CLICK, references: [{ name: 'shop.Sku', text: SKU }] })
    // A frame of Apicurio's own names the version, of which the content has another number.
    await registry.register('sku-again', SKU)
    const last = await registry.register('other', '"string"')
    expect(await fetchSchema(client, `apicurio:${last}`)).toMatchObject({ text: '"string"' })
    await expect(fetchSchema(client, 'apicurio:4711')).rejects.toMatchObject({ code: 'CTR_SCHEMA_UNKNOWN' })

    const proto = 'syntax = "proto3";\nmessage Click { string sku = 1; }\n'
    expect(await fetchSchema(client, `id:${await registry.register('proto', proto, 'PROTOBUF')}`)).toMatchObject({ type: 'protobuf' })
    const json = '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}'
    expect(await fetchSchema(client, `id:${await registry.register('json', json, 'JSON')}`)).toMatchObject({
      type: 'json-schema',
      text: json,
    })
    client.close()
  })

  test('that it does not know, or that it does not know by that kind of name', async () => {
    const client = clientOf()
    await expect(fetchSchema(client, 'id:4711')).rejects.toMatchObject({ code: 'CTR_SCHEMA_UNKNOWN' })
    await expect(fetchSchema(client, 'guid:89791762-2336-186f-9674-180ca298a8d7')).rejects.toMatchObject({ code: 'CTR_REGISTRY_REFUSED' })
    client.close()
    const lost = clientOf(registry.origin)
    await expect(fetchSchema(lost, 'id:1')).rejects.toMatchObject({
      code: 'CTR_REGISTRY_REFUSED',
      message: expect.stringContaining('/apis/ccompat/v7'),
    })
    lost.close()
  })
})

test('the doctor finds it well, and says where it is not', async () => {
  const checked = async (url: string) => {
    const config = configSchema.parse({ kafka: { topics: [{ name: 'clicks', format: 'avro' }] }, schemaRegistry: { url } })
    return (await examine(registryChecks(config, 5_000), 5_000)).outcomes[0]
  }
  expect(await checked(registry.url)).toMatchObject({ verdict: 'ok', found: expect.stringMatching(/has schemas of .*AVRO/) })
  expect(await checked(registry.origin)).toMatchObject({ verdict: 'fault', remedy: expect.stringContaining('/apis/ccompat/v7') })
})

test('behind a gateway that wants a password, limits, and is slow, silent and away by turns: the schema comes in the end', async () => {
  const id = await registry.register('gateway', '{"type":"fixed","name":"G","size":3}')
  const url = `${proxy.url}/apis/ccompat/v7`
  proxy.authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`
  const client = new RegistryClient({ url: [url], auth: { username: 'ann', password: 'secret' }, requestTimeout: 300 }, systemClock)
  const denied = new RegistryClient({ url: [url], requestTimeout: 300 }, systemClock)
  await expect(fetchSchema(denied, `id:${id}`)).rejects.toMatchObject({ code: 'CTR_REGISTRY_AUTH' })
  denied.close()
  const store = memoryStore()
  const cache = new SchemaCache({
    client,
    kept: new KeptSchemas(async () => store, 'g/schemas/', [url]),
    unknownAfter: Number.POSITIVE_INFINITY,
    maxSchemas: 10,
    maxBytes: 1e6,
    log: silentLog,
    clock: systemClock,
  })
  const path = /schemas/
  proxy.fault = {
    path,
    fault: { kind: 'answer', status: 429, headers: { 'retry-after': '1' }, body: '{"error_code":429,"message":"Slow down"}' },
  }
  const key = `id:${id}`
  const trouble = () => {
    cache.find(key)
    return cache.troubleOf(key)?.message ?? ''
  }
  await eventually(() => expect(trouble()).toContain('left alone'))
  proxy.fault = { path, fault: { kind: 'silent' } }
  await eventually(() => expect(trouble()).toContain('has not answered within'))
  await proxy.cut()
  await eventually(() => expect(trouble()).toContain('ECONNREFUSED'))
  await proxy.mend()
  proxy.fault = { path, fault: { kind: 'slow', ms: 100 } }
  await eventually(() => expect(cache.find(key)).toMatchObject({ type: 'avro' }))
  expect(store.objects.size).toBe(1)
  expect(cache.stats.requests).toMatchObject({ found: 1, limited: 1 })
  proxy.authorization = undefined
  proxy.fault = undefined
  await cache.close()
})

test('ended and started again: what was kept serves meanwhile, and a new schema comes when it is back', async () => {
  const known = await registry.register('known', '"long"')
  const store = memoryStore()
  const cacheOf = () => {
    const kept = new KeptSchemas(async () => store, 'g/schemas/', [registry.url])
    const bounds = { unknownAfter: Number.POSITIVE_INFINITY, maxSchemas: 10, maxBytes: 1e6 }
    return new SchemaCache({ client: clientOf(), kept, ...bounds, log: silentLog, clock: systemClock })
  }
  const before = cacheOf()
  await eventually(() => expect(before.find(`id:${known}`)).toBeDefined())
  await before.close()
  const fresh = await registry.register('fresh', '"double"')
  await registry.stop()
  const after = cacheOf()
  await eventually(() => expect(after.find(`id:${known}`)).toMatchObject({ text: '"long"' }))
  await eventually(() => {
    expect(after.find(`id:${fresh}`)).toBeUndefined()
    expect(after.troubleOf(`id:${fresh}`)?.code).toBe('CTR_REGISTRY_UNREACHABLE')
  })
  await registry.start()
  await eventually(() => expect(after.find(`id:${fresh}`)).toMatchObject({ text: '"double"' }), 20_000)
  expect(after.changed.size).toBe(0)
  await after.close()
}, 60_000)

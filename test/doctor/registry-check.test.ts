import { afterEach, beforeEach, expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { examine } from '../../src/doctor/examine.ts'
import { registryChecks } from '../../src/doctor/registry-check.ts'
import { type RegistryFault, type RegistryProxy, startRegistryProxy } from '../../workshop/registry-proxy.ts'

let registry: RegistryProxy
let other: RegistryProxy

beforeEach(async () => {
  registry = await startRegistryProxy()
  other = await startRegistryProxy()
})
afterEach(async () => {
  await registry[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

const says = (proxy: RegistryProxy, status: number, body: string) => {
  proxy.fault = { path: /\/schemas\/types$/, fault: { kind: 'answer', status, body } }
}
const WELL = '["AVRO","JSON"]'

async function found(section: object, format = 'avro') {
  const config = configSchema.parse({ kafka: { topics: [{ name: 'clicks', format }] }, schemaRegistry: section })
  const { outcomes } = await examine(registryChecks(config, 2_000), 2_000)
  return outcomes[0]
}

test('a registry that answers is well', async () => {
  says(registry, 200, WELL)
  expect(await found({ url: registry.url })).toMatchObject({
    part: 'registry',
    verdict: 'ok',
    found: `${registry.url} answers, and has schemas of AVRO, JSON`,
  })
})

const CASES: [name: string, RegistryFault | undefined, found: string, remedy: string][] = [
  ['wants a password', { kind: 'answer', status: 401 }, 'refuses (401)', 'check its username, password or token'],
  ['is something else', { kind: 'answer', status: 200, body: '{}' }, 'is no schema registry', 'check the address and its path'],
  ['has its API elsewhere', { kind: 'answer', status: 404 }, 'no schema registry (404)', '/apis/ccompat/v7'],
  ['is silent', { kind: 'silent' }, 'has not answered within schemaRegistry.requestTimeout', 'look whether it is busy'],
  ['is down', undefined, 'ECONNREFUSED', 'check that it runs'],
]
test.each(CASES)('one that %s is a fault, with what to do', async (_, fault, said, remedy) => {
  if (fault === undefined) await registry.cut()
  else registry.fault = { path: /./, fault }
  expect(await found({ url: registry.url, requestTimeout: '500ms' })).toMatchObject({
    verdict: 'fault',
    found: expect.stringContaining(said),
    remedy: expect.stringContaining(remedy),
  })
})

test('of several addresses one is enough, and the others are told', async () => {
  says(other, 200, WELL)
  await registry.cut()
  expect(await found({ url: [registry.url, other.url] })).toMatchObject({
    verdict: 'warning',
    found: expect.stringMatching(/^of 2 addresses one is of no use: .*ECONNREFUSED/),
  })
  await other.cut()
  expect(await found({ url: [registry.url, other.url] })).toMatchObject({ verdict: 'fault' })
})

test('credentials are sent', async () => {
  says(registry, 200, WELL)
  registry.authorization = 'Bearer t'
  expect(await found({ url: registry.url, auth: { token: 't' } })).toMatchObject({ verdict: 'ok' })
})

test('is not looked at when no record names a schema, and there is no check of none', async () => {
  expect(await found({ url: registry.url }, 'json')).toMatchObject({ verdict: 'skipped' })
  expect(registry.seen).toEqual([])
  expect(await found({})).toBeUndefined()
})

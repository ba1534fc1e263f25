import { describe, expect, test } from 'vitest'
import { loadConfig, writtenConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'
import { temporaryFile } from '../support/config-file.ts'

const AVRO = 'kafka.topics=[{name: clicks, format: avro}]'
const URL = 'schemaRegistry.url=http://registry:8081'

function fault(...sets: string[]): string | undefined {
  try {
    loadConfig({ sets, env: {} })
  } catch (error) {
    const lines = (error as Error).message.split('\n').slice(1)
    expect(lines).toHaveLength(1)
    return lines[0]?.trim()
  }
  return undefined
}

describe('what contradicts itself', () => {
  test.each([
    [[AVRO], 'schemaRegistry.url is missing, but the format of clicks is avro'],
    [[AVRO], 'give the address of the schema registry, or name the schema by kafka.topics[].schemaFile'],
    [
      ['kafka.topics=[{name: clicks, format: protobuf, framing: glue}]', URL],
      'kafka.topics[0].framing is glue, and schemas of AWS Glue are not',
    ],
    [['schemaRegistry.url=http://a:1,http://b:1,http://a:1/'], 'schemaRegistry.url[2] is listed twice'],
    [['schemaRegistry.url=http://u:p@a:1'], 'user, password and token have keys of their own'],
    [['schemaRegistry.url=registry:8081'], 'write http://host:8081'],
    [['schemaRegistry.url=http://a:1/x?y=1'], 'write http://host:8081'],
    [['schemaRegistry.tls={}'], 'schemaRegistry.tls has no effect: there is no schemaRegistry.url'],
    [[URL, 'schemaRegistry.tls={}'], 'schemaRegistry.tls has no effect: schemaRegistry.url is not https'],
    [
      ['schemaRegistry.url=https://a:1', 'schemaRegistry.tls={cert: "-----BEGIN X"}'],
      'schemaRegistry.tls.key is missing, but cert is given',
    ],
    [['schemaRegistry.auth={token: t}'], 'schemaRegistry.auth has no effect: there is no schemaRegistry.url'],
    [[URL, 'schemaRegistry.auth={}'], 'schemaRegistry.auth says nothing'],
    [[URL, 'schemaRegistry.auth={username: u}'], 'schemaRegistry.auth.password is missing, but username is given'],
    [[URL, 'schemaRegistry.auth={password: p}'], 'schemaRegistry.auth.username is missing, but password is given'],
    [[URL, 'schemaRegistry.auth={username: u, password: p, token: t}'], 'schemaRegistry.auth.token and username and password exclude'],
    [[URL, 'schemaRegistry.auth={token: "t\\n"}'], 'schemaRegistry.auth.token has characters other than printable ASCII'],
    [['schemaRegistry.cache.maxSchemas=0'], 'schemaRegistry.cache.maxSchemas is out of range'],
    [['schemaRegistry.cache.maxBytes=4194303'], 'schemaRegistry.cache.maxBytes is out of range'],
    [['schemaRegistry.unknownAfter=999ms'], 'schemaRegistry.unknownAfter is out of range'],
    [['schemaRegistry.requestTimeout=99ms'], 'schemaRegistry.requestTimeout is out of range'],
  ])('%j: %s', (sets, message) => {
    expect(fault(...sets)).toContain(message)
  })
})

test.each([
  [[]],
  [[AVRO, URL]],
  [['kafka.topics=[{name: clicks, format: avro, schemaFile: click.avsc}]']],
  // JSON is read without its schema.
  [['kafka.topics=[{name: clicks, format: json-schema}]']],
  [[URL, 'schemaRegistry.auth={username: u, password: p}']],
  [[URL, 'schemaRegistry.auth={token: t}']],
  [['schemaRegistry.url=http://a:1/apis/ccompat/v7,https://b:1/']],
  [['schemaRegistry.cache.maxSchemas=1', 'schemaRegistry.cache.maxBytes=4MiB', 'schemaRegistry.cache.store=false']],
  [['schemaRegistry.unknownAfter=1s', 'schemaRegistry.requestTimeout=100ms']],
])('%j is sound', (sets) => {
  expect(fault(...sets)).toBeUndefined()
})

test('without a word, schemas are waited for and kept', () => {
  expect(loadConfig({ env: {} }).schemaRegistry).toEqual({
    cache: { store: true, maxSchemas: 1_000, maxBytes: 16 * 1024 * 1024 },
    unknownAfter: Number.POSITIVE_INFINITY,
    requestTimeout: 10_000,
  })
})

test('secrets come from the environment, and are masked where they are shown', () => {
  const variable = '$' + '{REGISTRY_SECRET}'
  const file = temporaryFile(`schemaRegistry:\n  url: http://registry:8081\n  auth: { username: key, password: '${variable}' }\n`)
  const env = { REGISTRY_SECRET: 's3cret' }
  expect(loadConfig({ file, env }).schemaRegistry.auth).toEqual({ username: 'key', password: 's3cret' })
  const shown = printConfig(writtenConfig({ file, env }))
  expect(shown).toContain('    username: key  #')
  expect(shown).toMatch(/ {4}password: "?\*\*\*"? {2}# .*REGISTRY_SECRET/)
  expect(shown).not.toContain('s3cret')
})

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${VAR} is the notation under test
import { expect, test } from 'vitest'
import { KEYS, keyAt, nearestKeys } from '../../src/config/catalog.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { valueAt } from '../../src/config/tree.ts'

interface Node {
  description?: string
  default?: unknown
  properties?: Record<string, Node>
  additionalProperties?: boolean
  required?: string[]
  anyOf?: { pattern?: string; type?: string; properties?: object }[]
  items?: Node
  [key: string]: unknown
}

const schema = configJsonSchema() as Node

function nodeAt(path: string): Node {
  let node = schema
  for (const part of path.split('.')) node = (node.properties?.[part] ?? {}) as Node
  return node
}

const outsideLists = KEYS.filter(({ path }) => !path.includes('[]'))

test('every key is in the JSON Schema with its description', () => {
  expect(outsideLists.length).toBeGreaterThan(50)
  for (const { path, description } of outsideLists) {
    expect(description, path).not.toBe('')
    expect(nodeAt(path).description?.startsWith(description), path).toBe(true)
  }
})

test('every section refuses unknown keys', () => {
  for (const { path } of outsideLists.filter(({ field }) => field === undefined))
    expect(nodeAt(path).additionalProperties, path).toBe(false)
  expect(nodeAt('kafka.security.sasl').required).toEqual(['mechanism', 'username', 'password'])
})

test('the default of every key is the one that an empty file gives', () => {
  const empty = loadConfig({ env: {} })
  for (const { path, field } of outsideLists) {
    // TLS sections have no defaults as a whole: naming one of their keys says that TLS is wanted.
    if (field?.default === undefined || field.kind === 'list' || /\.(ssl|tls)\./.test(path)) continue
    const written = loadConfig({ env: {}, sets: [`${path}=${String(field.default)}`] })
    expect(nodeAt(path).default, path).toEqual(field.default)
    expect(valueAt(written, path.split('.')), path).toEqual(valueAt(empty, path.split('.')))
  }
})

test('durations and sizes carry their unit, their range, and a pattern for how they are written', () => {
  const size = nodeAt('window.size')
  expect(size).toMatchObject({ default: '10s' })
  expect(size.description).toContain('From 100ms to 30d')
  expect(nodeAt('engine.ringBytes')).toMatchObject({ 'x-unit': 'bytes', default: '4MiB' })
  const matches = (text: string) => size.anyOf?.some(({ pattern }) => pattern !== undefined && new RegExp(pattern).test(text))
  expect(['10s', '500 ms', '${SIZE}', '${SIZE:10s}', '0'].map(matches)).toEqual([true, true, true, true, true])
  expect(['ten', '10', '10 parsecs', '$SIZE'].map(matches)).toEqual([false, false, false, false])
})

test('a path with list indices finds its key', () => {
  expect(keyAt(['kafka', 'topics', 3, 'name'])?.path).toBe('kafka.topics[].name')
  expect(keyAt(['kafka', 'nothing'])).toBeUndefined()
})

test('a name that is far from every key has no nearest one', () => {
  expect(nearestKeys('', 'qqqqqqqq')).toEqual([])
  expect(nearestKeys('window', 'sise')).toEqual(['window.size'])
  expect(nearestKeys('http', 'brokers')).toEqual(['kafka.brokers'])
})

/** What can be said of the chart without an API server: lint, its suites, Kubernetes' schemas, and the plain manifests. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { chartValues } from '../../scripts/chart-schema.ts'
import { digestOf, recordedManifests, renderedManifests } from '../../scripts/manifests.ts'
import { loadConfig } from '../../src/config/load.ts'
import { helmPrograms, schemaFolder } from '../../workshop/chart-tools.ts'
import { repositoryPath } from '../../workshop/child.ts'
import { temporaryFile } from '../support/config-file.ts'
import { CHART, chartWithSamples, helm, rendered, VALUES } from './chart-copies.ts'

const run = promisify(execFile)
let chart = ''
let remove: () => void

beforeAll(() => {
  const copy = chartWithSamples()
  chart = copy.chart
  remove = copy.remove
})
afterAll(() => remove())

describe.each([...VALUES])('with the values %s', (_, values) => {
  test('lint has nothing to say', async () => {
    const { code, stdout, stderr } = await helm(['lint', '--strict', chart, '--values', values])
    expect(`${stdout}${stderr}`.split('\n').filter((line) => /\[(WARNING|ERROR)\]|warning/i.test(line))).toEqual([])
    expect(code).toBe(0)
  })

  test('the engine takes the configuration', async () => {
    const variables = ['POD_NAME', 'KAFKA_USERNAME', 'KAFKA_PASSWORD', 'CLICKHOUSE_USERNAME', 'CLICKHOUSE_PASSWORD', 'HTTP_TOKEN']
    const env = Object.fromEntries(variables.map((name) => [name, 'something']))
    const maps = (await rendered(chart, values)).map((text) => parse(text) as { kind: string; data?: Record<string, string> })
    const texts = maps.flatMap(({ kind, data }) => (kind === 'ConfigMap' && data?.['ctr.yaml'] !== undefined ? [data['ctr.yaml']] : []))
    expect(texts.length).toBeGreaterThan(0)
    for (const text of texts) {
      const pem = temporaryFile('-----BEGIN CERTIFICATE-----')
      loadConfig({ file: temporaryFile(text.replaceAll('/etc/ctr-kafka/ca.crt', pem)), env })
    }
  })
})

describe('the suites', () => {
  const texts = globSync('tests/*_test.yaml', { cwd: CHART }).map((path) => readFileSync(join(CHART, path), 'utf8'))

  test('pass', async () => {
    const { unittest } = await helmPrograms()
    const { stdout } = await run(unittest, ['--strict', chart]).catch((error: { stdout: string }) => error)
    expect(stdout).toMatch(/^Tests:\s+[1-9]\d* passed, \d+ total$/m)
  })

  test('are one or more for each template', () => {
    const tried = new Set(texts.flatMap((text) => (parse(text) as { templates: string[] }).templates))
    expect(readdirSync(join(CHART, 'templates')).filter((name) => !name.startsWith('_') && !tried.has(name))).toEqual([])
  })

  test('set every value that there is', () => {
    const set = texts.flatMap((text) => (parse(text) as { tests: { set?: object }[] }).tests.flatMap((each) => paths(each.set ?? {})))
    const known = chartValues().map(({ path }) => path)
    const ends = known.filter((path) => !known.some((other) => other.startsWith(`${path}.`)))
    expect(ends.filter((path) => !set.some((each) => each === path || each.startsWith(`${path}.`)))).toEqual([])
  })
})

/** Dotted paths of all that is in a tree, sections included. */
function paths(tree: object, above = ''): string[] {
  return Object.entries(tree).flatMap(([name, value]) => {
    const inside = typeof value === 'object' && value !== null && !Array.isArray(value) ? paths(value, `${above}${name}.`) : []
    return [`${above}${name}`, ...inside]
  })
}

// The oldest Kubernetes that the chart is for, one between, and the newest whose schemas are there.
test.each(['1.27', '1.31', '1.37'])('Kubernetes %s understands all that is rendered, and the plain manifests', async (version) => {
  const work = mkdtempSync(join(tmpdir(), 'ctr-rendered-'))
  onTestFinished(() => rmSync(work, { recursive: true, force: true }))
  const files = globSync(repositoryPath('k8s/*.yaml'))
  for (const [name, values] of VALUES) {
    // Kinds of operators are for the API server, which knows their definitions.
    const texts = (await rendered(chart, values)).filter((text) => !/^apiVersion: (monitoring\.coreos\.com|keda\.sh)\//m.test(text))
    for (const [i, text] of texts.entries()) {
      files.push(join(work, `${name}-${i}.yaml`))
      writeFileSync(files.at(-1) ?? '', text)
    }
  }
  const env = { ...process.env, PYTHONPATH: await schemaFolder() }
  const words = ['-m', 'kubernetes_validate', '-k', version, '--strict', ...files]
  const { stdout, stderr } = await run('python3', words, { env }).catch((error: { stdout: string; stderr: string }) => error)
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
  expect(lines.filter((line) => !line.includes('passed'))).toEqual([])
  expect(lines.length).toBeGreaterThanOrEqual(files.length)
})

test('values in the document are such', async () => {
  const blocks = readFileSync(repositoryPath('docs/kubernetes.md'), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)
  const values = [...blocks].map(([, text = '']) => text).filter((text) => !text.startsWith('apiVersion:'))
  expect(values.length).toBeGreaterThan(1)
  for (const text of values) {
    const words = ['template', 'ctr', chart, '--values', join(CHART, 'examples/minimal.yaml'), '--values', temporaryFile(text)]
    const { code, stdout, stderr } = await helm(words)
    expect([code, stderr]).toEqual([0, ''])
    // Of what Vault's agent is told nothing is lost or filled in.
    if (text.includes('vault')) expect(stdout.match(/\{\{ with secret "secret\/data\/ctr" \}\}/g)).toHaveLength(3)
  }
})

test('what helm test runs waits for an answer of 200', async () => {
  const answers = [503, 200]
  const server = createServer((_, response) => response.writeHead(answers.shift() ?? 500).end('some state')).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const pods = (await rendered(chart, join(CHART, 'examples/minimal.yaml'))).map((text) => parse(text) as Pod)
  const [command = '', ...words] = pods.find(({ kind }) => kind === 'Pod')?.spec.containers[1]?.command ?? []
  const { stdout } = await run(
    command,
    words.map((word) => word.replace('ctr:9464', `127.0.0.1:${port}`)),
  )
  expect(stdout.trimEnd().split('\n')).toEqual([false, true].map((ok) => `http://127.0.0.1:${port}/readyz ${ok} some state`))
  expect(answers).toEqual([])
})

interface Pod {
  readonly kind: string
  readonly spec: { readonly containers: readonly { readonly command: readonly string[] }[] }
}

test('a chart that depends on this one has it, with values for all charts, and may leave it out', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'ctr-parent-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  cpSync(chart, join(parent, 'charts/ctr'), { recursive: true })
  const { version } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as { version: string }
  const dependencies = [{ name: 'ctr', version, condition: 'ctr.enabled' }]
  writeFileSync(join(parent, 'Chart.yaml'), JSON.stringify({ apiVersion: 'v2', name: 'parent', version: '1.0.0', dependencies }))
  const values = (enabled: boolean) => {
    const minimal = parse(readFileSync(join(CHART, 'examples/minimal.yaml'), 'utf8')) as object
    writeFileSync(join(parent, 'values.yaml'), JSON.stringify({ global: { region: 'eu' }, ctr: { ...minimal, enabled } }))
    return join(parent, 'values.yaml')
  }
  const kinds = async (enabled: boolean) => (await rendered(parent, values(enabled))).map((text) => (parse(text) as { kind: string }).kind)
  expect(await kinds(true)).toContain('StatefulSet')
  expect(await kinds(false)).toEqual([])
})

test('the plain manifests are what the chart renders', async () => {
  const now = await renderedManifests()
  const { manifests, digests } = recordedManifests()
  expect(manifests).toEqual(now)
  expect(new Set(digests)).toEqual(new Set([digestOf(now)]))
})

test.each([
  ['rules', 'rules.yml'],
  ['dashboards', 'dashboards'],
])('%s are refused by a chart that has none', async (name, file) => {
  const empty = chartWithSamples()
  onTestFinished(empty.remove)
  rmSync(join(empty.chart, 'monitoring'), { recursive: true })
  const values = join(CHART, 'examples/minimal.yaml')
  const { code, stderr } = await helm(['template', 'ctr', empty.chart, '--values', values, '--set', `monitoring.${name}.enabled=true`])
  expect(stderr).toContain(`monitoring.${name}.enabled: this chart has no monitoring/${file}`)
  expect(code).toBe(1)
})

/** What can be told without Helm: that the chart goes with the code, and the plain manifests with it. `npm run test:chart` tries it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { staleFiles, writeChartFiles } from '../../scripts/chart.ts'
import { chartValues, chartValuesSchema } from '../../scripts/chart-schema.ts'
import { digestOf, MANIFESTS, recordedManifests } from '../../scripts/manifests.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

test('the schema of the values, and the copies of alerts and dashboards, are as new (npm run chart rewrites them)', () => {
  expect(staleFiles()).toEqual([])
})

test('alerts and dashboards come into the chart, and go with those they are copied from', () => {
  const root = mkdtempSync(join(tmpdir(), 'ctr-chart-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  writeChartFiles(root)
  expect(staleFiles(root)).toEqual([])
  put('k8s/monitoring/rules.yml', 'groups: []\n')
  put('k8s/monitoring/dashboards/a.json', '{}\n')
  const copies = ['k8s/helm/ctr/monitoring/dashboards/a.json', 'k8s/helm/ctr/monitoring/rules.yml']
  expect(staleFiles(root)).toEqual(copies)
  writeChartFiles(root)
  expect(copies.map((path) => readFileSync(join(root, path), 'utf8'))).toEqual(['{}\n', 'groups: []\n'])
  put('k8s/monitoring/rules.yml', 'groups: [{}]\n')
  rmSync(join(root, 'k8s/monitoring/dashboards/a.json'))
  expect(staleFiles(root)).toEqual(copies)
  writeChartFiles(root)
  expect(copies.map((path) => existsSync(join(root, path)))).toEqual([false, true])
  expect(staleFiles(root)).toEqual([])
})

test('the plain manifests are those of this chart, and nobody has changed them (npm run chart:manifests rewrites them)', () => {
  const { manifests, digests } = recordedManifests()
  expect(digests).toEqual(MANIFESTS.map(() => digestOf(manifests)))
})

test('a change by hand, or of what they are made of, is found', () => {
  const { manifests } = recordedManifests()
  const digest = digestOf(manifests)
  expect(digestOf({ ...manifests, statefulset: `${manifests.statefulset} ` })).not.toBe(digest)
  expect(digestOf(manifests, ['values.yaml'])).not.toBe(digest)
})

test('chart and image have the version of the package', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  expect(parse(read('k8s/helm/ctr/Chart.yaml'))).toMatchObject({ version, appVersion: version })
  expect(read('k8s/statefulset.yaml')).toContain(`image: "ctr:${version}"`)
})

test('every value has its default in values.yaml, and no other is there', () => {
  const [known, given] = [chartValues().map(({ path }) => path), paths(parse(read('k8s/helm/ctr/values.yaml')))]
  expect(known.filter((path) => !['global', 'enabled'].includes(path) && !given.includes(path))).toEqual([])
  // What Kubernetes itself checks, and the configuration, have more inside.
  const free = known.filter((path) => !known.some((other) => other.startsWith(`${path}.`)))
  expect(given.filter((path) => !known.includes(path) && !free.some((each) => path.startsWith(`${each}.`)))).toEqual([])
})

function paths(tree: unknown, above = ''): string[] {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return []
  return Object.entries(tree).flatMap(([name, value]) => [`${above}${name}`, ...paths(value, `${above}${name}.`)])
}

test('every value is described, and takes a chart that depends on this one', () => {
  const values = chartValues()
  expect(values.filter(({ description }) => !/^\S.*[.:]$/.test(description)).map(({ path }) => path)).toEqual([])
  expect(values.map(({ path }) => path)).toEqual(expect.arrayContaining(['global', 'enabled', 'config']))
})

test('patterns are those that Go knows, which has no lookaround', () => {
  const patterns = [...JSON.stringify(chartValuesSchema()).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/g)].map(([, pattern = '']) => pattern)
  expect(patterns.length).toBeGreaterThan(20)
  expect(patterns.filter((pattern) => /\(\?[=!<]|\\\\[1-9]/.test(pattern))).toEqual([])
})

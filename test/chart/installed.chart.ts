/**
 * The chart on a real API server: installed, upgraded, rolled back and removed. No pod runs, and no controller: the tests say how Jobs end,
 * and that StatefulSets are ready.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { sleep } from '../../src/clock.ts'
import { definitionFiles } from '../../workshop/chart-tools.ts'
import { repositoryPath } from '../../workshop/child.ts'
import { type ApiAnswer, type ApiObject, type KubeApi, type Outcome, settle, startKubeApi } from '../../workshop/kube-api.ts'
import { CHART, chartWithSamples, helm, type Said, VALUES } from './chart-copies.ts'

let chart = ''
let remove: () => void
let api: KubeApi

beforeAll(async () => {
  const copy = chartWithSamples()
  chart = copy.chart
  remove = copy.remove
  api = await startKubeApi()
  for (const file of await definitionFiles()) {
    const [definition] = objectsOf(readFileSync(file, 'utf8'))
    expect((await api.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)).status).toBe(201)
  }
  // A kind that was just defined is not there at once.
  for (const kind of Object.keys(KINDS)) {
    while ((await api.ask('GET', pathOf(kind, 'default'))).status !== 200) await sleep(100)
  }
  // The pods of the examples have it.
  const priority = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'streaming' }, value: 1000 }
  expect((await api.ask('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', priority)).status).toBe(201)
})

afterAll(async () => {
  remove()
  await api?.stop()
})

/** The objects of a text of several documents. */
function objectsOf(text: string): ApiObject[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() === null ? [] : [document.toJS() as ApiObject]))
}

/** Kinds that the chart makes in a namespace, and where they are. */
const KINDS: Readonly<Record<string, string>> = {
  ConfigMap: 'api/v1',
  HorizontalPodAutoscaler: 'apis/autoscaling/v2',
  Job: 'apis/batch/v1',
  NetworkPolicy: 'apis/networking.k8s.io/v1',
  Pod: 'api/v1',
  PodDisruptionBudget: 'apis/policy/v1',
  PodMonitor: 'apis/monitoring.coreos.com/v1',
  PrometheusRule: 'apis/monitoring.coreos.com/v1',
  ScaledObject: 'apis/keda.sh/v1alpha1',
  Secret: 'api/v1',
  Service: 'api/v1',
  ServiceAccount: 'api/v1',
  ServiceMonitor: 'apis/monitoring.coreos.com/v1',
  StatefulSet: 'apis/apps/v1',
}

function pathOf(kind: string, namespace: string): string {
  const plural = kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`
  return `/${KINDS[kind]}/namespaces/${namespace}/${plural.toLowerCase()}`
}

/** Secrets that values expect to be there, by the values' name. */
const GIVEN: Readonly<Record<string, readonly string[]>> = { plain: ['ctr'], production: ['ctr', 'ctr-owner', 'kafka-cluster-ca-cert'] }

/** All objects of the release, as `kind/name`; what Helm keeps for itself is not among them, nor what was there before. */
async function objectsIn(namespace: string): Promise<string[]> {
  const found: string[] = []
  for (const kind of Object.keys(KINDS)) {
    const { status, body } = await api.ask('GET', pathOf(kind, namespace))
    expect(status, kind).toBe(200)
    const own = (body.items ?? []).filter((each) => each.type !== 'given' && !String(each.type).startsWith('helm.sh/'))
    found.push(...own.map(({ metadata }) => `${kind}/${metadata?.name}`))
  }
  return found.sort()
}

const statefulSet = async (namespace: string) => (await api.ask('GET', `${pathOf('StatefulSet', namespace)}/ctr`)).body

/**
 * Runs Helm, for a minute when `words` don't say otherwise, while Jobs, pods and StatefulSets of the namespace go on as `outcome` says. It
 * must not warn of anything.
 */
async function helmIn(namespace: string, words: readonly string[], outcome: Outcome = { jobs: 'succeed' }): Promise<Said> {
  let said: Said | undefined
  const ended = helm(['--namespace', namespace, '--timeout', '60s', ...words], { KUBECONFIG: api.kubeconfig }).then((each) => {
    said = each
  })
  while (said === undefined) {
    await settle(api, namespace, outcome)
    await Promise.race([sleep(50), ended])
  }
  const warnings = said.stderr.split('\n').filter((line) => /warning|deprecated|unknown field/i.test(line) && !/^Error: /.test(line))
  expect(warnings).toEqual([])
  return said
}

async function done(namespace: string, words: readonly string[]): Promise<void> {
  const { code, stderr } = await helmIn(namespace, words)
  expect([code, stderr]).toEqual([0, ''])
}

async function namespaceOf(name: string): Promise<string> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  expect((await api.ask('POST', '/api/v1/namespaces', body)).status).toBe(201)
  return name
}

const LATER = ['--set', 'config.window.size=1m']

describe.each([...VALUES])('with the values %s', (name, values) => {
  test('is installed, tested, upgraded, rolled back and removed, and nothing is left', async () => {
    const namespace = await namespaceOf(`lives-${name}`)
    for (const secret of GIVEN[name] ?? []) {
      const body = { apiVersion: 'v1', kind: 'Secret', type: 'given', metadata: { name: secret } }
      expect((await api.ask('POST', pathOf('Secret', namespace), body)).status).toBe(201)
    }
    await done(namespace, ['install', 'ctr', chart, '--values', values, '--wait'])
    const objects = await objectsIn(namespace)
    expect(objects).toContain('StatefulSet/ctr')
    expect(objects.filter((each) => each.includes('-schema'))).toEqual([])
    const first = await statefulSet(namespace)

    await done(namespace, ['test', 'ctr'])
    await api.ask('DELETE', `${pathOf('Pod', namespace)}/ctr-test`, { gracePeriodSeconds: 0 })

    await done(namespace, ['upgrade', 'ctr', chart, '--values', values, '--wait', ...LATER])
    const second = await statefulSet(namespace)
    expect(second.spec?.template).not.toEqual(first.spec?.template)
    expect(await objectsIn(namespace)).toEqual(objects)

    await done(namespace, ['rollback', 'ctr', '1', '--wait'])
    expect((await statefulSet(namespace)).spec).toEqual(first.spec)
    expect(await objectsIn(namespace)).toEqual(objects)

    await done(namespace, ['uninstall', 'ctr'])
    expect(await objectsIn(namespace)).toEqual([])
  })

  test('every object is taken without a warning, unknown fields and doubles refused', async () => {
    const namespace = await namespaceOf(`strict-${name}`)
    const { stdout } = await helm(['template', 'ctr', chart, '--namespace', namespace, '--values', values])
    const objects = objectsOf(stdout)
    expect(objects.length).toBeGreaterThan(5)
    await takenStrictly(namespace, objects)
  })
})

async function takenStrictly(namespace: string, objects: readonly ApiObject[]): Promise<void> {
  for (const object of objects) {
    // A pod is only taken where its account is.
    if (object.kind === 'Pod') continue
    const path = `${pathOf(String(object.kind), namespace)}?fieldValidation=Strict&dryRun=All`
    const { status, body, warnings }: ApiAnswer = await api.ask('POST', path, object)
    expect([object.kind, object.metadata?.name, status, body.message, warnings]).toEqual([
      object.kind,
      object.metadata?.name,
      201,
      undefined,
      [],
    ])
  }
}

test('the plain manifests are taken without a warning', async () => {
  const namespace = await namespaceOf('plain')
  const texts = globSync(repositoryPath('k8s/*.yaml')).map((file) => readFileSync(file, 'utf8'))
  await takenStrictly(namespace, texts.flatMap(objectsOf))
})

test('alerts and dashboards that ship, as many as there are, are taken without a warning', async () => {
  const namespace = await namespaceOf('shipped')
  const files = globSync(['rules.yml', 'dashboards/*.json'], { cwd: join(CHART, 'monitoring') })
  const [rules, dashboards] = ['.yml', '.json'].map((end) => files.filter((file) => file.endsWith(end)).length)
  const switches = [rules ? 'rules' : '', dashboards ? 'dashboards' : ''].filter((name) => name !== '')
  const words = ['template', 'ctr', CHART, '--namespace', namespace, '--values', VALUES.get('minimal') ?? '']
  for (const name of switches) words.push('--set', `monitoring.${name}.enabled=true`)
  const { code, stdout, stderr } = await helm(words)
  expect([code, stderr]).toEqual([0, ''])
  const objects = objectsOf(stdout)
  expect(objects.filter(({ kind }) => kind === 'PrometheusRule')).toHaveLength(rules ?? 0)
  expect(objects.filter(({ metadata }) => metadata?.labels?.grafana_dashboard === '1')).toHaveLength(dashboards ?? 0)
  await takenStrictly(namespace, objects)
})

const DEV = VALUES.get('dev') ?? ''

test('an upgrade whose schema Job fails changes nothing, leaves only the Job to be read, and the next one goes through', async () => {
  const namespace = await namespaceOf('failed-upgrade')
  await done(namespace, ['install', 'ctr', chart, '--values', DEV, '--wait'])
  const [objects, before] = [await objectsIn(namespace), await statefulSet(namespace)]
  const { code, stderr } = await helmIn(namespace, ['upgrade', 'ctr', chart, '--values', DEV, '--atomic', ...LATER], { jobs: 'fail' })
  expect(stderr).toContain('pre-upgrade hooks failed')
  expect(code).toBe(1)
  expect((await statefulSet(namespace)).spec).toEqual(before.spec)
  expect(await objectsIn(namespace)).toEqual([...objects, 'Job/ctr-schema'].sort())

  await done(namespace, ['upgrade', 'ctr', chart, '--values', DEV, '--atomic', ...LATER])
  expect((await statefulSet(namespace)).spec?.template).not.toEqual(before.spec?.template)
  expect(await objectsIn(namespace)).toEqual(objects)
})

test('an install whose schema Job fails leaves only the Job to be read, and the next one goes through', async () => {
  const namespace = await namespaceOf('failed-install')
  const words = ['install', 'ctr', chart, '--values', DEV, '--atomic']
  const { code, stderr } = await helmIn(namespace, words, { jobs: 'fail' })
  expect(stderr).toContain('failed pre-install')
  expect(code).toBe(1)
  expect(await objectsIn(namespace)).toEqual(['Job/ctr-schema'])
  await done(namespace, words)
  expect(await objectsIn(namespace)).not.toContain('Job/ctr-schema')
})

test('an upgrade whose pods do not become ready goes back by itself', async () => {
  const namespace = await namespaceOf('stuck')
  await done(namespace, ['install', 'ctr', chart, '--values', DEV, '--wait'])
  const [objects, before] = [await objectsIn(namespace), await statefulSet(namespace)]
  const words = ['upgrade', 'ctr', chart, '--values', DEV, '--atomic', '--timeout', '5s', ...LATER]
  const { code, stderr } = await helmIn(namespace, words, { jobs: 'succeed', stuck: 2 })
  expect(stderr).toContain('has been rolled back due to atomic being set')
  expect(code).toBe(1)
  expect((await statefulSet(namespace)).spec).toEqual(before.spec)
  expect((await statefulSet(namespace)).metadata?.generation).toBe(3)
  expect(await objectsIn(namespace)).toEqual(objects)
})

test('an autoscaler takes the number of pods over, and gives it back', async () => {
  const namespace = await namespaceOf('scaled')
  const values = ['--values', VALUES.get('minimal') ?? '']
  await done(namespace, ['install', 'ctr', chart, ...values, '--wait'])
  await done(namespace, ['upgrade', 'ctr', chart, ...values, '--set', 'autoscaling.enabled=true'])
  expect(await objectsIn(namespace)).toContain('HorizontalPodAutoscaler/ctr')
  // What Kubernetes makes of none, as the document says.
  expect((await statefulSet(namespace)).spec?.replicas).toBe(1)
  await done(namespace, ['upgrade', 'ctr', chart, ...values, '--set', 'replicas=3'])
  expect(await objectsIn(namespace)).not.toContain('HorizontalPodAutoscaler/ctr')
  expect((await statefulSet(namespace)).spec?.replicas).toBe(3)
})

test('two releases live in one namespace', async () => {
  const namespace = await namespaceOf('two')
  const values = ['--values', VALUES.get('minimal') ?? '']
  await done(namespace, ['install', 'ctr', chart, ...values])
  await done(namespace, ['install', 'green', chart, ...values, '--set', 'config.kafka.groupId=green'])
  const names = (await objectsIn(namespace)).filter((each) => each.startsWith('StatefulSet/'))
  expect(names).toEqual(['StatefulSet/ctr', 'StatefulSet/green-ctr'])
})

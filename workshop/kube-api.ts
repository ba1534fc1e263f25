/**
 * A real kube-apiserver with its etcd on the loopback, and nothing else of a cluster: what is applied is checked and stored as anywhere,
 * and no pod runs. Kubernetes' controllers are not there either, so whoever waits for a Job or a StatefulSet must be told by `settle`.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { apiPrograms } from './chart-tools.ts'
import { startProgram } from './child.ts'
import { freePorts } from './free-ports.ts'
import { createAuthority } from './tls.ts'

const START_MAX_MS = 90_000

/** An answer of the API. */
export interface ApiAnswer {
  readonly status: number
  readonly body: ApiObject
  /** What the API thinks of what it took, such as that a version is deprecated. */
  readonly warnings: readonly string[]
}

/** An object as the API writes it, or a list of them. */
export interface ApiObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly message?: string
  readonly metadata?: {
    readonly name?: string
    readonly generation?: number
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
  readonly items?: readonly ApiObject[]
  readonly [key: string]: unknown
}

/** A running API server. */
export interface KubeApi {
  /** For Helm. */
  readonly kubeconfig: string
  ask(method: string, path: string, body?: unknown): Promise<ApiAnswer>
  stop(): Promise<void>
}

/** Resolves when it is ready. */
export async function startKubeApi(): Promise<KubeApi> {
  const programs = await apiPrograms()
  const folder = mkdtempSync(join(tmpdir(), 'ctr-kube-'))
  const [clientPort = 0, peerPort = 0, port = 0] = await freePorts(3)
  const token = randomUUID()
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  const authority = createAuthority()
  const serving = authority.issue('kube-apiserver')
  const etcd = startProgram(programs.etcd, etcdWords(folder, clientPort, peerPort), { folder })
  const accounts = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const server = startProgram(
    programs.apiServer,
    [
      `--etcd-servers=http://127.0.0.1:${clientPort}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${port}`,
      `--tls-cert-file=${file('tls.crt', serving.cert)}`,
      `--tls-private-key-file=${file('tls.key', serving.key)}`,
      `--token-auth-file=${file('tokens.csv', `${token},admin,admin,"system:masters"\n`)}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/24',
      '--endpoint-reconciler-type=none',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('accounts.pub', accounts.publicKey.export({ type: 'spki', format: 'pem' }).toString())}`,
      `--service-account-signing-key-file=${file('accounts.key', accounts.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())}`,
    ],
    { folder },
  )
  const stop = async () => {
    for (const { process: child, ended } of [server, etcd]) {
      child.kill('SIGKILL')
      await ended.catch(() => undefined)
    }
    rmSync(folder, { recursive: true, force: true })
  }
  const ask = (method: string, path: string, body?: unknown) => send({ port, token, ca: authority.caPem }, method, path, body)
  const failed = Promise.race([etcd.ended, server.ended]).then(({ stderr }) => {
    throw new Error(`the API server does not start: ${stderr.join('\n')}`)
  })
  failed.catch(() => undefined)
  try {
    await Promise.race([ready(ask), failed])
  } catch (error) {
    await stop()
    throw error
  }
  return { kubeconfig: file('kubeconfig', kubeconfigText(port, token, file('ca.crt', authority.caPem))), ask, stop }
}

function etcdWords(folder: string, clientPort: number, peerPort: number): string[] {
  const [client, peer] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`]
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
  ]
}

function kubeconfigText(port: number, token: string, ca: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': ca } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  })
}

interface Access {
  readonly port: number
  readonly token: string
  readonly ca: string
}

async function ready(ask: KubeApi['ask']): Promise<void> {
  for (const end = Date.now() + START_MAX_MS; Date.now() < end; await sleep(100)) {
    const answer = await ask('GET', '/readyz').catch(() => undefined)
    if (answer?.status === 200) return
  }
  throw new Error('the API server is not ready')
}

function send({ port, token, ca }: Access, method: string, path: string, body: unknown): Promise<ApiAnswer> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': type }
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, ca, method, path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('error', reject).on('end', () => {
        const warnings = [response.headers.warning ?? []].flat()
        resolve({ status: response.statusCode ?? 0, body: text.startsWith('{') ? (JSON.parse(text) as ApiObject) : {}, warnings })
      })
    })
    asked.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** How the Jobs and Pods of `settle` end. */
export interface Outcome {
  readonly jobs: 'succeed' | 'fail'
  /** The generation of a StatefulSet whose pods never become ready. */
  readonly stuck?: number
}

/**
 * Plays the controllers in a namespace, once: Jobs and Pods end as `outcome` says, and StatefulSets have all their pods ready. What refers
 * to an account, a ConfigMap or a Secret that is not there goes on waiting, as its pods would.
 */
export async function settle(api: KubeApi, namespace: string, { jobs, stuck }: Outcome): Promise<void> {
  const lists = [
    [`/apis/batch/v1/namespaces/${namespace}/jobs`, jobs === 'succeed' ? succeeded : failedJob],
    [
      `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
      (set: ApiObject) => (set.metadata?.generation === stuck ? undefined : allReady(set)),
    ],
    [`/api/v1/namespaces/${namespace}/pods`, () => ({ phase: 'Succeeded' })],
  ] as const
  for (const [path, statusOf] of lists) {
    const { body } = await api.ask('GET', path)
    for (const each of body.items ?? []) {
      const status = statusOf(each)
      if (status === undefined || !(await canStart(api, namespace, each))) continue
      await api.ask('PATCH', `${path}/${each.metadata?.name}/status`, { status })
    }
  }
}

interface PodSpec {
  readonly serviceAccountName?: string
  readonly containers: readonly { readonly envFrom?: readonly { readonly secretRef?: { readonly name: string } }[] }[]
  readonly volumes?: readonly { readonly configMap?: { readonly name: string }; readonly secret?: { readonly secretName: string } }[]
}

async function canStart(api: KubeApi, namespace: string, { spec }: ApiObject): Promise<boolean> {
  const {
    serviceAccountName = 'default',
    containers,
    volumes = [],
  } = ((spec?.template as ApiObject | undefined)?.spec ?? spec) as unknown as PodSpec
  const secrets = [
    ...containers.flatMap(({ envFrom = [] }) => envFrom.map(({ secretRef }) => secretRef?.name)),
    ...volumes.map(({ secret }) => secret?.secretName),
  ]
  const needed = [
    ['serviceaccounts', serviceAccountName],
    ...volumes.map(({ configMap }) => ['configmaps', configMap?.name]),
    ...secrets.map((name) => ['secrets', name]),
  ]
  for (const [kind, name] of needed) {
    if (name !== undefined && (await api.ask('GET', `/api/v1/namespaces/${namespace}/${kind}/${name}`)).status !== 200) return false
  }
  return true
}

function succeeded({ status = {} }: ApiObject): object | undefined {
  if (status.completionTime !== undefined) return undefined
  const now = instant()
  const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => condition(type, now))
  return { startTime: now, completionTime: now, succeeded: 1, conditions }
}

function failedJob({ status = {} }: ApiObject): object | undefined {
  if (status.conditions !== undefined) return undefined
  const now = instant()
  return { startTime: now, failed: 1, conditions: ['FailureTarget', 'Failed'].map((type) => condition(type, now)) }
}

const instant = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z')

function condition(type: string, at: string): object {
  return { type, status: 'True', reason: 'BackoffLimitExceeded', message: 'played', lastProbeTime: at, lastTransitionTime: at }
}

function allReady({ metadata, spec, status = {} }: ApiObject): object | undefined {
  if (status.observedGeneration === metadata?.generation) return undefined
  const pods = Number(spec?.replicas ?? 1)
  const counts = ['replicas', 'readyReplicas', 'availableReplicas', 'currentReplicas', 'updatedReplicas'].map((name) => [name, pods])
  const revision = { currentRevision: 'played', updateRevision: 'played' }
  return { observedGeneration: metadata?.generation, ...revision, ...Object.fromEntries(counts) }
}

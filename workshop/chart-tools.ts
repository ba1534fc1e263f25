/**
 * The programs that the chart is tried with: Helm and helm-unittest, a kube-apiserver with its etcd, and Kubernetes' schemas. Go builds
 * them once into a cache folder, which takes ten minutes of two cores, and pip brings the schemas. Go holds what it downloads against
 * sum.golang.org. Nothing is skipped: what is missing is a failure that says what to install.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fetchedFolder } from './fetched-folder.ts'

const run = promisify(execFile)
const BUILD_MAX_MS = 2_400_000
const FETCH_MAX_MS = 300_000
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024
const GO_REMEDY = 'Install Go 1.26 or newer: https://go.dev/dl/'
const PYTHON_REMEDY = 'Install Python 3 with pip (Debian: apt-get install -y python3-pip).'
/** Only tried, never in production: compiled without optimising, and without tables for debuggers. */
const QUICKLY = '-gcflags=all=-N -l'
const SMALL = '-s -w'

/** A program of a Go module, and what of that module's own replacements it needs. */
interface GoProgram {
  readonly name: string
  readonly module: string
  readonly version: string
  readonly package: string
  readonly replace?: readonly string[]
  /** What its own build sets in variables. */
  readonly set?: readonly string[]
}

const KUBERNETES_VERSION = '1.35.0'
const VALIDATE_VERSION = '1.37.0'
/** Modules of Kubernetes that lie in its repository, and are released beside it. */
const STAGED =
  'api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap code-generator ' +
  'component-base component-helpers controller-manager cri-api cri-client csi-translation-lib dynamic-resource-allocation endpointslice ' +
  'externaljwt kms kube-aggregator kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils ' +
  'pod-security-admission sample-apiserver sample-cli-plugin sample-controller'

/** Which Kubernetes it takes for the one to render for, where there is none to ask. */
const FOR_KUBERNETES = ['chartutil', 'lint/rules'].flatMap((name) => {
  const [major, minor] = KUBERNETES_VERSION.split('.')
  return [`helm.sh/helm/v3/pkg/${name}.k8sVersionMajor=${major}`, `helm.sh/helm/v3/pkg/${name}.k8sVersionMinor=${minor}`]
})

const HELM: GoProgram = { name: 'helm', module: 'helm.sh/helm/v3', version: '3.22.0', package: 'cmd/helm', set: FOR_KUBERNETES }
const UNITTEST: GoProgram = {
  name: 'helm-unittest',
  module: 'github.com/helm-unittest/helm-unittest',
  version: '1.1.2',
  package: 'cmd/helm-unittest',
  replace: ['github.com/vmware-labs/yaml-jsonpath@v0.3.2=github.com/helm-unittest/yaml-jsonpath@v0.4.0'],
  set: FOR_KUBERNETES,
}
const ETCD: GoProgram = { name: 'etcd', module: 'go.etcd.io/etcd/server/v3', version: '3.6.6', package: '' }
const API_SERVER: GoProgram = {
  name: 'kube-apiserver',
  module: 'k8s.io/kubernetes',
  version: KUBERNETES_VERSION,
  package: 'cmd/kube-apiserver',
  replace: STAGED.split(' ').map((name) => `k8s.io/${name}=k8s.io/${name}@v${KUBERNETES_VERSION.replace(/^1/, '0')}`),
  set: [`k8s.io/component-base/version.gitVersion=v${KUBERNETES_VERSION}`],
}

/** Definitions of the kinds that operators bring, by module. */
const DEFINITIONS = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files: ['podmonitors', 'prometheusrules', 'servicemonitors'].map(
      (kind) => `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`,
    ),
  },
  { module: 'github.com/kedacore/keda/v2@v2.21.0', files: ['config/crd/bases/keda.sh_scaledobjects.yaml'] },
] as const

/** Paths of Helm and helm-unittest. */
export async function helmPrograms(): Promise<{ readonly helm: string; readonly unittest: string }> {
  return { helm: await goProgram(HELM), unittest: await goProgram(UNITTEST) }
}

/** Paths of what a control plane without nodes takes. */
export async function apiPrograms(): Promise<{ readonly etcd: string; readonly apiServer: string }> {
  return { etcd: await goProgram(ETCD), apiServer: await goProgram(API_SERVER) }
}

/** Files with the CustomResourceDefinitions of the Prometheus operator and KEDA, as they are released. */
export async function definitionFiles(): Promise<string[]> {
  await demand('go', ['version'], GO_REMEDY)
  const found: string[] = []
  for (const { module, files } of DEFINITIONS) {
    const { stdout } = await run('go', ['mod', 'download', '-json', module], { timeout: FETCH_MAX_MS })
    const { Dir } = JSON.parse(stdout) as { Dir: string }
    found.push(...files.map((file) => join(Dir, file)))
  }
  return found
}

/** The folder that is to be in PYTHONPATH for `python3 -m kubernetes_validate`. */
export async function schemaFolder(): Promise<string> {
  return fetchedFolder(`ctr-kubernetes-validate-${VALIDATE_VERSION}`, async (folder) => {
    await demand('python3', ['-m', 'pip', '--version'], PYTHON_REMEDY)
    const words = ['-m', 'pip', 'install', '--quiet', '--target', folder, `kubernetes-validate==${VALIDATE_VERSION}`]
    await run('python3', words, { timeout: FETCH_MAX_MS }).catch((cause: unknown) => {
      throw new Error(`pip could not fetch kubernetes-validate ${VALIDATE_VERSION}. ${PYTHON_REMEDY}`, { cause })
    })
  })
}

async function goProgram(program: GoProgram): Promise<string> {
  const { name, module, version, package: path, replace = [], set = [] } = program
  const folder = await fetchedFolder(`ctr-${name}-${version}`, async (building) => {
    await demand('go', ['version'], GO_REMEDY)
    process.stderr.write(`building ${name} ${version}, which takes minutes\n`)
    // In a module of our own that needs it: `go install` refuses modules with replacements.
    await writeFile(join(building, 'go.mod'), 'module ctr-tools\n\ngo 1.26.0\n')
    const options = { cwd: building, env: { ...process.env, CGO_ENABLED: '0' }, timeout: BUILD_MAX_MS, maxBuffer: OUTPUT_MAX_BYTES }
    await run('go', ['mod', 'edit', `-require=${module}@v${version}`, ...replace.map((each) => `-replace=${each}`)], options)
    const flags = `-ldflags=${[SMALL, ...set.map((each) => `-X ${each}`)].join(' ')}`
    const words = ['build', '-mod=mod', QUICKLY, flags, '-o', join(building, name), path === '' ? module : `${module}/${path}`]
    await run('go', words, options).catch((cause: unknown) => {
      throw new Error(`Go could not build ${module} ${version}. ${GO_REMEDY}`, { cause })
    })
  })
  return join(folder, name)
}

async function demand(command: string, words: string[], remedy: string): Promise<void> {
  await run(command, words).catch((cause: unknown) => {
    throw new Error(`\`${command} ${words.join(' ')}\` does not run here. ${remedy}`, { cause })
  })
}

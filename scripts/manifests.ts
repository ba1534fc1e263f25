/**
 * Renders the plain manifests in k8s/ from the chart: npm run chart:manifests. It takes Go, to build Helm. Each file begins with a digest
 * of all that they are made of and of themselves, by which a test without Helm tells when one is out of date, or was changed by hand.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { helmPrograms } from '../workshop/chart-tools.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CHART = join(ROOT, 'k8s/helm/ctr')
const run = promisify(execFile)

/** Templates of the chart that have a file of the same name in k8s/. */
export const MANIFESTS = ['config', 'disruption-budget', 'service', 'service-account', 'statefulset'] as const

/** A manifest by the name of its template, without its first lines. */
export type Manifests = Readonly<Record<string, string>>

/** The manifests as they are in k8s/, and the digest that each names. */
export function recordedManifests(): { readonly manifests: Manifests; readonly digests: readonly string[] } {
  const texts = MANIFESTS.map((name) => [name, readFileSync(join(ROOT, `k8s/${name}.yaml`), 'utf8')] as const)
  return {
    manifests: Object.fromEntries(texts.map(([name, text]) => [name, text.replace(/^(?:#.*\n){2}/, '')])),
    digests: texts.map(([, text]) => /^# sha256 ([0-9a-f]{64})$/m.exec(text)?.[1] ?? ''),
  }
}

/** Of what manifests are made of, line ends aside, and of what they are. */
export function digestOf(manifests: Manifests, inputs: readonly string[] = chartInputs()): string {
  const hash = createHash('sha256')
  for (const path of inputs) hash.update(`${path}\n${readFileSync(join(CHART, path), 'utf8').replaceAll('\r\n', '\n')}\n`)
  for (const name of MANIFESTS) hash.update(`${name}\n${manifests[name]}\n`)
  return hash.digest('hex')
}

function chartInputs(): string[] {
  const paths = globSync(['Chart.yaml', 'values.yaml', 'templates/*', 'examples/plain.yaml'], { cwd: CHART })
  return paths.map((path) => path.replaceAll('\\', '/')).sort()
}

/** What Helm makes of the chart now. */
export async function renderedManifests(): Promise<Manifests> {
  const { helm } = await helmPrograms()
  const values = join(CHART, 'examples/plain.yaml')
  const { stdout } = await run(helm, ['template', 'ctr', CHART, '--namespace', 'default', '--no-hooks', '--values', values])
  const byTemplate = Map.groupBy(
    stdout.split(/^---\n/m).filter((text) => text.trim() !== ''),
    sourceOf,
  )
  for (const name of byTemplate.keys()) {
    if (!MANIFESTS.some((each) => each === name)) throw new Error(`the chart renders ${name}.yaml, which is not in MANIFESTS`)
  }
  return Object.fromEntries(MANIFESTS.map((name) => [name, (byTemplate.get(name) ?? []).map(plain).join('---\n')]))
}

function sourceOf(text: string): string {
  return /^# Source: ctr\/templates\/(.+)\.yaml$/m.exec(text)?.[1] ?? ''
}

/** Without what is true of installations by Helm only: who changes a copy changes no checksum with it. */
function plain(text: string): string {
  const lines = text.trimEnd().split('\n')
  const helms = /^# Source: |^\s+(# .* rolls the pods\.$|checksum\/\w+: |helm\.sh\/chart: |app\.kubernetes\.io\/managed-by: )/
  const kept = lines.filter((line) => !helms.test(line))
  return `${kept.join('\n')}\n`
}

async function writeManifests(): Promise<void> {
  const manifests = await renderedManifests()
  const whence = '# Rendered from k8s/helm/ctr by npm run chart:manifests: change it there, or a copy of your own.'
  const head = `${whence}\n# sha256 ${digestOf(manifests)}\n`
  for (const [name, text] of Object.entries(manifests)) writeFileSync(join(ROOT, `k8s/${name}.yaml`), head + text)
}

if (import.meta.main) await writeManifests()

/** The chart to try, and the values to try it with. */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { helmPrograms } from '../../workshop/chart-tools.ts'
import { repositoryPath } from '../../workshop/child.ts'

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024
const run = promisify(execFile)

/** The chart as it is. */
export const CHART = repositoryPath('k8s/helm/ctr')

/** Files of values to try the chart with, by name: those that ship, and everything that it can make at once. */
export const VALUES: ReadonlyMap<string, string> = new Map([
  ...readdirSync(join(CHART, 'examples')).map((name) => [name.replace('.yaml', ''), join(CHART, 'examples', name)] as const),
  ['everything', repositoryPath('test/chart/everything.yaml')],
])

/** A folder with a copy of the chart, which has sample alerts and dashboards, so that suites don't depend on those that ship. */
export function chartWithSamples(): { readonly chart: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-chart-'))
  const chart = join(folder, 'ctr')
  cpSync(CHART, chart, { recursive: true })
  rmSync(join(chart, 'monitoring'), { recursive: true, force: true })
  cpSync(repositoryPath('test/chart/monitoring'), join(chart, 'monitoring'), { recursive: true })
  return { chart, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** What Helm says and how it ends. */
export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs Helm, or a program that speaks as it does. */
export async function helm(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Said> {
  const programs = await helmPrograms()
  const options = { env: { ...process.env, ...environment }, maxBuffer: OUTPUT_MAX_BYTES }
  return run(programs.helm, [...words], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

/** What a chart renders: each document as text. Throws what Helm says. */
export async function rendered(chart: string, values: string): Promise<string[]> {
  const { code, stdout, stderr } = await helm(['template', 'ctr', chart, '--namespace', 'ctr', '--values', values])
  if (code !== 0) throw new Error(stderr)
  return stdout.split(/^---\n/m).filter((text) => parse(text) !== null)
}

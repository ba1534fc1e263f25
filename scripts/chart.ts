/**
 * Makes what the chart has of the rest of the repository: npm run chart. That is the schema of its values, and copies of the alerts and
 * dashboards, for Helm reads no file outside of a chart. A test tells when one is out of date.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chartValuesSchema } from './chart-schema.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CHART = 'k8s/helm/ctr'
const MONITORING = ['rules.yml', 'dashboards/*.json']

/** What is to be at which path, from the root of the repository; undefined where nothing is to be any more. */
export function chartFiles(root = ROOT): Map<string, string | undefined> {
  const files = new Map<string, string | undefined>()
  for (const path of listed(root, `${CHART}/monitoring`)) files.set(path, undefined)
  for (const path of listed(root, 'k8s/monitoring')) {
    files.set(path.replace('k8s/monitoring', `${CHART}/monitoring`), readFileSync(join(root, path), 'utf8'))
  }
  return files.set(`${CHART}/values.schema.json`, `${JSON.stringify(chartValuesSchema(), null, 2)}\n`)
}

function listed(root: string, folder: string): string[] {
  return globSync(MONITORING, { cwd: join(root, folder) })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .sort()
}

/** The paths that are not as they should be. */
export function staleFiles(root = ROOT): string[] {
  return [...chartFiles(root)].flatMap(([path, text]) => {
    const at = join(root, path)
    return text === (existsSync(at) ? readFileSync(at, 'utf8') : undefined) ? [] : [path]
  })
}

/** Writes them. */
export function writeChartFiles(root = ROOT): void {
  for (const [path, text] of chartFiles(root)) {
    const at = join(root, path)
    if (text === undefined) rmSync(at, { force: true })
    else {
      mkdirSync(dirname(at), { recursive: true })
      writeFileSync(at, text)
    }
  }
}

if (import.meta.main) writeChartFiles()

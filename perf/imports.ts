/**
 * What each thread of `ctr run` loads before it does anything: modules by package, and the CPU time that loading them takes.
 *
 *   npm run profile:imports [-- --runs 5]
 *
 * Everything that the thread's entry imports is loaded in a process of its own, with compiled code kept as the command line keeps it, and
 * the least of the times counts. Not in it: the start of a thread (about 40 ms), and what it loads when it is asked for something.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { repositoryPath } from '../workshop/child.ts'
import { scriptOptions } from '../workshop/options.ts'
import { table } from '../workshop/report.ts'

const ENTRIES = {
  main: 'src/cli/run.ts',
  http: 'src/run/http-thread.ts',
  sink: 'src/sink/sink-thread.ts',
  checkpoint: 'src/checkpoint/checkpoint-thread.ts',
  worker: 'src/worker/worker.ts',
}
const PACKAGES_SHOWN = 6

/** Of one process; CPU time in ms. */
interface Loaded {
  readonly cpuMs: number
  readonly urls: readonly string[]
}

const LOADER = `
import { registerHooks } from 'node:module'
const urls = []
registerHooks({ load(url, context, next) { urls.push(url); return next(url, context) } })
const before = process.cpuUsage()
for (const url of JSON.parse(process.env.CTR_IMPORTS)) await import(url)
const { user, system } = process.cpuUsage(before)
process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1000, urls }))
process.exit(0)
`

/** What a file imports besides types, as addresses that a process elsewhere can import. */
function importsOf(file: string): string[] {
  const statements = readFileSync(file, 'utf8').matchAll(/^import (?!type\b)(?:([^'{]*)(\{[^}]*\})? from )?'([^']+)'/gm)
  const wanted = [...statements].filter(([, , braces = '']) => braces === '' || /[{,]\s*(?!type\b)\w/.test(braces))
  return wanted.map(([, , , name = '']) => (name.startsWith('.') ? new URL(name, pathToFileURL(file)).href : name))
}

function load(file: string, cache: string): Loaded {
  const env = { ...process.env, NODE_COMPILE_CACHE: cache, CTR_IMPORTS: JSON.stringify(importsOf(file)) }
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', LOADER], {
    env,
    encoding: 'utf8',
    cwd: repositoryPath('.'),
  })
  return JSON.parse(said) as Loaded
}

function packageOf(url: string): string {
  if (url.startsWith('node:')) return 'node'
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? 'src'
}

function packagesOf(urls: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const url of urls) counts.set(packageOf(url), (counts.get(packageOf(url)) ?? 0) + 1)
  const most = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, PACKAGES_SHOWN)
  return most.map(([name, count]) => `${name} ${count}`).join(', ')
}

const { runs } = scriptOptions('perf/imports.ts', { runs: 5 }, process.argv.slice(2))
const cache = mkdtempSync(join(tmpdir(), 'ctr-imports-'))
try {
  const rows = Object.entries(ENTRIES).map(([thread, entry]) => {
    const made = Array.from({ length: runs + 1 }, () => load(repositoryPath(entry), cache)).slice(1) // the first compiles
    const least = Math.min(...made.map(({ cpuMs }) => cpuMs))
    const urls = made[0]?.urls ?? []
    return [thread, `${least.toFixed(0)} ms`, String(urls.length), packagesOf(urls)]
  })
  console.log(table(['thread', 'CPU', 'modules', 'of'], rows))
} finally {
  rmSync(cache, { recursive: true, force: true })
}

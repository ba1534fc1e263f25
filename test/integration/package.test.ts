/** The package as a stranger installs it: packed, into an empty folder, and without the embedded ClickHouse until that is used. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gone } from '../../workshop/clickhouse.ts'
import { frontFile } from '../support/ask-front.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const MIB = 1024 ** 2
const STEP_MAX_MS = 180_000

let folder: string
let app: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ctr-package-'))
  app = join(folder, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{"private":true,"type":"module"}')
  const made = npm(ROOT, 'run', '--silent', 'package').trim()
  const packed = npm(folder, 'pack', '--silent', made).trim()
  npm(app, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed))
}, STEP_MAX_MS)
afterAll(async () => {
  const { pid } = frontFile(join(app, '.ctr')) ?? {}
  if (pid !== undefined) await gone(pid)
  rmSync(folder, { recursive: true, force: true })
})

function npm(cwd: string, ...words: string[]): string {
  return run(cwd, 'npm', words)
}

/** What a program prints; the test fails with what it complains of. */
function run(cwd: string, program: string, words: readonly string[]): string {
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`
  const env = { ...process.env, PATH, XDG_CACHE_HOME: join(folder, 'cache') }
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, env, encoding: 'utf8', timeout: STEP_MAX_MS })
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} ends with ${status}:\n${stderr}`)
  return stdout + stderr
}

const ctr = (...words: string[]) => run(app, join(app, 'node_modules', '.bin', 'ctr'), words)

test('it is small, and nothing of its own runs when it is installed', () => {
  const files = readdirSync(join(app, 'node_modules'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
  expect(bytes).toBeLessThan(250 * MIB)
  const lock = JSON.parse(readFileSync(join(app, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>
  }
  // Its script prints a warning about version numbers, and nothing else; npm runs it only where it is allowed to.
  const scripts = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript)
  expect(scripts.map(([path]) => path)).toEqual(['node_modules/protobufjs'])
})

test('what it exports can be imported', () => {
  const program = `import { configSchema } from 'ctr-engine/config'; console.log(configSchema.parse({}).window.size)`
  expect(run(app, process.execPath, ['--input-type=module', '-e', program])).toBe('10000\n')
})

test('the page comes with it', () => {
  const program = `import { pageFiles } from './node_modules/ctr-engine/dist/server/page-files.js'
    const files = pageFiles()
    const wanted = ['index.html', 'page.css', 'main.js', 'lit-html.js', 'uplot.js', 'text.js']
    console.log(wanted.filter((name) => !files.has(name)).join() || 'all')`
  expect(run(app, process.execPath, ['--input-type=module', '-e', program])).toBe('all\n')
})

test('the first demo fetches the embedded ClickHouse, says so, and counts; the next one has it', { timeout: STEP_MAX_MS }, async () => {
  const demo = () => ctr('demo', '--rate', '20000', '--duration', '12s')
  const counted = (said: string) => Number(/counted +([\d,]+)/.exec(said)?.[1]?.replaceAll(',', ''))
  const first = demo()
  expect(first).toMatch(/fetching the embedded ClickHouse into .*chdb-3/)
  expect(counted(first)).toBeGreaterThan(10_000)
  const second = demo()
  expect(second).not.toContain('fetching')
  expect(counted(second)).toBeGreaterThan(10_000)
  const rows = ctr('query', '--demo', '--format', 'TSV', 'SELECT count() > 0, sum(impressions) > 0 FROM ctr_windows')
  expect(rows.trim()).toBe('1\t1')
})

/**
 * `npm run perf -- NAME [options]`: one of the scenarios against a broker and a ClickHouse of its own. Each checks counts and sums before
 * it prints anything; --json FILE and, for the live ones, --html FILE keep the report.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { repositoryPath } from '../workshop/child.ts'
import { SCENARIOS } from './scenarios.ts'

/** Scenarios with a script of their own. */
const SCRIPTS: Readonly<Record<string, string>> = {
  brokers: 'perf/brokers.ts',
  mixed: 'perf/mixed.ts',
  disaster: 'perf/disaster.ts',
  chaos: 'perf/chaos.ts',
  steady: 'perf/steady.ts',
  restart: 'perf/restarts.ts',
  differential: 'perf/differential.ts',
  bounds: 'perf/bounds.ts',
  invalid: 'perf/invalid.ts',
  migration: 'perf/migration.ts',
  upgrade: 'perf/upgrade.ts',
}

const [name = '', ...options] = process.argv.slice(2)
const script = SCRIPTS[name] ?? (name in SCENARIOS ? 'perf/live.ts' : undefined)
if (script === undefined) {
  console.error(`usage: npm run perf -- ${[...Object.keys(SCRIPTS), ...Object.keys(SCENARIOS)].join('|')} [options]`)
  for (const [live, { what }] of Object.entries(SCENARIOS)) console.error(`  ${live.padEnd(12)} ${what}`)
  process.exit(2)
}
const args = name in SCENARIOS ? [name, ...options] : options
const child = spawn(process.execPath, [repositoryPath(script), ...args], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const [code] = (await once(child, 'exit')) as [number | null]
process.exit(code ?? 1)

/**
 * Which test files are unit tests: all but those that start a server, mount a disk or run the engine as a process. What a file imports
 * decides, so that nobody keeps a list: a file that needs one of these imports what starts it, from the workshop or through test/support.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { importsOf, targetOf } from './tidy-rules.ts'

/** Modules that start what a machine with Node and nothing else does not have, or what takes seconds to come up. */
export const STARTERS: readonly string[] = [
  'src/clickhouse/embedded-front.ts',
  'test/support/other-user.ts',
  'test/support/shared-broker.ts',
  'test/support/shared-clickhouse.ts',
  'test/support/tmpfs.ts',
  'workshop/apicurio.ts',
  'workshop/clickhouse.ts',
  'workshop/cluster.ts',
  'workshop/configured-clickhouse.ts',
  'workshop/engine-process.ts',
  'workshop/kafka-broker.ts',
  'workshop/kafka-cluster.ts',
  'workshop/kube-api.ts',
  'workshop/limited-clickhouse.ts',
  'workshop/s3-server.ts',
  'workshop/stand.ts',
  'workshop/terminal.ts',
  'workshop/zookeeper.ts',
]

/** What starts Prometheus and Alertmanager, which not every machine has: run by `npm run test:monitoring` alone. */
const MONITORS: readonly string[] = ['workshop/prometheus.ts']

/** What starts a browser, which not every machine has: run by `npm run test:ui` alone. */
const BROWSERS: readonly string[] = ['workshop/chromium.ts']

/** What changes its process for good: test files that import it have one of their own. Other unit tests share theirs: half the CPU. */
const CHANGES_PROCESS: readonly string[] = ['test/simulation/virtual-time.ts']

/** Paths of test files, relative to the root. */
export interface Suites {
  readonly unit: readonly string[]
  /** Unit tests too, each in a process of its own. */
  readonly alone: readonly string[]
  readonly servers: readonly string[]
  /** In no run but `npm run test:monitoring`. */
  readonly monitoring: readonly string[]
  /** In no run but `npm run test:ui`. */
  readonly browser: readonly string[]
}

/** All test files below `root`/test, by suite. */
export function suitesOf(root: string): Suites {
  const names = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const paths = names.map((name) => `test/${name.replaceAll('\\', '/')}`).toSorted()
  const texts = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
  const tests = paths.filter((path) => path.endsWith('.test.ts'))
  const suiteOf = (path: string) => {
    if (reaches(path, MONITORS, texts)) return 'monitoring'
    if (reaches(path, BROWSERS, texts)) return 'browser'
    if (reaches(path, STARTERS, texts)) return 'servers'
    return reaches(path, CHANGES_PROCESS, texts) ? 'alone' : 'unit'
  }
  const { unit = [], alone = [], servers = [], monitoring = [], browser = [] } = Object.groupBy(tests, suiteOf)
  return { unit, alone, servers, monitoring, browser }
}

/**
 * Whether a test file imports one of `wanted`, itself or through other files of test (`texts`, by path); types don't count. What bench and
 * perf import doesn't either: their tests call parts of them that need no server.
 */
export function reaches(path: string, wanted: readonly string[], texts: ReadonlyMap<string, string>): boolean {
  const seen = new Set<string>()
  const look = (file: string): boolean => {
    seen.add(file)
    const targets = importsOf(texts.get(file) ?? '').flatMap(({ from, typeOnly }) => (typeOnly ? [] : (targetOf(file, from) ?? [])))
    return targets.some((target) => wanted.includes(target) || (texts.has(target) && !seen.has(target) && look(target)))
  }
  return look(path)
}

/** Which test files run without any server, and what the run says of the slowest ones. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { slowest } from './support/slowest-reporter.ts'
import { reaches, STARTERS, suitesOf } from './support/suites.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

test('every test file is in one of the suites, and all that starts a server is where it is said to be', () => {
  const { unit, alone, servers, monitoring, browser } = suitesOf(root)
  const all = [...unit, ...alone, ...servers, ...monitoring, ...browser]
  expect(new Set(all).size).toBe(all.length)
  expect(monitoring).toEqual(['test/monitoring/live.test.ts', 'test/monitoring/promtool.test.ts'])
  expect(browser).toEqual(['test/ui/page.test.ts'])
  expect(alone).toEqual(['test/simulation/mutations.test.ts', 'test/simulation/simulation.test.ts'])
  expect(unit).toContain('test/suites.test.ts')
  expect(servers.filter((path) => path.startsWith('test/integration/')).length).toBeGreaterThan(5)
  expect(unit.filter((path) => path.startsWith('test/integration/'))).toEqual([])
  expect(STARTERS.filter((path) => !existsSync(root + path))).toEqual([])
})

test.each([
  ["import { startBroker } from '../../workshop/kafka-broker.ts'", true],
  ["import { gone, type TestClickHouse } from '../../workshop/clickhouse.ts'", true],
  [`const { startS3 } = await ${'import'}('../../workshop/s3-server.ts')`, true],
  ["import { rows } from '../support/by-two.ts'", true],
  ["import type { Broker } from '../../workshop/kafka-broker.ts'", false],
  ["import { type Broker } from '../../workshop/kafka-broker.ts'", false],
  ["import { rows } from '../support/types-only.ts'", false],
  ["import { withStand } from '../../perf/steady.ts'\nimport './not-there.ts'", false],
])('a file with %j starts servers: %s', (text, expected) => {
  const path = 'test/sink/a.test.ts'
  const texts = new Map([
    [path, text],
    ['test/support/by-two.ts', "import './by-one.ts'"],
    ['test/support/by-one.ts', "import './by-two.ts'\nimport { tmpfs } from './tmpfs.ts'"],
    ['test/support/types-only.ts', "import type { TestClickHouse } from '../../workshop/clickhouse.ts'"],
  ])
  expect(reaches(path, STARTERS, texts)).toBe(expected)
})

test('the slowest ten files are named, slowest first', () => {
  const times = (count: number) => Array.from({ length: count }, (_, i) => ({ path: `test/${i}.test.ts`, ms: 1000 * i }))
  expect(slowest(times(3))).toEqual([
    'slowest 3 of 3 files, which took 3.0 s in sum:',
    '    2.0 s  test/2.test.ts',
    '    1.0 s  test/1.test.ts',
    '    0.0 s  test/0.test.ts',
  ])
  expect([9, 10, 11].map((count) => slowest(times(count)).length - 1)).toEqual([9, 10, 10])
  expect(slowest(times(11)).at(-1)).toBe('    1.0 s  test/1.test.ts')
})

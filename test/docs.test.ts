/** The README, where it repeats the code: tables, commands, example configuration, and the files it points to. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { README, withTables } from '../scripts/tables.ts'
import { createProgram } from '../src/cli/program.ts'
import { loadConfig } from '../src/config/load.ts'
import { temporaryFile } from './support/config-file.ts'

const readme = readFileSync(README, 'utf8')
const root = fileURLToPath(new URL('..', import.meta.url))

test('the tables of keys and metrics say what the code says (npm run docs rewrites them)', () => {
  expect(withTables(readme)).toBe(readme)
})

test('a README without a place for a table is refused', () => {
  expect(() => withTables('no tables')).toThrow('README.md has no <!-- configuration -->')
})

test('the table of commands names every verb', () => {
  const named = new Set([...readme.matchAll(/^\| `ctr (\w+)/gm)].map(([, name]) => name))
  const verbs = createProgram(() => {}).commands.map((command) => command.name())
  expect([...named].sort()).toEqual(verbs.sort())
})

test('the example configuration is sound', () => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const config = loadConfig({ file: temporaryFile(yaml), env: {} })
  expect(config.clickhouse.url).toBe('http://localhost:8123')
})

test('links and npm scripts in the documents lead somewhere', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> }
  for (const document of ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']) {
    const text = readFileSync(root + document, 'utf8')
    for (const [, path = ''] of text.matchAll(/\]\(([^)#:]+)\)/g))
      expect([document, path, existsSync(root + path)]).toEqual([document, path, true])
    for (const [, name = ''] of text.matchAll(/npm run ([\w:-]+)/g))
      expect([document, name, name in scripts]).toEqual([document, name, true])
  }
})

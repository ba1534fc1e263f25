/** The style of the repository, as a test: the rules themselves on samples, then every rule on every file. */
import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { KEYS } from '../src/config/catalog.ts'
import { MAY_IMPORT } from './support/may-import.ts'
import * as naming from './support/name-rules.ts'
import * as tidy from './support/tidy-rules.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['src', 'workshop', 'test', 'bench', 'perf', 'scripts', 'bin']

const files: tidy.SourceFile[] = FOLDERS.flatMap((folder) => listing(folder))
  .filter((path) => /\.(ts|js)$/.test(path))
  .map((path) => ({ path, text: readFileSync(root + path, 'utf8') }))

function listing(folder: string): string[] {
  let entries: Dirent[]
  try {
    entries = readdirSync(root + folder, { withFileTypes: true })
  } catch {
    return []
  }
  return entries.flatMap((entry) => (entry.isDirectory() ? listing(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
}

const KEY_PATHS = KEYS.map(({ path }) => path)

const broken = (rule: tidy.Rule): string[] => files.flatMap((file) => rule(file).map((fault) => `${file.path}: ${fault}`))

describe('the repository', () => {
  test('has files to look at', () => {
    expect(files.length).toBeGreaterThan(50)
  })

  test.each([
    ['files have at most 400 lines, lines at most 140 characters', tidy.size],
    ['functions have at most 70 lines', tidy.functionSize],
    ['names are kebab-case and say something; nothing is an enum or a barrel', tidy.names],
    ['names of durations and sizes end in their unit', naming.units(KEY_PATHS)],
    ['functions have at most six parameters', naming.manyParameters()],
    ['stages import only what the table allows', tidy.importDirection],
    ['exported symbols are documented', tidy.documented],
    ['no path of a machine is named', tidy.machinePaths],
    ['only src/config reads the environment', tidy.environment],
    ['only src/ring knows where in a block something lies', tidy.blockFields],
    ['bytes are copied by copyOf', tidy.copies],
    ['no test is skipped, focused or left for later', tidy.wholeTests],
    ['nothing is marked unfinished', tidy.finished],
  ])('%s', (_, rule) => {
    expect(broken(rule)).toEqual([])
  })

  test('nothing is exported for nobody', () => {
    expect(tidy.deadExports(files)).toEqual([])
  })

  test('src asks for http and https by node-http.ts, for an import loads a second client', () => {
    const imports = /^import (?!type\b)[^']*from 'node:https?'/m
    expect(files.filter(({ path, text }) => path.startsWith('src/') && imports.test(text)).map(({ path }) => path)).toEqual([])
  })

  test('no two files of src export the same name', () => {
    expect(naming.sharedNames(files)).toEqual([])
  })

  test('every exception to a rule excuses something', () => {
    const unitsOf = (exceptions: naming.Exceptions) => naming.units(KEY_PATHS, exceptions)
    expect(naming.unusedExceptions(files, naming.MANY_PARAMETERS, naming.manyParameters)).toEqual([])
    expect(naming.unusedExceptions(files, naming.FOREIGN_NAMES, unitsOf)).toEqual([])
  })

  test('every folder of src has its row in the table', () => {
    const folders = new Set(files.flatMap(({ path }) => /^src\/([^/]+)\//.exec(path)?.[1] ?? []))
    expect([...folders].filter((folder) => !(folder in MAY_IMPORT))).toEqual([])
  })

  test('every edge of the table is used, and no two folders know each other', () => {
    expect(tidy.unusedEdges(files)).toEqual([])
    expect(tidy.mutualFolders()).toEqual([])
  })

  test('no files import each other in a circle', () => {
    expect(tidy.importCircles(files)).toEqual([])
  })
})

describe('the rules', () => {
  const faults = (rule: tidy.Rule, text: string, path = 'src/sink/a.ts') => rule({ path, text })
  const lines = (count: number, line = 'x') => `${line}\n`.repeat(count)

  test('sizes are met exactly at their bounds', () => {
    expect(faults(tidy.size, lines(400))).toEqual([])
    expect(faults(tidy.size, lines(401))).toEqual(['401 lines'])
    expect(faults(tidy.size, 'x'.repeat(140))).toEqual([])
    expect(faults(tidy.size, 'x'.repeat(141))).toEqual(['line 1 has 141 characters'])
  })

  test.each([
    ['export async function f(a: number): void {\n', '}\n', 'f'],
    ['export function f(\n  a: number,\n): void {\n', '}\n', 'f'],
    ['  #go(a: number): void {\n', '  }\n', '#go'],
    ['  async next<T>(a: T): Promise<T> {\n', '  }\n', 'next'],
    ['const f = (a: number) => {\n', '}\n', 'f'],
    ['  constructor(a: number) {\n', '  }\n', 'constructor'],
  ])('a function that opens with %j is measured to its end', (open, close, name) => {
    const inside = tidy.FUNCTION_LINES_MAX - open.split('\n').length
    expect(faults(tidy.functionSize, open + lines(inside, '    x') + close)).toEqual([])
    expect(faults(tidy.functionSize, open + lines(inside + 1, '    x') + close)).toEqual([`${name} (line 1) has 71 lines`])
  })

  test('blocks and suites of tests are not functions', () => {
    for (const open of ['if (a) {', 'for (const a of b) {', "describe('x', () => {", 'interface A {', 'export class A {']) {
      expect(faults(tidy.functionSize, `${open}\n${lines(100, '  x')}}\n`)).toEqual([])
    }
  })

  test('names', () => {
    const count = (path: string, text = '') => faults(tidy.names, text, path).length
    expect(['src/sink/row-binary.ts', 'test/a.model.test.ts', 'bin/ctr.js', 'src/main.ts'].map((path) => count(path))).toEqual([0, 0, 0, 0])
    expect(['src/sink/rowBinary.ts', 'src/utils/a.ts', 'src/a/b/c.ts', 'src/a/row-helper.ts'].map((path) => count(path))).toEqual([
      1, 1, 1, 1,
    ])
    const texts = [
      'export class RowManager {',
      'export interface IRow {',
      'enum A {',
      "export * from './a.ts'",
      "export { a } from './a.ts'",
    ]
    expect(texts.map((text) => count('src/a.ts', text))).toEqual([1, 1, 1, 1, 1])
    expect(['export interface Index {', "import { a } from './a.ts'"].map((text) => count('src/a.ts', text))).toEqual([0, 0])
  })

  test.each([
    ["import { a } from '../kafka/a.ts'", 1],
    ["import {\n  a,\n  type B,\n} from '../kafka/a.ts'", 1],
    ["import '../kafka/a.ts'", 1],
    ["const { a } = await import('../kafka/a.ts')", 1],
    ["import a from '../../test/a.ts'", 1],
    ["import type { A } from '../kafka/a.ts'", 1],
    ["import { type A, type B } from '../kafka/a.ts'", 1],
    ["import { a } from './b.ts'", 0],
    ["import { a } from '../ring/layout.ts'", 0],
    ["import { a } from '../assert.ts'\nimport b from 'node:fs'\nimport c from 'pino'", 0],
    ["import { a } from '../config/limits.ts'", 0],
    ["import { a } from '../config/load.ts'", 1],
  ])('in src/sink %j has %d faults', (text, count) => {
    expect(faults(tidy.importDirection, text)).toHaveLength(count)
  })

  test('edges that nobody uses, folders that know each other, and files in a circle are found', () => {
    const at = (path: string, text: string) => ({ path, text })
    const used = [at('src/a/x.ts', "import type { Y } from '../b/y.ts'")]
    expect(tidy.unusedEdges(used, { a: ['b'] })).toEqual([])
    expect(tidy.unusedEdges(used, { a: ['b/y.ts', 'c'] })).toEqual(['a does not import c: take it out of MAY_IMPORT'])
    expect(tidy.mutualFolders({ a: ['b/y.ts'], b: ['c'], c: ['a'] })).toEqual([])
    expect(tidy.mutualFolders({ a: ['b/y.ts'], b: ['a'] })).toEqual(['a and b'])
    const line = [at('src/x.ts', "import './y.ts'"), at('src/y.ts', "import type { Z } from './z.ts'"), at('src/z.ts', '')]
    expect(tidy.importCircles(line)).toEqual([])
    expect(tidy.importCircles([...line.slice(0, 2), at('src/z.ts', "import './y.ts'")])).toEqual([['src/y.ts', 'src/z.ts']])
  })

  test.each([
    ['export function f(): void {}', 1],
    ['/** Does. */\nexport function f(): void {}', 0],
    ['/** Does. */\nexport function f(a: 1): 1\nexport function f(a: 2): 2', 0],
    ["export const A_BYTES = 8\nexport const B_NAME = 'b'\nexport const C = -1_000\nexport const D = 0x81_1c | 0", 0],
    ['export const A = [1]', 1],
    ['/** The file. */\n\nexport class A {}', 0],
    ['/** The file. */\n\nexport interface O {\n  a: 1\n}\n\nexport class A {}', 1],
    ['export interface O {\n  /** ms. */\n  a: 1\n}', 0],
    ['export interface O {\n  a: 1\n}\n\n/** Not of O. */\ntype B = 1', 1],
  ])('of %j %d symbols lack a doc comment', (text, count) => {
    expect(faults(tidy.documented, text)).toHaveLength(count)
  })

  test('dead exports are functions and values, not types', () => {
    const at = (path: string, text: string) => ({ path, text })
    const text = 'export function f() {}\nexport const g = 1\nexport interface I {}\n'
    expect(tidy.deadExports([at('src/a.ts', text), at('src/b.ts', "import { f } from './a.ts'")])).toEqual(['src/a.ts: nothing imports g'])
    expect(tidy.deadExports([at('src/a.ts', text), at('test/b.ts', "import * as a from '../src/a.ts'")])).toEqual([])
    expect(tidy.deadExports([at('src/a.ts', text), at('src/b.ts', "const { f, g } = await import('./a.ts')")])).toEqual([])
  })

  test('paths, environment, tests, unfinished marks', () => {
    const home = ['', 'home', 'me', 'x'].join('/')
    expect(faults(tidy.machinePaths, `const a = '${home}'`)).toHaveLength(1)
    expect(faults(tidy.machinePaths, "const a = 'https://a.b/home/x' + './work/x'")).toEqual([])
    const environment = `const a = process.${'env'}.X`
    expect(faults(tidy.environment, environment)).toHaveLength(1)
    expect(faults(tidy.environment, `// ${environment}`)).toEqual([])
    expect(faults(tidy.environment, environment, 'src/config/load.ts')).toEqual([])
    for (const raw of [`reader.${'aux'}`, `readers[i]!.${'time'}`, `const { kind, count } = this.#${'reader'}`, `writer.${'tryOpen'}(1)`]) {
      expect(faults(tidy.blockFields, raw)).toEqual(['line 1 reads or writes a block by itself: see src/ring/blocks.ts'])
      expect(faults(tidy.blockFields, raw, 'src/ring/a.ts')).toEqual([])
    }
    expect(faults(tidy.blockFields, 'const { kind, task } = reader')).toEqual([])
    expect(
      faults(tidy.copies, 'const a = records.slice(1, 2)\nconst b = bytes.buffer.slice(1) + text.slice(1) + copyOf(bytes, 1, 2)'),
    ).toHaveLength(1)
    const skipped = `test.${'skip'}('x')\ndescribe.each(a).${'only'}('y')\ntest.concurrent.${'only'}('z')`
    expect(faults(tidy.wholeTests, skipped, 'test/a.test.ts')).toHaveLength(2)
    expect(faults(tidy.finished, `// ${'TO'}${'DO'}: later`)).toHaveLength(1)
  })

  test.each([
    ['function f(a: 1, b: 2, c: 3, d: 4, e: 5, f: 6): void {', 0],
    ['function f(a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7): void {', 1],
    ['export async function f(\n  a: 1,\n  b: 2,\n  c: 3,\n  d: 4,\n  e: 5,\n  f: 6,\n): Promise<void> {', 0],
    ['export async function f(\n  a: 1,\n  b: 2,\n  c: 3,\n  d: 4,\n  e: 5,\n  f: 6,\n  g: 7,\n): Promise<void> {', 1],
    ['const f = (a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7) => a', 1],
    ['  #go<T>(a: T, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7): void {', 1],
    ['  constructor(a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7) {', 1],
    ['  go(a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7): void', 1],
    ['function f({ a, b, c, d }: O, e: Map<1, 2>, f: (a: 1, b: 2) => void, g = [1, 2, 3]): void {', 0],
    ['  go(1, 2, 3, 4, 5, 6, 7)', 0],
    ['  if (a(1, 2, 3, 4, 5, 6, 7)) {', 0],
  ])('of %j %d functions have too many parameters', (text, count) => {
    expect(faults(naming.manyParameters([]), text)).toHaveLength(count)
  })

  test.each([
    ['  readonly closeTimeout: number', 1],
    ['  readonly closeTimeoutMs: number', 0],
    ['  readonly chunkSize?: number', 1],
    ['  readonly chunkSizeBytes?: number', 0],
    ['  delay = 0', 1],
    ['  #delay = 100', 1],
    ['  delayMs = 100', 0],
    ['const LEASE_TIMEOUT = 5_000', 1],
    ['const SIZE = 4', 1],
    ['const LEASE_TIMEOUT_MS = 5_000', 0],
    ['function f(at: number, timeout: number): void {', 1],
    ['const LOOKS_PER_TIMEOUT = 4', 0],
    ['  readonly storage: number', 0],
    ['  readonly page: number', 0],
    ['  readonly idleTimeout: number', 0],
    ['  readonly windowSize: number', 0],
    ['  readonly windowTimeout: number', 1],
    ['  readonly startDelay: () => void', 0],
  ])('of %j %d names lack their unit', (text, count) => {
    expect(faults(naming.units(['time.idleTimeout', 'window.size'], []), text)).toHaveLength(count)
  })

  test('names with two owners, and exceptions that excuse nothing, are found', () => {
    const at = (path: string, text: string) => ({ path, text })
    const two = [at('src/a/x.ts', 'export class A {'), at('src/b/y.ts', 'export interface A {'), at('test/a.ts', 'export const A = 1')]
    expect(naming.sharedNames(two)).toEqual(['A is exported by src/a/x.ts and src/b/y.ts'])
    expect(naming.sharedNames(two.slice(1))).toEqual([])
    const overloads = 'export function f(a: 1): 1\nexport function f(a: 2): 2'
    expect(naming.sharedNames([at('src/a/x.ts', overloads)])).toEqual([])
    const late = [at('src/a/x.ts', '  delay = 1')]
    const rule = (exceptions: naming.Exceptions) => naming.units([], exceptions)
    expect(naming.unusedExceptions(late, ['src/a/x.ts delay'], rule)).toEqual([])
    expect(naming.unusedExceptions(late, ['src/a/x.ts delay', 'src/a/y.ts delay'], rule)).toEqual(['src/a/y.ts delay'])
  })
})

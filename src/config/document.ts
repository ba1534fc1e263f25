/**
 * The raw configuration: a YAML file with its variables filled in and `--set` laid over it, as a tree of plain values that remembers where
 * each came from. Nothing is checked against the schema here except the keys of `--set`.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Document, LineCounter } from 'yaml'
import { KEYS, suggestion } from './catalog.ts'
import type { Fault, Sources } from './faults.ts'
import { hasVariable, interpolate } from './interpolate.ts'
import { isTree, type Tree, valueAt } from './tree.ts'

/** Loaded when something is written in it: a start without a file has no use for it. */
const loadYaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml')

/** The configuration before it is checked. */
export interface RawConfig extends Sources {
  readonly faults: readonly Fault[]
  /** Where the value in effect comes from: `default`, `ctr.yaml:12`, `environment NAME, ctr.yaml:12`, `--set` or `--window.size`. */
  readonly originOf: (path: readonly string[]) => string
}

/** Reads the file and lays the `key=value` texts over it. Faults are collected, never thrown. */
export function readDocument(
  file: string | undefined,
  sets: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RawConfig {
  const faults: Fault[] = []
  const parsed = parseFile(file, faults)
  const variables = parsed === undefined ? new Map<string, string[]>() : fillVariables(parsed, env, faults)
  const root = parsed === undefined ? {} : toTree(parsed.document, faults)
  /** How each path was set. */
  const setBy = new Map<string, string>()
  for (const set of sets) applySet(root, set, setBy, faults)
  const wayOf = (path: readonly PropertyKey[]) => {
    for (let n = path.length; n > 0; n--) {
      const by = setBy.get(path.slice(0, n).join('.'))
      if (by !== undefined) return by
    }
    return undefined
  }
  const tree = withoutNulls(root) as Tree
  const whereOf = (path: readonly PropertyKey[]) => wayOf(path) ?? (parsed === undefined ? undefined : lineOf(parsed, path))
  const originOf = (path: readonly string[]) => {
    if (valueAt(tree, path) === undefined) return 'default'
    const place = `${file}:${whereOf(path)?.replace('line ', '')}`
    const names = variables.get(path.join('.')) ?? []
    return wayOf(path) ?? (names.length === 0 ? place : `environment ${names.join(', ')}, ${place}`)
  }
  return { tree, faults, whereOf, originOf }
}

interface ParsedFile {
  readonly document: Document.Parsed
  readonly lines: LineCounter
}

function parseFile(file: string | undefined, faults: Fault[]): ParsedFile | undefined {
  if (file === undefined) return undefined
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `can't be read: ${(error as Error).message}`
    faults.push({
      path: '',
      message: `${file} ${reason}`,
      remedy: 'give --config the path of a YAML file, or leave it out for the defaults',
    })
    return undefined
  }
  // prettyErrors would quote the faulty line, and a secret with it.
  const { LineCounter, parseDocument, isMap } = loadYaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  // The errors after the first are mostly its echo.
  const [first] = document.errors
  if (first !== undefined) {
    const remedy = text.includes('${') ? `mend the syntax; inside { } and [ ] put "\${VAR}" in quotes` : 'mend the syntax'
    faults.push({ path: '', message: `${file} is not YAML: ${first.message}`, remedy, where: lineAt(lines, first.pos[0]) })
    return undefined
  }
  if (document.contents !== null && !isMap(document.contents) && !isNull(document.contents)) {
    faults.push({ path: '', message: `${file} must hold keys and values`, remedy: 'begin with a section such as kafka:' })
    return undefined
  }
  return { document, lines }
}

function isNull(node: unknown): boolean {
  return loadYaml().isScalar(node) && node.value === null
}

/** Gives the names of the variables that stand in the value of each path. */
function fillVariables(
  { document, lines }: ParsedFile,
  env: Readonly<Record<string, string | undefined>>,
  faults: Fault[],
): Map<string, string[]> {
  const variables = new Map<string, string[]>()
  const { visit, isScalar } = loadYaml()
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !hasVariable(node.value)) return
      const { text, found, missing } = interpolate(node.value, env)
      const path = ancestors.flatMap((parent) => ('key' in parent && isScalar(parent.key) ? [String(parent.key.value)] : [])).join('.')
      if (found.length > 0) variables.set(path, [...(variables.get(path) ?? []), ...found])
      for (const name of missing) {
        const remedy = `set ${name}, or give a default: \${${name}:value}`
        faults.push({ path, message: `environment variable ${name} is not set`, remedy, where: lineAt(lines, node.range?.[0] ?? 0) })
      }
      // A variable that is empty leaves its key at the default.
      node.value = missing.length > 0 || text === '' ? null : text
    },
  })
  return variables
}

function toTree(document: Document.Parsed, faults: Fault[]): Tree {
  try {
    return withoutNulls(document.toJS({ maxAliasCount: 100 }) ?? {}) as Tree
  } catch (error) {
    faults.push({ path: '', message: `the YAML can't be read: ${(error as Error).message}`, remedy: 'mend its aliases' })
    return {}
  }
}

/** A text that begins with dashes was an option of the key's own name. */
function applySet(root: Tree, set: string, setBy: Map<string, string>, faults: Fault[]): void {
  const equals = set.indexOf('=')
  const name = (equals < 0 ? set : set.slice(0, equals)).trim()
  const path = name.replace(/^--/, '')
  const own = name !== path
  const where = own ? name : '--set'
  if (path === '' || equals < 0) {
    const [message, remedy] = own
      ? [`${name} has no value`, `write ${name}=value`]
      : [`--set ${path} has no value`, 'write --set key=value, for example --set window.size=1m']
    faults.push({ path: '', message, remedy })
    return
  }
  if (!KEYS.some((key) => key.path === path)) {
    faults.push({ path, message: 'is not a key', remedy: suggestion(path.split('.')), where })
    return
  }
  const value = parseSetValue(set.slice(equals + 1))
  const parts = path.split('.')
  const last = parts.pop() as string
  let at = root
  for (const part of parts) {
    const next = at[part]
    if (!isTree(next)) at[part] = {}
    at = at[part] as Tree
  }
  at[last] = value
  setBy.set(path, where)
}

/** Text stays text; fields read numbers and flags from it. Only lists and sections are YAML. */
function parseSetValue(text: string): unknown {
  if (text === '') return null
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return loadYaml().parse(text)
  } catch {
    return text
  }
}

/** A copy that shares nothing, as YAML aliases do, and lacks keys without a value. Throws RangeError where a tree holds itself. */
function withoutNulls(value: unknown, inside: readonly unknown[] = []): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (inside.includes(value)) throw new RangeError('an alias refers to what it stands in')
  const path = [...inside, value]
  if (Array.isArray(value)) return value.map((child) => withoutNulls(child, path))
  const entries = Object.entries(value).filter(([, child]) => child !== null && child !== undefined)
  return Object.fromEntries(entries.map(([key, child]) => [key, withoutNulls(child, path)]))
}

function lineOf({ document, lines }: ParsedFile, path: readonly PropertyKey[]): string | undefined {
  const { isMap, isNode, isScalar } = loadYaml()
  let node: unknown = document.contents
  let offset: number | undefined
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part)
      if (pair === undefined) break
      offset = isNode(pair.key) ? pair.key.range?.[0] : offset
      node = pair.value
    } else if (typeof part === 'number' && document.getIn([...path.slice(0, path.indexOf(part)), part], true) !== undefined) {
      node = document.getIn([...path.slice(0, path.indexOf(part)), part], true)
      offset = isNode(node) ? node.range?.[0] : offset
    } else break
  }
  return offset === undefined ? undefined : lineAt(lines, offset)
}

function lineAt(lines: LineCounter, offset: number): string {
  return `line ${lines.linePos(offset).line}`
}

/**
 * The raw configuration: a YAML file with its variables filled in and `--set` laid over it, as a tree of plain values that remembers where
 * each came from. Nothing is checked against the schema here except the keys of `--set`.
 */
import { readFileSync } from 'node:fs'
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, parse as parseYaml, visit } from 'yaml'
import { KEYS, suggestion } from './catalog.ts'
import type { Fault, Sources } from './faults.ts'
import { hasVariable, interpolate } from './interpolate.ts'
import { isTree, type Tree } from './tree.ts'

/** The configuration before it is checked. */
export interface RawConfig extends Sources {
  readonly faults: readonly Fault[]
}

/** Reads the file and lays the `key=value` texts over it. Faults are collected, never thrown. */
export function readDocument(
  file: string | undefined,
  sets: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RawConfig {
  const faults: Fault[] = []
  const lines = new LineCounter()
  const document = parseFile(file, lines, faults)
  if (document !== undefined) fillVariables(document, env, lines, faults)
  const root = document === undefined ? {} : toTree(document, faults)
  const setPaths = new Set<string>()
  for (const set of sets) applySet(root, set, setPaths, faults)
  const whereOf = (path: readonly PropertyKey[]) => {
    for (let n = path.length; n > 0; n--) if (setPaths.has(path.slice(0, n).join('.'))) return '--set'
    return document === undefined ? undefined : lineOf(document, path, lines)
  }
  return { tree: withoutNulls(root) as Tree, faults, whereOf }
}

function parseFile(file: string | undefined, lines: LineCounter, faults: Fault[]): Document.Parsed | undefined {
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
  return document
}

function isNull(node: unknown): boolean {
  return isScalar(node) && node.value === null
}

function fillVariables(document: Document.Parsed, env: Readonly<Record<string, string | undefined>>, lines: LineCounter, faults: Fault[]) {
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !hasVariable(node.value)) return
      const { text, missing } = interpolate(node.value, env)
      for (const name of missing) {
        const remedy = `set ${name}, or give a default: \${${name}:value}`
        const path = ancestors.flatMap((parent) => ('key' in parent && isScalar(parent.key) ? [String(parent.key.value)] : [])).join('.')
        faults.push({ path, message: `environment variable ${name} is not set`, remedy, where: lineAt(lines, node.range?.[0] ?? 0) })
      }
      // A variable that is empty leaves its key at the default.
      node.value = missing.length > 0 || text === '' ? null : text
    },
  })
}

function toTree(document: Document.Parsed, faults: Fault[]): Tree {
  try {
    return withoutNulls(document.toJS({ maxAliasCount: 100 }) ?? {}) as Tree
  } catch (error) {
    faults.push({ path: '', message: `the YAML can't be read: ${(error as Error).message}`, remedy: 'mend its aliases' })
    return {}
  }
}

function applySet(root: Tree, set: string, setPaths: Set<string>, faults: Fault[]): void {
  const equals = set.indexOf('=')
  const path = (equals < 0 ? set : set.slice(0, equals)).trim()
  if (equals < 1) {
    faults.push({ path: '', message: `--set ${path} has no value`, remedy: 'write --set key=value, for example --set window.size=1m' })
    return
  }
  if (!KEYS.some((key) => key.path === path)) {
    faults.push({ path, message: 'is not a key', remedy: suggestion(path), where: '--set' })
    return
  }
  const value = parseSetValue(set.slice(equals + 1))
  const parts = path.split('.')
  const name = parts.pop() as string
  let at = root
  for (const part of parts) {
    const next = at[part]
    if (!isTree(next)) at[part] = {}
    at = at[part] as Tree
  }
  at[name] = value
  setPaths.add(path)
}

/** Text stays text; fields read numbers and flags from it. Only lists and sections are YAML. */
function parseSetValue(text: string): unknown {
  if (text === '') return null
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return parseYaml(text)
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

function lineOf(document: Document.Parsed, path: readonly PropertyKey[], lines: LineCounter): string | undefined {
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

/**
 * Loads the configuration: file, environment, `--set`, schema, rules, PEM files. All faults are reported at once. The only place of the
 * engine that reads the environment.
 */
import { readFileSync } from 'node:fs'
import { dotted, KEYS } from './catalog.ts'
import { type RawConfig, readDocument } from './document.ts'
import { configError, type Fault, faultsOf, shown } from './faults.ts'
import { breaches } from './rules.ts'
import { type Config, configSchema } from './schema.ts'
import { isTree, type Tree, valueAt } from './tree.ts'

export interface ConfigInput {
  /** Path of a YAML file; without it the defaults hold. */
  readonly file?: string | undefined
  /** `key=value` texts, laid over the file in this order. */
  readonly sets?: readonly string[] | undefined
  /** The variables that `${VAR}` sees; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** A configuration as written: PEM paths not yet replaced by their content. */
export interface WrittenConfig {
  readonly config: Config
  readonly originOf: RawConfig['originOf']
}

/** The frozen configuration. Throws CtrError CTR_CONFIG that lists every fault with its path, value, place and remedy. */
export function loadConfig(input: ConfigInput = {}): Config {
  const { config, whereOf, faults } = resolve(input)
  const pemFaults = config === undefined ? [] : readPemFiles(config, whereOf)
  const all = [...faults, ...pemFaults]
  if (config === undefined || all.length > 0) throw configError(input.file, all)
  return deepFreeze(config)
}

/** As loadConfig, but with PEM paths as they were written; for printing. */
export function writtenConfig(input: ConfigInput = {}): WrittenConfig {
  loadConfig(input)
  const { config, originOf, faults } = resolve(input)
  if (config === undefined) throw configError(input.file, faults)
  return { config, originOf }
}

interface Resolved extends Pick<RawConfig, 'whereOf' | 'originOf'> {
  readonly config: Config | undefined
  readonly faults: Fault[]
}

function resolve(input: ConfigInput): Resolved {
  const raw = readDocument(input.file, input.sets ?? [], input.env ?? process.env)
  const faults = [...raw.faults]
  const first = configSchema.safeParse(raw.tree)
  if (!first.success) for (const issue of first.error.issues) faults.push(...faultsOf(issue, raw))
  // Rules are asked about what is sound, so that one run shows everything there is to mend.
  const config = first.success ? first.data : parseSound(raw.tree)
  const faulty = faults.map((fault) => fault.path)
  for (const { path, message, remedy } of config === undefined ? [] : breaches(config, faulty)) {
    faults.push({ path: dotted(path), message, remedy, ...shown(raw, path) })
  }
  return { config, whereOf: raw.whereOf, originOf: raw.originOf, faults }
}

/** Parses what is left when the faulty values are taken out, and their sections where that leaves a hole; undefined when nothing helps. */
function parseSound(tree: Tree): Config | undefined {
  const copy = structuredClone(tree)
  for (let attempt = 0; attempt < 8; attempt++) {
    const result = configSchema.safeParse(copy)
    if (result.success) return result.data
    for (const issue of result.error.issues) {
      if (issue.code === 'unrecognized_keys') for (const key of issue.keys) removeAt(copy, [...issue.path, key])
      else removeAt(copy, valueAt(copy, issue.path) === undefined ? issue.path.slice(0, -1) : issue.path)
    }
  }
  return undefined
}

/** Takes the value out of its section; out of a list nothing can be taken, so the whole list goes. */
function removeAt(tree: Tree, path: readonly PropertyKey[]): void {
  const index = path.findIndex((part) => typeof part === 'number')
  const upTo = index < 0 ? path : path.slice(0, index)
  const parent = valueAt(tree, upTo.slice(0, -1))
  const name = upTo.at(-1)
  if (isTree(parent) && typeof name === 'string') delete parent[name]
}

function readPemFiles(config: Config, whereOf: RawConfig['whereOf']): Fault[] {
  const faults: Fault[] = []
  for (const { path, field } of KEYS) {
    if (field?.kind !== 'pem') continue
    const parts = path.split('.')
    const section = valueAt(config, parts.slice(0, -1))
    const name = parts.at(-1) as string
    const value = isTree(section) ? section[name] : undefined
    if (!isTree(section) || typeof value !== 'string') continue
    const read = readPem(value)
    if ('content' in read) section[name] = read.content
    else {
      const where = whereOf(parts)
      const got = field.secret ? undefined : JSON.stringify(value)
      const remedy = 'write the path of a PEM file that this process may read, or the PEM text itself'
      faults.push({ path, message: read.message, remedy, ...(where === undefined ? {} : { where }), ...(got === undefined ? {} : { got }) })
    }
  }
  return faults
}

function readPem(value: string): { content: string } | { message: string } {
  if (value.includes('-----BEGIN ')) return { content: value }
  try {
    const content = readFileSync(value, 'utf8')
    return content.includes('-----BEGIN ') ? { content } : { message: 'names a file that holds no PEM' }
  } catch (error) {
    // The system's own message repeats the path, and what was meant for content may be a key.
    const { code } = error as NodeJS.ErrnoException
    return { message: code === 'ENOENT' ? 'names a file that does not exist' : `names a file that can't be read (${code})` }
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child)
    Object.freeze(value)
  }
  return value
}

/** What is wrong with a configuration, in words: each fault with its key, what it got, where that stands, and what to do. */
import type { z } from 'zod'
import { CtrError } from '../errors.ts'
import { maskSecrets } from '../text.ts'
import { dotted, KEYS, keyAt, suggestion } from './catalog.ts'
import { type Tree, valueAt } from './tree.ts'

/** One thing to mend. */
export interface Fault {
  /** Dotted; '' for the file as a whole. */
  readonly path: string
  readonly message: string
  readonly remedy: string
  /** `line 12` or `--set`; undefined where neither applies. */
  readonly where?: string
  /** The value as it may be shown; undefined when there is none or it is secret. */
  readonly got?: string
}

/** The values as they were given, and where each comes from: `line 12`, `--set`, or undefined when it isn't given. */
export interface Sources {
  readonly tree: Tree
  readonly whereOf: (path: readonly PropertyKey[]) => string | undefined
}

/** The faults behind one issue of the schema. */
export function faultsOf(issue: z.core.$ZodIssue, raw: Sources): Fault[] {
  const at = textOfList(issue.path, raw)
  const path = dotted(at)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const where = raw.whereOf([...issue.path, key])
      const at = [...issue.path, key]
      return { path: dotted(at), message: 'is not a key', remedy: suggestion(at), ...(where === undefined ? {} : { where }) }
    })
  }
  const place = shown(raw, at)
  const params = issue.code === 'custom' ? (issue.params as { remedy?: string } | undefined) : undefined
  if (params?.remedy !== undefined) {
    const got = issue.message === 'is missing' ? {} : place
    return [{ path, message: issue.message, remedy: params.remedy, ...got }]
  }
  const where = place.where === undefined ? {} : { where: place.where }
  if (issue.code === 'too_small') return [{ path, message: 'is empty', remedy: 'list at least one', ...where }]
  if (issue.code === 'too_big') return [{ path, message: 'is too long', remedy: `list at most ${String(issue.maximum)}`, ...where }]
  // A value stands where a section or list belongs. It is not shown: it may be a secret, one line too high.
  const expected = issue.code === 'invalid_type' && issue.expected === 'array' ? 'a list' : 'a section'
  return [{ path, message: `must be ${expected}`, remedy: remedyForShape(path, expected), ...where }]
}

/** The path of the list when its elements came as one text: that is what was written, and is shown. */
function textOfList(path: readonly PropertyKey[], { tree }: Sources): readonly PropertyKey[] {
  const list = path.slice(0, -1)
  return typeof path.at(-1) === 'number' && typeof valueAt(tree, list) === 'string' ? list : path
}

function remedyForShape(path: string, expected: string): string {
  if (expected === 'a list') return 'write [a, b] or lines that begin with "- "'
  const prefix = `${path.replaceAll(/\[\d+\]/g, '[]')}.`
  const children = KEYS.filter((key) => key.path.startsWith(prefix) && !/[.[]/.test(key.path.slice(prefix.length)))
  return `put its keys below it: ${children.map((key) => key.path.slice(prefix.length)).join(', ')}`
}

const SHOWN_MAX_LENGTH = 80

/** Where the value at the path stands, and the value itself unless it is a secret. */
export function shown(raw: Sources, path: readonly PropertyKey[]): { where?: string; got?: string } {
  const where = raw.whereOf(path)
  const value = valueAt(raw.tree, path)
  const field = keyAt(path)?.field
  const hidden = value === undefined || field === undefined || field.secret || field.kind === 'pem'
  const got = hidden ? undefined : maskSecrets(JSON.stringify(value))
  const cut = got !== undefined && got.length > SHOWN_MAX_LENGTH ? `${got.slice(0, SHOWN_MAX_LENGTH)}…` : got
  return { ...(where === undefined ? {} : { where }), ...(cut === undefined ? {} : { got: cut }) }
}

/** One error that lists all faults, a line each, in the order of the file. */
export function configError(file: string | undefined, faults: readonly Fault[]): CtrError {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  const lines = faults
    .toSorted((a, b) => rank(a) - rank(b))
    .map((fault) => {
      const subject = fault.path === '' ? '' : `${fault.path} `
      const got = fault.got === undefined ? '' : `, got ${fault.got}`
      const place = fault.where === undefined ? '' : ` (${fault.where})`
      return `  ${subject}${fault.message}${got}${place}; ${fault.remedy}`
    })
  return new CtrError('CTR_CONFIG', [`configuration${file === undefined ? '' : ` ${file}`}: ${count}`, ...lines].join('\n'))
}

function rank(fault: Fault): number {
  const line = /^line (\d+)$/.exec(fault.where ?? '')
  return line === null ? Number.MAX_SAFE_INTEGER : Number(line[1])
}

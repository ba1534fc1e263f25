/**
 * The rules of style that a machine can check, as functions from a file to what is wrong with it. They read text, not syntax trees: the
 * formatter makes blocks close at the indentation they open at, and statements begin where it puts them.
 */

import { COMMON, MAY_IMPORT } from './may-import.ts'

/** A file of the repository; `path` is relative to its root, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export type Rule = (file: SourceFile) => string[]

export const FILE_LINES_MAX = 400
export const FUNCTION_LINES_MAX = 70
export const LINE_LENGTH_MAX = 140

export const size: Rule = ({ text }) => {
  const lines = text.trimEnd().split('\n')
  const long = lines.flatMap((line, i) => (line.length > LINE_LENGTH_MAX ? [`line ${i + 1} has ${line.length} characters`] : []))
  return lines.length > FILE_LINES_MAX ? [`${lines.length} lines`, ...long] : long
}

const FUNCTION_STARTS: readonly RegExp[] = [
  /^(\s*)(?:export )?(?:default )?(?:async )?function\*? ?(\w*)/,
  // A method: a name, its parameters, and a block or the first of several lines of parameters.
  /^(\s+)(?:(?:async|static|override|get|set) )*(#?\w+)(?:<[^>]*>)?\((?:.*\)(?:: .+)? \{)?$/,
  /^(\s*)(?:export )?(?:const|let) (\w+) = (?:async )?(?:<[^>]*>)?\(.*(?:=> \{|\()$/,
]

const NO_FUNCTION = /^(if|for|while|switch|catch|describe|return|super|expect)$/

export const functionSize: Rule = ({ text }) => {
  const lines = text.split('\n')
  return lines.flatMap((line, i) => {
    const match = FUNCTION_STARTS.map((start) => start.exec(line)).find((found) => found !== null)
    const name = match?.[2] ?? ''
    if (match === undefined || NO_FUNCTION.test(name)) return []
    const count = closingLine(lines, i, match[1] ?? '') - i + 1
    return count > FUNCTION_LINES_MAX ? [`${name || 'a function'} (line ${i + 1}) has ${count} lines`] : []
  })
}

/** The line that closes the block opened at `start`: the first `}` at the same indentation that opens nothing again. */
function closingLine(lines: readonly string[], start: number, indent: string): number {
  for (let i = start + 1; i < lines.length; i++) {
    const line = lines[i] ?? ''
    if (line.startsWith(`${indent}}`) && !line.endsWith('{')) return i
  }
  return start
}

const NAME_BANNED = /(^|-)(utils?|helpers?|managers?|services?|common|misc|impl)(-|\.|$)/

export const names: Rule = ({ path, text }) => {
  const found: string[] = []
  for (const part of path.split('/')) {
    if (!/^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/.test(part)) found.push(`${part} is not kebab-case`)
    if (NAME_BANNED.test(part)) found.push(`${part} says nothing: name what it holds or does`)
  }
  if (/^src\/.+\/.+\//.test(path)) found.push('is more than one folder below src')
  for (const { name, kind } of exportsOf(text)) {
    if (/(Utils?|Helpers?|Manager|Service|Impl)$/.test(name)) found.push(`${name} says nothing: name what it holds or does`)
    if (kind === 'interface' && /^I[A-Z][a-z]/.test(name)) found.push(`${name}: no I-prefix`)
  }
  if (/^\s*(export )?(declare )?(const )?enum /m.test(text)) found.push('holds an enum')
  if (/^export (\*|\{[^}]*\}|type \{[^}]*\}) from /m.test(text)) found.push('re-exports: import from where it is')
  return found
}

export interface Import {
  /** As written. */
  readonly from: string
  readonly typeOnly: boolean
  readonly names: readonly string[]
}

/** All imports of a file, dynamic ones included. */
export function importsOf(text: string): Import[] {
  const found: Import[] = []
  for (const match of text.matchAll(/^(?:import|export) (type )?(?:([^'"`;]*?) from )?'([^']+)'/gm)) {
    const clause = match[2] ?? ''
    const inBraces = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? ''
    const parts = inBraces
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    const allTypes = parts.length > 0 && !/^\w/.test(clause) && parts.every((part) => part.startsWith('type '))
    const imported = parts.map((part) => part.replace(/^type /, '').replace(/ as .*$/, ''))
    found.push({ from: match[3] ?? '', typeOnly: match[1] !== undefined || allTypes, names: clause.includes('* as') ? ['*'] : imported })
  }
  for (const match of text.matchAll(/(?:\{([^{}]*)\} = await )?import\('([^']+)'\)/g)) {
    const parts = match[1]?.split(',').map((part) => part.trim().replace(/:.*$/, '')) ?? ['*']
    found.push({ from: match[2] ?? '', typeOnly: false, names: parts })
  }
  return found
}

/** The path that a relative import of `path` leads to; undefined for packages. */
export function targetOf(path: string, from: string): string | undefined {
  return from.startsWith('.') ? new URL(from, `file:///${path}`).pathname.slice(1) : undefined
}

export const importDirection: Rule = ({ path, text }) => {
  if (!path.startsWith('src/')) return []
  const own = roomOf(path)
  return importsOf(text).flatMap(({ from }) => {
    const target = targetOf(path, from)
    if (target === undefined) return []
    if (!target.startsWith('src/')) return [`imports ${from}, which is not part of src`]
    const allowed = [own, ...COMMON, ...(MAY_IMPORT[own] ?? [])].some((entry) => covers(entry, target))
    return allowed ? [] : [`${own} may not import ${target} (see MAY_IMPORT)`]
  })
}

/** Entries of the table that no import of `files` needs. */
export function unusedEdges(files: readonly SourceFile[], table = MAY_IMPORT): string[] {
  const edges = files
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, text }) => importsOf(text).map(({ from }) => ({ own: roomOf(path), target: targetOf(path, from) ?? '' })))
  return Object.entries(table).flatMap(([room, entries]) =>
    entries
      .filter((entry) => !edges.some(({ own, target }) => own === room && covers(entry, target)))
      .map((entry) => `${room} does not import ${entry}: take it out of MAY_IMPORT`),
  )
}

/** Folders of the table that know each other both ways. */
export function mutualFolders(table = MAY_IMPORT): string[] {
  const knows = (a: string, b: string) => (table[a] ?? []).some((entry) => entry === b || entry.startsWith(`${b}/`))
  const rooms = Object.keys(table)
  return rooms.flatMap((a, i) => rooms.slice(i + 1).flatMap((b) => (knows(a, b) && knows(b, a) ? [`${a} and ${b}`] : [])))
}

/** Circles of files that import each other, types included: each as its files. */
export function importCircles(files: readonly SourceFile[]): string[][] {
  const imports = new Map(files.map(({ path, text }) => [path, importsOf(text).flatMap(({ from }) => targetOf(path, from) ?? [])]))
  const done = new Set<string>()
  const circles: string[][] = []
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path)
    if (at >= 0) circles.push(way.slice(at))
    if (at >= 0 || done.has(path)) return
    for (const next of imports.get(path) ?? []) visit(next, [...way, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  return circles
}

/** The folder of src that a file is in, or the file itself when it lies in none. */
function roomOf(path: string): string {
  const own = path.slice('src/'.length)
  return own.includes('/') ? own.slice(0, own.indexOf('/')) : own
}

function covers(entry: string, target: string): boolean {
  return target === `src/${entry}` || target.startsWith(`src/${entry}/`)
}

export interface Export {
  readonly name: string
  readonly kind: 'function' | 'class' | 'interface' | 'type' | 'const' | 'let'
  /** Counted from 0. */
  readonly line: number
}

/** The names a file exports by declaring them. */
export function exportsOf(text: string): Export[] {
  return text.split('\n').flatMap((line, i) => {
    const match = /^export (?:declare )?(?:abstract )?(?:async )?(function|class|interface|type|const|let)\*? (\w+)/.exec(line)
    return match === null ? [] : [{ name: match[2] ?? '', kind: match[1] as Export['kind'], line: i }]
  })
}

/**
 * What needs no line of its own: what the file's opening comment describes (the first class, or else the first export), an interface whose
 * members are described, a constant with a literal value, and a function's overloads after its first.
 */
export const documented: Rule = ({ path, text }) => {
  if (!path.startsWith('src/')) return []
  const lines = text.split('\n')
  const all = exportsOf(text)
  const main = text.startsWith('/**') ? (all.find(({ kind }) => kind === 'class') ?? all[0]) : undefined
  const seen = new Set<string>()
  return all.flatMap((symbol) => {
    const { name, kind, line } = symbol
    const literal = kind === 'const' && /= (-?(?:0x[\da-f_]+|[\d_.*+| ])+|'[^']*')$/.test(lines[line] ?? '')
    const body = kind === 'interface' ? lines.slice(line, closingLine(lines, line, '')) : []
    const inside = body.some((member) => /^ {2}\/\*\*/.test(member))
    const fine = (lines[line - 1] ?? '').trim().endsWith('*/') || symbol === main || literal || inside || seen.has(name)
    seen.add(name)
    return fine ? [] : [`${name} (line ${line + 1}) has no doc comment`]
  })
}

const MACHINE_PATH = /(?<![\w.$}/])\/(?:home|root|Users|work)\/[\w.]|\b[A-Z]:\\\\?[A-Za-z]/

export const machinePaths: Rule = ({ text }) =>
  text.split('\n').flatMap((line, i) => (MACHINE_PATH.test(line) ? [`line ${i + 1} names a path of somebody's machine`] : []))

export const environment: Rule = ({ path, text }) => {
  if (!path.startsWith('src/') || path.startsWith('src/config/')) return []
  return withoutComments(text).includes(`process.${'env'}`) ? ['reads the environment: only src/config does'] : []
}

export const wholeTests: Rule = ({ path, text }) => {
  if (!path.startsWith('test/')) return []
  const found = [...withoutComments(text).matchAll(/\b(?:test|it|describe)(?:\.\w+)*\.(?:skip|only|todo|skipIf|runIf|fails)\b/g)]
  return found.map(([call]) => `${call}: every test runs, always`)
}

const BLOCK_FIELD = 'aux|count|byteLength|time|payload'
const RAW_BLOCK = [
  /\.(?:aux|tryOpen|tryPut)\b/,
  new RegExp(`\\breaders?(?:\\[.*\\]!?)?\\.(?:${BLOCK_FIELD})\\b`),
  new RegExp(`\\{.*\\b(?:${BLOCK_FIELD})\\b.*\\} = (?:this\\.#)?reader$`),
]

/** Where in a block something lies is known in one folder: everybody else uses the typed puts and reads. */
export const blockFields: Rule = ({ path, text }) => {
  if (/^(src|test)\/ring\//.test(path)) return []
  const lines = withoutComments(text).split('\n')
  return lines.flatMap((line, i) =>
    RAW_BLOCK.some((raw) => raw.test(line)) ? [`line ${i + 1} reads or writes a block by itself: see src/ring/blocks.ts`] : [],
  )
}

/** What is handed over is lent, and mostly a Buffer, whose `slice` is a view of what others write over. */
export const copies: Rule = ({ path, text }) => {
  if (!path.startsWith('src/')) return []
  const lines = withoutComments(text).split('\n')
  const isView = /(?<![\w.])(?:bytes|records|packed|unpacked|buffer|body|chunk|frame|data)\.slice\(/
  return lines.flatMap((line, i) => (isView.test(line) ? [`line ${i + 1}: the slice of a Buffer is no copy: see copyOf`] : []))
}

const UNFINISHED = new RegExp(`\\b(?:${['TO', 'FIX', 'XX'].map((part, i) => part + ['DO', 'ME', 'X'][i]).join('|')})\\b`)

export const finished: Rule = ({ text }) =>
  text.split('\n').flatMap((line, i) => (UNFINISHED.test(line) ? [`line ${i + 1} marks something unfinished`] : []))

/** Functions, classes and values of src that no other file of `files` imports. Types may serve only to describe them. */
export function deadExports(files: readonly SourceFile[]): string[] {
  const used = new Set<string>()
  for (const { path, text } of files) {
    for (const { from, names: imported } of importsOf(text)) {
      const target = targetOf(path, from)
      if (target !== undefined) for (const name of imported) used.add(`${target}#${name}`)
    }
  }
  return files
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, text }) =>
      exportsOf(text)
        .filter(({ name, kind }) => kind !== 'interface' && kind !== 'type' && !used.has(`${path}#${name}`) && !used.has(`${path}#*`))
        .map(({ name }) => `${path}: nothing imports ${name}`),
    )
}

/** The text with its comments blanked out. Strings that hold comment signs lose their tail, which no rule minds. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[^:'"`])\/\/.*$/gm, '$1')
}

/**
 * Rules on names and on lists of parameters, as functions from a file, or from all of them, to what is wrong. Each list of exceptions is
 * closed: an entry that excuses nothing any more is a fault too (`unusedExceptions`).
 */
import { exportsOf, type Rule, type SourceFile } from './tidy-rules.ts'

export const PARAMETERS_MAX = 6

/** `file name` of what may do as the rule forbids. */
export type Exceptions = readonly string[]

/** An options object, or what carries state between calls, costs these more than a long list does. */
export const MANY_PARAMETERS: Exceptions = [
  // Of the hot path: a call per block, sequence or row.
  'src/batch/decompress.ts lz4Block',
  'src/batch/decompress.ts copyLiteral',
  'src/sink/row-binary.ts writeRow',
  // A call per block of a restored task, and per window.
  'src/window/pane.ts restore',
  // Node's own, only declared here.
  'src/batch/inflater.ts writeSync',
]

/** Names that others gave: kafkajs' and commander's. */
export const FOREIGN_NAMES: Exceptions = [
  'src/kafka/batch-producer.ts transactionTimeout',
  'src/cli/options.ts duration',
  'src/selftest/run.ts duration',
]

/** Functions and methods with more parameters than PARAMETERS_MAX, but those of `exceptions`. */
export function manyParameters(exceptions: Exceptions = MANY_PARAMETERS): Rule {
  return ({ path, text }) =>
    path.startsWith('src/')
      ? functionsOf(text)
          .filter(({ name, parameters }) => parameters > PARAMETERS_MAX && !exceptions.includes(`${path} ${name}`))
          .map(({ name, parameters, line }) => `${name} (line ${line}) has ${parameters} parameters`)
      : []
}

const MODIFIERS = '(?:(?:export|default|async|static|override|get|set|private|protected|abstract) )*'
const FUNCTION_OPENS = new RegExp(`^[ \\t]*${MODIFIERS}(?:function\\*? ?)?(#?\\w+)(?:<[^>\\n]*>)?\\(`, 'gm')
const DECLARED_ARROW = /^[ \t]*(?:export )?(?:const|let) (\w+) = (?:async )?(?:<[^>\n]*>)?\(/gm
const NO_DECLARATION = /^(if|for|while|switch|catch|return|super|await|function|new|typeof|import)$/

function functionsOf(text: string): { name: string; parameters: number; line: number }[] {
  const found: { name: string; parameters: number; line: number }[] = []
  for (const opens of [FUNCTION_OPENS, DECLARED_ARROW]) {
    for (const match of text.matchAll(opens)) {
      const name = match[1] ?? ''
      const { parts, end } = partsInParentheses(text, match.index + match[0].length)
      // A declaration goes on with a type, a block or an arrow; a call with neither.
      const declares = /^(?:: | \{| =>)/.test(text.slice(end, end + 3))
      if (NO_DECLARATION.test(name) || !declares) continue
      const line = text.slice(0, match.index).split('\n').length
      found.push({ name, parameters: parts, line })
    }
  }
  return found
}

/** From just behind an opening parenthesis: how many parts commas make, and what comes behind the closing one. */
function partsInParentheses(text: string, start: number): { parts: number; end: number } {
  let depth = 1
  let parts = 0
  let filled = false
  let at = start
  for (; at < text.length && depth > 0; at++) {
    const sign = text[at] ?? ''
    if ('([{<'.includes(sign)) depth++
    else if (')]}'.includes(sign) || (sign === '>' && text[at - 1] !== '=')) depth--
    else if (sign === ',' && depth === 1) {
      parts++
      filled = false
    }
    if (depth > 0 && !/[\s,]/.test(sign)) filled = true
  }
  return { parts: parts + Number(filled), end: at }
}

const MEASURES =
  '(?:Timeout|Interval|Delay|Size|Lateness|Orderness|Age|Wait|Drift|Tolerance|Duration|Period|Patience|Linger|Pause|Backoff|Latency)'
const WORDS = '(?:timeout|interval|delay|lateness|age|drift|tolerance|duration|period|patience|backoff|latency)'
const CAPITALS = '(?:TIMEOUT|INTERVAL|DELAY|SIZE|LATENESS|AGE|WAIT|DRIFT|TOLERANCE|DURATION|PERIOD|PATIENCE|LINGER|PAUSE|BACKOFF|LATENCY)'
const RATIO = /_PER_|Per[A-Z]/
/** Fields and parameters typed as numbers, fields that begin as one, and constants that are one. */
const NUMBERS: readonly RegExp[] = [
  new RegExp(`(?<![\\w.])(\\w*${MEASURES}|${WORDS})\\??: number\\b`, 'g'),
  new RegExp(`^ +(?:(?:readonly|static) )*#?(\\w*${MEASURES}|${WORDS}) = -?\\d`, 'gm'),
  new RegExp(`\\b(?:const|let) (\\w*${MEASURES}|${WORDS}|(?:\\w+_)?${CAPITALS}) = -?\\d`, 'g'),
]

/**
 * Durations and sizes whose names do not end in their unit, in files of src; a ratio (`…Per…`) has none. Names of the
 * configuration's keys stay as they are wherever their values go: `keys` holds their paths.
 */
export function units(keys: readonly string[], exceptions: Exceptions = FOREIGN_NAMES): Rule {
  const known = new Set(keys.flatMap((path) => [path.slice(path.lastIndexOf('.') + 1), camelCase(path)]))
  return ({ path, text }) => {
    if (!path.startsWith('src/') || path.startsWith('src/config/')) return []
    const found = new Set(NUMBERS.flatMap((numbers) => [...text.matchAll(numbers)].map((match) => match[1] ?? '')))
    return [...found]
      .filter((name) => !known.has(name) && !RATIO.test(name) && !exceptions.includes(`${path} ${name}`))
      .map((name) => `${name}: put the unit last (Ms, Seconds, Bytes, Words, Rows …)`)
  }
}

/** window.size as windowSize. */
function camelCase(path: string): string {
  return path.replaceAll(/\.(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** Names that more than one file of src exports: a word has one owner. */
export function sharedNames(files: readonly SourceFile[]): string[] {
  const owners = new Map<string, Set<string>>()
  for (const { path, text } of files) {
    if (!path.startsWith('src/')) continue
    for (const { name } of exportsOf(text)) owners.set(name, (owners.get(name) ?? new Set()).add(path))
  }
  return [...owners].filter(([, paths]) => paths.size > 1).map(([name, paths]) => `${name} is exported by ${[...paths].join(' and ')}`)
}

/** Entries of a list of exceptions without which `rule` finds as much. */
export function unusedExceptions(files: readonly SourceFile[], exceptions: Exceptions, rule: (exceptions: Exceptions) => Rule): string[] {
  const faults = (some: Exceptions) => files.flatMap((file) => rule(some)(file)).length
  const without = faults(exceptions)
  return exceptions.filter((entry) => faults(exceptions.filter((other) => other !== entry)) === without)
}

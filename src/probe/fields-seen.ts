/**
 * What fields the values of a topic have: a path for each place of a value, with how often it is there, of which kinds it is and what it
 * holds. It is bounded: in depth, in paths, and in the different values of each that are kept.
 */
import { isPlausibleTime, patternOf, plainTime } from './plain-time.ts'

/** A path through an array has this behind the array's key; only one array is gone through. */
export const EACH = '[]'

const DEPTH_MAX = 8
const PATHS_MAX = 600
const DISTINCT_MAX = 5000
const ELEMENTS_MAX = 100
const TEXT_MAX = 512
const UTF8_BOM = '\ufeff'

/** What stands in front of a number that has become a text, so that its digits stay. */
const NUMBER_MARK = '\u0000n'
const LITERALS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|-?Infinity|NaN/g

/** How a value is written. */
export type SeenKind = 'text' | 'integer' | 'number' | 'boolean'

/** One path. */
export interface FieldSeen {
  /** The keys from the outside in; that of an array with EACH behind it. */
  readonly steps: readonly string[]
  /** Which records have it and not null, by their number. */
  readonly records: Set<number>
  /** Values in all, by kind. */
  readonly kinds: Record<SeenKind, number>
  values: number
  /** Different values as text, and how often each comes. */
  readonly distinct: Map<string, number>
  /** Values that the engine takes for an instant in this century, and how those are written that are numbers. */
  times: number
  /** Of those that are texts of another form, the patterns that they have. */
  readonly patterns: Set<string>
  /** Values that are JSON once more, as text. */
  nested: number
  /** By record, its first value. */
  readonly first: Map<number, string>
}

/** What a value is as JSON; `other` for what is none. Numbers are texts behind NUMBER_MARK. */
export type Parsed = { readonly kind: 'object'; readonly value: object } | { readonly kind: 'array' | 'text' | 'scalar' | 'other' }

/** Reads a value as the engine would: a byte order mark, NaN and numbers beyond 2^53 are no matter. */
export function parseValue(bytes: Uint8Array): Parsed {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  const plain = text.startsWith(UTF8_BOM) ? text.slice(1) : text
  try {
    const value: unknown = JSON.parse(plain.replaceAll(LITERALS, (found) => marked(found)))
    if (typeof value === 'object' && value !== null) return Array.isArray(value) ? { kind: 'array' } : { kind: 'object', value }
    return { kind: typeof value === 'string' && !value.startsWith(NUMBER_MARK) ? 'text' : 'scalar' }
  } catch {
    return { kind: 'other' }
  }
}

/** A number as parseValue has it, by its digits. */
export function numberText(digits: string): string {
  return NUMBER_MARK + digits
}

function marked(literal: string): string {
  if (literal.startsWith('"')) return literal
  return /\d/.test(literal) ? JSON.stringify(numberText(literal)) : 'null'
}

/** Gathers what fields there are. */
export class FieldsSeen {
  /** By the steps, apart by control characters, which no key has. */
  readonly #fields = new Map<string, FieldSeen>()
  /** Paths that were left out for PATHS_MAX. */
  leftOut = 0
  /** Arrays of objects, and how many elements there were at most. */
  readonly arrays = new Map<string, number>()

  /** In the order in which they were first seen. */
  get all(): readonly FieldSeen[] {
    return [...this.#fields.values()]
  }

  find(steps: readonly string[]): FieldSeen | undefined {
    return this.#fields.get(steps.join('\u0001'))
  }

  /** One more record's object, by `parseValue`. */
  add(record: number, value: object): void {
    this.#object(record, value, [], false)
  }

  #object(record: number, value: object, steps: readonly string[], inArray: boolean): void {
    if (steps.length >= DEPTH_MAX) return
    for (const [key, own] of Object.entries(value)) this.#value(record, own, [...steps, key], inArray)
  }

  #value(record: number, value: unknown, steps: readonly string[], inArray: boolean): void {
    if (value === null || value === undefined) return
    if (Array.isArray(value)) {
      const last = steps.at(-1) ?? ''
      if (inArray) return
      const path = [...steps.slice(0, -1), last + EACH]
      this.arrays.set(path.join('.'), Math.max(value.length, this.arrays.get(path.join('.')) ?? 0))
      for (const element of value.slice(0, ELEMENTS_MAX)) this.#value(record, element, path, true)
    } else if (typeof value === 'object') this.#object(record, value, steps, inArray)
    else this.#leaf(record, value as string | boolean, steps)
  }

  #leaf(record: number, value: string | boolean, steps: readonly string[]): void {
    const field = this.#fieldAt(steps)
    if (field === undefined) return
    const isNumber = typeof value === 'string' && value.startsWith(NUMBER_MARK)
    const text = isNumber ? value.slice(NUMBER_MARK.length) : String(value)
    const kind = typeof value === 'boolean' ? 'boolean' : !isNumber ? 'text' : /^-?\d+$/.test(text) ? 'integer' : 'number'
    if (kind === 'text' && text === '') return
    field.records.add(record)
    field.kinds[kind]++
    field.values++
    if (!field.first.has(record)) field.first.set(record, text.slice(0, TEXT_MAX))
    if (field.distinct.size < DISTINCT_MAX || field.distinct.has(text)) field.distinct.set(text, (field.distinct.get(text) ?? 0) + 1)
    if (kind !== 'boolean') {
      const pattern = kind === 'text' ? patternOf(text) : undefined
      if (pattern !== undefined) field.patterns.add(pattern)
      if (pattern !== undefined || isPlausibleTime(plainTime(text))) field.times++
    }
    if (kind === 'text' && /^\s*[{[]/.test(text) && ['object', 'array'].includes(parseValue(Buffer.from(text)).kind)) field.nested++
  }

  #fieldAt(steps: readonly string[]): FieldSeen | undefined {
    const key = steps.join('\u0001')
    const known = this.#fields.get(key)
    if (known !== undefined) return known
    if (this.#fields.size >= PATHS_MAX) {
      this.leftOut++
      return undefined
    }
    const kinds = { text: 0, integer: 0, number: 0, boolean: 0 }
    const field = {
      steps,
      records: new Set<number>(),
      kinds,
      values: 0,
      distinct: new Map(),
      times: 0,
      patterns: new Set<string>(),
      nested: 0,
      first: new Map(),
    }
    this.#fields.set(key, field)
    return field
  }
}

/** A path as the configuration writes it. */
export function pathText(steps: readonly string[]): string {
  return steps.map((step) => pathStep(step)).join('.')
}

function pathStep(step: string): string {
  const isArray = step.endsWith(EACH)
  const key = isArray ? step.slice(0, -EACH.length) : step
  const plain = /^[^."\s[\]]+$/.test(key) ? key : `"${key.replaceAll(/["\\]/g, '\\$&')}"`
  return isArray ? plain + EACH : plain
}

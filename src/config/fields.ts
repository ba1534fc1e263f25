/**
 * Builders of configuration fields. Each field takes a value as YAML, `--set` or an environment variable gives it (so text too), and says
 * in its metadata what it is: kind, range, default as people write it, and whether it is a secret. The metadata feeds the errors, the
 * JSON Schema and `ctr config print`.
 */
import { z } from 'zod'
import { durationsMeant, formatDuration, formatSize, parseDuration, parseSize, timesMeant } from './units.ts'

/** What a field is, beyond its type; found by `fieldInfoOf`. Of integers and durations, choices are words allowed beside them. */
export interface FieldInfo {
  readonly kind: 'duration' | 'size' | 'integer' | 'flag' | 'text' | 'choice' | 'pem' | 'time' | 'share' | 'list'
  /** As a person would write it; undefined when there is none. */
  readonly default?: string | number | boolean | readonly unknown[]
  readonly min?: number
  readonly max?: number
  readonly choices?: readonly string[]
  readonly pattern?: RegExp
  readonly secret?: boolean
}

interface Range {
  readonly min: number
  readonly max: number
}

/** YAML 1.1 reads it as false. */
const OFF = 'off'

const missing = { message: 'is missing', remedy: 'give it a value' }

type Parsed<T> = { readonly value: T } | { readonly message: string; readonly remedy: string }

/** ms; written as 10s or 500ms. */
export function duration(description: string, defaultText: string, range: Range) {
  const schema = durationWithoutDefault(description, range)
  return defaulted(schema, schema.parse(defaultText), defaultText)
}

/** A duration whose default, if any, depends on other keys. */
export function durationWithoutDefault(description: string, range: Range) {
  const parse = (input: unknown) => durationInRange(input, range, 'a duration', 'write 500ms, 10s, 5m, 1h')
  return field(parse, description, { kind: 'duration', ...range })
}

/** ms; or `off`, which reads as Infinity. */
export function durationOrOff(description: string, defaultText: string, range: Range) {
  const parse = (input: unknown): Parsed<number> => {
    if (input === OFF || input === false || input === Number.POSITIVE_INFINITY) return { value: Number.POSITIVE_INFINITY }
    return durationInRange(input, range, `a duration or ${OFF}`, `write ${OFF}, 10s, 5m, 1h`)
  }
  const schema = field(parse, description, { kind: 'duration', choices: [OFF], ...range })
  return defaulted(schema, schema.parse(defaultText), defaultText)
}

/** Bytes; written as 4MiB or 64KiB. */
export function size(description: string, defaultText: string, range: Range) {
  const parse = (input: unknown) => inRange(parseSize(input), range, formatSize, 'a size', 'write 64KiB, 4MiB, 1GiB or a number of bytes')
  const schema = field(parse, description, { kind: 'size', ...range })
  return defaulted(schema, schema.parse(defaultText), defaultText)
}

/** A whole number. */
export function integer(description: string, defaultValue: number, range: Range) {
  const schema = integerWithoutDefault(description, range, defaultValue)
  return defaulted(schema, schema.parse(defaultValue), defaultValue)
}

/** A whole number that may be left out; `example` is for the remedy. */
export function integerWithoutDefault(description: string, range: Range, example = range.min) {
  const parse = (input: unknown) => inRange(parseInteger(input), range, String, 'a whole number', `write a number such as ${example}`)
  return field(parse, description, { kind: 'integer', ...range })
}

/** A whole number, or `auto` (the default): the engine chooses. */
export function integerOrAuto(description: string, range: Range) {
  const parse = (input: unknown): Parsed<number | 'auto'> =>
    input === 'auto' ? { value: input } : inRange(parseInteger(input), range, String, 'a whole number or auto', 'write auto or a number')
  return defaulted(field(parse, description, { kind: 'integer', choices: ['auto'], ...range }), 'auto', 'auto')
}

/** A whole number, or `unlimited`, which reads as Infinity and is the default unless another one is given. */
export function integerOrUnlimited(description: string, range: Range, defaultValue = Number.POSITIVE_INFINITY) {
  const parse = (input: unknown): Parsed<number> => {
    if (input === 'unlimited' || input === Number.POSITIVE_INFINITY) return { value: Number.POSITIVE_INFINITY }
    return inRange(parseInteger(input), range, String, 'a whole number or unlimited', 'write unlimited or a number')
  }
  const shown = defaultValue === Number.POSITIVE_INFINITY ? 'unlimited' : defaultValue
  return defaulted(field(parse, description, { kind: 'integer', choices: ['unlimited'], ...range }), defaultValue, shown)
}

/** true or false. */
export function flag(description: string, defaultValue: boolean) {
  return defaulted(flagWithoutDefault(description), defaultValue, defaultValue)
}

/** true or false, or left out. */
export function flagWithoutDefault(description: string) {
  const parse = (input: unknown): Parsed<boolean> => {
    if (input === true || input === 'true') return { value: true }
    if (input === false || input === 'false') return { value: false }
    return { message: 'is neither true nor false', remedy: 'write true or false' }
  }
  return field(parse, description, { kind: 'flag' })
}

/** A part of a whole, 0 to 1; written as 50% or 0.5. */
export function shareWithoutDefault(description: string) {
  return field(parseShare, description, { kind: 'share' })
}

function parseShare(input: unknown): Parsed<number> {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(String(input)) ?? []
  const value = Number(digits) / (percent === '%' ? 100 : 1)
  if (typeof input !== 'object' && value >= 0 && value <= 1) return { value }
  return { message: 'is no share', remedy: 'write 50% or 0.5' }
}

const LEVEL_MIN = 0.5
const LEVEL_MAX = 0.9999

/** How sure something is to be, as a share; bounded so that no interval is a point or everything. */
export function level(description: string, defaultValue: number) {
  const parse = (input: unknown): Parsed<number> => {
    const parsed = parseShare(input)
    if ('message' in parsed || (parsed.value >= LEVEL_MIN && parsed.value <= LEVEL_MAX)) return parsed
    return { message: 'is out of range', remedy: 'write a share from 50% to 99.99%' }
  }
  return defaulted(field(parse, description, { kind: 'share', min: LEVEL_MIN, max: LEVEL_MAX }), defaultValue, `${defaultValue * 100}%`)
}

/** One of a closed list of words, exactly as spelt. */
export function choice<const T extends readonly [string, ...string[]]>(description: string, choices: T) {
  const parse = (input: unknown): Parsed<T[number]> => {
    if (typeof input === 'string' && choices.includes(input)) return { value: input }
    const near = typeof input === 'string' ? choices.find((c) => c.toLowerCase() === input.toLowerCase()) : undefined
    return { message: 'is not one of the choices', remedy: near === undefined ? `write ${choices.join(' | ')}` : `write ${near}` }
  }
  return field(parse, description, { kind: 'choice', choices })
}

export interface TextOptions {
  readonly min?: number
  /** UTF-8 bytes. */
  readonly max?: number
  readonly pattern?: RegExp
  /** What to write instead when it doesn't match. */
  readonly remedy?: string
  readonly secret?: boolean
}

/** A string. Numbers are refused rather than turned into text: YAML has read 0123 as 123 by then. */
export function text(description: string, options: TextOptions = {}) {
  const { min = 1, max = 1024, pattern } = options
  const parse = (input: unknown): Parsed<string> => {
    if (typeof input !== 'string') {
      const scalar = typeof input === 'number' || typeof input === 'boolean'
      return { message: 'is not text', remedy: scalar ? 'put it in quotes' : 'write one line of text' }
    }
    const bytes = Buffer.byteLength(input)
    if (bytes < min && bytes === 0) return { message: 'is empty', remedy: options.remedy ?? 'give it a value or remove the key' }
    if (bytes < min) return { message: `is shorter than ${min} bytes (${bytes})`, remedy: 'write a longer one or remove the key' }
    if (bytes > max) return { message: `is longer than ${max} bytes (${bytes})`, remedy: 'shorten it' }
    if (pattern !== undefined && !pattern.test(input))
      return { message: 'is not valid', remedy: options.remedy ?? `it must match ${pattern}` }
    return { value: input }
  }
  const { remedy: _, ...info } = options
  return field(parse, description, { kind: 'text', min, max, ...info })
}

/** A PEM document, inline or as the path of a file; the path is replaced by the file's content when the configuration is loaded. */
function pem(description: string, secret = false) {
  const parse = (input: unknown): Parsed<string> =>
    typeof input === 'string' && input.length > 0
      ? { value: input }
      : { message: 'is neither PEM text nor a path', remedy: 'write the path of a PEM file, or its content' }
  return field(parse, description, { kind: 'pem', secret })
}

/** A point in time, ms since the epoch; written so, or as an ISO-8601 instant. */
export function time(description: string, endMs: number) {
  const parse = (input: unknown): Parsed<number> => {
    const number = parseInteger(input)
    const meant = number === undefined ? undefined : timesMeant(number)
    if (meant !== undefined) return { message: 'may be seconds or ms', remedy: `write ${meant}` }
    const ms = input instanceof Date ? input.getTime() : (number ?? parseInstant(input))
    if (ms !== undefined && ms >= 0 && ms < endMs) return { value: ms }
    return { message: 'is not a time after 1970', remedy: 'write 2025-01-31T12:00:00Z or ms since the epoch' }
  }
  return field(parse, description, { kind: 'time' })
}

/** A list; also as one comma-separated text, which is how an environment variable gives it. */
export function list<T extends z.ZodType>(description: string, element: T, defaultValue: readonly z.input<T>[], max: number) {
  return listWithoutDefault(description, element, max)
    .prefault([...defaultValue])
    .meta({ description, field: { kind: 'list', default: defaultValue } satisfies FieldInfo })
}

/** A list that may be left out. */
export function listWithoutDefault<T extends z.ZodType>(description: string, element: T, max: number) {
  const split = (input: unknown) =>
    typeof input === 'string'
      ? input
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
      : input
  return z.preprocess(split, z.array(element).min(1).max(max)).meta({ description, field: { kind: 'list' } satisfies FieldInfo })
}

/** The metadata of a field built here; undefined for sections. */
export function fieldInfoOf(schema: z.ZodType): FieldInfo | undefined {
  return schema.meta()?.field as FieldInfo | undefined
}

/** A schema from a parse function that gives a value, or a message with its remedy. */
function field<T>(parse: (input: unknown) => Parsed<T>, description: string, info: FieldInfo) {
  return z
    .unknown()
    .transform((input, context): T => {
      const parsed = input === undefined ? missing : parse(input)
      if ('value' in parsed) return parsed.value
      context.issues.push({ code: 'custom', message: parsed.message, params: { remedy: parsed.remedy }, input })
      return z.NEVER
    })
    .meta({ description, field: info })
}

/** The field with a default, given as the value and as a person would write it. */
export function defaulted<S extends z.ZodType>(schema: S, value: NoInfer<z.output<S>>, written: FieldInfo['default']) {
  return schema.default(value as never).meta({ ...schema.meta(), field: { ...fieldInfoOf(schema), default: written } })
}

function inRange(value: number | undefined, range: Range, format: (value: number) => string, what: string, remedy: string): Parsed<number> {
  if (value === undefined) return { message: `is not ${what}`, remedy }
  if (value >= range.min && value <= range.max) return { value }
  return { message: 'is out of range', remedy: `write a value from ${format(range.min)} to ${format(range.max)}` }
}

/** Whoever leaves the unit out may mean seconds or milliseconds. */
function durationInRange(input: unknown, range: Range, what: string, remedy: string): Parsed<number> {
  const meant = durationsMeant(input)
  const ms = parseDuration(input)
  if (ms === undefined && meant !== undefined) return { message: 'has no unit', remedy: `write ${meant}` }
  return inRange(ms, range, formatDuration, what, remedy)
}

function parseInteger(input: unknown): number | undefined {
  if (typeof input === 'number') return Number.isSafeInteger(input) ? input : undefined
  if (typeof input !== 'string' || !/^-?\d[\d_]*$/.test(input)) return undefined
  const value = Number(input.replaceAll('_', ''))
  return Number.isSafeInteger(value) ? value : undefined
}

function parseInstant(input: unknown): number | undefined {
  if (typeof input !== 'string' || !/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(input)) return undefined
  const ms = Date.parse(input)
  return Number.isNaN(ms) ? undefined : ms
}

/** Of a TLS section. */
export const tlsFields = {
  ca: pem('Certificate authorities to trust, PEM (path or content). Default: those of the system.').optional(),
  cert: pem('Client certificate, PEM (path or content).').optional(),
  key: pem('Private key of the client certificate, PEM (path or content).', true).optional(),
  rejectUnauthorized: flag("Refuse a server whose certificate doesn't verify.", true),
}

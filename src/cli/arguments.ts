/** How the command line's words are read: numbers, durations, and configuration keys given as options. */
import { InvalidArgumentError } from 'commander'
import type { StartWish } from '../checkpoint/decide.ts'
import { pathOf } from '../config/field-path.ts'
import { DAY, durationsMeant, parseDuration, parseSize, timesMeant } from '../config/units.ts'
import type { Reset } from '../kafka/start-position.ts'
import { type EventShape, FIELD_NAMES, type FieldName } from '../load/event-shape.ts'
import type { From } from '../probe/sample.ts'

const FACTORS: Readonly<Record<string, number>> = { k: 1e3, K: 1e3, M: 1e6, G: 1e9 }

/** A whole number such as 100000, 100_000, 100k or 1.5M. */
export function countArgument(text: string): number {
  const match = /^(\d[\d_]*(?:\.\d+)?)([kKMG])?$/.exec(text)
  const value = match === null ? Number.NaN : Number(match[1]?.replaceAll('_', '')) * (FACTORS[match[2] ?? ''] ?? 1)
  const whole = Math.round(value)
  if (!Number.isSafeInteger(whole) || Math.abs(whole - value) > 1e-6)
    throw new InvalidArgumentError('Write a number such as 100000, 100k or 1M.')
  return whole
}

/** A whole number of at least 1. */
export function positiveArgument(text: string): number {
  const value = countArgument(text)
  if (value < 1) throw new InvalidArgumentError('It must be at least 1.')
  return value
}

/** ms of a duration such as 60s. */
export function durationArgument(text: string): number {
  const ms = parseDuration(text)
  const meant = durationsMeant(text)
  if (ms === undefined && meant !== undefined) throw new InvalidArgumentError(`It has no unit. Write ${meant}.`)
  if (ms === undefined) throw new InvalidArgumentError('Write a duration such as 500ms, 60s, 5m or 1h.')
  return ms
}

/** ms of a duration to wait, from 1 ms to a day: timers know no longer one than 24 days. */
export function patienceArgument(text: string): number {
  const ms = durationArgument(text)
  if (ms < 1 || ms > DAY) throw new InvalidArgumentError('It must be at least 1ms and at most 1d, such as 10m.')
  return ms
}

/** Bytes of a size such as 64KiB. */
export function sizeArgument(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined) throw new InvalidArgumentError('Write a size such as 64KiB or 1MiB.')
  return bytes
}

/** ms since the epoch of an ISO-8601 time, or such a number. */
export function timeArgument(text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  const meant = /^\d+$/.test(text) ? timesMeant(ms) : undefined
  if (meant !== undefined) throw new InvalidArgumentError(`Write ${meant}.`)
  if (!Number.isSafeInteger(ms)) throw new InvalidArgumentError('Write a time such as 2025-01-31T12:00:00Z, or ms since the epoch.')
  return ms
}

/** A share such as 0.05 or 5%. */
export function shareArgument(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%)?$/.exec(text)
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === undefined ? 1 : 100)
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError('Write a share such as 0.05 or 5%.')
  return share
}

/** What `--from` says: latest, none or savepoint:NAME. */
export function fromArgument(text: string): StartWish['from'] {
  if (text === 'latest' || text === 'none') return text
  const name = /^savepoint:(.+)$/.exec(text)?.[1]
  if (name === undefined) throw new InvalidArgumentError('Write latest, none or savepoint:NAME; `ctr savepoint list` shows the names.')
  return { savepoint: name }
}

/** What `--reset` says: earliest, latest or a time. */
export function resetArgument(text: string): Reset {
  return text === 'earliest' || text === 'latest' ? text : timeArgument(text)
}

/** What `ctr tap --from` says: latest, earliest, a time, or -N for the last N records. */
export function fromWhereArgument(text: string): From {
  if (text === 'earliest' || text === 'latest') return text
  return text.startsWith('-') ? { last: positiveArgument(text.slice(1)) } : { time: timeArgument(text) }
}

/** An exponent of Zipf's law, 0 to 5. */
export function skewArgument(text: string): number {
  const skew = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(skew >= 0 && skew <= 5)) throw new InvalidArgumentError('Write a number from 0 to 5, such as 1.1.')
  return skew
}

/** Where generated events have their values: `product=data.sku,time=at`; may be repeated. */
export function fieldsArgument(text: string, before: EventShape['fields'] | undefined = {}): EventShape['fields'] {
  const fields: { [field in FieldName]?: readonly string[] | undefined } = { ...before }
  for (const pair of text.split(',')) {
    const [name = '', path = ''] = pair.split(/=(.*)/s)
    const found = pathOf(path)
    const field = FIELD_NAMES.find((one) => one === name)
    if (field === undefined || found === undefined || found.element !== undefined) {
      throw new InvalidArgumentError(`Write a field and its path, such as product=data.sku; the fields are ${FIELD_NAMES.join(', ')}.`)
    }
    fields[field] = found.steps
  }
  return fields
}

/** What generated impressions and clicks are called, apart by a comma. */
export function typesArgument(text: string): EventShape['types'] {
  const [impression = '', click = '', ...more] = text.split(',')
  if (impression === '' || click === '' || more.length > 0)
    throw new InvalidArgumentError('Write both, such as "Product Viewed,Product Clicked".')
  return [impression, click]
}

/** Gathers an option that may be repeated. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

/** Keys without a section are words like those of the verbs' own options, of which none may have such a name. */
const TOP_KEYS = 'tenant'
const KEY = new RegExp(`^--([A-Za-z][A-Za-z0-9]*(?:\\.[A-Za-z][A-Za-z0-9]*)+|${TOP_KEYS})(=(?:.|\\n)*)?$`)

/** What stands behind one of these has been expanded already. */
const SETS = new Set(['--set', '-s'])

/**
 * `--window.size=1m` and `--window.size 1m`, of which `takesValue` says so, are `--set --window.size=1m`, and `--log.pretty` is
 * `--set --log.pretty=true`; the dashes tell how it was written. Words after `--` are left alone.
 */
export function expandKeys(words: readonly string[], takesValue: (key: string) => boolean): string[] {
  const expanded: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    if (word === '--') return [...expanded, ...words.slice(i)]
    const [, key, value] = KEY.exec(word) ?? []
    if (key === undefined || SETS.has(words[i - 1] ?? '')) expanded.push(word)
    else if (value !== undefined) expanded.push('--set', `--${key}${value}`)
    else if (!takesValue(key)) expanded.push('--set', `--${key}=true`)
    else if (/^-/.test(words[i + 1] ?? '-')) expanded.push('--set', `--${key}`)
    else expanded.push('--set', `--${key}=${words[++i]}`)
  }
  return expanded
}

/** Whether a word is a key whose value may stand in the next one. */
export function isBareKey(word: string): boolean {
  return KEY.exec(word)?.[2] === undefined && KEY.test(word)
}

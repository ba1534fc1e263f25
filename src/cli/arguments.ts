/** How the command line's words are read: numbers, durations, and configuration keys given as options. */
import { InvalidArgumentError } from 'commander'
import type { StartWish } from '../checkpoint/decide.ts'
import { parseDuration, parseSize } from '../config/units.ts'

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
  if (ms === undefined) throw new InvalidArgumentError('Write a duration such as 500ms, 60s, 5m or 1h.')
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

/** An exponent of Zipf's law, 0 to 5. */
export function skewArgument(text: string): number {
  const skew = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(skew >= 0 && skew <= 5)) throw new InvalidArgumentError('Write a number from 0 to 5, such as 1.1.')
  return skew
}

/** Gathers an option that may be repeated. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

/** `--window.size=1m` is `--set window.size=1m`, and `--log.pretty` is `--set log.pretty=true`. Words after `--` are left alone. */
export function expandKeys(words: readonly string[]): string[] {
  const end = words.indexOf('--')
  return words.flatMap((word, i) => {
    const match = end >= 0 && i > end ? null : /^--([A-Za-z]+(?:\.[A-Za-z]+)+)(=(?:.|\n)*)?$/.exec(word)
    return match === null ? [word] : ['--set', `${match[1]}${match[2] ?? '=true'}`]
  })
}

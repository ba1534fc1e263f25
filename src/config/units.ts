/** Durations and sizes as people write them. Inside the engine a duration is a number of ms and a size a number of bytes. */

/** ms. */
export const SECOND = 1000
/** ms. */
export const MINUTE = 60 * SECOND
/** ms. */
export const HOUR = 60 * MINUTE
/** ms. */
export const DAY = 24 * HOUR

const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', DAY],
  ['h', HOUR],
  ['m', MINUTE],
  ['s', SECOND],
  ['ms', 1],
]

const SIZES: readonly (readonly [string, number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
]

/** ms of `500ms`, `10s`, `1.5m`, `2h`, `1d` or 0; undefined when it is none of these or not a whole number of ms. */
export function parseDuration(input: unknown): number | undefined {
  const ms = parseQuantity(input, DURATIONS, /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/)
  return ms === 0 || !hasNoUnit(input) ? ms : undefined
}

/** The durations that a number without a unit may mean, as they are written; undefined when the input is no such number. */
export function durationsMeant(input: unknown): string | undefined {
  if (!hasNoUnit(input)) return undefined
  const readings = ['s', 'ms'].map((unit) => `${String(input).trim()}${unit}`).filter((text) => parseDuration(text) !== undefined)
  return readings.length === 0 ? undefined : readings.join(' or ')
}

function hasNoUnit(input: unknown): boolean {
  return typeof input === 'number' || (typeof input === 'string' && /^\s*[\d.]+\s*$/.test(input))
}

/** Bytes of `64KiB`, `4MiB`, `1GiB`, `512B` or a plain number; undefined when it is none of these or not a whole number of bytes. */
export function parseSize(input: unknown): number | undefined {
  return parseQuantity(input, SIZES, /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)?$/)
}

/** The shortest exact way to write a duration: 90000 is `90s`, 3600000 is `1h`. */
export function formatDuration(ms: number): string {
  return formatQuantity(ms, DURATIONS, 'ms')
}

/** The shortest exact way to write a size: 4194304 is `4MiB`. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZES, 'B')
}

/** The two times that a number of nine to eleven digits may mean, seconds and ms since the epoch; undefined for any other number. */
export function timesMeant(time: number): string | undefined {
  if (!(time >= 1e8 && time < 1e11)) return undefined
  const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
  return `${iso(time * 1000)}, if it is seconds since the epoch, or ${iso(time)}, if it is ms`
}

function parseQuantity(input: unknown, units: readonly (readonly [string, number])[], pattern: RegExp): number | undefined {
  if (typeof input === 'number') return Number.isSafeInteger(input) && input >= 0 ? input : undefined
  if (typeof input !== 'string') return undefined
  const match = pattern.exec(input.trim())
  if (match === null) return undefined
  const factor = match[2] === undefined ? 1 : units.find(([unit]) => unit === match[2])?.[1]
  // 1.1s is 1100.0000000000001 in doubles: the product is rounded when it is a whole number but for that error.
  const value = Number(match[1]) * (factor ?? Number.NaN)
  const whole = Math.round(value)
  return Number.isSafeInteger(whole) && Math.abs(value - whole) < 1e-6 ? whole : undefined
}

function formatQuantity(value: number, units: readonly (readonly [string, number])[], smallest: string): string {
  if (value === 0) return `0${smallest}`
  for (const [unit, factor] of units) if (value % factor === 0) return `${value / factor}${unit}`
  return `${value}${smallest}`
}

/** The largest number that divides both. */
export function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b)
}

/** Durations and sizes as people write them. Inside the engine a duration is a number of ms and a size a number of bytes. */

const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

const SIZES: readonly (readonly [string, number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
]

/** ms of `500ms`, `10s`, `1.5m`, `2h`, `1d` or a plain number of ms; undefined when it is none of these or not a whole number of ms. */
export function parseDuration(input: unknown): number | undefined {
  return parseQuantity(input, DURATIONS, /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/)
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

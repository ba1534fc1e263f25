/**
 * How data that was kept must look: plain functions that give back what they know of a value, and throw for what it lacks. For the records
 * that threads read and write while the engine runs; they are of few kinds, and a library that knows every kind takes longer to load than
 * a thread takes to start.
 */

/** The part of `value` that is known; `at` says where it stands, and is empty for the whole. */
export type KeptShape<T> = (value: unknown, at: string) => T

/** What a shape says of a value: its known part, or where and what is wrong. */
export type Shaped<T> = { readonly value: T; readonly fault?: undefined } | { readonly value?: undefined; readonly fault: string }

class Misfit extends Error {}

function misfit(at: string, wanted: string): Misfit {
  return new Misfit(`${at === '' ? 'the whole' : at}: is not ${wanted}`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const inside = (at: string, key: string | number) => (at === '' ? String(key) : `${at}.${key}`)

/** Holds a value against a shape. */
export function shaped<T>(shape: KeptShape<T>, value: unknown): Shaped<T> {
  try {
    return { value: shape(value, '') }
  } catch (error) {
    if (error instanceof Misfit) return { fault: error.message }
    throw error
  }
}

/** Shapes, and what they are put together with. */
export const shape = {
  /** A whole number that a double holds exactly. */
  int:
    (min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): KeptShape<number> =>
    (value, at) => {
      if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
      throw misfit(at, min < 0 ? 'a whole number' : `a whole number from ${min} to ${max}`)
    },
  number: (): KeptShape<number> => (value, at) => {
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw misfit(at, 'a number')
  },
  text:
    (pattern?: RegExp): KeptShape<string> =>
    (value, at) => {
      if (typeof value === 'string' && pattern?.test(value) !== false) return value
      throw misfit(at, pattern === undefined ? 'text' : `text like ${pattern.source}`)
    },
  flag: (): KeptShape<boolean> => (value, at) => {
    if (typeof value === 'boolean') return value
    throw misfit(at, 'true or false')
  },
  oneOf:
    <const T extends string | number>(values: readonly T[]): KeptShape<T> =>
    (value, at) => {
      const found = values.find((each) => each === value)
      if (found !== undefined) return found
      throw misfit(at, values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`)
    },
  anything: (): KeptShape<unknown> => (value) => value,
  optional:
    <T>(of: KeptShape<T>): KeptShape<T | undefined> =>
    (value, at) =>
      value === undefined ? undefined : of(value, at),
  nullable:
    <T>(of: KeptShape<T>): KeptShape<T | null> =>
    (value, at) =>
      value === null ? null : of(value, at),
  list:
    <T>(of: KeptShape<T>, max = Number.POSITIVE_INFINITY): KeptShape<T[]> =>
    (value, at) => {
      if (!Array.isArray(value) || value.length > max) throw misfit(at, max === Number.POSITIVE_INFINITY ? 'a list' : `a list up to ${max}`)
      return value.map((each, i) => of(each, inside(at, i)))
    },
  /** Any keys, all with values of one shape. */
  record:
    <T>(of: KeptShape<T>): KeptShape<Record<string, T>> =>
    (value, at) => {
      if (!isObject(value)) throw misfit(at, 'an object')
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, of(each, inside(at, key))]))
    },
  /** These keys; others, which a later version may add, are left out, as is what is undefined. */
  object: <T>(of: { readonly [K in keyof Required<T>]: KeptShape<T[K]> }): KeptShape<T> => {
    const entries = Object.entries(of) as [string, KeptShape<unknown>][]
    return (value, at) => {
      if (!isObject(value)) throw misfit(at, 'an object')
      const known: Record<string, unknown> = {}
      for (const [key, each] of entries) {
        const got = each(value[key], inside(at, key))
        if (got !== undefined) known[key] = got
      }
      return known as T
    }
  },
}

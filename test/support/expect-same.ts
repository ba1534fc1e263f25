import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'

/** What `expect(actual).toEqual(wanted)` says, for loops of many thousands, in which `expect` itself would take most of the time. */
export function expectSame(actual: unknown, wanted: unknown, message?: () => string): void {
  if (!isDeepStrictEqual(actual, wanted)) expect(actual, message?.()).toEqual(wanted)
}

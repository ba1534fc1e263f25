/**
 * Puts virtual time under code that asks for the machine's: setTimeout, setImmediate as a promise and Math.random go to the simulation that
 * runs at the moment, and are the machine's own otherwise. Must be imported before anything of src: the product hash is seeded when it is
 * loaded, and a simulation must go the same way in every process.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

/** Who keeps the time while a simulation runs. */
export interface TimeKeeper {
  after(ms: number, run: () => void): unknown
  cancel(timer: unknown): void
  random(): number
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  random: Math.random,
  nextTurn: timers.setImmediate,
}
let keeper: TimeKeeper | undefined

const randomBytes = crypto.randomBytes
crypto.randomBytes = ((size: number) => Buffer.alloc(size, 0x5a)) as typeof randomBytes
const nextTurn = (...args: Parameters<typeof timers.setImmediate>) =>
  keeper === undefined ? real.nextTurn(...args) : new Promise<void>((resolve) => keeper?.after(0, resolve))
timers.setImmediate = nextTurn as typeof timers.setImmediate
syncBuiltinESMExports()

/** Runs `act` with `time` as the only clock there is. */
export async function underTime<T>(time: TimeKeeper, act: () => Promise<T>): Promise<T> {
  crypto.randomBytes = randomBytes
  syncBuiltinESMExports()
  keeper = time
  globalThis.setTimeout = ((run: () => void, ms = 0) => time.after(ms, run)) as unknown as typeof setTimeout
  globalThis.clearTimeout = ((timer: unknown) => time.cancel(timer)) as typeof clearTimeout
  Math.random = () => time.random()
  try {
    return await act()
  } finally {
    keeper = undefined
    globalThis.setTimeout = real.setTimeout
    globalThis.clearTimeout = real.clearTimeout
    Math.random = real.random
  }
}

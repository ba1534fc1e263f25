/** What there is to say of a code: of an error, a reason, an alert, a metric. The tables beside this file hold the texts. */

/** For somebody who has just met the code. */
export interface Words {
  readonly means: string
  /** What people notice who use the results. */
  readonly notice: string
  /** What to do first, in this order. */
  readonly commands: readonly string[]
  /** Keys of the configuration that change it. */
  readonly keys: readonly string[]
  /** Where it is written, from `docs/` on. */
  readonly more: string
}

/** Of a running process: what it waits for, and what is wrong while it works. */
export const READY = 'curl -s http://localhost:9464/readyz'

/** Everything that a start needs, looked at. */
export const DOCTOR = 'ctr doctor'

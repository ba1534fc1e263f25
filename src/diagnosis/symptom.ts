/** What a rule sees, and what makes a rule. */
import type { EngineSample } from './sample.ts'

/** How bad: what works but is worth knowing, what users will notice, what users notice. */
export type Gravity = 'info' | 'warning' | 'critical'

/** What is the matter by one rule, in words for an operator. */
export interface Symptom {
  /** Which one: `worker 2`, `clicks/3`; '' when there is one only. */
  readonly subject: string
  readonly severity: Gravity
  /** What is seen, with its figures; a whole sentence. */
  readonly sentence: string
  /** What to do. */
  readonly remedy: string
  /** How much of it there is: more is worse. */
  readonly amount: number
  /** Since when it is known to be so, ISO; when it was first seen by the rule, otherwise. */
  readonly since?: string
}

/** What can hold the engine back, or be the matter with it. */
export type Cause =
  | 'process'
  | 'clickhouse'
  | 'dead-letters'
  | 'broker'
  | 'registry'
  | 'state'
  | 'worker'
  | 'main'
  | 'partition'
  | 'watermark'
  | 'checkpoints'
  | 'data'
  | 'memory'
  | 'catching-up'
  | 'quiet'

/** Each is a pure function of the sample, one of some seconds before (undefined at first), and whether it is told already. */
export interface Rule {
  readonly cause: Cause
  /** So long it must be seen before it is told, and so long not be seen before it is over. */
  readonly enterMs: number
  readonly leaveMs: number
  /** Undefined: it is not so. Of several the worst. */
  look(sample: EngineSample, before: EngineSample | undefined, told: boolean): Symptom | undefined
}

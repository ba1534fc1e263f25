/**
 * What is wrong while the process works: with the data (clocks, late or invalid shares, a bound that is near), with what waits, with what a
 * server does beside its answers. It is told in the log when it begins and ends, in `/readyz`, the metric ctr_degraded, the live view and
 * the summary. It never makes a process unready: a bad producer would keep the remedy from being rolled out.
 *
 * A new reason is a row of DEGRADED, and calls of `report` and `clear` where it is seen. Both may be called as often as one likes.
 */
import type { Clock } from './clock.ts'

/** What can be wrong, by code, and what that means. Codes are label values of the metric. */
export const DEGRADED = {
  alignment: 'a partition is paused because it is too far ahead of its task',
  openTransaction: 'a transaction is open for long: the records behind its beginning wait, and the windows of its task with them',
  hangingTransaction:
    'a transaction is open for longer than time.openTransaction.hold: its partition is taken for idle, what it brings may be late',
  recordsLost: 'records were gone before they were read, or before windows that need them were closed; told for an hour',
  topicRemade: 'a topic was deleted and made again, and open windows hold events of the old one: only a checkpoint can rebuild them',
  stateNear: 'products and windows take nearly as much as they may; those that no open window holds are forgotten',
  stateFull: 'products and windows take as much as they may, and reading waits',
  schemaUnknown: 'a partition waits at a record whose schema the registry does not know',
  schemaRegistry: 'a partition waits at a record whose schema the registry does not give: it is down, slow, or refuses',
  schemaChanged: 'the registry says another schema under a key than it did, and records may be read wrongly by either',
  clockAhead: 'events lie further ahead of their partition than time.maxJump',
  farWindows: 'windows that lie far ahead lack events that only a checkpoint had',
  lateness: 'of the events of a partition too many came too late in the last minute',
  timeStands: "a partition holds its task's watermark: its events don't agree on a time, or none counts",
  invalid: 'many records of a topic are invalid',
  notCounted: 'more of the records of a topic than events.alarmNotCounted are not counted: they are invalid, late or ignored',
  held: 'a topic is read no further, as events.onNothingCounted has it: more of its records than events.alarmNotCounted were not counted',
  lag: 'more comes of a topic than is read',
  expired: 'rows were written of windows that ended before clickhouse.retention.results: they go at once; told for an hour',
  refresh: 'ClickHouse fails to compute a roll-up',
} as const satisfies Readonly<Record<string, string>>

/** A code of the list. */
export type DegradedCode = keyof typeof DEGRADED

/** Something that is wrong now. */
export interface DegradedReason {
  readonly code: DegradedCode
  /** What it is about, for example `clicks/3`; '' for the whole process. */
  readonly subject: string
  /** What is seen, and what to do, in words for an operator. */
  readonly message: string
  /** Wall time, ms. */
  readonly since: number
}

/** pino fits. */
export interface DegradedLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** More than so many things at once are counted, not listed. */
export const DEGRADED_MAX = 100

/** What is wrong with one run. */
export class Degradations {
  readonly #log: DegradedLog
  readonly #clock: Clock
  /** By code, then by subject. */
  readonly #reasons = new Map<DegradedCode, Map<string, DegradedReason>>()

  constructor(log: DegradedLog, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** It is so now, or still; of what is told already only the message may change. */
  report(code: DegradedCode, subject: string, message: string): void {
    const reasons = this.#reasons.get(code) ?? new Map<string, DegradedReason>()
    this.#reasons.set(code, reasons)
    const known = reasons.get(subject)
    if (known?.message === message) return
    reasons.set(subject, { code, subject, message, since: known?.since ?? this.#clock() })
    if (known === undefined) this.#log.warn({ degraded: code, subject }, message)
  }

  /** It is not so, or not any more. */
  clear(code: DegradedCode, subject: string): void {
    const known = this.#reasons.get(code)?.get(subject)
    if (known === undefined) return
    this.#reasons.get(code)?.delete(subject)
    const lastedMs = this.#clock() - known.since
    this.#log.info({ degraded: code, subject, lastedMs }, `over: ${known.message}`)
  }

  /** All of this code is over but for these subjects; for who looks at everything at once. */
  keepOnly(code: DegradedCode, subjects: ReadonlySet<string>): void {
    for (const subject of [...(this.#reasons.get(code)?.keys() ?? [])]) if (!subjects.has(subject)) this.clear(code, subject)
  }

  /** Oldest first, at most DEGRADED_MAX. */
  get reasons(): readonly DegradedReason[] {
    const all = [...this.#reasons.values()].flatMap((reasons) => [...reasons.values()])
    return all.toSorted((a, b) => a.since - b.since).slice(0, DEGRADED_MAX)
  }
}

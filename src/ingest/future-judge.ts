/**
 * Who judges whether an event lies in the future: the broker's append time where the batch has it, else the record's own time when that is
 * plausible (not 0, not -1, not in seconds), else nobody. With a wall-clock guard this machine's clock judges too; it alone where the
 * record's time is the event's.
 */
import type { Clock } from '../clock.ts'
import { TIME_MAX_MS } from '../format/slot.ts'
import type { Cursor } from './cursor.ts'
import { timestampOf } from './record-times.ts'

/** 2001-01-01: times of records before it are none, or in seconds. */
const PLAUSIBLE_FROM_MS = 978_307_200_000

/** Times in ms. */
interface FutureRules {
  readonly futureTolerance: number
  /** Infinity: off. */
  readonly wallClockGuard: number
}

export class FutureJudge {
  readonly #rules: FutureRules
  readonly #clock: Clock
  /** Events above this time are refused by the wall-clock guard. */
  #wallLimit = Number.POSITIVE_INFINITY

  constructor(rules: FutureRules, clock: Clock) {
    this.#rules = rules
    this.#clock = clock
  }

  /** Events of a batch up to this time are not in the future, whatever their records say; -Infinity when each must be looked at. */
  from({ header, timeOfRecord }: Cursor): number {
    const { futureTolerance, wallClockGuard } = this.#rules
    const { logAppendTime, baseTimestamp, maxTimestamp } = header
    if (wallClockGuard !== Number.POSITIVE_INFINITY) this.#wallLimit = this.#clock() + wallClockGuard
    // No field has been held against the range of times.
    if (timeOfRecord) return Math.min(this.#wallLimit, TIME_MAX_MS - 1)
    const judge = logAppendTime ? maxTimestamp : baseTimestamp
    if (judge >= PLAUSIBLE_FROM_MS) return Math.min(judge + futureTolerance, this.#wallLimit)
    return logAppendTime || maxTimestamp < PLAUSIBLE_FROM_MS ? this.#wallLimit : Number.NEGATIVE_INFINITY
  }

  /** Whether a time of the record that begins at `recordAt` is. */
  isIn({ header, records }: Cursor, recordAt: number, time: number): boolean {
    const timestamp = timestampOf(header, records, recordAt)
    return (timestamp >= PLAUSIBLE_FROM_MS && time > timestamp + this.#rules.futureTolerance) || time > this.#wallLimit
  }
}

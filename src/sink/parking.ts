/**
 * Whether rows that ClickHouse refuses are to blame, or the table is. Rows are parked (given to the dead letters, and left out of
 * ClickHouse) only when others are accepted, and never more than PARKED_MAX of them per minute: beyond that they are held, like anything
 * else that somebody has to mend.
 */
import type { Placement } from './place.ts'

/** Rows parked in one minute at most. */
export const PARKED_MAX = 100
const PERIOD_MS = 60_000

/** `table`: nothing is accepted. `many`: more rows than may be parked, now or at all. */
export type Verdict = 'park' | 'table' | 'many'

export class Parking {
  /** Rows refused one after another, with the same code, since the last that was accepted: they may be a batch each. */
  #inARow = 0
  #code = 0
  #parked = 0
  #periodEnds = 0

  /** `accepted`: rows of the whole batch, this placement and those before it. Called once per placement with refused rows; `now` in ms. */
  judge(accepted: number, { refused, left }: Placement, now: number): Verdict {
    if (accepted > 0) this.#inARow = 0
    const [first] = refused
    const code = first?.refusal.code ?? 0
    const same = refused.every(({ refusal }) => refusal.code === code)
    const before = code === this.#code ? this.#inARow : 0
    if (accepted === 0 && same && before + refused.length >= 2) return 'table'
    if (now >= this.#periodEnds) {
      this.#parked = 0
      this.#periodEnds = now + PERIOD_MS
    }
    if (left.length > 0 || this.#parked + refused.length > PARKED_MAX) return 'many'
    this.#parked += refused.length
    this.#inARow = accepted === 0 ? before + refused.length : 0
    this.#code = code
    return 'park'
  }

  /** A whole batch was accepted. */
  accepted(): void {
    this.#inARow = 0
  }
}

/** What the difference of two clocks means. */
import { SECOND } from '../config/units.ts'
import { formatSpan } from '../text.ts'
import { type Finding, ok, warning } from './finding.ts'

/** More is no longer the network's doing, nor a clock that NTP keeps. */
const SKEW_MAX_MS = 5 * SECOND

/** A clock elsewhere, read while ours went from `before` to `after`; ms since the epoch. */
export interface ClockReading {
  readonly there: number
  readonly before: number
  readonly after: number
}

/** The difference counts as far as the way there and back can't explain it. `whose`: with a genitive, `by`: how it was read. */
export function judgeClock({ there, before, after }: ClockReading, whose: string, by: string): Finding {
  const skew = there - (before + after) / 2
  const doubt = (after - before) / 2
  const direction = skew < 0 ? 'behind' : 'ahead of'
  const found = `${whose} is ${formatSpan(Math.abs(skew))} ${direction} this machine's, ± ${formatSpan(doubt)}, by ${by}`
  if (Math.abs(skew) - doubt <= SKEW_MAX_MS) return ok(found)
  return warning(found, 'let NTP keep both clocks: which events are too far ahead, and when rows expire, is said by them')
}

/**
 * What pairs of measurements say of a change, without an assumption about how measurements spread.
 *
 * The interval is that of the sign test. Each of n independent values lies below their median as a coin shows heads, so fewer than k of
 * them do with probability P(X < k), X ~ binomial(n, ½); the same holds above. The k-th smallest and the k-th largest value therefore
 * enclose the median with probability 1 - 2 P(X < k), exactly. k is the largest rank that still gives the confidence asked for.
 *
 * Example: of 15 values, P(X < 4) = (1 + 15 + 105 + 455) / 2^15 = 0.0176. The 4th and the 12th enclose the median with 96.5 %, the 5th and
 * the 11th with 88.2 % only: at 95 % it is the 4th and the 12th. Of 5 values even the outermost two do so with 93.75 % only: no interval.
 */
import { assert } from '../src/assert.ts'
import { median } from './report.ts'

/** Beyond it 2^-n is no longer a number. */
export const VALUES_MAX = 1000

export interface Ranks {
  /** The interval goes from the value of this rank to the one of the same rank from above; 1 is the least. */
  readonly rank: number
  /** The probability that it holds the median: at least the confidence asked for. */
  readonly coverage: number
}

/** The narrowest pair of ranks that holds the median of `count` values with this confidence; undefined when there are too few. */
export function medianRanks(count: number, confidence: number): Ranks | undefined {
  assert(Number.isInteger(count) && count >= 0 && count <= VALUES_MAX, 'count of values out of range', { count })
  let found: Ranks | undefined
  let exactly = 0.5 ** count // P(X = rank - 1)
  let fewer = 0 // P(X < rank)
  for (let rank = 1; 2 * rank <= count; rank++) {
    fewer += exactly
    exactly *= (count - rank + 1) / rank
    const coverage = 1 - 2 * fewer
    if (coverage < confidence) break
    found = { rank, coverage }
  }
  return found
}

export interface MedianInterval extends Ranks {
  readonly low: number
  readonly high: number
}

/** The interval of the median of `values`; undefined when they are too few for this confidence. */
export function medianInterval(values: readonly number[], confidence: number): MedianInterval | undefined {
  const ranks = medianRanks(values.length, confidence)
  if (ranks === undefined) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  return { ...ranks, low: sorted[ranks.rank - 1]!, high: sorted[sorted.length - ranks.rank]! }
}

/** Which of two values of a measure is the better one. */
export type Better = 'less' | 'more'

/** One measure of two sides, pair by pair. A ratio above 1 says that the head is better. */
export interface PairedMeasure {
  readonly base: number
  readonly head: number
  readonly ratios: readonly number[]
  readonly ratio: number
  readonly interval: MedianInterval | undefined
}

/** Medians of both sides and of the ratios, which are those within each pair: what disturbs a whole pair cancels out. */
export function pairedMeasure(
  pairs: readonly (readonly [base: number, head: number])[],
  better: Better,
  confidence: number,
): PairedMeasure {
  const ratios = pairs.map(([base, head]) => (better === 'less' ? base / head : head / base))
  return {
    base: median(pairs.map(([base]) => base)),
    head: median(pairs.map(([, head]) => head)),
    ratios,
    ratio: median(ratios),
    interval: medianInterval(ratios, confidence),
  }
}

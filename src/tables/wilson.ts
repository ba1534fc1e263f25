/**
 * The interval in which a CTR lies that is measured by `clicks` of `impressions`: Wilson's, of a level. It holds for few impressions and
 * for ratios near 0, where a mean and its deviation don't.
 *
 *   (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²)     n impressions, k clicks, and z that the level says
 *
 * Without impressions it is all of 0 to 1. Clicks may outnumber impressions, whose windows they need not share, or which were produced
 * twice; then it is that of as many clicks as impressions. The same operations in the same order here and in SQL, so the same bits.
 */
import type { Names } from './objects.ts'

/** The number of standard deviations around the mean within which a normal distribution has the share `level`, 0 to 0.9999. */
export function zOf(level: number): number {
  const known = KNOWN.get(level)
  if (known !== undefined) return known
  let [low, high] = [0, 4]
  for (let i = 0; i < 64; i++) {
    const middle = (low + high) / 2
    if (shareWithin(middle) < level) low = middle
    else high = middle
  }
  const z = Number(high.toFixed(12))
  KNOWN.set(level, z)
  return z
}

/** Of the levels of a process, one or two. */
const KNOWN = new Map<number, number>()

/** 2 φ(z) (z + z³/3 + z⁵/15 + …): all terms are positive, so none takes away what another one has of precision. */
function shareWithin(z: number): number {
  let [sum, term] = [0, z]
  for (let odd = 3; sum + term !== sum; odd += 2) {
    sum += term
    term *= (z * z) / odd
  }
  return 2 * sum * (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI))
}

/** Both bounds, from 0 to 1. */
export function wilson(impressions: number, clicks: number, z: number): readonly [low: number, high: number] {
  const k = Math.min(clicks, impressions)
  const middle = k + (z * z) / 2
  const spread = z * Math.sqrt((k * (impressions - k)) / Math.max(impressions, 1) + (z * z) / 4)
  const whole = impressions + z * z
  return [Math.max(0, (middle - spread) / whole), Math.min(1, (middle + spread) / whole)]
}

/** The same of two columns. */
export function wilsonInSql(impressions: string, clicks: string, z: number): readonly [low: string, high: string] {
  const [n, k] = [`toFloat64(${impressions})`, `toFloat64(least(${clicks}, ${impressions}))`]
  const middle = `${k} + ${(z * z) / 2}`
  const spread = `${z} * sqrt(${k} * (${n} - ${k}) / greatest(${n}, 1) + ${(z * z) / 4})`
  const whole = `(${n} + ${z * z})`
  return [`greatest(0, (${middle} - ${spread}) / ${whole})`, `least(1, (${middle} + ${spread}) / ${whole})`]
}

/** What views say of the columns `impressions` and `clicks` beside their ratio, as columns; `prefix` stands before all of their names. */
export function certaintyOf({ intervals }: Pick<Names, 'intervals'>, prefix = ''): string {
  const [low, high] = wilsonInSql(`${prefix}impressions`, `${prefix}clicks`, zOf(intervals.level))
  return [
    `${low} AS ${prefix}ctr_low`,
    `${high} AS ${prefix}ctr_high`,
    `${prefix}impressions >= ${intervals.minImpressions} AS ${prefix}enough`,
  ].join(',\n  ')
}

/** 1 when a CTR is higher than that of `before` for sure, since its interval lies above the other one, -1 when it is lower, else 0. */
export function movedInSql(before: string): string {
  return `toInt8(ctr_low > ${before}ctr_high) - toInt8(ctr_high < ${before}ctr_low)`
}

/** What answers and queries have in common: quantiles, intervals of a CTR, times. */
import type { HistogramStats } from '../histogram.ts'
import type { Intervals } from '../tables/objects.ts'
import { wilson, zOf } from '../tables/wilson.ts'

/** What a CTR is of. */
export interface CtrCounts {
  readonly impressions: number
  readonly clicks: number
}

/** ISO 8601, UTC. */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** The same, null of what there is not. */
export function isoOrNull(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : iso(ms)
}

/** JSON has no NaN and no infinity. */
export function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value
}

/** The value below which the share `q` of what was observed lies; null while nothing was. In the last bucket it is its lower bound. */
function quantile({ bounds, counts }: HistogramStats, q: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const wanted = q * total
  let below = 0
  for (let i = 0; i < bounds.length; i++) {
    const count = counts[i] ?? 0
    const [from, to] = [i === 0 ? 0 : (bounds[i - 1] ?? 0), bounds[i] ?? 0]
    if (below + count >= wanted && count > 0) return from + ((to - from) * (wanted - below)) / count
    below += count
  }
  return bounds.at(-1) ?? null
}

/** As the API has them. */
export function quantilesOf(histogram: HistogramStats) {
  return {
    count: histogram.counts.reduce((sum, count) => sum + count, 0),
    p50Seconds: quantile(histogram, 0.5),
    p95Seconds: quantile(histogram, 0.95),
    p99Seconds: quantile(histogram, 0.99),
  }
}

/** Clicks per impression with Wilson's interval; null without impressions. */
export function ctrOf({ impressions, clicks }: CtrCounts, { level, minImpressions }: Intervals) {
  const enough = impressions >= minImpressions
  if (impressions === 0) return { impressions, clicks, ctr: null, lowCtr: null, highCtr: null, enough }
  const [lowCtr, highCtr] = wilson(impressions, clicks, zOf(level))
  return { impressions, clicks, ctr: clicks / impressions, lowCtr, highCtr, enough }
}

/** Up or down when the intervals of two spans part, null when they may be the same. */
export function changeOf(before: ReturnType<typeof ctrOf>, after: ReturnType<typeof ctrOf>): 'up' | 'down' | null {
  if (before.lowCtr === null || after.lowCtr === null) return null
  if (after.lowCtr > before.highCtr) return 'up'
  return after.highCtr < before.lowCtr ? 'down' : null
}

/** What a long run is judged by: memory that does not grow, an engine that keeps up with a load that kept its rate. */
import { quantile } from '../workshop/report.ts'
import type { Sample } from './samples.ts'

/** Growth of RSS over the judged time, as a share of its mean. */
const GROWTH_MAX = 0.02
/** Fewer say nothing about growth. */
const PERIODS_MIN = 4
/** Records behind, in seconds' worth of events. */
const BEHIND_MAX_SECONDS = 2
/** How long an engine may take to get going, s. */
const START_SECONDS = 60
/** Share of the rate that the load must have kept, and of the products that must have been seen: some go before an event is theirs. */
const RATE_MIN = 0.98
const SEEN_MIN = 0.97

/** It is asked once a second, and must have answered this share of the time: one that stands still is not asked how far it is behind. */
const ANSWERED_MIN = 0.9

export interface LongRun {
  /** Taken while the load lasted. */
  readonly samples: readonly Sample[]
  /** Whether memory is judged: that takes many windows. */
  readonly judgeMemory: boolean
  /** It is not judged before. */
  readonly settleSeconds: number
  /** Over which memory goes up and down: that of windows. */
  readonly periodSeconds: number
  /** Events per second, wanted and produced. */
  readonly rate: number
  readonly produced: number
  /** Events that were not read when the load ended. */
  readonly behindAtEnd: number
  /** Products in the results, and how many were alive at one time or another. */
  readonly products: number
  readonly productsMade: number
  /** Of every window and task, ms, ascending; judged when there is a bound. */
  readonly delays: readonly number[]
  readonly delayMaxMs: number | undefined
}

export interface Growth {
  readonly bytesPerHour: number
  /** Over the time of the samples, of their mean. */
  readonly share: number
  readonly periods: number
}

/** How memory grows once it has settled. */
export function growthOf({ samples, settleSeconds, periodSeconds }: Pick<LongRun, 'samples' | 'settleSeconds' | 'periodSeconds'>): Growth {
  const settled = samples.filter(({ seconds }) => seconds >= settleSeconds)
  const time = (settled.at(-1)?.seconds ?? 0) - (settled[0]?.seconds ?? 0)
  const mean = settled.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / settled.length
  const { slope, periods } = trendOf(settled, ({ rssBytes }) => rssBytes, periodSeconds)
  return { bytesPerHour: slope * 3600, share: mean > 0 ? (slope * time) / mean : 0, periods }
}

/**
 * By how much `of` grows per second: the median of the slopes between every two periods (Theil and Sen), each of which stands for itself
 * by the median of its samples. So neither what goes up and down within a period is growth, nor a peak now and then. 0 of one period.
 */
export function trendOf(samples: readonly Sample[], of: (sample: Sample) => number, periodSeconds: number) {
  const first = samples[0]?.seconds ?? 0
  const byPeriod = Map.groupBy(samples, ({ seconds }) => Math.floor((seconds - first) / periodSeconds))
  // The last one may have just begun.
  if (byPeriod.size > 1) byPeriod.delete(Math.max(...byPeriod.keys()))
  const points = [...byPeriod].map(([period, own]) => ({ x: period * periodSeconds, y: quantile(own.map(of), 0.5) }))
  const slopes = points.flatMap((a, i) => points.slice(i + 1).map((b) => (b.y - a.y) / (b.x - a.x)))
  return { slope: slopes.length === 0 ? 0 : quantile(slopes, 0.5), periods: points.length }
}

/** Records behind once the engine has got going. */
export function behindOf({ samples, settleSeconds }: Pick<LongRun, 'samples' | 'settleSeconds'>): { p99: number; max: number } {
  const lags = samples.filter(({ seconds }) => seconds >= Math.min(settleSeconds, START_SECONDS)).map(({ lag }) => lag)
  return { p99: quantile(lags, 0.99), max: quantile(lags, 1) }
}

/** What is wrong with a long run; empty when nothing is. */
export function faultsOfLongRun(run: LongRun): string[] {
  const { rate, produced, behindAtEnd, products, productsMade } = run
  const growth = growthOf(run)
  const { p99 } = behindOf(run)
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`
  const behindMax = BEHIND_MAX_SECONDS * rate
  const faults: string[] = []
  const lastSeconds = run.samples.at(-1)?.seconds ?? 0
  if (!(run.samples.length >= ANSWERED_MIN * lastSeconds))
    faults.push(`the engine answered ${run.samples.length} times in ${lastSeconds.toFixed(0)} s`)
  if (run.judgeMemory && growth.periods < PERIODS_MIN)
    faults.push(`${growth.periods} whole windows are too few to judge the growth of memory`)
  if (run.judgeMemory && !(growth.share <= GROWTH_MAX))
    faults.push(`RSS has grown by ${percent(growth.share)}, more than ${percent(GROWTH_MAX)}`)
  if (!(p99 <= behindMax)) faults.push(`the engine was ${p99} records behind (p99), more than ${behindMax}`)
  if (!(behindAtEnd <= behindMax)) faults.push(`the engine was ${behindAtEnd} events behind when the load ended, more than ${behindMax}`)
  if (!(produced >= RATE_MIN * rate)) faults.push(`the load made ${produced.toFixed(0)} events a second, not ${rate}`)
  if (!(products >= SEEN_MIN * productsMade)) faults.push(`the results have ${products} products of ${productsMade}`)
  const delay = quantile(run.delays, 0.99)
  if (run.delayMaxMs !== undefined && !(delay <= run.delayMaxMs)) {
    faults.push(`rows came ${delay.toFixed(0)} ms after their window might close (p99), later than ${run.delayMaxMs}`)
  }
  return faults
}

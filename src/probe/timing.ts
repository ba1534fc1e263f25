/** How fast records come, and in what disorder: what a window and its lateness are proposed from. */
import type { SampledRecord } from './sampled-record.ts'

/** Times in ms. */
export interface Timing {
  /** Records a second over all partitions, by the times of the records, or else of their events; undefined when they don't tell. */
  readonly rate: number | undefined
  /** How far behind the newest event of its partition before it an event was: the most, and all but a hundredth. */
  readonly disorderMaxMs: number
  readonly disorderMostMs: number
  /** How old events were when their record was made: the middle. undefined without times of records. */
  readonly ageMs: number | undefined
  /** How far ahead of their records events were, all but a hundredth. */
  readonly aheadMs: number
}

/** A record with the time of its event; without one where there is none. */
export interface TimedRecord {
  readonly record: SampledRecord
  readonly time: number | undefined
}

const PLAUSIBLE_FROM_MS = Date.UTC(2001, 0, 1)

/** Of records of one topic, those of a partition in their order. */
export function timingOf(records: readonly TimedRecord[]): Timing {
  const newest = new Map<number, number>()
  const disorder: number[] = []
  const ages: number[] = []
  for (const { record, time } of records) {
    if (time === undefined) continue
    const before = newest.get(record.partition) ?? time
    disorder.push(Math.max(0, before - time))
    newest.set(record.partition, Math.max(before, time))
    if (record.timestamp >= PLAUSIBLE_FROM_MS) ages.push(record.timestamp - time)
  }
  const sortedAges = ages.toSorted((a, b) => a - b)
  return {
    rate: rateOf(records),
    disorderMaxMs: disorder.reduce((max, one) => Math.max(max, one), 0),
    disorderMostMs:
      quantile(
        disorder.toSorted((a, b) => a - b),
        0.99,
      ) ?? 0,
    ageMs: quantile(sortedAges, 0.5),
    aheadMs: Math.max(0, -(quantile(sortedAges, 0.01) ?? 0)),
  }
}

function rateOf(records: readonly TimedRecord[]): number | undefined {
  const spans = new Map<number, { count: number; first: number; last: number }>()
  for (const { record, time } of records) {
    const at = record.timestamp >= PLAUSIBLE_FROM_MS ? record.timestamp : time
    if (at === undefined) continue
    const span = spans.get(record.partition)
    if (span === undefined) spans.set(record.partition, { count: 1, first: at, last: at })
    else {
      span.count++
      span.first = Math.min(span.first, at)
      span.last = Math.max(span.last, at)
    }
  }
  let rate = 0
  for (const { count, first, last } of spans.values()) if (last > first) rate += ((count - 1) * 1000) / (last - first)
  return rate === 0 ? undefined : rate
}

function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

import { expect, test } from 'vitest'
import { faultsOfLongRun, growthOf, type LongRun, trendOf } from '../../perf/judge.ts'
import type { Sample } from '../../perf/samples.ts'

const MIB = 2 ** 20

function sample(seconds: number, of: Partial<Sample> = {}): Sample {
  return { seconds, events: 0, lag: 0, rows: 0, products: 0, rssBytes: 400 * MIB, cpuSeconds: 0, ...of }
}

/** Half an hour, second by second. */
function samples(of: (seconds: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: 1800 }, (_, seconds) => sample(seconds, of(seconds)))
}

/** 120 MiB up in a minute and down again, as windows fill and close, with a collection that comes when it likes. */
function sawMiB(seconds: number): number {
  return 400 + 2 * (seconds % 60) + ((seconds * 7919) % 97) / 4
}

const RUN: LongRun = {
  samples: samples((seconds) => ({ rssBytes: sawMiB(seconds) * MIB, lag: seconds < 60 ? 5_000_000 : 100_000 })),
  judgeMemory: true,
  settleSeconds: 300,
  periodSeconds: 60,
  rate: 500_000,
  produced: 500_000,
  behindAtEnd: 400_000,
  products: 5_000_000,
  productsMade: 5_000_000,
  delays: [300],
  delayMaxMs: undefined,
}

const rss = ({ rssBytes }: Sample) => rssBytes

test('the trend of what grows evenly is its growth, and that of nothing or of one period is 0', () => {
  const growing = samples((seconds) => ({ rssBytes: 1000 + 8 * seconds }))
  expect(trendOf(growing, rss, 60).slope).toBeCloseTo(8, 9)
  expect(trendOf([], rss, 60)).toEqual({ slope: 0, periods: 0 })
  expect(trendOf([sample(1)], rss, 60)).toEqual({ slope: 0, periods: 1 })
})

test('the trend of what goes up and down with its periods is 0, wherever they begin and whatever peaks there are', () => {
  for (const from of [0, 17, 59]) {
    const saw = samples((seconds) => ({ rssBytes: seconds % 211 < 20 ? 5000 : (seconds + from) % 60 }))
    expect(Math.abs(trendOf(saw, rss, 60).slope) * 1800).toBeLessThan(3)
  }
})

test('memory that has settled does not grow', () => {
  const settling = samples((seconds) => ({ rssBytes: Math.min(seconds, 300) * MIB }))
  const { bytesPerHour, share, periods } = growthOf({ samples: settling, settleSeconds: 300, periodSeconds: 60 })
  expect([bytesPerHour, share, periods]).toEqual([0, 0, 24])
})

test('a leak is seen through the windows: a little under 2 % is borne, a little over is not', () => {
  const leaking = (share: number) => {
    const rise = (share * 471 * MIB) / 1500
    return faultsOfLongRun({
      ...RUN,
      samples: samples((seconds) => ({ rssBytes: sawMiB(seconds) * MIB + rise * (seconds - 1050) })),
    })
  }
  expect(leaking(0.017)).toEqual([])
  expect(leaking(0.023)).toEqual([expect.stringMatching(/^RSS has grown by 2\.\d\d %, more than 2\.00 %$/)])
  expect(leaking(-0.5)).toEqual([])
})

test('a good run has no fault, and a bad one the fault it has', () => {
  expect(faultsOfLongRun(RUN)).toEqual([])
  const faults = (bad: Partial<LongRun>) => faultsOfLongRun({ ...RUN, ...bad })
  expect(faults({ behindAtEnd: 1_000_000 })).toEqual([])
  expect(faults({ behindAtEnd: 1_000_001 })).toEqual([expect.stringContaining('when the load ended')])
  expect(faults({ produced: 489_999 })).toEqual([expect.stringContaining('489999 events a second, not 500000')])
  expect(faults({ products: 4_849_999 })).toEqual([expect.stringContaining('4849999 products of 5000000')])
  const behind = (share: number) => samples((seconds) => ({ lag: seconds % 100 < share * 100 ? 1_000_001 : 0 }))
  expect(faults({ samples: behind(0.01) })).toEqual([])
  expect(faults({ samples: behind(0.02) })).toEqual([expect.stringContaining('records behind (p99)')])
  expect(faults({ samples: RUN.samples.slice(0, 500) })).toEqual([expect.stringContaining('too few')])
  expect(faults({ samples: [] })).toHaveLength(2)
  expect(faults({ samples: RUN.samples.slice(0, 500), judgeMemory: false })).toEqual([])
  expect(faults({ delayMaxMs: 300 })).toEqual([])
  expect(faults({ delayMaxMs: 299 })).toEqual([expect.stringContaining('300 ms after their window might close (p99), later than 299')])
})

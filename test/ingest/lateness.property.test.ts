/** How late events are, beside a plain recount: event by event, with the watermark of its partition just before it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lateness } from '../../src/window/lateness.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import { eventOf, ingestBench, NOW } from '../support/ingest-bench.ts'

const WINDOW = 10_000
const rules = { windowSize: WINDOW, outOfOrderness: 2_000, allowedLateness: 15_000, futureTolerance: 1e9 }

/** By the definition; of windows that overlap the end of the last one that an event is in. */
function recount(times: readonly number[], slide = WINDOW): Lateness {
  const lateness = new Lateness()
  let max = Number.NEGATIVE_INFINITY
  for (const time of times) {
    const end = Math.floor(time / slide) * slide + WINDOW
    const behind = max - rules.outOfOrderness - end
    if (behind >= 0) lateness.add(behind, 1)
    max = Math.max(max, time)
  }
  return lateness
}

test.each([
  ['windows end to end', {}, {}],
  ['windows that overlap', { windowSlide: 4_000 }, {}],
  ['records that may be several events', {}, { click: { field: 'clicked' } }],
])('of %s every event behind the end of its window is counted with how far it is behind, and none in time is', (_, more, events) => {
  const step = fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.constantFrom(0, 0, 0, 500, 12_500, 13_000, 20_000, 60_000))
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), fc.integer({ min: 1, max: 40 }), (steps, batchSize) => {
      const { ingest, partition, cursor, drain } = ingestBench({ ...rules, ...more }, 64 * 1024, events)
      let now = NOW
      const times = steps.map(([ahead, back]) => {
        now += ahead
        return now - back
      })
      for (let from = 0; from < times.length; from += batchSize) {
        const records = times.slice(from, from + batchSize).map((time, i) => {
          return { topic: 'impressions', partition: 3, offset: from + i, recordTimestamp: time, value: eventOf(i % 5, time) }
        })
        ingest.run(cursor(encodeBatch(records)))
        drain()
      }
      expect(partition.counted + partition.late).toBe(times.length)
      const { counts, sum } = (partition.lateness ?? new Lateness()).stats()
      const wanted = recount(times, 'windowSlide' in more ? more.windowSlide : WINDOW).stats()
      expect(counts).toEqual(wanted.counts)
      expect(sum).toBeCloseTo(wanted.sum, 6)
    }),
  )
})

test('without an event that is behind there is nothing to count in', () => {
  const { ingest, partition, cursor } = ingestBench(rules)
  const records = [0, 9_000, 4_000, 11_000, 9_999].map((at, offset) => {
    const time = Math.floor(NOW / WINDOW) * WINDOW + at
    return { topic: 'impressions', partition: 3, offset, recordTimestamp: time, value: eventOf(0, time) }
  })
  ingest.run(cursor(encodeBatch(records)))
  expect([partition.counted, partition.lateness]).toEqual([5, undefined])
})

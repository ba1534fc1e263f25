import { describe, expect, test } from 'vitest'
import { factsOf } from '../../src/checkpoint/facts.ts'
import { REASONS } from '../../src/format/reasons.ts'
import type { IngestRules } from '../../src/ingest/ingest.ts'
import { DONE } from '../../src/ingest/status.ts'
import { FAR_WINDOWS_MAX } from '../../src/window/believed.ts'
import type { PartitionFacts } from '../../src/window/facts.ts'
import { Partition } from '../../src/window/partition.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import { eventOf, ingestBench, NOW } from '../support/ingest-bench.ts'

describe('an event ahead of its record', () => {
  const at = (time: number, recordTimestamp: number) =>
    encodeBatch([{ topic: 'impressions', partition: 3, offset: 0, recordTimestamp, value: eventOf(0, time) }])

  test.each([
    [60_000, 0],
    [60_001, 1],
  ])('by %i ms of 60,000 allowed is invalid: %i', (ahead, invalid) => {
    const { ingest, cursor, partition, rejected } = ingestBench()
    ingest.run(cursor(at(NOW + ahead, NOW)))
    expect(partition.invalid).toBe(invalid)
    if (invalid === 1) expect(rejected).toMatchObject([{ reason: 'FUTURE', time: NOW + ahead }])
  })

  test('is measured against the time the broker appended it, where the topic says so', () => {
    const { ingest, cursor, partition } = ingestBench()
    const bytes = at(NOW + 100_000, NOW)
    bytes[22]! |= 8
    bytes.writeBigInt64BE(BigInt(NOW + 50_000), 35)
    ingest.run(cursor(bytes))
    expect(partition.counted).toBe(1)
  })

  const PLAUSIBLE_FROM = Date.UTC(2001, 0, 1)
  test.each([
    ['none', -1, 1],
    ['zero', 0, 1],
    ['in seconds', NOW / 1000, 1],
    ['just not plausible', PLAUSIBLE_FROM - 1, 1],
    ['plausible', PLAUSIBLE_FROM, 0],
    ['one more', PLAUSIBLE_FROM + 1, 0],
  ])('is judged by the time of its record only when that is plausible: %s', (_, recordTimestamp, counted) => {
    const { ingest, cursor, partition } = ingestBench()
    ingest.run(cursor(at(NOW, recordTimestamp)))
    expect(partition).toMatchObject({ counted, invalid: 1 - counted })
  })

  test('is judged by itself where the first record of its batch has no plausible time', () => {
    const { ingest, cursor, partition, rejected } = ingestBench()
    const records = [0, NOW, NOW].map((recordTimestamp, offset) => {
      return { topic: 'impressions', partition: 3, offset, recordTimestamp, value: eventOf(offset, NOW + (offset === 1 ? 60_001 : 0)) }
    })
    ingest.run(cursor(encodeBatch(records)))
    expect(partition).toMatchObject({ counted: 2, invalid: 1 })
    expect(rejected).toMatchObject([{ reason: 'FUTURE', offset: 1 }])
  })

  test.each([
    [5_000, -1, 1],
    [5_001, -1, 0],
    [5_001, NOW + 5_001, 0],
  ])('is also judged by the clock of this machine, when a guard is set: %i ms, record at %i', (ahead, recordTimestamp, counted) => {
    const { ingest, cursor, partition } = ingestBench({ wallClockGuard: 5_000 })
    ingest.run(cursor(at(NOW + ahead, recordTimestamp)))
    expect(partition).toMatchObject({ counted, invalid: 1 - counted })
  })
})

describe('an event before time.oldest', () => {
  const oldest = 1_000_000_000_005 // within a window
  test('is invalid, and one at it or behind is not, in the same window too', () => {
    const { ingest, cursor, partition, rejected, drain, counted } = ingestBench({ oldest })
    const times = [oldest, oldest - 1, oldest + 1, oldest - 5, 17_000_000]
    const records = times.map((time, offset) => {
      return { topic: 'impressions', partition: 3, offset, recordTimestamp: NOW, value: eventOf(0, time) }
    })
    ingest.run(cursor(encodeBatch(records)))
    drain()
    expect(counted.map(([, time]) => time)).toEqual([oldest, oldest + 1])
    expect(rejected.map(({ reason, offset, time }) => [reason, offset, time])).toEqual(
      [1, 3, 4].map((i) => ['TOO_OLD', i, i === 4 ? 17_000_000_000 : times[i]]),
    )
    expect(partition).toMatchObject({ read: 5, counted: 2, invalid: 3 })
  })
})

describe('lateness', () => {
  const run = (times: number[], published = Number.NEGATIVE_INFINITY) => {
    const made = ingestBench({ windowSize: 10, outOfOrderness: 5, allowedLateness: 5, maxJump: Number.POSITIVE_INFINITY })
    made.task.time.published = published
    const records = times.map((time, offset) => ({
      topic: 'impressions',
      partition: 3,
      offset,
      recordTimestamp: NOW,
      value: eventOf(0, NOW + time),
    }))
    made.ingest.run(made.cursor(encodeBatch(records)))
    return made.partition
  }
  test('begins when the largest time before reaches end + lateness + out-of-orderness', () => {
    expect(run([0, 19, 9])).toMatchObject({ late: 0, counted: 3 })
    expect(run([0, 20, 9])).toMatchObject({ late: 1, counted: 2 })
    expect(run([0, 20, 10])).toMatchObject({ late: 0, counted: 3 })
  })
  test('also begins when the task has purged the window', () => {
    expect(run([0], NOW + 14)).toMatchObject({ late: 0 })
    expect(run([0], NOW + 15)).toMatchObject({ late: 1 })
  })
  test('leaves the low-water mark at the first event of the oldest open window', () => {
    expect(run([12, 20, 3, 30]).lowWater()).toMatchObject({ offset: 0, maxEventTime: undefined })
  })
})

describe('events far ahead of their partition', () => {
  const JUMP = 600_000
  const made = (times: readonly number[], rules: Partial<IngestRules> = {}, from = 0) => {
    const it = ingestBench({ maxJump: JUMP, ...rules })
    const feed = (more: readonly number[], first: number) => {
      const records = more.map((time, i) => {
        return { topic: 'impressions', partition: 3, offset: first + i, recordTimestamp: -1, value: eventOf(0, NOW + time) }
      })
      const reading = it.cursor(encodeBatch(records))
      while (it.ingest.run(reading) !== DONE) it.drain()
    }
    feed(times, from)
    return { ...it, feed }
  }
  const many = (count: number, time: number) => new Array<number>(count).fill(time)

  test('are counted, and make nobody late, the first of all included', () => {
    const { partition } = made([9e9, 0, 1, 2, 3, 4, 5, 6, 7, 9e9, 1e10, 8, 9])
    expect(partition).toMatchObject({ counted: 13, late: 0, maxEventTime: NOW + 9 })
  })

  test('move the time when they are 25 of the last 32, to the earliest of these', () => {
    const { partition, feed } = made([...many(8, 0), ...many(24, 2 * JUMP)])
    expect(partition.maxEventTime).toBe(NOW)
    feed([3 * JUMP], 32)
    expect(partition.maxEventTime).toBe(NOW + 2 * JUMP)
    expect(partition).toMatchObject({ furthestMs: 2 * JUMP, furthestOffset: 32 })
  })

  test('hold the mark for 32 events, and then no longer; what comes into their window later holds it anew', () => {
    const { partition, task, feed } = made([...many(8, 0), 9e9])
    const end = NOW + 9e9 + 10_000
    task.time.publish(NOW + 20_000)
    expect(partition.lowWater()).toMatchObject({ offset: 8, maxEventTime: NOW })
    feed(many(31, 30_000), 9)
    task.time.publish(NOW + 50_000)
    expect(partition.lowWater()).toMatchObject({ offset: 8, facts: undefined })
    feed([30_000], 40)
    const before = partition.lowWater()
    expect(before).toMatchObject({ offset: 41, maxEventTime: NOW + 30_000, facts: { windowsFrom: 8 } })
    expect(before.facts?.candidates).toBeUndefined()
    feed([60_000, 9e9, 61_000], 41)
    task.time.publish(NOW + 80_000)
    expect(partition.lowWater()).toMatchObject({ offset: 42, maxEventTime: NOW + 60_000, facts: { windowsFrom: 8 } })
    expect(partition.windows.get(end)).toMatchObject({ first: 8, offset: 42, events: 2 })
  })

  test('are known again from a checkpoint: which hold the mark, for how long still, and what may move the time', () => {
    const before = made([...many(8, 0), 9e9, ...many(40, 30_000)])
    before.partition.lowWater()
    before.feed([9e9, 8e9, ...many(5, 60_000)], 49)
    const facts = factsOf(before.task.time, ['impressions']).partitions[0]!
    expect(facts.windows.map(({ first, offset, released, ageEvents }) => ({ first, offset, released, ageEvents }))).toEqual([
      { first: undefined, offset: 0, released: undefined, ageEvents: undefined },
      { first: 8, offset: 49, released: undefined, ageEvents: 7 },
      { first: undefined, offset: 9, released: undefined, ageEvents: undefined },
      { first: undefined, offset: 50, released: undefined, ageEvents: 6 },
      { first: undefined, offset: 51, released: undefined, ageEvents: undefined },
    ])
    const { position, maxEventTime, candidates, totals, windows } = JSON.parse(JSON.stringify(facts)) as PartitionFacts
    const start = { position, maxEventTime: maxEventTime ?? undefined, candidates, totals }
    const after = new Partition(0, 3, start, REASONS, 0, JUMP)
    after.reopen(windows, (end) => end - 10_000)
    expect(after.lowWater()).toEqual(before.partition.lowWater())
    for (const one of [before.partition, after]) one.counted += 27
    expect(after.lowWater()).toEqual(before.partition.lowWater())
    const again = factsOf(before.task.time, ['impressions']).partitions[0]!
    expect(again.windows.filter(({ released }) => released).map(({ offset }) => offset)).toEqual([8, 50])
  })

  test.each([
    [FAR_WINDOWS_MAX - 1, 0],
    [FAR_WINDOWS_MAX, 0],
    [FAR_WINDOWS_MAX + 1, 1],
  ])('in %i windows that are open at once: %i is refused', (windows, refused) => {
    const times = Array.from({ length: windows }, (_, i) => [(i + 1) * 10_000 + 9e9, ...many(9, 0)]).flat()
    const { partition, rejected, feed } = made([...many(8, 0), ...times])
    expect(partition).toMatchObject({ invalid: refused, tooFar: refused, late: 0, maxEventTime: NOW })
    if (refused === 1) expect(rejected).toMatchObject([{ reason: 'FUTURE', detail: expect.stringContaining('time.maxJump') }])
    // Windows that are open take more, and a real gap in the traffic ends it.
    feed([9e9 + 10_000, ...many(26, 8e9)], 8 + times.length)
    expect(partition.maxEventTime).toBe(NOW + 8e9)
  })
})

describe('an event ahead of its record is invalid whatever its batch begins with', () => {
  test('where the broker stamped the batch and the producer’s clock is wrong', () => {
    const { ingest, cursor, partition } = ingestBench()
    const year = 365 * 86_400_000
    const bytes = encodeBatch([
      { topic: 'impressions', partition: 3, offset: 0, recordTimestamp: NOW + year, value: eventOf(0, NOW + year) },
    ])
    bytes[22]! |= 8
    bytes.writeBigInt64BE(BigInt(NOW), 35)
    ingest.run(cursor(bytes))
    expect(partition).toMatchObject({ invalid: 1, counted: 0 })
  })

  test('where the record is older than the first of its batch', () => {
    const { ingest, cursor, partition } = ingestBench()
    const records = [NOW + 600_000, NOW].map((recordTimestamp, offset) => ({
      topic: 'impressions',
      partition: 3,
      offset,
      recordTimestamp,
      value: eventOf(offset, NOW + 600_000),
    }))
    ingest.run(cursor(encodeBatch(records)))
    expect(partition).toMatchObject({ invalid: 1, counted: 1 })
  })
})

import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../../workshop/memory-run.ts'
import { eventOf, ingestBench, NOW } from '../support/ingest-bench.ts'

const recordOf = (recordTimestamp: number, offset: number) => {
  return { topic: 'impressions', partition: 3, offset, recordTimestamp, value: eventOf(offset, 5) }
}
const batch = (times: readonly number[]) => encodeBatch(times.map(recordOf))

describe('an event whose time is that of its record', () => {
  const events = { time: { source: 'record' } }
  test('counts by it, whatever its fields say, and is never ahead of it', () => {
    const { ingest, cursor, counted, drain, partition } = ingestBench({}, undefined, events)
    const times = [NOW, NOW + 2 * 3_600_000, NOW - 1, NOW + 5]
    ingest.run(cursor(batch([...times.slice(0, 2)])))
    drain()
    expect(counted.map(([, time]) => time)).toEqual(times.slice(0, 2))
    expect(partition).toMatchObject({ counted: 2, invalid: 0 })
  })

  test('is that at which the broker appended it, where the topic says so', () => {
    const { ingest, cursor, counted, drain } = ingestBench({}, undefined, events)
    const bytes = batch([NOW, NOW + 1])
    bytes[22]! |= 8
    bytes.writeBigInt64BE(BigInt(NOW + 50_000), 35)
    ingest.run(cursor(bytes))
    drain()
    expect(counted.map(([, time]) => time)).toEqual([NOW + 50_000, NOW + 50_000])
  })

  test('is invalid where the record has none, or one that is none', () => {
    const { ingest, cursor, rejected } = ingestBench({}, undefined, events)
    ingest.run(cursor(batch([NOW, -1, 0, 1, Date.UTC(9999, 11, 31), Date.UTC(10_000, 0, 1)])))
    expect(rejected.map(({ reason, offset }) => [offset, reason])).toEqual([
      [1, 'TIME_RANGE'],
      [2, 'TIME_RANGE'],
      [3, 'TOO_OLD'],
      [5, 'TIME_RANGE'],
    ])
  })

  test('is held against the clock of this machine, if that is to be, and moves the time by time.maxJump at most', () => {
    const guarded = ingestBench({ wallClockGuard: 1000 }, undefined, events)
    guarded.ingest.run(guarded.cursor(batch([NOW, NOW + 1000, NOW + 1001])))
    expect(guarded.rejected.map(({ reason, offset }) => [offset, reason])).toEqual([[2, 'FUTURE']])
    const bounded = ingestBench({ maxJump: 60_000 }, undefined, events)
    bounded.ingest.run(bounded.cursor(batch([...Array.from({ length: 8 }, () => NOW), NOW + 86_400_000, NOW + 1])))
    expect(bounded.partition).toMatchObject({ counted: 10, maxEventTime: NOW + 1 })
  })
})

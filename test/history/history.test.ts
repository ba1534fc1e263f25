/** What the process remembers: in bounded memory, through gaps, and from one process to the next. */
import { describe, expect, test } from 'vitest'
import { behindMs } from '../../src/history/behind.ts'
import { ColumnRing } from '../../src/history/column-ring.ts'
import { HISTORY_MAX_BYTES, History, PARTITIONS_MAX, TOTAL_COLUMNS } from '../../src/history/history.ts'
import { decodeHistory, encodeHistory } from '../../src/history/kept-history.ts'
import type { PipelineStats } from '../../src/metrics/stats.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const NOW = 1_800_000_000_000
const USE = { rssBytes: 1e8, cpuSeconds: 1 }

describe('a ring', () => {
  test('holds the mean of what came in a step, and nothing where nothing came', () => {
    const ring = new ColumnRing(2, 1000, 4)
    ring.put(NOW, [1, Number.NaN])
    ring.put(NOW + 999, [3, 5])
    ring.put(NOW + 2000, [7, 8])
    const { from, columns } = ring.read(NOW + 2500)
    expect(from).toBe(NOW - 1000)
    expect(columns.map((column) => [...column])).toEqual([
      [Number.NaN, 2, Number.NaN, 7],
      [Number.NaN, 5, Number.NaN, 8],
    ])
  })

  test('overwrites the oldest, and takes nothing that is older than what is there', () => {
    const ring = new ColumnRing(1, 1000, 3)
    for (let i = 0; i < 5; i++) ring.put(NOW + i * 1000, [i])
    ring.put(NOW, [99])
    expect([...(ring.read(NOW + 4000).columns[0] ?? [])]).toEqual([2, 3, 4])
    expect([...(ring.read(NOW + 60_000).columns[0] ?? [])]).toEqual([Number.NaN, Number.NaN, Number.NaN])
  })
})

describe('how long a partition is behind', () => {
  /** The end grows by 100 in a step of 10 s, which is known of the middle of each. */
  const at = (step: number) => (step * 10_000 + 5_000 - NOW) / 100 + 10_000
  const ends = { stepMs: 10_000, steps: 90, at }
  const endNow = 10_000

  test.each([
    [10_000, 0],
    [10_001, 0],
    [9_999, 100],
    [9_500, 50_000],
    [9_000, 100_000],
  ])('at offset %i it is %i ms', (position, ms) => {
    expect(behindMs(ends, position, endNow, NOW)).toBeCloseTo(ms, 6)
  })

  test('further back than is remembered it is at least that', () => {
    expect(behindMs(ends, 10, endNow, NOW)).toBe(88 * 10_000 + 5_000)
  })

  test('through a gap it goes in a straight line', () => {
    const gap = { ...ends, at: (step: number) => (step > NOW / 10_000 - 6 ? Number.NaN : at(step)) }
    expect(behindMs(gap, 9_900, endNow, NOW)).toBeCloseTo(10_000, 6)
  })

  test('without anything known it is not known', () => {
    expect(behindMs({ ...ends, at: () => Number.NaN }, 1, 5, NOW)).toBeUndefined()
  })
})

const reading = (read: number, more: Partial<PipelineStats> = {}) =>
  someStats({
    terms: { counted: read, late: 0, invalid: 0, ignored: 0 },
    partitions: [somePartition({ read, position: read, lag: 0 })],
    ...more,
  })

const column = (history: History, name: (typeof TOTAL_COLUMNS)[number], now: number) =>
  [...(history.totals('15m', now).columns[TOTAL_COLUMNS.indexOf(name)] ?? [])].filter((value) => !Number.isNaN(value))

describe('the history', () => {
  test('takes less memory than it may, with as many partitions as it keeps', () => {
    expect(History.bytesMax).toBeLessThan(HISTORY_MAX_BYTES)
    expect(PARTITIONS_MAX).toBeGreaterThanOrEqual(1024)
  })

  test('has rates of what is counted, and a restart inside the process is no step back', () => {
    const history = new History()
    for (const [i, read] of [0, 1000, 3000, 500].entries()) history.look(reading(read), USE, NOW + i * 1000)
    expect(column(history, 'recordsPerSecond', NOW + 3000)).toEqual([1000, 2000, 500])
    expect(history.interval()?.seconds).toBe(3)
  })

  test('forgets partitions that have left, and keeps no more than it may', () => {
    const history = new History()
    history.look(reading(1), USE, NOW)
    expect(history.partition('clicks', 0, NOW)).toBeDefined()
    history.look(someStats({ partitions: [somePartition({ partition: 1 })] }), USE, NOW + 1000)
    expect(history.partition('clicks', 0, NOW + 1000)).toBeUndefined()
  })

  test('tells what happened, from when to when', () => {
    const history = new History()
    const degraded = [{ code: 'invalid', subject: 'clicks', message: 'many', since: NOW + 1500 }] as const
    const tasks = [{ task: 3, watermark: undefined }]
    history.look(reading(1), USE, NOW)
    history.look(reading(2, { tasks, notReady: ['ClickHouse does not answer'] }), USE, NOW + 1000)
    history.look(reading(3, { tasks, degraded, notReady: ['it still does not'] }), USE, NOW + 2000)
    history.look(reading(4, { tasks, restarts: 1 }), USE, NOW + 3000)
    expect(history.timeline.events.map(({ kind, at, until }) => [kind, at - NOW, until === undefined ? undefined : until - NOW])).toEqual([
      ['start', 0, undefined],
      ['rebalance', 1000, undefined],
      ['outage', 1000, 3000],
      ['degraded', 1500, 3000],
      ['restart', 3000, undefined],
    ])
  })

  test('comes back from bytes, for as long ago as it was', () => {
    const history = new History()
    for (let i = 0; i < 5; i++) history.look(reading(i * 100), USE, NOW + i * 1000)
    const bytes = encodeHistory(history.keep(NOW + 5000))
    const kept = decodeHistory(bytes)
    const later = new History()
    later.look(reading(0), USE, NOW + 60_000)
    if (kept !== undefined) later.restore(kept, NOW + 60_000)
    expect(column(later, 'recordsPerSecond', NOW + 60_000)).toEqual([100, 100, 100, 100])
    expect(later.timeline.events.map(({ at }) => at - NOW)).toEqual([0, 60_000])
    expect(bytes.length).toBeLessThan(HISTORY_MAX_BYTES / 10)
  })

  test('goes on when the clock was set back, and forgets what would be ahead', () => {
    const history = new History()
    const lagging = (read: number) => reading(read, { partitions: [somePartition({ read, position: read, lag: 7 })] })
    for (let i = 0; i < 5; i++) history.look(lagging(i * 100), USE, NOW + i * 1000)
    const back = NOW - 3_600_000
    for (let i = 0; i < 3; i++) history.look(lagging(500 + i * 200), USE, back + i * 1000)
    expect(column(history, 'recordsPerSecond', back + 2000)).toEqual([200, 200])
    expect(history.interval()?.seconds).toBe(2)
    const { topic, partition } = somePartition({})
    const lags = History.columnOf(history.partition(topic, partition, back + 2000)!, 'lagRecords')
    expect([...lags].filter((lag) => lag === 7).length).toBeGreaterThan(0)
    expect(column(history, 'recordsPerSecond', NOW + 4000)).toEqual([])
  })

  test('kept by a process whose clock was ahead comes back up to now', () => {
    const history = new History()
    for (let i = 0; i < 5; i++) history.look(reading(i * 100), USE, NOW + i * 1000)
    const later = new History()
    later.restore(history.keep(NOW + 5000), NOW + 2000)
    later.look(reading(0), USE, NOW + 3000)
    later.look(reading(70), USE, NOW + 4000)
    expect(column(later, 'recordsPerSecond', NOW + 5000)).toEqual([100, 100, 70])
  })

  test('that is damaged, or none, is left out', () => {
    const bytes = encodeHistory(new History().keep(NOW))
    expect(decodeHistory(bytes.subarray(0, bytes.length / 2))).toBeUndefined()
    expect(decodeHistory(Buffer.from('{}'))).toBeUndefined()
  })
})

import { expect, onTestFinished, test, vi } from 'vitest'
import type { PartitionStats, PipelineStats } from '../../src/metrics/stats.ts'
import { decideStall, firstSighting, look, type Sighting, type StallStep, watchOver } from '../../src/run/watchdog.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const STALL = 10_000
const SILENCE = 5_000

test.each<[stalledMs: number, reconnected: boolean, want: StallStep]>([
  [0, false, 'none'],
  [9_999, false, 'none'],
  [10_000, false, 'reconnect'],
  [10_000, true, 'none'],
  [19_999, true, 'none'],
  [20_000, true, 'unready'],
  [20_000, false, 'reconnect'],
  [29_999, true, 'unready'],
  [30_000, true, 'fail'],
  [30_000, false, 'fail'],
])('a stall of %d ms, reconnected %s: %s', (stalledMs, reconnected, want) => {
  expect(decideStall(stalledMs, STALL, reconnected)).toBe(want)
})

const NOW = 1_000_000
const at = (given: Partial<PartitionStats>) => somePartition({ heardAt: NOW, position: 5, lag: 0, ...given })
/** As it was a second ago, stalled for 3 s. */
const before = (...partitions: PartitionStats[]): Sighting => ({
  at: NOW - 1_000,
  positions: new Map(partitions.map(({ topic, partition, position }) => [`${topic}/${partition}`, position])),
  stalledMs: 3_000,
})

test.each<[what: string, was: PartitionStats[], is: Partial<PipelineStats>, stalledMs: number]>([
  ['a partition with lag stands still', [at({})], { partitions: [at({ lag: 1 })] }, 4_000],
  ['it moves', [at({ position: 4 })], { partitions: [at({ lag: 1 })] }, 0],
  ['another one moves', [at({}), at({ partition: 1, position: 4 })], { partitions: [at({ lag: 1 }), at({ partition: 1 })] }, 0],
  ['a partition is new', [at({})], { partitions: [at({ lag: 1 }), at({ partition: 1 })] }, 0],
  ['a partition has gone', [at({}), at({ partition: 1 })], { partitions: [at({ lag: 1 })] }, 4_000],
  ['all are at their ends', [at({})], { partitions: [at({})] }, 0],
  [
    'what has lag is paused, what is not has none',
    [at({}), at({ partition: 1 })],
    { partitions: [at({ lag: 9, paused: true }), at({ partition: 1 })] },
    0,
  ],
  [
    'what has lag waits for a schema, what is not has none',
    [at({}), at({ partition: 1 })],
    { partitions: [at({ lag: 9, awaitsSchema: 'id:1' }), at({ partition: 1 })] },
    0,
  ],
  [
    'one waits for a schema, and another stands still',
    [at({}), at({ partition: 1 })],
    { partitions: [at({ lag: 9, awaitsSchema: 'id:1' }), at({ partition: 1, lag: 1 })] },
    4_000,
  ],
  ['ClickHouse or the dead letters hold it', [at({})], { held: true, partitions: [at({ lag: 1 })] }, 3_000],
  ['it drains', [at({})], { state: 'draining', partitions: [at({ lag: 1 })] }, 0],
  ['it has no partition', [], { partitions: [] }, 0],
  ['nothing was heard for less than the silence', [at({})], { partitions: [at({ heardAt: NOW - SILENCE + 1 })] }, 0],
  ['nothing was heard for the silence', [at({})], { partitions: [at({ heardAt: NOW - SILENCE })] }, 4_000],
  ['one was heard of', [at({}), at({ partition: 1 })], { partitions: [at({ heardAt: 0 }), at({ partition: 1 })] }, 0],
  ['the source tells no end offsets', [at({})], { partitions: [at({ lag: undefined, heardAt: undefined })] }, 0],
])('%s', (_, was, is, stalledMs) => {
  expect(look(someStats(is), before(...was), NOW, SILENCE).stalledMs).toBe(stalledMs)
})

test('a process that was stopped for an hour, or a clock that was set, is no stall', () => {
  const partition = at({ lag: 1 })
  const stats = someStats({ partitions: [partition] })
  const sighting = before(partition)
  expect(look(stats, sighting, NOW + 3_600_000, SILENCE).stalledMs).toBe(5_000)
  expect(look(stats, sighting, NOW - 3_600_000, SILENCE).stalledMs).toBe(3_000)
  expect(firstSighting(NOW).stalledMs).toBe(0)
})

/** A watched run whose snapshots the test makes, on a clock of its own. */
function watched(partitions: () => PartitionStats[]) {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { promise, reject } = Promise.withResolvers<void>()
  promise.catch(() => {})
  const lines: string[] = []
  const say = (_: unknown, line: string) => void lines.push(line)
  let reconnects = 0
  const run = {
    finished: promise,
    released: Promise.resolve(),
    start: async () => {},
    drain: async () => {},
    fail: reject,
    stats: () => someStats({ partitions: partitions() }),
  }
  const reconnect = async () => void reconnects++
  const log = { info: say, warn: say, error: say }
  const over = watchOver(run, { stallTimeout: STALL, silence: SILENCE, reconnect, log, clock: Date.now })
  void over.start()
  return { over, lines, reconnects: () => reconnects }
}

test('a stall is reconnected once, then not ready, then the failure of the run', async () => {
  const { over, lines, reconnects } = watched(() => [
    at({ lag: 4, heardAt: Date.now() }),
    at({ partition: 1, lag: 3, heardAt: Date.now() }),
  ])
  await vi.advanceTimersByTimeAsync(STALL - 1_000)
  expect([reconnects(), over.stats().notReady]).toEqual([0, []])
  await vi.advanceTimersByTimeAsync(2_000)
  expect([reconnects(), over.stats().notReady]).toEqual([1, []])
  await vi.advanceTimersByTimeAsync(STALL)
  expect([reconnects(), over.stats().notReady]).toEqual([
    1,
    [expect.stringMatching(/^no progress for 2\d s although 7 records wait in clicks\/0 and 1 more partitions$/)],
  ])
  await vi.advanceTimersByTimeAsync(STALL)
  await expect(over.finished).rejects.toMatchObject({
    code: 'CTR_STALLED',
    message: expect.stringContaining('watchdog.stallTimeout is 10s'),
  })
  expect(lines.map((line) => line.replaceAll(/\d+ s/g, 'n s'))).toEqual([
    'no progress for n s although 7 records wait in clicks/0 and 1 more partitions; reconnecting',
    'no progress for n s although 7 records wait in clicks/0 and 1 more partitions; reconnecting did not help',
  ])
})

test('records that move again end it, and the next stall is reconnected again', async () => {
  let position = 0
  const { over, lines, reconnects } = watched(() => [at({ lag: 4, position, heardAt: Date.now() })])
  await vi.advanceTimersByTimeAsync(2 * STALL + 2_000)
  expect(over.stats().notReady).toHaveLength(1)
  position++
  await vi.advanceTimersByTimeAsync(2_000)
  expect([over.stats().notReady, lines.at(-1)]).toEqual([[], 'records move again'])
  await vi.advanceTimersByTimeAsync(STALL)
  expect(reconnects()).toBe(2)
})

test('brokers of which nothing is heard make the run not ready, before the watchdog does anything', async () => {
  const heardAt = Date.now()
  const { over, reconnects } = watched(() => [at({ heardAt })])
  await vi.advanceTimersByTimeAsync(SILENCE + 2_000)
  expect([reconnects(), over.stats().notReady]).toEqual([
    0,
    [expect.stringMatching(/^nothing heard of the brokers for \d+ s: look at kafka\.brokers/)],
  ])
})

import { expect, test } from 'vitest'
import {
  countEmitDelay,
  countFlush,
  countParked,
  countRetry,
  countRollUp,
  createSinkStats,
  EMIT_DELAY_BOUNDS,
  FLUSH_BOUNDS,
  readSinkStats,
  setPending,
} from '../../src/sink/sink-stats.ts'

test('fresh counters are all zero', () => {
  const stats = readSinkStats(createSinkStats())
  const { rowsWritten, batches, retries, rowsParked, rowsPending, flushSeconds, emitDelaySeconds, rollUpSeconds } = stats
  const all = [rowsWritten, batches, retries, rowsParked, rowsPending, rollUpSeconds, flushSeconds.sum, emitDelaySeconds.sum]
  expect(all).toEqual(all.map(() => 0))
  expect(stats.flushSeconds.counts).toEqual(new Array(FLUSH_BOUNDS.length + 1).fill(0))
  expect(stats.emitDelaySeconds.counts).toEqual(new Array(EMIT_DELAY_BOUNDS.length + 1).fill(0))
})

test('what one thread counts another one reads from the same memory', () => {
  const memory = createSinkStats()
  const slots = new Float64Array(memory)
  countFlush(slots, 100, 0.004)
  countFlush(slots, 1, 99)
  countRetry(slots)
  countParked(slots, 2)
  countParked(slots, 3)
  countRollUp(slots, 0.5)
  countRollUp(slots, 2)
  setPending(slots, 70)
  setPending(slots, 7)
  const stats = readSinkStats(memory)
  expect(stats).toMatchObject({ rowsWritten: 101, batches: 2, retries: 1, rowsParked: 5, rowsPending: 7, rollUpSeconds: 2.5 })
  expect(stats.flushSeconds.sum).toBeCloseTo(99.004)
  expect(stats.emitDelaySeconds.sum).toBe(0)
})

test('a value on a bound belongs to that bucket and the next value up to the following one', () => {
  for (const [index, bound] of FLUSH_BOUNDS.entries()) {
    const memory = createSinkStats()
    countFlush(new Float64Array(memory), 1, bound)
    countFlush(new Float64Array(memory), 1, bound * (1 + Number.EPSILON))
    const expected = new Array(FLUSH_BOUNDS.length + 1).fill(0)
    expected[index] = 1
    expected[index + 1] = 1
    expect(readSinkStats(memory).flushSeconds.counts).toEqual(expected)
  }
})

test('the last bucket of one histogram does not spill into the other', () => {
  const memory = createSinkStats()
  const slots = new Float64Array(memory)
  countFlush(slots, 1, Infinity)
  countEmitDelay(slots, 1e9)
  const { flushSeconds, emitDelaySeconds } = readSinkStats(memory)
  expect(flushSeconds.counts.at(-1)).toBe(1)
  expect(emitDelaySeconds.counts.at(-1)).toBe(1)
  expect(emitDelaySeconds.counts[0]).toBe(0)
})

test('a window end ahead of the wall clock counts as no delay', () => {
  const memory = createSinkStats()
  countEmitDelay(new Float64Array(memory), -5)
  const { emitDelaySeconds } = readSinkStats(memory)
  expect(emitDelaySeconds.sum).toBe(0)
  expect(emitDelaySeconds.counts[0]).toBe(1)
})

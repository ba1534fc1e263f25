import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/config/limits.ts'
import { describeWindows, windowDifference, windowRules, windowsOf } from '../../src/window/windows.ts'

/** Windows of 10, out-of-orderness 3, lateness 5. */
const WINDOWS = windowsOf({ windowSize: 10, outOfOrderness: 3, allowedLateness: 5 })
const LAST_MS = LIMITS.eventTimeEndMs - 1

describe('a time is in the slice', () => {
  test.each([
    [0, 10, 0],
    [1, 10, 0],
    [9, 10, 0],
    [10, 10, 10],
    [11, 10, 10],
    [1, LIMITS.windowMinMs, 0],
    [1, LIMITS.windowMaxMs, 0],
    [1_700_000_009_999, 10_000, 1_700_000_000_000],
    [1_700_000_010_000, 10_000, 1_700_000_010_000],
    [LAST_MS, LIMITS.windowMinMs, LIMITS.eventTimeEndMs - LIMITS.windowMinMs],
    [LAST_MS, 7_000, LAST_MS - (LAST_MS % 7_000)],
    [LAST_MS, LIMITS.windowMaxMs, LAST_MS - (LAST_MS % LIMITS.windowMaxMs)],
  ])('of %i in windows of %i ms: that from %i', (time, windowSize, start) => {
    const windows = windowsOf({ windowSize, outOfOrderness: 0, allowedLateness: 0 })
    const end = windows.sliceEnd(windows.sliceStart(time))
    expect([windows.sliceStart(time), end, windows.startOf(end)]).toEqual([start, start + windowSize, start])
    expect(time >= start && time < end).toBe(true)
  })

  test('whose edges belong to the one that begins there', () => {
    expect([19, 20, 21].map((time) => WINDOWS.sliceStart(time))).toEqual([10, 20, 20])
  })
})

describe('the slice that ends at 20', () => {
  test.each([
    [19, false],
    [20, true],
    [21, true],
  ])('at the watermark %i is due: %s', (watermark, due) => expect(WINDOWS.isDue(20, watermark)).toBe(due))

  test.each([
    [24, false],
    [25, true],
    [26, true],
  ])('at the watermark %i is purged: %s', (watermark, purged) => expect(20 <= WINDOWS.purgedUpTo(watermark)).toBe(purged))

  test('is late from the time on by which its own partition alone would have it purged', () => {
    const purgedAt = (maxEventTime: number) => 20 <= WINDOWS.purgedUpTo(WINDOWS.watermarkOf(maxEventTime))
    expect([27, 28, 29].map(purgedAt)).toEqual([false, true, true])
    expect(WINDOWS.lateAt(20)).toBe(28)
  })

  test('is neither due nor purged before the first watermark', () => {
    expect(WINDOWS.isDue(20, Number.NEGATIVE_INFINITY)).toBe(false)
    expect(20 <= WINDOWS.purgedUpTo(Number.NEGATIVE_INFINITY)).toBe(false)
  })
})

describe('a watermark is a step', () => {
  test.each([
    [21, 24, false],
    [21, 25, true],
    [24, 25, true],
    [25, 26, false],
    [25, 29, false],
    [25, 30, true],
    [29, 30, true],
    [30, 31, false],
    [30, 30, false],
    [30, 29, false],
    [30, 20, false],
    [20, 40, true],
    [Number.NEGATIVE_INFINITY, 1, true],
    [Number.NEGATIVE_INFINITY, -1, true],
    [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, false],
    [-1, 0, true],
    [-4, -1, false],
    [LAST_MS, LAST_MS + 1, true],
    [LAST_MS + 1, LAST_MS + 2, false],
  ])('from %d to %d: %s', (before, after, step) => expect(WINDOWS.isStep(before, after)).toBe(step))

  test('exactly when something becomes due or purged by it', () => {
    const ends = Array.from({ length: 12 }, (_, i) => i * 10)
    const state = (watermark: number) => ends.map((end) => [WINDOWS.isDue(end, watermark), end <= WINDOWS.purgedUpTo(watermark)]).join(' ')
    for (let before = 0; before < 60; before++) {
      for (let after = before; after < 100; after++) expect(WINDOWS.isStep(before, after)).toBe(state(before) !== state(after))
    }
  })
})

test('panes of other windows are of no use, those under other rules of time are', () => {
  const shape = { windowType: 'tumbling', windowSize: 10_000 }
  expect(windowDifference(shape, { ...shape })).toBeUndefined()
  expect(windowDifference(shape, { ...shape, windowSize: 60_000 })).toBe('window.size 10000 ms, now 60000 ms')
  expect(windowDifference({ ...shape, windowType: 'session' }, shape)).toBe('window.type session, now tumbling')
  const sliding = { windowType: 'sliding', windowSize: 10_000, windowSlide: 2_500 }
  expect(windowDifference(sliding, shape)).toBe('window.type sliding, now tumbling')
  expect(windowDifference(sliding, { ...sliding, windowSlide: 5_000 })).toBe('window.slide 2500 ms, now 5000 ms')
  expect(windowDifference(shape, { ...shape, windowOffset: 4_000 })).toBe('window.offset none, now 4000 ms')
  expect(windowDifference({ ...sliding, windowOffset: 4_000 }, { ...sliding, windowOffset: 4_000 })).toBeUndefined()
  expect(describeWindows(shape)).toBe('tumbling windows of 10s')
  expect(describeWindows({ ...sliding, windowOffset: 4_000 })).toBe('sliding windows of 10s every 2500ms from 4s on')
})

test('the rules are those of the configuration', () => {
  const time = {
    outOfOrderness: 1,
    allowedLateness: 2,
    openTransaction: { hold: 0 },
    idleTimeout: 3,
    maxDrift: 4,
    futureTolerance: 5,
    maxJump: 6,
    oldest: 7,
    wallClockGuard: 8,
  }
  const CALENDAR = { zone: 'Europe/Berlin', weekStart: 'monday' } as const
  const rules = windowRules({ window: { ...CALENDAR, type: 'tumbling', size: 100 }, time })
  expect(rules).toStrictEqual({ windowSize: 100, outOfOrderness: 1, allowedLateness: 2 })
  const sliding = windowRules({ window: { ...CALENDAR, type: 'sliding', size: 100, slide: 30, offset: 7 }, time })
  expect(sliding).toStrictEqual({ windowSize: 100, windowSlide: 30, windowOffset: 7, outOfOrderness: 1, allowedLateness: 2 })
  const days = windowRules({ window: { ...CALENDAR, type: 'calendar', unit: 'day', size: 100 }, time })
  expect(days).toStrictEqual({ ...rules, calendar: { ...CALENDAR, unit: 'day' } })
  expect(windowRules({ window: { ...CALENDAR, type: 'tumbling', size: 100, offset: 0 }, time })).toStrictEqual(rules)
})

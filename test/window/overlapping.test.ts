/** Windows that overlap, held against windows that are all looked at one by one. */
import { describe, expect, test } from 'vitest'
import { windowsOf } from '../../src/window/windows.ts'

const [ORDER, LATE] = [3, 5]
const KINDS = [
  { windowSize: 21, windowSlide: 9, windowOffset: 0 },
  { windowSize: 21, windowSlide: 9, windowOffset: 4 },
  { windowSize: 20, windowSlide: 10, windowOffset: 0 },
  { windowSize: 60, windowSlide: 1, windowOffset: 0 },
  { windowSize: 10, windowSlide: 10, windowOffset: 7 },
  { windowSize: 7, windowSlide: 5, windowOffset: 2 },
]
const TIMES = Array.from({ length: 200 }, (_, i) => 100 + i)

describe.each(KINDS)('%o', ({ windowSize, windowSlide, windowOffset }) => {
  const windows = windowsOf({ windowSize, windowSlide, windowOffset, outOfOrderness: ORDER, allowedLateness: LATE })
  const starts = Array.from({ length: 400 }, (_, i) => (i - 100) * windowSlide + windowOffset)
  const endsAt = (time: number) => starts.filter((start) => start <= time && time < start + windowSize).map((start) => start + windowSize)
  const sliceOf = (time: number) => windows.sliceEnd(windows.sliceStart(time))
  const slices = [...new Set(TIMES.map(sliceOf))]
  const endsOf = (slice: number) => endsAt(windows.startOf(slice))

  test('all times of a slice are in the same windows, and those of the next slice in others', () => {
    for (const time of TIMES) {
      const start = windows.sliceStart(time)
      expect(start <= time && time < windows.sliceEnd(start) && windows.startOf(windows.sliceEnd(start)) === start).toBe(true)
      expect(endsAt(start)).toEqual(endsAt(time))
      if (sliceOf(time) !== sliceOf(time + 1)) expect(sliceOf(time + 1)).toBe(sliceOf(time) + (sliceOf(time) - start))
    }
  })

  test('a slice knows its first and last window', () => {
    for (const slice of slices) {
      expect([windows.firstEnd(slice), windows.lastEnd(slice)]).toEqual([endsOf(slice)[0], endsOf(slice).at(-1)])
      expect(windows.overlap || windows.firstEnd(slice) === windows.lastEnd(slice)).toBe(true)
    }
  })

  test('windows are found by a time', () => {
    for (const time of TIMES) {
      expect(windows.startUpTo(time)).toBe(starts.findLast((start) => start <= time))
      expect(windows.startFrom(time)).toBe(starts.find((start) => start >= time))
      expect(windows.lastEndUpTo(time)).toBe(starts.map((start) => start + windowSize).findLast((end) => end <= time))
    }
  })

  test('a slice is purged when its last window is closed', () => {
    for (const watermark of TIMES) {
      for (const slice of slices) {
        const closed = endsOf(slice).filter((end) => end + LATE <= watermark)
        expect(slice <= windows.purgedUpTo(watermark)).toBe(closed.length === endsOf(slice).length)
        expect(endsOf(slice).filter((end) => end <= windows.closedUpTo(watermark))).toEqual(closed)
      }
    }
  })

  test('an event is plain, misses the first windows of its slice, or is late', () => {
    for (const slice of slices) {
      for (let believed = slice - 5; believed < slice + 200; believed++) {
        const missed = endsOf(slice).filter((end) => end + LATE <= believed - ORDER).length
        expect(believed >= windows.lateAt(slice)).toBe(missed === endsOf(slice).length)
        expect(believed >= windows.partlyAt(slice)).toBe(missed > 0)
        if (missed > 0 && missed < endsOf(slice).length) expect(windows.missedBy(slice, believed)).toBe(missed)
      }
    }
  })

  test('a watermark is a step exactly when a window becomes due or closed by it', () => {
    const state = (watermark: number) =>
      starts.filter((start) => start + windowSize <= watermark).length * 1000 +
      starts.filter((start) => start + windowSize + LATE <= watermark).length
    for (const before of TIMES)
      for (const after of [before, before + 1, before + 7]) expect(windows.isStep(before, after)).toBe(state(before) !== state(after))
  })

  test('no more slices are open than openMax says', () => {
    for (const drift of [0, 10, 57]) {
      for (const watermark of TIMES) {
        const open = new Set<number>()
        for (let time = 0; time <= watermark + ORDER + drift; time++)
          if (sliceOf(time) > windows.purgedUpTo(watermark)) open.add(sliceOf(time))
        expect(open.size).toBeLessThanOrEqual(windows.openMax(drift))
      }
    }
  })
})

test('an hour of slide on an hour is a tumbling window without a name, one of less has a name', () => {
  const rules = { windowSize: 60, outOfOrderness: 0, allowedLateness: 0 }
  expect([undefined, 60, 30].map((windowSlide) => windowsOf({ ...rules, windowSlide }).name)).toEqual(['', '', 'sliding'])
})

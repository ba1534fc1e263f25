import { expect, test } from 'vitest'
import { Batch } from '../../src/sink/batch.ts'
import { countDelivered } from '../../src/sink/count-delivered.ts'
import { createSinkStats, readSinkStats } from '../../src/sink/sink-stats.ts'
import { toldWindows } from '../../src/sink/told-windows.ts'
import { Closings, createClosings } from '../../src/window/closings.ts'

const block = { bytes: new Uint8Array(8), start: 0, end: 8, count: 1 }

test('from the closing record to the acknowledgement, and its parts; of a window that no record closed only the delay', () => {
  const slots = createSinkStats()
  const closings = new Closings(createClosings())
  const batch = new Batch(100)
  batch.add({ ...block, task: 1, windowEnd: 10_000, first: true }, 0)
  batch.add({ ...block, task: 2, windowEnd: 10_000, first: true }, 0)
  batch.add({ ...block, task: 3, windowEnd: 10_000, first: true }, 0)
  batch.add({ ...block, task: 1, windowEnd: 10_000, first: false }, 0)
  const came = batch.firstCame[0] ?? 0
  closings.note(1, 10_000, came - 400, came - 300)
  closings.note(2, 10_000, Number.NaN, came)
  countDelivered(new Float64Array(slots), closings, batch, came + 1_000)
  const { latency, emitDelaySeconds } = readSinkStats(slots)
  const seen = Object.entries(latency).map(([part, { counts, sum }]) => [part, counts.reduce((total, count) => total + count, 0), sum])
  expect(seen).toEqual([
    ['endToEnd', 1, 1.4],
    ['watermarkWait', 1, 0.1],
    ['emission', 1, 0.3],
    ['insert', 1, 1],
  ])
  expect(emitDelaySeconds.counts.reduce((total, count) => total + count, 0)).toBe(3)
})

test('a batch without rows has no windows to tell of', () => {
  expect(toldWindows(new Batch(1), 0)).toEqual([])
})

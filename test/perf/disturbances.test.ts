import { expect, test } from 'vitest'
import { delaysDuring } from '../../perf/disturbances.ts'

const sample = (closedAt: number, latencyMs: number) => ({ task: 0, windowEnd: 0, closedAt, latencyMs })

test('a window belongs to the disturbance during which it was closed, or up to a second before', () => {
  const disturbances = [
    { kind: 'kill', from: 10_000, to: 20_000 },
    { kind: 'move', from: 30_000, to: 31_000 },
  ]
  const samples = [sample(8_999, 1), sample(9_000, 2), sample(19_999, 4), sample(20_000, 1), sample(30_500, 8)]
  const delays = delaysDuring(disturbances, samples)
  expect(Object.keys(delays)).toEqual(['undisturbed', 'kill', 'move'])
  expect(Object.values(delays).map(({ p50, max }) => [p50, max])).toEqual([
    [1, 1],
    [3, 4],
    [8, 8],
  ])
})

test('kinds without a window are left out', () => {
  expect(Object.keys(delaysDuring([{ kind: 'kill', from: 10_000, to: 20_000 }], [sample(15_000, 1)]))).toEqual(['kill'])
})

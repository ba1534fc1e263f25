import { expect, test } from 'vitest'
import { AXES, axesOf, bestOf, renderAxis, valueBytesOf } from '../../bench/growth-axes.ts'

test('axes are chosen by name', () => {
  expect(axesOf('')).toBe(AXES)
  expect(axesOf('codec,workers').map(({ name }) => name)).toEqual(['workers', 'codec'])
  expect(() => axesOf('worker')).toThrow('--axis worker: not one of partitions, workers,')
})

test('an axis varies one thing only, and its points are told apart', () => {
  for (const { name, points } of AXES) {
    const { label: _, ...first } = points[0]!
    const varied = Object.keys(first).filter((key) => {
      const of = (point: object) => JSON.stringify((point as Record<string, unknown>)[key])
      return points.some((point) => of(point) !== of(first))
    })
    expect([name, varied.length, new Set(points.map(({ label }) => label)).size]).toEqual([name, 1, points.length])
  }
})

test('events are as large as asked for, unless they are larger without padding', () => {
  expect([200, 1000].map((eventBytes) => valueBytesOf({ eventBytes }))).toEqual([200, 1000])
  expect(valueBytesOf({ eventBytes: 100 })).toBe(valueBytesOf({}))
  expect(valueBytesOf({})).toBeGreaterThan(100)
})

const run = (seconds: number, cpuSeconds: number) => ({ seconds, busyCpuSeconds: cpuSeconds / 2, cpuSeconds, peakRssBytes: 2 ** 30 })

test('the best of the rounds is shown, and the rate next to that of the first point', () => {
  const runs = [run(2, 4), run(1, 6)]
  expect(bestOf(runs)).toEqual({ seconds: 1, busyCpuSeconds: 2, cpuSeconds: 4, peakRssBytes: 2 ** 30 })
  const points = [
    { label: 'none', bytesPerEvent: 150, runs },
    { label: 'gzip', bytesPerEvent: 150, runs: [run(2, 4)] },
  ]
  expect(renderAxis({ name: 'codec', what: 'compression', points }, 1_000_000).split('\n')).toEqual([
    'codec: compression  bytes   events/s  MB/s  CPU s/M  whole  peak MiB     rate',
    '------------------  -----  ---------  ----  -------  -----  --------  -------',
    'none                  150  1,000,000   150     2.00   4.00     1,024   1.00 x',
    'gzip                  150    500,000    75     2.00   4.00     1,024  0.500 x',
  ])
})

import { expect, test } from 'vitest'
import { Closings } from '../../perf/closings.ts'
import { faultsOfDelays, generatedTime, measureDelays } from '../../perf/emit-delay.ts'
import type { Watch } from '../../perf/watch.ts'
import { EventGenerator, GENERATE_DEFAULTS } from '../../src/load/generate.ts'
import type { OracleRow } from '../../workshop/oracle.ts'

const row = (task: number, windowEnd: number) => ({ task, windowEnd }) as OracleRow
const watch = (readable: Record<string, number>): Watch => ({
  readableAt: (task, windowEnd, products) => readable[`${task} ${windowEnd} ${products}`],
  gaps: [],
  stop: async () => {},
})

test('a delay is from the closing of a window until all its products can be read', () => {
  const closings = new Closings({ topics: ['a'], windowSize: 10, outOfOrderness: 0 })
  for (const task of [0, 1]) closings.add('a', task, 10, 100)
  closings.add('a', 0, 20, 150)
  const rows = new Map([row(0, 10), row(0, 10), row(0, 20), row(1, 10), row(1, 20)].map((one, i) => [String(i), one]))
  const delays = measureDelays(rows, closings, watch({ '0 10 2': 130, '0 20 1': 140 }))
  expect(delays.samples.map(({ task, windowEnd, latencyMs }) => [task, windowEnd, latencyMs])).toEqual([
    [0, 10, 30],
    [0, 20, -10],
  ])
  expect(delays).toMatchObject({ unseen: 1, open: 1 })
  expect(faultsOfDelays(delays)).toEqual(['1 windows were closed and not seen whole', '1 windows were there before they were closed'])
})

test('the time of a generated event is found in its bytes', () => {
  const generator = new EventGenerator({ ...GENERATE_DEFAULTS, disorderMs: 0 })
  generator.next(1_700_000_000_123)
  const bytes = new Uint8Array(1000)
  generator.writeValue(bytes, 0)
  expect(generatedTime(Buffer.from(bytes.subarray(0, generator.valueBytes)))).toBe(generator.time)
  expect(() => generatedTime(Buffer.from('{}'))).toThrow('no time in {}')
})

import { pino } from 'pino'
import { expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { sourceOptions } from '../../src/run/clients.ts'

const T = 1_790_000_003_000
const START = 1_790_000_000_000

const SILENT = pino({ level: 'silent' })

function readFrom(sink: object, startTimestamp = T): unknown {
  const config = configSchema.parse({
    kafka: { startFrom: 'timestamp', startTimestamp },
    window: { size: '10s' },
    time: { futureTolerance: '1m' },
    sink,
  })
  return [config.sink.revisionFrom, sourceOptions(config, { bounded: false }, SILENT).startTimestamp]
}

test('a backfill reads all records that may hold an event of the windows that carry its revision', () => {
  expect(readFrom({})).toEqual([undefined, T])
  // The window that holds the start is counted whole.
  const [from, read] = readFrom({ revision: 1 }) as [number, number]
  expect([Math.ceil(from / 10_000) * 10_000, read]).toEqual([START, from - 60_000])
  expect((readFrom({ revision: 1 }, START) as [number])[0]).toBeGreaterThan(START - 10_000)
  expect(readFrom({ revision: 1, revisionFrom: START - 500_000 })).toEqual([START - 500_000, START - 560_000])
  expect(readFrom({ revision: 1, revisionFrom: T + 500_000 })).toEqual([T + 500_000, T])
  expect(readFrom({ revision: 1 }, 5)).toEqual([0, 0])
})

test('so does a reset to a time', () => {
  const time = { futureTolerance: '1m' }
  const resetOf = (sink: object, reset: number | 'latest') =>
    sourceOptions(configSchema.parse({ time, sink }), { bounded: false, reset }, SILENT).reset
  expect(resetOf({}, T)).toBe(T)
  expect(resetOf({ revision: 1, revisionFrom: START }, T)).toBe(START - 60_000)
  expect(resetOf({ revision: 1, revisionFrom: START }, START - 100_000)).toBe(START - 100_000)
  expect(resetOf({ revision: 1, revisionFrom: START }, 'latest')).toBe('latest')
})

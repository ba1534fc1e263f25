import { expect, test } from 'vitest'
import { packStats, unpackStats } from '../../src/run/packed-stats.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

test('a snapshot is the same behind a thread, whatever is not known of it', () => {
  const partitions = [
    somePartition({ topic: 'a', partition: 3, position: 2 ** 45, lag: undefined, paused: true, watermark: 1.8e12, missing: 7 }),
    somePartition({ topic: 'b', lag: 0, lagWritten: 5, heardAt: 9, idle: true, read: 4, counted: 1, late: 1, invalid: 1, ignored: 1 }),
    somePartition({ topic: 'a', partition: 4, ended: true, safeOffset: 12, eventTime: -1, remade: 2 }),
  ]
  const stats = someStats({ partitions, restarts: 2, notReady: ['x'] })
  expect(unpackStats(structuredClone(packStats(stats)))).toEqual(stats)
  expect(unpackStats(packStats(someStats()))).toEqual(someStats())
})

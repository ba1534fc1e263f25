import { expect, test } from 'vitest'
import { faultsOfRecoveries, inTime, recoveriesOf } from '../../perf/recoveries.ts'

const sample = (task: number, closedAt: number, latencyMs: number) => ({ task, windowEnd: 0, closedAt, latencyMs })

test('results are there again when each task has shown a window that was closed after the blow', () => {
  const samples = [sample(0, 900, 5_000), sample(0, 1_000, 400), sample(0, 3_000, 100), sample(1, 2_000, 7_000), sample(1, 8_000, 100)]
  expect(recoveriesOf([{ kind: 'kill', at: 1_000 }], samples, 2)).toEqual([{ kind: 'kill', at: 1_000, seconds: 7.1 }])
})

test('a task that shows nothing any more has not recovered, which is a fault', () => {
  const [recovery] = recoveriesOf([{ kind: 'kill', at: 1_000 }], [sample(0, 1_000, 400)], 2)
  expect(recovery?.seconds).toBe(Number.POSITIVE_INFINITY)
  expect(faultsOfRecoveries([recovery!], 1)).toEqual(['kill: results were there again after Infinity s, not within 60'])
})

test('a recovery of 60 s is in time, a longer one is a fault', () => {
  const of = (seconds: number) => faultsOfRecoveries([{ kind: 'kill', at: 0, seconds }], 1)
  expect([of(60), of(60.001).length]).toEqual([[], 1])
})

test('windows within 60 s count, those that were never seen do not, and 999 of 1000 are enough', () => {
  const samples = Array.from({ length: 999 }, (_, i) => sample(0, i, i === 0 ? 60_000 : 10))
  const share = inTime({ samples, unseen: 1, open: 5 })
  expect(share).toBe(0.999)
  expect(faultsOfRecoveries([], share)).toEqual([])
  const less = inTime({ samples: [...samples.slice(1), sample(0, 0, 60_001)], unseen: 1, open: 0 })
  expect([less, faultsOfRecoveries([], less).length]).toEqual([0.998, 1])
  expect(inTime({ samples: [], unseen: 0, open: 9 })).toBe(0)
})

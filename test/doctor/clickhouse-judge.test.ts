import { expect, test } from 'vitest'
import { judgeGrants, judgePlan, judgeRoom, judgeVersion } from '../../src/doctor/clickhouse-judge.ts'
import { judgeClock } from '../../src/doctor/clock-judge.ts'
import type { Plan } from '../../src/tables/plan.ts'

test.each([
  ['24.9.9.9', 'fault'],
  ['24.10.1.1', 'ok'],
  ['25.1.2.3', 'ok'],
  ['26.7.2.1', 'ok'],
  ['23.12.1.1', 'fault'],
  ['', 'fault'],
])('version %s is %s', (version, verdict) => {
  expect(judgeVersion(version).verdict).toBe(verdict)
})

function plan(from: number, parts: number, rows = 0): Plan {
  const all = Array.from({ length: parts }, (_, i) => ({ name: `t${i} is missing`, statements: [], rows, bytes: rows }))
  const steps = parts === 0 ? [] : [{ step: { name: 's', what: 'w' }, parts: all }]
  return { from, to: 2, steps, conflicts: [] }
}

test.each([
  [plan(2, 0), true, 'ok', 'of version 2'],
  [plan(2, 0), false, 'ok', 'of version 2'],
  [plan(0, 3), true, 'ok', 'the first start makes them'],
  [plan(0, 3), false, 'fault', 'clickhouse.applySchema is false'],
  [plan(1, 5, 10), true, 'warning', 't0 is missing, t1 is missing, t2 is missing, and 2 more; 50 rows, 50 B would be moved'],
  [plan(2, 1), false, 'warning', 'is not changed yet: t0 is missing'],
  [plan(3, 0), true, 'warning', 'of version 3, and this engine knows 2'],
])('tables: %j, applied by a start: %s', (planned, applies, verdict, part) => {
  expect(judgePlan(planned, applies)).toMatchObject({ verdict, found: expect.stringContaining(part) })
})

test('rights that are missing are named, with the command that prints all', () => {
  expect(judgeGrants([], 'writer', 'ann', 29).verdict).toBe('ok')
  expect(judgeGrants(['INSERT ON a', 'SELECT ON b'], 'owner', 'ann', 29)).toEqual({
    verdict: 'fault',
    found: 'ann lacks INSERT ON a, SELECT ON b',
    remedy: 'grant what `ctr schema grants --for owner` prints',
  })
})

const MIB = 1024 ** 2

test.each([
  [64 * MIB - 1, undefined, 'fault'],
  [64 * MIB, undefined, 'warning'],
  [1024 * MIB - 1, 5, 'warning'],
  [1024 * MIB, 5, 'ok'],
  [1024 * MIB, 0, 'fault'],
])('%d free bytes and %s inodes are %s', (freeBytes, inodes, verdict) => {
  expect(judgeRoom([{ place: 'p', freeBytes, inodes }], 'make room').verdict).toBe(verdict)
})

test.each([
  [5_000, 0, 'ok', '5.0 s ahead of'],
  [5_001, 0, 'warning', '5.0 s ahead of'],
  [-5_001, 0, 'warning', '5.0 s behind'],
  [-6_000, 1_000, 'ok', '± 1.0 s'],
  [6_001, 1_000, 'warning', '± 1.0 s'],
])('a clock %d ms off, read to ± %d ms, is %s', (skew, doubt, verdict, part) => {
  const finding = judgeClock({ there: 100_000 + skew, before: 100_000 - doubt, after: 100_000 + doubt }, 'its clock', 'asking')
  expect(finding).toMatchObject({ verdict, found: expect.stringContaining(part) })
})

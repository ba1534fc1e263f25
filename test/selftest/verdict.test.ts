import { expect, test } from 'vitest'
import { renderVerdict } from '../../src/cli/selftest-view.ts'
import { planKills } from '../../src/selftest/kills.ts'
import { recoveryOf, type SelftestVerdict } from '../../src/selftest/verdict.ts'

const VERDICT: SelftestVerdict = {
  passed: true,
  seed: 7,
  pods: 1,
  seconds: 83.2,
  events: 1_234_567,
  counted: 1_200_000,
  late: 32_000,
  invalid: 2_500,
  ignored: 67,
  kills: 10,
  killsEarly: 3,
  rows: 40_000,
  windows: 40_000,
  rowsDiffering: 0,
  deadLetters: 2_500,
  recoveryMs: { times: 8, p50: 2_120, max: 4_480 },
  faults: [],
}

test('a verdict is a table for people', () => {
  expect(renderVerdict(VERDICT, false)).toEqual([
    'passed: every row is right',
    '  events                    1,234,567   in 1 min 23 s, seed 7',
    '    counted                 1,200,000',
    '    late                       32,000',
    '    invalid                     2,500   2,500 dead letters',
    '    ignored                        67',
    '  kills                            10   1 process; 3 before they had begun to count',
    '    to new rows, median         2.1 s',
    '    to new rows, longest        4.5 s',
    '  rows compared                40,000   and 40,000 of ctr_windows',
    '  rows that differ                  0',
  ])
})

test('what is wrong is named', () => {
  const lines = renderVerdict({ ...VERDICT, passed: false, pods: 3, rowsDiffering: 2, recoveryMs: null, faults: ['a', 'b'] }, false)
  expect([lines[0], lines.at(-3), lines.at(-2), lines.at(-1)]).toEqual(['FAILED', '  rows that differ                  2', '  a', '  b'])
  expect(lines).toContain('    to new rows, median             -')
})

test.each([
  [[], null],
  [[5], { times: 1, p50: 5, max: 5 }],
  [[9, 1], { times: 2, p50: 1, max: 9 }],
  [[3, 9, 1], { times: 3, p50: 3, max: 9 }],
])('the recovery of %j is %j', (times, want) => {
  expect(recoveryOf(times)).toEqual(want)
})

test('the same seed kills at the same moments, all pods in the end, sometimes while they start', () => {
  const plan = planKills(11, 200, 3)
  expect(planKills(11, 200, 3)).toEqual(plan)
  expect(planKills(12, 200, 3)).not.toEqual(plan)
  expect(new Set(plan.map(({ pod }) => pod))).toEqual(new Set([0, 1, 2]))
  expect(new Set(plan.map(({ early }) => early)).size).toBe(2)
})

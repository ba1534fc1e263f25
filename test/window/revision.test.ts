import { expect, test } from 'vitest'
import { firstRevised, type RevisionRule, revisionOf } from '../../src/window/revision.ts'
import { windowsOf } from '../../src/window/windows.ts'

test('windows that start before the step carry the revision before, those from it on the new one', () => {
  const rule = { revision: 3, revisionFrom: 20 }
  expect([0, 10, 19, 20, 30].map((start) => revisionOf(rule, start))).toEqual([2, 2, 2, 3, 3])
  expect(revisionOf({ revision: 3 }, 0)).toBe(3)
})

test('the first window that two rules differ in is the one that a look at every window finds', () => {
  const rules: RevisionRule[] = [0, 1, 2].flatMap((revision) => [
    { revision },
    ...(revision === 0 ? [] : [0, 10, 15, 20, 30, 60].map((revisionFrom) => ({ revision, revisionFrom }))),
  ])
  const windows = windowsOf({ windowSize: 10, outOfOrderness: 0, allowedLateness: 0 })
  for (const a of rules) {
    for (const b of rules) {
      for (let first = 0; first <= 50; first += 10) {
        for (let last = first; last <= 50; last += 10) {
          let wanted: number | undefined
          for (let start = last; start >= first; start -= 10) if (revisionOf(a, start) !== revisionOf(b, start)) wanted = start
          expect(firstRevised(a, b, first, last, windows), JSON.stringify([a, b, first, last])).toBe(wanted)
        }
      }
    }
  }
})

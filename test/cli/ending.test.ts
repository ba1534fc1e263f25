import { expect, test } from 'vitest'
import { ENDING_DEFAULTS, endingFault, expiredFault, type InputOutcome, outcomesOf } from '../../src/cli/ending.ts'
import { DAY } from '../../src/config/units.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const remedies = { late: 'SORT', invalid: 'LOOK' }
const outcome = (counted: number, late: number, invalid: number, name = 'clicks', ignored = 0): InputOutcome => {
  return { name, read: counted + late + invalid + ignored, counted, late, invalid, ignored }
}
const fault = (...outcomes: InputOutcome[]) => endingFault(outcomes, ENDING_DEFAULTS, remedies)

test('no records, and a dirty stream, are no fault', () => {
  expect(fault()).toBeUndefined()
  expect(fault(outcome(0, 0, 0), outcome(1, 0, 0, 'impressions'))).toBeUndefined()
  expect(fault(outcome(60, 10, 30))).toBeUndefined()
})

test('a share is a fault beyond its limit, not at it', () => {
  expect(fault(outcome(500, 0, 500))).toBeUndefined()
  expect(fault(outcome(499, 0, 501))).toBe(
    '501 of the 1,000 records of clicks are invalid, more than --max-invalid 50%; LOOK, or allow it with a higher --max-invalid',
  )
  expect(fault(outcome(800, 200, 0))).toBeUndefined()
  expect(fault(outcome(799, 201, 0))).toMatch(/^201 of the 1,000 records of clicks are late, more than --max-late 20%; SORT/)
})

test('where none is counted no limit helps, and each topic or file is looked at by itself', () => {
  const all = { ...ENDING_DEFAULTS, maxInvalid: 1, maxLate: 1 }
  expect(endingFault([outcome(0, 0, 7), outcome(1_000_000, 0, 0, 'impressions')], all, remedies)).toBe(
    'none of the 7 records of clicks was counted (0 late, 7 invalid, 0 ignored); LOOK',
  )
  expect(endingFault([outcome(0, 1, 2, 'carts', 9)], all, remedies)).toMatch(/\(1 late, 2 invalid, 9 ignored\); events\.types says/)
  expect(endingFault([outcome(1, 0, 0, 'carts', 9)], all, remedies)).toBeUndefined()
  expect(endingFault([outcome(0, 5, 1)], all, remedies)).toMatch(/SORT$/)
  expect(endingFault([outcome(1, 500, 500)], all, remedies)).toBeUndefined()
  const many = Array.from({ length: 9 }, (_, i) => outcome(0, 0, 1, `file${i}`))
  expect(fault(...many)?.split('\n')).toHaveLength(6)
  expect(fault(...many)).toMatch(/file4 .*\n {2}and 4 more$/)
})

test('outcomes are sums over the partitions of a name', () => {
  const partitions = [
    somePartition({ topic: 'a', partition: 0, read: 14, counted: 5, late: 3, invalid: 2, ignored: 4 }),
    somePartition({ topic: 'b', partition: 0, read: 1, counted: 1, late: 0, invalid: 0 }),
    somePartition({ topic: 'a', partition: 1, read: 1, counted: 0, late: 1, invalid: 0 }),
  ]
  expect(outcomesOf(someStats({ partitions }), ({ topic }) => topic)).toEqual([
    { name: 'a', read: 15, counted: 5, late: 4, invalid: 2, ignored: 4 },
    { name: 'b', read: 1, counted: 1, late: 0, invalid: 0, ignored: 0 },
  ])
})

test('rows that expire at once are a fault unless that is allowed, and none are no fault', () => {
  const expired = (rowsExpired: number, limits = ENDING_DEFAULTS) => expiredFault(someStats({ rowsExpired }), 2 * DAY, limits)
  expect(expired(0)).toBeUndefined()
  expect(expired(1_500)).toMatch(
    /^1,500 rows were written of windows that ended more than clickhouse\.retention\.results \(2d\) ago: no view/,
  )
  expect(expired(1)).toMatch(/lengthen it, run `ctr schema apply`, and read their events again; or allow it with --allow-expired$/)
  expect(expired(1, { ...ENDING_DEFAULTS, allowExpired: true })).toBeUndefined()
})

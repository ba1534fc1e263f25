import { expect, test } from 'vitest'
import { DAY, SECOND } from '../../src/config/units.ts'
import { andKept, expiresAfter, leftOutText, ttlText } from '../../src/tables/retention.ts'

const NEVER = Number.POSITIVE_INFINITY

test('what is kept for ever has no TTL and no condition', () => {
  expect(expiresAfter('window_end', NEVER)).toBeUndefined()
  expect(andKept('window_end', NEVER, DAY)).toBe('')
})

test('a part of a second keeps a row longer, and a margin hides it sooner', () => {
  expect(expiresAfter('minute', 1)).toContain('+ 1,')
  expect(expiresAfter('minute', 1000)).toContain('+ 1,')
  expect(expiresAfter('minute', 1001)).toContain('+ 2,')
  expect(andKept('minute', 90 * SECOND, 30 * SECOND)).toContain('+ 60 > ')
})

test('a TTL of ours is told as a duration, any other as it is', () => {
  expect(ttlText(expiresAfter('greatest(inserted_at, window_end)', 2 * DAY) ?? '')).toBe('for 2d after greatest(inserted_at, window_end)')
  expect(ttlText('')).toBe('for ever')
  expect(ttlText('toDate(cut_at) + toIntervalDay(1)')).toBe('up to toDate(cut_at) + toIntervalDay(1)')
})

test('rows whose periods are not computed again are not said to be in no roll-up: they may be', () => {
  expect(leftOutText(1500)).toMatch(/^the periods of 1,500 new or re-sent rows stay as they were computed: .*clickhouse\.retention/)
})

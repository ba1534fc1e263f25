import { expect, test } from 'vitest'
import { PARKED_MAX, Parking } from '../../src/sink/parking.ts'
import type { Placement } from '../../src/sink/place.ts'

const MINUTE = 60_000
const refused = (count: number, code = 469, left = 0): Placement => ({
  accepted: 0,
  refused: Array.from({ length: count }, (_, row) => ({ row, refusal: { code, reason: '' } })),
  left: left === 0 ? [] : [{ from: 0, to: left }],
})

test('rows refused while others are accepted are parked', () => {
  expect(new Parking().judge(1, refused(1), 0)).toBe('park')
  expect(new Parking().judge(99_900, refused(100), 0)).toBe('park')
})

test('a batch of two or more that is refused whole, with one code, speaks against the table', () => {
  expect(new Parking().judge(0, refused(2), 0)).toBe('table')
  expect(new Parking().judge(0, refused(101, 469, 5000), 0)).toBe('table')
  const mixed = { ...refused(2), refused: [...refused(1, 469).refused, ...refused(1, 395).refused] }
  expect(new Parking().judge(0, mixed, 0)).toBe('park')
})

test('a batch of one row is parked once; the next one in a row speaks against the table, unless something was accepted between', () => {
  const parking = new Parking()
  expect(parking.judge(0, refused(1), 0)).toBe('park')
  expect(parking.judge(0, refused(1), 1)).toBe('table')
  expect(parking.judge(0, refused(1), 2)).toBe('table')
  parking.accepted()
  expect(parking.judge(0, refused(1), 3)).toBe('park')
  expect(parking.judge(5, refused(1), 4)).toBe('park')
  expect(parking.judge(0, refused(1), 5)).toBe('park')
  expect(parking.judge(0, refused(1, 395), 6)).toBe('park')
})

test('a minute parks PARKED_MAX rows and no more; the next minute again', () => {
  const parking = new Parking()
  expect(parking.judge(1, refused(PARKED_MAX - 1), 1000)).toBe('park')
  expect(parking.judge(1, refused(2), 1000)).toBe('many')
  expect(parking.judge(1, refused(1), 1000 + MINUTE - 1)).toBe('park')
  expect(parking.judge(1, refused(1), 1000 + MINUTE - 1)).toBe('many')
  expect(parking.judge(1, refused(1), 1000 + MINUTE)).toBe('park')
})

test('more bad rows than may ever be parked are many, however long ago the last ones were', () => {
  const parking = new Parking()
  expect(parking.judge(1, refused(PARKED_MAX + 1, 469, 10), 0)).toBe('many')
  expect(parking.judge(1, refused(PARKED_MAX, 469, 10), 10 * MINUTE)).toBe('many')
  expect(parking.judge(1, refused(PARKED_MAX), 20 * MINUTE)).toBe('park')
})

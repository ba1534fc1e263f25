import { expect, test } from 'vitest'
import { InsertSize } from '../../src/sink/insert-size.ts'

const TIMEOUT = 30_000
const unexplained = (size: InsertSize, rows: number, ms = 5, now = 0) => size.failed(rows, ms, false, false, now)

test('an insert may have any size until one takes too long, then half of it', () => {
  const size = new InsertSize(TIMEOUT)
  expect(size.rows).toBe(Number.POSITIVE_INFINITY)
  unexplained(size, 100_000, TIMEOUT - 1)
  expect(size.rows).toBe(Number.POSITIVE_INFINITY)
  unexplained(size, 100_000, TIMEOUT)
  expect(size.rows).toBe(50_000)
  unexplained(size, 50_000, TIMEOUT)
  expect(size.rows).toBe(25_000)
})

test('a refusal for its size halves at once, any other refusal never', () => {
  const size = new InsertSize(TIMEOUT)
  for (let i = 0; i < 10; i++) size.failed(100_000, 5, true, false, 0)
  expect(size.rows).toBe(Number.POSITIVE_INFINITY)
  size.failed(100_000, 5, true, true, 0)
  expect(size.rows).toBe(50_000)
})

test('the third unexplained failure in a row halves, and each one after it', () => {
  const size = new InsertSize(TIMEOUT)
  unexplained(size, 100_000)
  unexplained(size, 100_000)
  size.failed(100_000, 5, true, false, 0)
  unexplained(size, 100_000)
  unexplained(size, 100_000)
  expect(size.rows).toBe(Number.POSITIVE_INFINITY)
  unexplained(size, 100_000)
  expect(size.rows).toBe(50_000)
  unexplained(size, 50_000)
  expect(size.rows).toBe(25_000)
})

test('no insert is made smaller than 1,000 rows', () => {
  const size = new InsertSize(TIMEOUT)
  unexplained(size, 1_999, TIMEOUT)
  expect(size.rows).toBe(1_000)
  unexplained(size, 1_000, TIMEOUT)
  expect(size.rows).toBe(1_000)
})

test('quick inserts double the size, up to less than what failed; after 10 s without failure that is forgotten', () => {
  const size = new InsertSize(TIMEOUT)
  unexplained(size, 100_000, TIMEOUT, 0)
  unexplained(size, 50_000, TIMEOUT, 0)
  unexplained(size, 25_000, TIMEOUT, 0)
  expect(size.rows).toBe(12_500)
  size.accepted(10, 9_999)
  expect(size.rows).toBe(12_500)
  size.accepted(TIMEOUT / 4, 10_000)
  expect(size.rows).toBe(12_500)
  size.accepted(TIMEOUT / 4 - 1, 10_000)
  expect(size.rows).toBe(25_000)
  size.accepted(10, 10_001)
  expect(size.rows).toBe(50_000)
})

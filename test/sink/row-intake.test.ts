import { expect, test } from 'vitest'
import { createRing, ringFill } from '../../src/ring/layout.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { beginRows, passBarrier, passEnd, publishRows, rowsStart } from '../../src/ring/row-blocks.ts'
import { RowIntake } from '../../src/sink/row-intake.ts'

const DAY = 86_400_000

function setUp(rings: number, batchRows: number, keptMs = Number.POSITIVE_INFINITY) {
  const memory = Array.from({ length: rings }, () => createRing(1 << 16))
  const writers = memory.map((ring) => new RingWriter(ring))
  const rows = (ring: number, count: number, windowEnd = 10_000, first = 0, bytes = [1, 2, 3, 4, 5]) => {
    const writer = writers[ring]!
    expect(beginRows(writer, 0, bytes.length)).toBe(true)
    writer.bytes.set(bytes, rowsStart(writer))
    publishRows(writer, count, bytes.length, windowEnd, first === 1)
  }
  const barrier = (ring: number, number: number) => expect(passBarrier(writers[ring]!, number)).toBe(true)
  const end = (ring: number) => expect(passEnd(writers[ring]!)).toBe(true)
  return { memory, intake: new RowIntake(memory, batchRows, keptMs), rows, barrier, end }
}

test('blocks of all rings follow each other in the batch, bytes and counts intact', () => {
  const { intake, rows } = setUp(2, 100)
  rows(0, 2, 10_000, 1, [1, 2, 3])
  rows(1, 3, 20_000, 0, [4])
  rows(0, 1, 30_000, 1, [5, 6])
  intake.read(42)
  expect([intake.rows, intake.since]).toEqual([6, 42])
  const batch = intake.take()
  expect([...batch.bytes.subarray(0, batch.size)]).toEqual([1, 2, 3, 5, 6, 4])
  expect(batch.firstEnds).toEqual([10_000, 30_000])
  expect(intake.rows).toBe(0)
})

test('rows of windows that ended longer ago than rows are kept are told apart, batch by batch', () => {
  const { intake, rows } = setUp(1, 100, DAY)
  rows(0, 3, Date.now() - DAY - 1)
  rows(0, 4, Date.now() - DAY + 60_000)
  rows(0, 5, 10_000)
  intake.read(0)
  const batch = intake.take()
  expect([batch.rows, batch.rowsExpired]).toEqual([12, 8])
  intake.give(batch)
  rows(0, 1, Date.now())
  intake.read(0)
  expect(intake.take().rowsExpired).toBe(0)
  expect(batch.rowsExpired).toBe(0)
})

test.each([
  [9, false, 10],
  [10, true, 10],
  [11, true, 11],
])('a batch of at most 10 rows that holds %d rows is full: %s', (count, full, after) => {
  const { intake, rows } = setUp(1, 10)
  rows(0, count)
  rows(0, 1)
  intake.read(0)
  expect(intake.rows).toBe(after)
  expect(intake.full).toBe(full || after === 10)
})

test('what a full batch leaves stays in the ring, and nothing is read while the other batch is away', () => {
  const { memory, intake, rows } = setUp(1, 1)
  for (let i = 0; i < 5; i++) rows(0, 1, 10_000, 0, [i])
  intake.read(0)
  const first = intake.take()
  intake.read(0)
  expect(intake.rows).toBe(1)
  const fill = ringFill(memory[0]!)
  intake.read(0)
  intake.read(0)
  expect(ringFill(memory[0]!)).toBe(fill)
  expect(() => intake.take()).toThrow('one batch is away at a time')
  intake.give(first)
  const second = intake.take()
  expect([...second.bytes.subarray(0, second.size)]).toEqual([1])
})

test('memory of what was read is given back to the writer', () => {
  const { memory, intake, rows } = setUp(1, 1000)
  rows(0, 1)
  rows(0, 1)
  expect(ringFill(memory[0]!)).toBeGreaterThan(0)
  intake.read(0)
  expect(ringFill(memory[0]!)).toBe(0)
})

test('a batch takes 45 days of window ends and no 46th, which waits in its ring for the next batch', () => {
  const { intake, rows } = setUp(2, 1000)
  for (let day = 0; day < 46; day++) rows(0, 1, (day + 1) * DAY)
  rows(0, 1, 10 * DAY)
  rows(1, 1, 3 * DAY)
  intake.read(0)
  expect(intake.rows).toBe(45)
  expect(intake.full).toBe(true)
  const batch = intake.take()
  intake.read(0)
  expect(intake.full).toBe(false)
  expect(intake.rows).toBe(3)
  intake.give(batch)
})

test('a window that ends at midnight is of the day before', () => {
  const { intake, rows } = setUp(1, 1000)
  for (let day = 1; day <= 45; day++) {
    rows(0, 1, day * DAY - 1)
    rows(0, 1, day * DAY)
  }
  intake.read(0)
  expect([intake.rows, intake.full]).toEqual([90, false])
  rows(0, 1, 45 * DAY + 1)
  intake.read(0)
  expect([intake.rows, intake.full]).toEqual([90, true])
})

test('a barrier is reached when the last ring gives it, and a ring ahead does not hide it', () => {
  const { intake, barrier } = setUp(3, 10)
  barrier(0, 1)
  barrier(0, 2)
  barrier(1, 1)
  intake.read(0)
  expect(intake.barrier).toBe(-1)
  barrier(2, 1)
  intake.read(0)
  expect(intake.barrier).toBe(1)
  barrier(1, 2)
  barrier(2, 2)
  intake.read(0)
  expect(intake.barrier).toBe(2)
})

test('a barrier that does not come in its turn is a bug', () => {
  const { intake, barrier } = setUp(2, 10)
  barrier(0, 2)
  barrier(1, 1)
  intake.read(0)
  barrier(0, 2)
  expect(() => intake.read(0)).toThrow('the barriers of a ring come in the order of their numbers {"ring":0,"number":2,"last":2}')
})

test('a barrier behind rows that find no place is not reached before they do', () => {
  const { intake, rows, barrier } = setUp(1, 1)
  rows(0, 1)
  rows(0, 1)
  barrier(0, 5)
  intake.read(0)
  const batch = intake.take()
  intake.read(0)
  expect(intake.barrier).toBe(-1)
  intake.give(batch)
  const next = intake.take()
  intake.read(0)
  expect(intake.barrier).toBe(5)
  intake.give(next)
})

test('the intake has ended when every ring has', () => {
  const { intake, rows, end } = setUp(2, 10)
  rows(0, 1)
  end(0)
  intake.read(0)
  expect(intake.ended).toBe(false)
  end(1)
  intake.read(0)
  expect([intake.ended, intake.hasEnded(0), intake.rows]).toEqual([true, true, 1])
})

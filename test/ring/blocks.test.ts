import { describe, expect, test } from 'vitest'
import * as blocks from '../../src/ring/blocks.ts'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Rings } from '../../src/ring/rings.ts'
import { beginRows, passBarrier, passEnd, publishRows, readRows, rowBytesMaxOf, rowsStart } from '../../src/ring/row-blocks.ts'
import { EVENT_WORDS } from '../../src/window/measures.ts'

function setUp(bytes = 4096) {
  const ring = createRing(bytes)
  const writer = new RingWriter(ring)
  const reader = new RingReader(ring)
  /** The next block, of which only kind and task may be known without its read. */
  const next = () => {
    expect(reader.next()).toBe(true)
    return [reader.kind, reader.task]
  }
  return { writer, reader, rings: new Rings([writer]), next }
}

describe('what main puts comes out of its read', () => {
  test('events, with their base', () => {
    const { writer, reader, next } = setUp()
    expect(blocks.beginEvents(writer, 7, 3)).toBe(true)
    writer.words.set([2, -5, 5, 0], writer.payload)
    blocks.publishEvents(writer, 2, 1.7e12)
    expect(next()).toEqual([BLOCK.events, 7])
    const { words, at, count, base } = blocks.readEvents(reader)
    expect({ pairs: [...words.subarray(at, at + count * EVENT_WORDS)], base }).toEqual({ pairs: [2, -5, 5, 0], base: 1.7e12 })
  })

  test('no block of no events', () => {
    const { writer, reader, next, rings } = setUp()
    blocks.beginEvents(writer, 7, 3)
    blocks.publishEvents(writer, 0, 1)
    blocks.putTick(rings)
    expect(next()).toEqual([BLOCK.tick, 0])
    expect(reader.next()).toBe(false)
  })

  test.each([0, 1, 3, 4, 5, 255])('a product of %i bytes', (length) => {
    const { writer, reader, next } = setUp()
    const source = Uint8Array.from({ length: length + 4 }, (_, i) => i + 1)
    expect(blocks.putProduct(writer, 3, 9, source, 2, 2 + length)).toBe(true)
    expect(next()).toEqual([BLOCK.product, 3])
    const { id, bytes, start, end } = blocks.readProduct(reader)
    expect([id, ...bytes.subarray(start, end)]).toEqual([9, ...source.subarray(2, 2 + length)])
  })

  test('cells of a pane, in doubles', () => {
    for (const [dirty, emitted] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const { writer, reader, next } = setUp()
      expect(blocks.beginCells(writer, 4, 2)).toBe(true)
      blocks.putCell(writer, 0, 11, 2 ** 40, 1)
      blocks.putCell(writer, 1, 12, 3, 2 ** 52)
      blocks.publishCells(writer, 2, { start: -10_000, dirty, emitted })
      expect(next()).toEqual([BLOCK.restore, 4])
      const cells = blocks.readCells(reader)
      expect(cells).toMatchObject({ start: -10_000, count: 2, dirty, emitted })
      expect([0, 1].map((cell) => blocks.idOfCell(cells, cell))).toEqual([11, 12])
      expect([...cells.doubles.subarray(cells.at / 2, cells.at / 2 + 6)].filter((_, i) => i % 3 > 0)).toEqual([2 ** 40, 1, 3, 2 ** 52])
    }
  })

  test('times, numbers and flags', () => {
    const { writer, reader, rings, next } = setUp()
    blocks.putForget(writer, 1, 77)
    blocks.putWatermark(rings, 2, Number.NEGATIVE_INFINITY)
    blocks.putWatermark(rings, 2, 1.5e12)
    blocks.putQuiet(rings, 3, 1.6e12)
    blocks.putTick(rings)
    blocks.putDrop(rings, 4)
    blocks.putBarrier(rings, 5)
    blocks.putCheckpoint(rings, 6, [1, 4, 9])
    blocks.putCheckpoint(rings, 7, [])
    blocks.putEnd(rings, false)
    blocks.putEnd(rings, true)
    expect([next(), blocks.readForget(reader)]).toEqual([[BLOCK.forget, 1], 77])
    expect([next(), blocks.readWatermark(reader)]).toEqual([[BLOCK.watermark, 2], Number.NEGATIVE_INFINITY])
    expect([next(), blocks.readWatermark(reader)]).toEqual([[BLOCK.watermark, 2], 1.5e12])
    expect([next(), blocks.readQuiet(reader)]).toEqual([[BLOCK.quiet, 3], 1.6e12])
    expect(next()).toEqual([BLOCK.tick, 0])
    expect(next()).toEqual([BLOCK.drop, 4])
    expect([next(), blocks.readBarrier(reader)]).toEqual([[BLOCK.barrier, 0], 5])
    expect([next(), blocks.readCheckpoint(reader)]).toEqual([[BLOCK.checkpoint, 0], { number: 6, tasks: Int32Array.of(1, 4, 9) }])
    expect([next(), blocks.readCheckpoint(reader)]).toEqual([[BLOCK.checkpoint, 0], { number: 7, tasks: new Int32Array(0) }])
    expect([next(), blocks.readEnd(reader)]).toEqual([[BLOCK.end, 0], false])
    expect([next(), blocks.readEnd(reader)]).toEqual([[BLOCK.end, 0], true])
  })
})

describe('what a worker puts comes out of its read', () => {
  test('rows, with their window', () => {
    const { writer, reader, next } = setUp()
    for (const first of [true, false]) {
      expect(beginRows(writer, 5, 7)).toBe(true)
      writer.bytes.set([1, 2, 3, 4, 5], rowsStart(writer))
      publishRows(writer, 2, 5, 1.7e12, first)
      expect(next()).toEqual([BLOCK.rows, 5])
      const { bytes, start, end, ...rest } = readRows(reader)
      expect([...bytes.subarray(start, end)]).toEqual([1, 2, 3, 4, 5])
      expect(rest).toEqual({ count: 2, task: 5, windowEnd: 1.7e12, first })
    }
  })

  test('no block of no rows', () => {
    const { writer, reader, next } = setUp()
    beginRows(writer, 5, 7)
    publishRows(writer, 0, 0, 0, true)
    passBarrier(writer, 3)
    passEnd(writer)
    expect([next(), blocks.readBarrier(reader)]).toEqual([[BLOCK.barrier, 0], 3])
    expect(next()).toEqual([BLOCK.end, 0])
  })
})

describe('the most that a block may hold', () => {
  test('can be begun, and one more cannot', () => {
    const { writer } = setUp() // half of 1024 words, less a header of 8
    expect([blocks.eventsMaxOf(writer), blocks.cellsMaxOf(writer), rowBytesMaxOf(writer)]).toEqual([252, 84, 2016])
    expect(blocks.beginEvents(writer, 0, 252)).toBe(true)
    writer.abandon()
    expect(() => blocks.beginEvents(writer, 0, 253)).toThrow('a block fits half the ring')
    expect(blocks.beginCells(writer, 0, 84)).toBe(true)
    writer.abandon()
    expect(() => blocks.beginCells(writer, 0, 85)).toThrow('a block fits half the ring')
    expect(beginRows(writer, 0, 2016)).toBe(true)
    writer.abandon()
    expect(() => beginRows(writer, 0, 2017)).toThrow('a block fits half the ring')
  })

  test('is 32 KiB of rows in a large ring', () => {
    expect(rowBytesMaxOf(setUp(1 << 20).writer)).toBe(32_768)
  })
})

test('a put into a full ring is false, and puts nothing', () => {
  const { writer, reader, rings } = setUp()
  while (blocks.putForget(writer, 0, 1)) {}
  const puts = [
    () => blocks.beginEvents(writer, 0, 1),
    () => blocks.putProduct(writer, 0, 0, new Uint8Array(1), 0, 1),
    () => blocks.putForget(writer, 0, 0),
    () => blocks.putWatermark(rings, 0, 0),
    () => blocks.putQuiet(rings, 0, 0),
    () => blocks.putTick(rings),
    () => blocks.putDrop(rings, 0),
    () => blocks.putBarrier(rings, 1),
    () => blocks.putCheckpoint(rings, 1, [1]),
    () => blocks.putEnd(rings, true),
    () => blocks.beginCells(writer, 0, 1),
    () => beginRows(writer, 0, 1),
    () => passBarrier(writer, 1),
    () => passEnd(writer),
  ]
  expect(puts.map((put) => put())).toEqual(puts.map(() => false))
  let read = 0
  while (reader.next()) read++
  expect(read).toBe(128)
})

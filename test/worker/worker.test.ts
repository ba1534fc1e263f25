import { describe, expect, test } from 'vitest'
import * as blocks from '../../src/ring/blocks.ts'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Rings } from '../../src/ring/rings.ts'
import { readRows } from '../../src/ring/row-blocks.ts'
import { WindowWorker } from '../../src/worker/worker.ts'
import { createWorkerStats, readWorkerStats } from '../../src/worker/worker-stats.ts'

/** A worker with windows of 10 s whose blocks the test puts, and whose row ring it reads. */
function setUp() {
  const input = createRing(64 * 1024)
  const output = createRing(64 * 1024)
  const writer = new RingWriter(input)
  const reader = new RingReader(input)
  const stats = createWorkerStats()
  const windows = { windowSize: 10_000, outOfOrderness: 0, allowedLateness: 5_000 }
  const job = { worker: 0, input, output, stats, windows, tenant: 'default', revision: 0 }
  const worker = new WindowWorker(job, reader)
  const work = () => {
    while (reader.next()) worker.step()
    worker.gauge()
    reader.release()
  }
  const rows = new RingReader(output)
  /** What came out since: rows as their number, barriers and the end by name. */
  const came = () => {
    const seen: string[] = []
    while (rows.next()) {
      if (rows.kind === BLOCK.rows) seen.push(`rows ${readRows(rows).count}`)
      else seen.push(rows.kind === BLOCK.barrier ? `barrier ${blocks.readBarrier(rows)}` : 'end')
    }
    rows.release()
    return seen
  }
  const product = (id: number) => blocks.putProduct(writer, 0, id, Buffer.from(`p-${id}`), 0, 3)
  const event = (id: number, time: number) => {
    blocks.beginEvents(writer, 0, 1)
    writer.words.set([id << 1, 0], writer.payload)
    blocks.publishEvents(writer, 1, time)
  }
  const cell = (id: number) => {
    blocks.beginCells(writer, 0, 1)
    blocks.putCell(writer, 0, id, 3, 1)
    blocks.publishCells(writer, 1, { start: 0, dirty: true, emitted: false })
  }
  return { writer, rings: new Rings([writer]), work, came, product, event, cell, stats: () => readWorkerStats(stats) }
}

describe('the end', () => {
  test.each([
    [false, ['end']],
    [true, ['rows 1', 'end']],
  ])('that emits all: %s', (emitAll, expected) => {
    const { rings, work, came, product, event, stats } = setUp()
    product(0)
    event(0, 5_000)
    blocks.putEnd(rings, emitAll)
    work()
    expect(came()).toEqual(expected)
    expect(stats()).toMatchObject({ events: 1, openPanes: 1, products: 1 })
  })
})

test('a barrier goes on behind the rows before it', () => {
  const { rings, work, came, product, event } = setUp()
  product(0)
  event(0, 5_000)
  blocks.putWatermark(rings, 0, 10_000)
  blocks.putBarrier(rings, 1)
  blocks.putCheckpoint(rings, 2, [0])
  work()
  expect(came()).toEqual(['rows 1', 'barrier 1', 'barrier 2'])
})

test('barriers out of order are a bug', () => {
  const { writer, rings, work } = setUp()
  blocks.putBarrier(rings, 2)
  blocks.putBarrier(new Rings([writer]), 2)
  expect(work).toThrow('barriers come in the order of their numbers {"number":2,"last":2}')
})

describe('a task that is restored', () => {
  test('counts on from what it had', () => {
    const { rings, work, came, product, cell } = setUp()
    product(4)
    cell(4)
    blocks.putWatermark(rings, 0, 10_000)
    work()
    expect(came()).toEqual(['rows 1'])
  })

  test('has no cell of a product that it was not told of', () => {
    const { work, product, cell } = setUp()
    product(4)
    cell(5)
    expect(work).toThrow('a restored cell counts a product that was told {"task":0,"start":0,"id":5}')
  })

  test('has no watermark yet, by which its panes might be purged already', () => {
    const { rings, work, product, cell } = setUp()
    product(4)
    blocks.putWatermark(rings, 0, 1)
    cell(4)
    expect(work).toThrow('a task is restored before its watermark comes')
  })

  test('but one that left and comes again begins anew', () => {
    const { rings, work, product, cell } = setUp()
    product(4)
    blocks.putWatermark(rings, 0, 20_000)
    blocks.putDrop(rings, 0)
    product(4)
    cell(4)
    blocks.putWatermark(rings, 0, 1)
    expect(work).not.toThrow()
  })
})

test('a product that is forgotten may come again under its number', () => {
  const { writer, work, product, stats } = setUp()
  product(0)
  blocks.putForget(writer, 0, 0)
  product(0)
  work()
  expect(stats().products).toBe(1)
})

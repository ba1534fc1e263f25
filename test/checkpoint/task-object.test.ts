/** The object of a task: what it keeps, how shards merge, how small and quick it is. */
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ShardCopy } from '../../src/checkpoint/snapshot.ts'
import { encodeTask } from '../../src/checkpoint/task-object.ts'
import { decodeTask } from '../../src/checkpoint/task-object-reader.ts'
import { KeyArena } from '../../src/products/key-arena.ts'
import { FACTS, type PlainShard, pagesOf, plainPanes, shardCopy } from '../support/task-copies.ts'

const pane = (start: number, cells: PlainShard['panes'][number]['cells'], flags: { dirty?: boolean; emitted?: boolean } = {}) => ({
  start,
  end: start + 10_000,
  dirty: flags.dirty ?? false,
  emitted: flags.emitted ?? true,
  cells,
})

const encode = (...shards: PlainShard[]) =>
  encodeTask(
    FACTS,
    shards.map((shard) => shardCopy(FACTS.task, shard)),
  )

test('facts, products and counts come back, and products that no pane counted are left out', () => {
  const encoded = encode({ products: ['a', null, 'gone', 'längere-id'], panes: [pane(20_000, { 'längere-id': [7, 0], a: [0, 1] })] })
  const task = decodeTask(encoded.bytes)
  expect(task.facts).toEqual(FACTS)
  expect(task.products.count).toBe(2)
  expect(plainPanes(task)).toEqual([
    { start: 20_000, end: 30_000, dirty: false, emitted: true, total: 8, cells: { a: [0, 1], 'längere-id': [7, 0] } },
  ])
  expect(encoded).toMatchObject({ cells: 2, products: 2, crc32: crc32(encoded.bytes) })
})

test('shards merge into one pane for each window, oldest first', () => {
  const { bytes, cells, products } = encode(
    { products: ['a', 'b'], panes: [pane(30_000, { a: [1, 0] }), pane(10_000, { a: [2, 0], b: [3, 1] })] },
    { products: [], panes: [] },
    { products: ['c'], panes: [pane(30_000, { c: [4, 4] }), pane(20_000, { c: [5, 0] })] },
  )
  const task = decodeTask(bytes)
  expect(plainPanes(task).map(({ start, total, cells: counted }) => [start, total, counted])).toEqual([
    [10_000, 6, { a: [2, 0], b: [3, 1] }],
    [20_000, 5, { c: [5, 0] }],
    [30_000, 9, { a: [1, 0], c: [4, 4] }],
  ])
  expect([...task.panes.at(-1)!.products]).toEqual([0, 2])
  expect([cells, products]).toEqual([5, 3])
})

test.each([
  [{ emitted: true }, { emitted: true }, { dirty: false, emitted: true }],
  [{ emitted: true }, { emitted: false, dirty: true }, { dirty: true, emitted: false }],
  [
    { emitted: true, dirty: true },
    { emitted: true, dirty: false },
    { dirty: true, emitted: true },
  ],
  [{ emitted: false, dirty: true }, undefined, { dirty: true, emitted: false }],
  [{ emitted: true }, undefined, { dirty: false, emitted: true }],
])('of shards %j and %j the window is %j', (first, second, merged) => {
  const others = second === undefined ? [] : [pane(0, { b: [1, 0] }, second)]
  const { bytes } = encode({ products: ['a'], panes: [pane(0, { a: [1, 0] }, first)] }, { products: ['b'], panes: others })
  expect(decodeTask(bytes).panes[0]).toMatchObject(merged)
})

test.each([0x7f, 0x80, 0x3fff, 0x4000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 2 ** 32, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 2])(
  'a count of %d is exact',
  (count) => {
    const { bytes } = encode({ products: ['a'], panes: [pane(0, { a: [count, 1] })] })
    expect(plainPanes(decodeTask(bytes))[0]).toMatchObject({ total: count + 1, cells: { a: [count, 1] } })
  },
)

test('product ids of 1 and of 256 bytes fit', () => {
  const long = 'x'.repeat(256)
  const { bytes } = encode({ products: ['y', long], panes: [pane(0, { y: [1, 0], [long]: [2, 0] })] })
  expect(plainPanes(decodeTask(bytes))[0]?.cells).toEqual({ y: [1, 0], [long]: [2, 0] })
})

test('a task without an open pane can be written too', () => {
  const { bytes, cells, products } = encode()
  expect(decodeTask(bytes)).toMatchObject({ facts: FACTS, products: { count: 0 }, panes: [] })
  expect([cells, products]).toEqual([0, 0])
})

test('what a reference says about an object is checked', () => {
  const encoded = encode({ products: ['a'], panes: [pane(0, { a: [1, 2] })] })
  const reference = { key: 'g/objects/3/x.ctr', bytes: encoded.bytes.length, crc32: encoded.crc32, cells: 1, products: 1 }
  expect(decodeTask(encoded.bytes, reference).products.count).toBe(1)
  const faults = [{ bytes: 7 }, { crc32: 7 }, { cells: 7 }, { products: 7 }].map((wrong) => {
    try {
      return decodeTask(encoded.bytes, { ...reference, ...wrong })
    } catch (error) {
      return (error as Error).message
    }
  })
  expect(faults).toEqual([
    `g/objects/3/x.ctr: it has ${encoded.bytes.length} bytes where its manifest says 7`,
    'g/objects/3/x.ctr: its checksum is not the one in its manifest',
    'g/objects/3/x.ctr: its counts are not those in its manifest',
    'g/objects/3/x.ctr: its counts are not those in its manifest',
  ])
})

test('cells that do not add up to the events of their pane are a bug, told before anything is written', () => {
  const copy = shardCopy(FACTS.task, { products: ['a'], panes: [pane(0, { a: [1, 2] })] })
  const wrong: ShardCopy = { ...copy, panes: copy.panes.map((whole) => ({ ...whole, total: 4 })) }
  expect(() => encodeTask(FACTS, [wrong])).toThrow('add up')
  expect(() => encodeTask({ ...FACTS, task: 4 }, [copy])).toThrow('one task')
})

/** As many cells in 4 windows over 2 workers, ids of 10 bytes, counts as of a busy shop. */
function largeCopies(cells: number): ShardCopy[] {
  const products = cells / 8
  return [0, 1].map((worker) => {
    const arena = new KeyArena()
    const places = Int32Array.from({ length: products }, (_, i) => {
      const id = Buffer.from(`p${worker}-${String(i).padStart(7, '0')}`)
      return arena.add(id, 0, id.length)
    })
    const panes = [0, 10_000, 20_000, 30_000].map((start) => {
      const byCode = Uint32Array.from({ length: products * 2 }, (_, i) => 1 + ((i * 7919 + start) % (i % 2 === 0 ? 3000 : 150)))
      const total = byCode.reduce((sum, count) => sum + count, 0)
      return { start, end: start + 10_000, total, dirty: true, emitted: false, ...pagesOf(byCode) }
    })
    return { task: FACTS.task, limit: products, places, arena: arena.bytes, panes }
  })
}

test('a million cells take at most 24 bytes each and are encoded in well under a second', () => {
  const copies = largeCopies(1_000_000)
  const started = performance.now()
  const encoded = encodeTask(FACTS, copies)
  const ms = performance.now() - started
  expect(encoded.cells).toBe(1_000_000)
  expect(encoded.bytes.length / encoded.cells).toBeLessThanOrEqual(24)
  const task = decodeTask(encoded.bytes)
  expect(task.panes.map(({ products }) => products.length)).toEqual([250_000, 250_000, 250_000, 250_000])
  expect(ms).toBeLessThan(1000)
})

test('even when every cell has a product of its own, it takes at most 24 bytes', () => {
  const copies = largeCopies(80_000).map((copy) => ({ ...copy, panes: copy.panes.slice(0, 1) }))
  const encoded = encodeTask(FACTS, copies)
  expect(encoded.cells).toBe(encoded.products)
  expect(encoded.bytes.length / encoded.cells).toBeLessThanOrEqual(24)
})

/** Records that are several events: all of one or nothing, what leaves of them, and what of it is a record and what an event. */
import { describe, expect, test } from 'vitest'
import type { IngestRules } from '../../src/ingest/ingest.ts'
import { DONE, LETTERS_FULL, RING_FULL, STATE_FULL } from '../../src/ingest/status.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import { ingestBench, NOW } from '../support/ingest-bench.ts'

const EVENTS = {
  fields: { product: 'items[].id', type: 'type', time: ['items[].at', 'at'] },
  click: { field: 'items[].clicked' },
  maxPerRecord: 1000,
}
const RING = 256 * 1024

function bench(rules: Partial<IngestRules> = {}, ringBytes = RING, events: object = EVENTS) {
  const own = ingestBench(rules, ringBytes, events)
  let next = 0
  const batch = (...values: readonly object[]) => {
    const records = values.map((value, i) => {
      const json = Buffer.from(JSON.stringify({ type: 'view', at: NOW, ...value }))
      return { topic: 'impressions', partition: 3, offset: next + i, recordTimestamp: NOW, value: json }
    })
    next += values.length
    return encodeBatch(records)
  }
  return { ...own, batch }
}
const items = (count: number, of: (i: number) => object = (i) => ({ id: `p-${i}` })) => ({
  items: Array.from({ length: count }, (_, i) => of(i)),
})

test('each element is an event, and a clicked one is two; an empty list is none', () => {
  const { ingest, partition, counted, drain, cursor, batch } = bench()
  const elements = [{ id: 'a' }, { id: 7, clicked: 1 }, { id: 'c', at: NOW + 5, clicked: false }]
  expect(ingest.run(cursor(batch({ items: elements }, { items: [] }, { type: 'cart', items: elements })))).toBe(DONE)
  drain()
  expect(counted).toEqual([
    ['a', NOW, 0],
    ['7', NOW, 0],
    ['7', NOW, 1],
    ['c', NOW + 5, 0],
  ])
  expect(partition).toMatchObject({ position: 3, read: 6, counted: 4, ignored: 2, invalid: 0, late: 0, more: 3 })
  expect([ingest.impressions, ingest.clicks, ingest.ignored]).toEqual([3, 1, 2])
  expect(ingest.recordsBeyond).toEqual({ used: -3, invalid: 0, ignored: 0 })
})

test('a bad element is a letter that names it, and the others count; what is wrong outside is wrong with the record', () => {
  const { ingest, partition, rejected, counted, drain, cursor, batch } = bench()
  const elements = [{ id: 'a' }, { id: '' }, null, { id: 'd', clicked: 'maybe' }, { id: 'e', at: 'never' }, { id: 'f' }]
  const many = items(1001)
  ingest.run(cursor(batch({ items: elements }, { items: elements, at: 'x' }, { items: elements, type: null }, {}, many, { items: {} })))
  drain()
  // Elements with a time of their own do not need the record's.
  expect(counted.map(([product]) => product)).toEqual(['a', 'f'])
  expect(rejected.map(({ offset, element, reason, text }) => [offset, element, reason, text.length < 50 ? text : 'record'])).toEqual([
    [0, 1, 'PRODUCT', '{"id":""}'],
    [0, 2, 'PRODUCT', 'null'],
    [0, 3, 'CLICK', '{"id":"d","clicked":"maybe"}'],
    [0, 4, 'TIME', '{"id":"e","at":"never"}'],
    [1, 0, 'TIME', '{"id":"a"}'],
    [1, 1, 'PRODUCT', '{"id":""}'],
    [1, 2, 'PRODUCT', 'null'],
    [1, 3, 'TIME', '{"id":"d","clicked":"maybe"}'],
    [1, 4, 'TIME', '{"id":"e","at":"never"}'],
    [1, 5, 'TIME', '{"id":"f"}'],
    [2, undefined, 'TYPE', 'record'],
    [3, undefined, 'PRODUCT', '{"type":"view","at":1700000000000}'],
    [4, undefined, 'TOO_MANY', 'record'],
    [5, undefined, 'PRODUCT', '{"type":"view","at":1700000000000,"items":{}}'],
  ])
  expect(partition).toMatchObject({ read: 16, counted: 2, invalid: 14, more: 10 })
  // Two records are used, and four invalid.
  expect(ingest.recordsBeyond).toEqual({ used: 0, invalid: -10, ignored: 0 })
})

test('of a time that all elements share, what is wrong with it is wrong with the record', () => {
  const shared = { ...EVENTS, fields: { ...EVENTS.fields, time: 'at' } }
  const { ingest, partition, rejected, cursor, batch } = bench({}, RING, shared)
  ingest.run(
    cursor(batch({ ...items(3), at: NOW + 60_001 }, { ...items(2, () => ({ id: '' })), at: NOW + 60_001 }, { ...items(3), at: 5 })),
  )
  expect(rejected.map(({ offset, element, reason, time }) => [offset, element, reason, time])).toEqual([
    [0, undefined, 'FUTURE', NOW + 60_001],
    [1, 0, 'PRODUCT', undefined],
    [1, 1, 'PRODUCT', undefined],
    [2, undefined, 'TOO_OLD', 5000],
  ])
  expect(partition).toMatchObject({ read: 4, invalid: 4, more: 1 })
})

test('events are late by what their partition was before their record; of a record of which all is late one letter leaves', () => {
  const taken: unknown[] = []
  const late = {
    full: false,
    take: ({ offset, element, time }: { offset: number; element?: number | undefined; time: number }) =>
      void taken.push([offset, element, time]),
  }
  const own = bench({}, RING, EVENTS)
  const { partition, batch } = own
  const ingest = own.withLate(late)
  const [old, older] = [NOW - 60_000, NOW - 70_000]
  const mixed = [
    { id: 'a', at: NOW + 50_000 },
    { id: 'b', at: NOW },
    { id: 'c', at: old, clicked: true },
    { id: 'd', at: older },
  ]
  ingest.run(own.cursor(batch({ items: [{ id: 'a' }] }, { items: mixed }, { ...items(3), at: old })))
  expect(taken).toEqual([
    [1, 2, old],
    [1, 3, older],
    [2, undefined, old],
  ])
  expect(partition).toMatchObject({ read: 9, counted: 3, late: 6, maxEventTime: NOW + 50_000, more: 6 })
})

describe('a record for which there is no room is not begun', () => {
  test('in a ring, however full it is: nothing of it is counted, and all of it is when there is room', () => {
    for (let before = 0; before < 60; before++) {
      const { ingest, partition, counted, drain, cursor, batch } = bench()
      // Products are known from here on.
      ingest.run(cursor(batch(items(1000))))
      drain()
      counted.length = 0
      const filling = Array.from({ length: before }, (_, i) => items(997 - i))
      const filled = filling.reduce((sum, { items: list }) => sum + list.length, 0)
      const all = cursor(
        batch(
          ...filling,
          items(1000, (i) => ({ id: `p-${i}`, clicked: true, at: NOW + i })),
        ),
      )
      let status = ingest.run(all)
      let waits = 0
      for (; status === RING_FULL; status = ingest.run(all)) {
        // A barrier may fall here: what is counted are whole records, up to the position.
        const whole = filling.slice(0, partition.position - 1).reduce((sum, { items: list }) => sum + list.length, 0)
        expect([partition.counted, partition.read]).toEqual([1000 + whole, 1000 + whole])
        drain()
        expect(counted.length).toBe(whole)
        if (++waits > before + 1) expect.fail('it does not go on')
      }
      drain()
      expect([status, counted.length, partition.counted, partition.position]).toEqual([DONE, filled + 2000, 3000 + filled, before + 2])
      if (before > 34) expect(waits).toBeGreaterThan(0)
    }
  })

  test('in a ring, when its times lie further apart than a block can say', () => {
    const { ingest, partition, counted, drain, cursor, batch } = bench({ allowedLateness: 90 * 86_400_000 })
    const of = (i: number) => ({ id: 'p', at: NOW - (i % 2) * 80 * 86_400_000, clicked: true })
    const all = cursor(batch(items(1000, of), items(1000, of), items(1000, of)))
    let waits = 0
    for (let status = ingest.run(all); status !== DONE; status = ingest.run(all)) {
      expect(status).toBe(RING_FULL)
      expect(partition.counted % 2000).toBe(0)
      drain()
      if (++waits > 9) expect.fail('it does not go on')
    }
    drain()
    expect(waits).toBeGreaterThan(0)
    expect([counted.length, new Set(counted.map(([, time]) => time)).size]).toEqual([6000, 2])
  })

  test('in the dead letters', () => {
    const { ingest, partition, letters, rejected, counted, drain, cursor, batch } = bench()
    const all = cursor(batch({ items: [{ id: 'a' }] }, { items: [{ id: 'b' }, { id: '' }] }))
    let asked = 0
    // Not yet when the batch is opened.
    Object.defineProperty(letters, 'full', { get: () => asked++ > 0, configurable: true })
    expect(ingest.run(all)).toBe(LETTERS_FULL)
    expect(ingest.run(all)).toBe(LETTERS_FULL)
    expect(partition).toMatchObject({ position: 1, read: 1, counted: 1 })
    Object.defineProperty(letters, 'full', { value: false })
    expect(ingest.run(all)).toBe(DONE)
    drain()
    expect([counted.length, rejected.length, partition.read]).toEqual([2, 1, 3])
  })

  test('in the memory of products: those that fit are known already when it goes on', () => {
    const { ingest, partition, task, drain, counted, cursor, batch } = bench()
    let room = 2
    Object.defineProperty(task.dictionary, 'full', { get: () => task.dictionary.size >= room })
    const all = cursor(
      batch(
        items(2),
        items(5, (i) => ({ id: `q-${i}` })),
      ),
    )
    expect(ingest.run(all)).toBe(STATE_FULL)
    room = 4
    expect(ingest.run(all)).toBe(STATE_FULL)
    expect(partition).toMatchObject({ position: 1, counted: 2 })
    room = 7
    expect(ingest.run(all)).toBe(DONE)
    drain()
    expect([counted.length, task.dictionary.size]).toEqual([7, 7])
  })
})

test('products of a record that only the exact reader is sure of are told apart', () => {
  const { ingest, counted, drain, cursor, batch } = bench()
  ingest.run(cursor(batch({ more: 'x', items: [{ id: 'a\n' }, { id: '\\u0062' }, { id: 'a\n', clicked: 1 }, { id: 'z'.repeat(256) }] })))
  drain()
  expect(counted.map(([product, , click]) => [product, click])).toEqual([
    ['a\n', 0],
    ['\\u0062', 0],
    ['a\n', 0],
    ['a\n', 1],
    ['z'.repeat(256), 0],
  ])
})

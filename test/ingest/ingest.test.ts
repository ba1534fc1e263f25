import { describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { REASON } from '../../src/format/reasons.ts'
import { DONE, LETTERS_FULL, MANY_WINDOWS, RING_FULL } from '../../src/ingest/status.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import { batchOf, eventOf, ingestBench, NOW, names } from '../support/ingest-bench.ts'

describe('a batch', () => {
  test('of events ends in the ring: product, time and type', () => {
    const { ingest, cursor, drain, counted, partition } = ingestBench()
    expect(ingest.run(cursor(batchOf(0, 2), batchOf(2, 1)))).toBe(DONE)
    drain()
    expect(counted).toEqual([
      ['p-0', NOW, 1],
      ['p-1', NOW + 1, 1],
      ['p-2', NOW + 2, 1],
    ])
    expect(partition).toMatchObject({ position: 3, read: 3, counted: 3, maxEventTime: NOW + 2 })
  })

  test('below the position is left out, and so are records of one that begins below it', () => {
    const { ingest, cursor, drain, counted, partition } = ingestBench()
    partition.position = 5
    ingest.run(cursor(batchOf(0, 3), batchOf(3, 4)))
    drain()
    expect(names(counted)).toEqual(['p-5', 'p-6'])
    expect(partition).toMatchObject({ position: 7, read: 2 })
  })

  test('that reaches past the bound of a bounded run is cut there', () => {
    const { ingest, cursor, drain, counted, partition } = ingestBench()
    partition.boundOffset = 2
    ingest.run(cursor(batchOf(0, 4)))
    drain()
    expect(names(counted)).toEqual(['p-0', 'p-1'])
    expect(partition).toMatchObject({ position: 2, read: 2 })
  })

  test('of control records moves the position and nothing else', () => {
    const { ingest, cursor, partition } = ingestBench()
    const control = batchOf(0, 1)
    control[22]! |= 32
    ingest.run(cursor(control))
    expect(partition).toMatchObject({ position: 1, read: 0 })
  })

  test('with a wrong CRC is rejected whole, with one letter, when the CRC is checked; the next one is counted', () => {
    const { ingest, cursor, drain, counted, rejected, partition } = ingestBench({ checkCrc: true })
    const bad = batchOf(0, 3)
    bad[bad.length - 20]! ^= 1
    ingest.run(cursor(bad, batchOf(3, 1)))
    drain()
    expect(rejected).toMatchObject([{ reason: 'CORRUPT_BATCH', offset: 0, records: 3, detail: 'CRC-32C differs' }])
    expect(names(counted)).toEqual(['p-3'])
    expect(partition).toMatchObject({ position: 4, read: 4, counted: 1, invalid: 3 })
  })

  test.each([CODEC.gzip, CODEC.snappy, CODEC.lz4, CODEC.zstd])('whose compression (codec %i) is broken is rejected whole', (codec) => {
    const { ingest, cursor, drain, counted, rejected } = ingestBench()
    const bad = batchOf(0, 30, codec)
    bad.fill(0x55, 61, 90)
    ingest.run(cursor(bad, batchOf(30, 1, codec)))
    drain()
    expect(rejected).toMatchObject([{ reason: 'CORRUPT_BATCH', offset: 0, records: 30 }])
    expect(names(counted)).toEqual(['p-30'])
  })

  test('whose records contradict its length is read as far as it makes sense, the rest rejected', () => {
    const { ingest, cursor, drain, counted, rejected, partition } = ingestBench()
    const bad = batchOf(0, 3)
    const second = bad.indexOf('p-1') - 50
    for (let at = second; at < second + 12; at++) if (bad[at] === bad[61]) bad[at] = 0xff
    bad[61 + 2 + (bad[61]! >> 1)]! = 0xff // the second record's length grows a byte
    ingest.run(cursor(bad, batchOf(3, 1)))
    drain()
    expect(names(counted)[0]).toBe('p-0')
    expect(names(counted).at(-1)).toBe('p-3')
    expect(rejected.at(-1)).toMatchObject({ reason: 'CORRUPT_BATCH', detail: 'a record runs past its batch' })
    expect(partition.read).toBe(partition.counted + partition.invalid + partition.late)
    expect(partition.read).toBe(4)
  })

  test('of an unknown format is an error that names topic, partition and offset', () => {
    const { ingest, cursor } = ingestBench()
    const bad = batchOf(0, 1)
    bad[16] = 1
    expect(() => ingest.run(cursor(bad))).toThrow(/topic impressions, partition 3, offset 0: .*magic byte 1, wanted 2/)
  })
})

test('bytes refused by the source become one letter, and reading goes on behind them', () => {
  const { ingest, cursor, rejected, partition } = ingestBench()
  partition.position = 4
  ingest.refuse(cursor(Buffer.from('junk')), 9, 'magic byte 7')
  expect(rejected).toMatchObject([{ reason: 'CORRUPT_BATCH', offset: 4, records: 1, detail: 'magic byte 7', text: 'junk' }])
  expect(partition).toMatchObject({ position: 9, read: 1, invalid: 1 })
})

describe('a stop', () => {
  test('at a full ring goes on with the same record, and the position says so', () => {
    const { ingest, cursor, drain, counted, partition } = ingestBench({}, 4096)
    const reading = cursor(batchOf(0, 500))
    const positions: number[] = []
    let stops = 0
    while (ingest.run(reading) === RING_FULL) {
      positions.push(partition.position - partition.counted)
      expect(partition.maxEventTime).toBe(NOW + partition.position - 1)
      drain()
      stops++
    }
    drain()
    expect(stops).toBeGreaterThan(3)
    expect(new Set(positions)).toEqual(new Set([0]))
    expect(names(counted)).toEqual(Array.from({ length: 500 }, (_, i) => `p-${i}`))
  })

  test('at full dead letters goes on with the same record', () => {
    const { ingest, cursor, letters, rejected, partition } = ingestBench()
    const records = [eventOf(0), Buffer.from('{'), eventOf(2)].map((value, offset) => ({
      topic: 'impressions',
      partition: 3,
      offset,
      recordTimestamp: NOW,
      value,
    }))
    const reading = cursor(encodeBatch(records.slice(0, 1)), encodeBatch(records.slice(1)))
    expect(ingest.run(cursor())).toBe(DONE)
    letters.full = true
    expect(ingest.run(reading)).toBe(LETTERS_FULL)
    letters.full = false
    const once = Object.assign(letters, { reject: letters.reject })
    expect(ingest.run(reading)).toBe(DONE)
    expect(once.full).toBe(false)
    expect(rejected).toMatchObject([{ reason: 'NOT_JSON', offset: 1, text: '{' }])
    expect(partition).toMatchObject({ read: 3, counted: 2, invalid: 1, position: 3 })
    expect(ingest.invalid[REASON.NOT_JSON]).toBe(1)
  })
})

test('events whose keys come in any order are counted alike', () => {
  const { ingest, cursor, drain, counted } = ingestBench()
  const keys = ['"user_id":"u"', '"product_id":"p"', '"event_type":"view"', `"timestamp":${NOW}`, '"a":1', '"b":[]']
  const values = Array.from({ length: 300 }, (_, i) =>
    Buffer.from(`{${keys.toSorted((x, y) => ((x.length * (i + 3)) % 7) - ((y.length * (i + 3)) % 7) || (i % 2) - 0.5).join(',')}}`),
  )
  ingest.run(
    cursor(encodeBatch(values.map((value, offset) => ({ topic: 'impressions', partition: 3, offset, recordTimestamp: NOW, value })))),
  )
  drain()
  expect(counted.length).toBe(300)
  expect(new Set(counted.map(String))).toEqual(new Set([`p,${NOW},0`]))
})

test('a delivery that spans many windows stops, so that the watermark can close them', () => {
  const { ingest, cursor, partition, task, drain, counted } = ingestBench()
  const records = Array.from({ length: 200 }, (_, offset) => {
    const time = NOW + offset * 10_000
    return { topic: 'impressions', partition: 3, offset, recordTimestamp: time, value: eventOf(0, time) }
  })
  const reading = cursor(encodeBatch(records))
  let stops = 0
  while (ingest.run(reading) === MANY_WINDOWS) {
    stops++
    expect(partition.position).toBe(64 * stops)
    task.time.publish(task.time.watermark())
  }
  drain()
  expect([stops, counted.length, partition.position]).toEqual([3, 200, 200])
})

describe('near a window’s end, where the events of two windows take turns', () => {
  const AT = 1_700_000_000_000 // a window begins here
  const timesOf = (count: number, timeOf: (i: number) => number) =>
    encodeBatch(
      Array.from({ length: count }, (_, offset) => ({
        topic: 'impressions',
        partition: 3,
        offset,
        recordTimestamp: AT + 20_000,
        value: eventOf(offset % 7, timeOf(offset)),
      })),
    )

  test('each goes into its own, and the partition knows how many', () => {
    const { ingest, cursor, drain, counted, partition } = ingestBench()
    const timeOf = (i: number) => AT + 10_000 + (i % 3 === 0 ? -1 - (i % 5) : i % 11)
    expect(ingest.run(cursor(timesOf(700, timeOf)))).toBe(DONE)
    drain()
    expect(counted.map(([, time]) => time)).toEqual(Array.from({ length: 700 }, (_, i) => timeOf(i)))
    expect([...partition.windows].map(([end, { events }]) => [end, events])).toEqual([
      [AT + 10_000, 234],
      [AT + 20_000, 466],
    ])
  })

  test('the earlier one is late as soon as an event of the later one makes it so', () => {
    const { ingest, cursor, drain, partition } = ingestBench({ allowedLateness: 1000, outOfOrderness: 1000 })
    // Once an event of AT + 12_000 is there, which is the 201st, the window that ended at AT + 10_000 is late.
    const timeOf = (i: number) => (i % 2 === 0 ? AT + 10_000 + i * 10 : AT + 9_999)
    expect(ingest.run(cursor(timesOf(400, timeOf)))).toBe(DONE)
    drain()
    expect(partition).toMatchObject({ read: 400, counted: 300, late: 100 })
    expect([...partition.windows].map(([end, { events }]) => [end, events])).toEqual([
      [AT + 20_000, 200],
      [AT + 10_000, 100],
    ])
  })

  test('events in the future between them are rejected, the others counted', () => {
    const { ingest, cursor, drain, partition, rejected } = ingestBench({ futureTolerance: 1000 })
    const timeOf = (i: number) => (i % 10 === 3 ? AT + 21_001 : AT + 9_995 + (i % 10))
    expect(ingest.run(cursor(timesOf(600, timeOf)))).toBe(DONE)
    drain()
    expect(partition).toMatchObject({ read: 600, counted: 540, invalid: 60 })
    expect(rejected.map(({ offset }) => offset)).toEqual(Array.from({ length: 60 }, (_, i) => i * 10 + 3))
  })
})

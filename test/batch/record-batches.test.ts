import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { cutAt, readLong, skipBelow, walkBatches } from '../../src/batch/record-batches.ts'
import { batchBytes } from '../support/batch-bytes.ts'

function walk(batches: readonly Buffer[], aborted: { producerId: number; firstOffset: number }[] = []) {
  const bytes = Buffer.concat([Buffer.alloc(5), ...batches])
  return { bytes, ...walkBatches(bytes, 5, bytes.length, aborted) }
}

const offsets = (result: ReturnType<typeof walk>) => result.spans.map(({ baseOffset, nextOffset }) => [baseOffset, nextOffset])

test('batches back to back are one span', () => {
  const result = walk([batchBytes({ baseOffset: 10, count: 5 }), batchBytes({ baseOffset: 15, count: 1 })])
  expect(result.spans).toEqual([{ start: 5, end: result.bytes.length, baseOffset: 10, nextOffset: 16 }])
  expect(result.nextOffset).toBe(16)
})

test('no bytes are no spans', () => {
  expect(walk([])).toMatchObject({ spans: [], nextOffset: -1, corrupt: undefined })
})

test('a last batch that is cut off at any byte is left for the next fetch', () => {
  const first = batchBytes({ baseOffset: 0, count: 3 })
  const second = batchBytes({ baseOffset: 3, count: 3 })
  for (let size = 0; size < second.length; size++) {
    const result = walk([first, second.subarray(0, size)])
    expect(result).toMatchObject({ nextOffset: 3, corrupt: undefined })
    expect(result.spans[0]?.end).toBe(5 + first.length)
  }
  expect(walk([first, second]).nextOffset).toBe(6)
})

describe('a first batch that cannot be read is reported with its offset', () => {
  test('an unknown magic byte; the batch behind it says where to go on', () => {
    const result = walk([batchBytes({ baseOffset: 7, count: 3, magic: 9 }), batchBytes({ baseOffset: 10, count: 1 })])
    expect(result.corrupt).toMatchObject({ offset: 7, reason: 'magic byte 9 instead of 2', nextOffset: 10 })
    expect(result.spans).toEqual([])
  })
  test('a length that is too large, too small or negative', () => {
    for (const length of [2 ** 31 - 1, 48, 0, -1]) {
      const batch = batchBytes({ baseOffset: 7, count: 3 })
      batch.writeInt32BE(length, 8)
      expect(walk([batch]).corrupt).toMatchObject({ offset: 7, reason: `impossible length ${length}`, nextOffset: undefined })
    }
  })
  test('a last offset before the first one', () => {
    for (const [delta, corrupt] of [
      [-1, true],
      [0, false],
    ] as const) {
      const batch = batchBytes({ baseOffset: 7, count: 1 })
      batch.writeInt32BE(delta, 23)
      expect(walk([batch]).corrupt !== undefined).toBe(corrupt)
    }
  })
  test('fewer bytes than a header', () => {
    expect(walk([Buffer.alloc(3)]).corrupt).toMatchObject({ offset: -1 })
  })
  test('behind a good one it waits for its turn', () => {
    const result = walk([batchBytes({ baseOffset: 0, count: 1 }), batchBytes({ baseOffset: 1, count: 1, magic: 1 })])
    expect(result).toMatchObject({ nextOffset: 1, corrupt: undefined })
  })
})

describe('messages of Kafka before 0.11', () => {
  const require = createRequire(import.meta.url)
  /** kafkajs' own encoder; `compression` is a codec's number. */
  const messageSet = require('kafkajs/src/protocol/messageSet') as (given: object) => { buffer: Buffer }
  const old = (version: 0 | 1, value: string | null = 'v'.repeat(100)) =>
    messageSet({ messageVersion: version, compression: 0, entries: [{ key: null, value, timestamp: Date.now() }] }).buffer

  test.each([0, 1] as const)('of format %i are told as such, however short they are', (version) => {
    for (const value of [null, '', 'v', 'v'.repeat(1_000)]) {
      expect(walk([old(version, value)]).corrupt).toMatchObject({ oldFormat: version })
      expect(walk([old(version, value), old(version, value)]).corrupt).toMatchObject({ oldFormat: version })
    }
  })

  test('with a damaged byte are damaged, and so are batches of format 2 whose magic byte is 0 or 1', () => {
    const damaged = old(1)
    damaged[60]! ^= 1
    expect(walk([damaged]).corrupt).toMatchObject({ oldFormat: undefined })
    for (const magic of [0, 1])
      expect(walk([batchBytes({ baseOffset: 7, count: 3, magic })]).corrupt).toMatchObject({ oldFormat: undefined })
  })

  test('behind batches of format 2 wait for their turn', () => {
    expect(walk([batchBytes({ baseOffset: 0, count: 1 }), old(1)])).toMatchObject({ nextOffset: 1, corrupt: undefined })
  })
})

describe('read_committed', () => {
  const data = (baseOffset: number, producerId: number) => batchBytes({ baseOffset, count: 1, producerId, transactional: true })
  const marker = (baseOffset: number, producerId: number, control: 'abort' | 'commit') =>
    batchBytes({ baseOffset, count: 1, producerId, control })

  test('control batches are left out, and passed', () => {
    const result = walk([data(0, 1), marker(1, 1, 'commit'), data(2, 1), marker(3, 1, 'commit')])
    expect(offsets(result)).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(result.nextOffset).toBe(4)
  })

  test('an aborted transaction is left out from its first offset to its marker, and its producer is heard again afterwards', () => {
    const result = walk(
      [data(0, 1), data(1, 1), marker(2, 1, 'abort'), data(3, 1), marker(4, 1, 'commit')],
      [{ producerId: 1, firstOffset: 1 }],
    )
    expect(offsets(result)).toEqual([
      [0, 1],
      [3, 4],
    ])
  })

  test('another producer, and records outside of transactions, are not affected', () => {
    const plain = batchBytes({ baseOffset: 2, count: 1, producerId: 1 })
    const result = walk([data(0, 1), data(1, 2), plain, marker(3, 1, 'abort')], [{ producerId: 1, firstOffset: 0 }])
    expect(offsets(result)).toEqual([[1, 3]])
  })

  test('two aborted transactions of two producers that overlap', () => {
    const aborted = [
      { producerId: 2, firstOffset: 1 },
      { producerId: 1, firstOffset: 0 },
    ]
    const result = walk([data(0, 1), data(1, 2), marker(2, 1, 'abort'), data(3, 2), data(4, 1), marker(5, 2, 'abort'), data(6, 2)], aborted)
    expect(offsets(result)).toEqual([
      [4, 5],
      [6, 7],
    ])
  })

  test('a fetch that begins at the abort marker does not drop what the producer sends next', () => {
    const result = walk([marker(5, 1, 'abort'), data(6, 1)], [{ producerId: 1, firstOffset: 2 }])
    expect(offsets(result)).toEqual([[6, 7]])
  })
})

test('skipBelow and cutAt find the batches around an offset', () => {
  const sizes = [0, 10, 20].map((filler, at) => batchBytes({ baseOffset: at * 10, count: 10, filler }))
  const bytes = Buffer.concat(sizes)
  const starts = [0, sizes[0]!.length, sizes[0]!.length + sizes[1]!.length, bytes.length]
  expect([0, 9, 10, 19, 20, 29, 30].map((offset) => starts.indexOf(skipBelow(bytes, 0, bytes.length, offset)))).toEqual([
    0, 0, 1, 1, 2, 2, 3,
  ])
  expect([0, 1, 10, 11, 20, 21, 30].map((offset) => starts.indexOf(cutAt(bytes, 0, bytes.length, offset)))).toEqual([0, 1, 1, 2, 2, 3, 3])
})

test('readLong is exact up to 2^53 - 1 and for -1', () => {
  for (const value of [-1, 0, 2 ** 31, 2 ** 32, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER]) {
    const bytes = Buffer.alloc(9)
    bytes.writeBigInt64BE(BigInt(value), 1)
    expect(readLong(bytes, 1)).toBe(value)
  }
})

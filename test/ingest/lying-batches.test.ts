import { describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { decompress } from '../../src/batch/decompress.ts'
import { KEPT_MAX_BYTES } from '../../src/batch/output-pool.ts'
import { DONE, LETTERS_FULL } from '../../src/ingest/status.ts'

import { batchOf, ingestBench, names } from '../support/ingest-bench.ts'

describe('a batch that decompresses to more than kafka.maxBatchBytes', () => {
  const packed = batchOf(0, 400, CODEC.zstd)
  const size = decompress(CODEC.zstd, packed.subarray(61), 2 ** 26)?.length ?? 0

  test.each([
    [size - 1, 0, 400],
    [size, 400, 0],
    [size + 1, 400, 0],
  ])('by a bound of %i bytes: %i counted, %i invalid, with one letter that has no bytes', (maxBatchBytes, valid, invalid) => {
    const { ingest, cursor, drain, counted, rejected, partition } = ingestBench({ maxBatchBytes })
    ingest.run(cursor(packed, batchOf(400, 1)))
    drain()
    expect(counted).toHaveLength(valid + 1)
    expect(partition).toMatchObject({ position: 401, read: 401, counted: valid + 1, invalid })
    const letter = { reason: 'BATCH_TOO_LARGE', offset: 0, records: 400, text: '' }
    expect(rejected).toMatchObject(invalid === 0 ? [] : [letter])
    if (invalid > 0) expect(rejected[0]?.detail).toMatch(/become more than kafka.maxBatchBytes \(\d+B\); raise it to read the batch/)
  })

  test('counts from the position on, when it begins below', () => {
    const { ingest, cursor, rejected, partition } = ingestBench({ maxBatchBytes: 1_000 })
    partition.position = 390
    ingest.run(cursor(packed))
    expect(rejected).toMatchObject([{ records: 10 }])
    expect(partition).toMatchObject({ position: 400, read: 10, invalid: 10 })
  })

  test('waits while the letters are full', () => {
    const { ingest, cursor, letters, rejected } = ingestBench({ maxBatchBytes: 1_000 })
    letters.full = true
    const delivery = cursor(packed)
    expect(ingest.run(delivery)).toBe(LETTERS_FULL)
    expect(rejected).toEqual([])
    letters.full = false
    expect(ingest.run(delivery)).toBe(DONE)
    expect(rejected).toHaveLength(1)
  })
})

describe('a delivery that waits in the middle of a large batch', () => {
  test.each([CODEC.gzip, CODEC.snappy, CODEC.lz4, CODEC.zstd])(
    'gives its memory back meanwhile (codec %i), and reads on where it stood',
    (codec) => {
      const { ingest, cursor, drain, counted, partition } = ingestBench({}, 64 * 1024)
      const count = Math.ceil(KEPT_MAX_BYTES / 70)
      const delivery = cursor(batchOf(0, count, codec), batchOf(count, 3, codec))
      let released = 0
      for (let status = ingest.run(delivery); status !== DONE; status = ingest.run(delivery)) {
        drain()
        ingest.release(delivery)
        if (delivery.released) released++
        expect(delivery.records === delivery.bytes).toBe(delivery.released)
      }
      drain()
      expect(released).toBeGreaterThan(1)
      expect(partition).toMatchObject({ position: count + 3, read: count + 3, counted: count + 3 })
      expect(names(counted).at(-1)).toBe(`p-${count + 2}`)
      expect(new Set(names(counted)).size).toBe(count + 3)
    },
  )

  test('keeps what is small', () => {
    const { ingest, cursor, letters } = ingestBench()
    const delivery = cursor(batchOf(0, 10, CODEC.gzip), batchOf(10, 10, CODEC.gzip))
    let asked = 0
    Object.defineProperty(letters, 'full', { get: () => ++asked === 2 })
    expect(ingest.run(delivery)).toBe(LETTERS_FULL)
    ingest.release(delivery)
    expect(delivery.released).toBe(false)
  })
})

describe('a header that lies', () => {
  const forged = (count: number, lastOffsetDelta: number, codec = 0) => {
    const bad = batchOf(0, 3, codec)
    bad.writeInt32BE(count, 57)
    bad.writeInt32BE(lastOffsetDelta, 23)
    return bad
  }

  test.each([2 ** 31 - 1, 4, 3, 0, -1, -(2 ** 31)])('about its count (%i of 3) changes nothing, when its offsets are right', (count) => {
    const { ingest, cursor, drain, counted, rejected, partition } = ingestBench()
    ingest.run(cursor(forged(count, 2), batchOf(3, 1)))
    drain()
    expect(names(counted)).toEqual(['p-0', 'p-1', 'p-2', 'p-3'])
    expect(rejected).toEqual([])
    expect(partition).toMatchObject({ position: 4, read: 4, counted: 4 })
  })

  test.each([1, 2])('and counts %i of 3 leaves the others as a letter, and not out', (count) => {
    const { ingest, cursor, drain, counted, rejected, partition } = ingestBench()
    ingest.run(cursor(forged(count, 2), batchOf(3, 1)))
    drain()
    expect(names(counted)).toEqual([...['p-0', 'p-1'].slice(0, count), 'p-3'])
    expect(rejected).toMatchObject([
      { reason: 'CORRUPT_BATCH', records: 3 - count, detail: expect.stringContaining('bytes lie behind its last record') },
    ])
    expect(partition).toMatchObject({ position: 4, read: 4, invalid: 3 - count })
  })

  test('about both rejects as many as there are offsets, also when it can not be read at all', () => {
    for (const [codec, maxBatchBytes] of [
      [CODEC.none, 1_000],
      [CODEC.zstd, 10],
    ] as const) {
      const { ingest, cursor, partition } = ingestBench({ maxBatchBytes })
      ingest.run(cursor(forged(2 ** 31 - 1, 99, codec)))
      expect(partition).toMatchObject({ position: 100, read: 100 })
      expect(partition.read).toBe(partition.counted + partition.invalid)
    }
  })

  test('and what lies behind the records waits while the letters are full, and is read again the same from within the batch', () => {
    const { ingest, cursor, letters, rejected, partition } = ingestBench()
    let asked = 0 // before the batch is opened, and before its rest is rejected
    Object.defineProperty(letters, 'full', { get: () => ++asked === 2 })
    const delivery = cursor(forged(2, 2))
    expect(ingest.run(delivery)).toBe(LETTERS_FULL)
    expect(partition).toMatchObject({ counted: 2, invalid: 0 })
    expect(ingest.run(delivery)).toBe(DONE)
    expect(partition).toMatchObject({ position: 3, read: 3, counted: 2, invalid: 1 })
    expect(rejected).toHaveLength(1)
    const again = ingestBench()
    again.partition.position = 1
    again.ingest.run(again.cursor(forged(2, 2)))
    expect(again.partition).toMatchObject({ position: 3, read: 2, counted: 1, invalid: 1 })
  })

  test('of a batch that was compacted away moves the position only', () => {
    const { ingest, cursor, partition } = ingestBench()
    const empty = batchOf(0, 3).subarray(0, 61)
    empty.writeInt32BE(49, 8)
    empty.writeInt32BE(0, 57)
    ingest.run(cursor(empty))
    expect(partition).toMatchObject({ position: 3, read: 0 })
  })
})

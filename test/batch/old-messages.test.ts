import { createRequire } from 'node:module'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { compress } from '../../src/batch/compress.ts'
import { toBatches } from '../../src/batch/old-messages.ts'
import { walkBatches } from '../../src/batch/record-batches.ts'
import { batchBytes } from '../support/batch-bytes.ts'

const NOW = 1_700_000_000_000
const MAX = 2 ** 26

interface Given {
  readonly offset: number
  readonly key?: string | null
  readonly value: string | null
  readonly timestamp?: number
}

/** kafkajs' own encoder of a message, with the offset put before it. */
const encode = createRequire(import.meta.url)('kafkajs/src/protocol/message') as (of: { version: number }) => (given: object) => {
  buffer: Buffer
}

function message(version: 0 | 1, { offset, key = null, value, timestamp = NOW + offset }: Given, codec = 0): Buffer {
  const { buffer } = encode({ version })({ compression: codec, timestamp, key, value })
  return framed(offset, Buffer.from(buffer))
}

/** The message with this value in place of its own, and the bits of `attributes` besides. */
function framed(offset: number, body: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeBigInt64BE(BigInt(offset), 0)
  head.writeInt32BE(body.length, 8)
  return Buffer.concat([head, body])
}

/** A message whose value is a packed set. */
function packed(version: 0 | 1, offset: number, codec: number, inside: Buffer, attributes = 0): Buffer {
  const value = compress(codec, inside)
  const fixed = version === 1 ? Buffer.alloc(10) : Buffer.alloc(2)
  fixed[0] = version
  fixed[1] = codec | attributes
  if (version === 1) fixed.writeBigInt64BE(BigInt(NOW + 9_999), 2)
  const lengths = [Buffer.alloc(4), Buffer.alloc(4)] as const
  lengths[0].writeInt32BE(-1)
  lengths[1].writeInt32BE(value.length)
  const body = Buffer.concat([fixed, ...lengths, value])
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(body))
  return framed(offset, Buffer.concat([crc, body]))
}

const decodeBatch = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: unknown) => Promise<{
  records: { offset: string; timestamp: string; key: Buffer | null; value: Buffer | null }[]
}>
const Decoder = createRequire(import.meta.url)('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => unknown

/** What kafkajs reads in the batches: [offset, key, value, timestamp]. */
async function read(batches: Buffer) {
  const records: unknown[] = []
  for (let at = 0; at < batches.length; ) {
    const size = 12 + batches.readInt32BE(at + 8)
    const decoded = await decodeBatch(new Decoder(batches.subarray(at, at + size)))
    for (const { offset, key, value, timestamp } of decoded.records)
      records.push([Number(offset), key?.toString() ?? null, value?.toString() ?? null, Number(timestamp)])
    at += size
  }
  return records
}

const convert = (bytes: Buffer, maxBytes = MAX) =>
  toBatches(Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(9)]), 3, 3 + bytes.length, maxBytes)

describe.each([0, 1] as const)('messages of format %i', (version) => {
  const time = (at: number) => (version === 1 ? at : -1)

  test('become batches with their offsets, keys, values and times, gaps included', async () => {
    const bytes = Buffer.concat([
      message(version, { offset: 7, key: 'k', value: 'one' }),
      message(version, { offset: 8, value: null }),
      message(version, { offset: 12, key: '', value: '' }),
    ])
    const batches = convert(bytes)
    expect(walkBatches(batches ?? bytes, 0, batches?.length ?? 0, [])).toMatchObject({ nextOffset: 13, corrupt: undefined })
    expect(await read(batches ?? bytes)).toEqual([
      [7, 'k', 'one', time(NOW + 7)],
      [8, null, null, time(NOW + 8)],
      [12, '', '', time(NOW + 12)],
    ])
  })

  test.each([CODEC.gzip, CODEC.snappy, CODEC.lz4])(
    'packed with codec %i are unpacked, with the offsets that the outer one says',
    async (codec) => {
      // In format 1 offsets inside count from 0, in format 0 they are the real ones.
      const from = version === 1 ? 0 : 20
      const inside = [0, 1, 3].map((i) => message(version, { offset: from + i, value: `v${i}`, timestamp: NOW + i }))
      const bytes = Buffer.concat([packed(version, 23, codec, Buffer.concat(inside)), message(version, { offset: 24, value: 'plain' })])
      expect(await read(convert(bytes) ?? bytes)).toEqual([
        [20, null, 'v0', time(NOW)],
        [21, null, 'v1', time(NOW + 1)],
        [23, null, 'v3', time(NOW + 3)],
        [24, null, 'plain', time(NOW + 24)],
      ])
    },
  )

  test('before batches of format 2 leave those as they are, and one that is cut off is left for the next fetch', () => {
    const next = batchBytes({ baseOffset: 1, count: 2 })
    const old = message(version, { offset: 0, value: 'x'.repeat(100) })
    expect(convert(Buffer.concat([old, next]))?.subarray(-next.length)).toEqual(next)
    for (let size = 0; size < old.length; size++) {
      const batches = convert(Buffer.concat([old, old.subarray(0, size)]))
      expect(walkBatches(batches ?? old, 0, batches?.length ?? 0, [])).toMatchObject({ nextOffset: 1, corrupt: undefined })
    }
  })

  test("that become more than the bound, or are damaged inside, are not touched, and stand in nobody's way before them", () => {
    const inside = message(version, { offset: 0, value: 'x'.repeat(1_000) })
    const bomb = packed(version, 5, CODEC.gzip, inside)
    expect(convert(bomb, inside.length)).toBeDefined()
    expect(convert(bomb, inside.length - 1)).toBeUndefined()
    expect(walkBatches(bomb, 0, bomb.length, []).corrupt).toMatchObject({ oldFormat: version })
    const before = message(version, { offset: 4, value: 'good' })
    const batches = convert(Buffer.concat([before, bomb]), inside.length - 1)
    expect(walkBatches(batches ?? before, 0, batches?.length ?? 0, [])).toMatchObject({ nextOffset: 5 })
    inside[40]! ^= 1
    expect(convert(packed(version, 5, CODEC.gzip, inside))).toBeUndefined()
    expect(convert(packed(version, 5, CODEC.gzip, Buffer.alloc(0)))).toBeUndefined()
  })
})

test('what was appended at the time of the log has the time of the outer message', async () => {
  const inside = [0, 1].map((i) => message(1, { offset: i, value: `v${i}` }))
  const bytes = packed(1, 1, CODEC.gzip, Buffer.concat(inside), 8)
  expect((await read(convert(bytes) ?? bytes)).map((record) => (record as unknown[])[3])).toEqual([NOW + 9_999, NOW + 9_999])
})

test('batches of format 2, and bytes that are no messages, are none of these', () => {
  expect(convert(batchBytes({ baseOffset: 0, count: 1 }))).toBeUndefined()
  expect(convert(Buffer.alloc(100))).toBeUndefined()
  expect(convert(Buffer.alloc(0))).toBeUndefined()
})

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { BATCH_HEADER_BYTES, CONTROL, TRANSACTIONAL } from '../../src/batch/record-batch.ts'
import { RecordBatchWriter } from '../../src/batch/record-batch-writer.ts'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import { FileSchemas } from '../../src/format/file-schemas.ts'
import { decodeBatches } from '../support/kafkajs-decoder.ts'

const T = 1_659_304_800_025
const SCHEMA = JSON.stringify({
  type: 'record',
  name: 'Event',
  fields: ['product_id', 'event_type', 'timestamp'].map((name) => ({ name, type: 'string' })),
})

async function only(writer: RecordBatchWriter, attributes = 0) {
  const [batch, ...others] = await decodeBatches(writer.bytes, 0, writer.finish(attributes))
  expect(others).toEqual([])
  return batch!
}

describe('record batches', () => {
  test('hold keys, values, nulls, empty values, offsets and timestamps as written', async () => {
    const writer = new RecordBatchWriter(4096)
    writer.begin(1_000_000_000_000)
    const records: [number, string | null, string | null][] = [
      [T, 'key', 'value'],
      [T - 5, null, 'x'.repeat(300)],
      [T + 70_000, 'k', null],
      [T - 100 * 86_400_000, '', ''],
      [T + 400 * 86_400_000, 'é', '{}'],
    ]
    for (const [time, key, value] of records) {
      expect(writer.append(time, key === null ? null : Buffer.from(key), value === null ? null : Buffer.from(value))).toBe(true)
    }
    const batch = await only(writer)
    expect(batch.firstOffset).toBe(1_000_000_000_000)
    expect(batch.lastOffsetDelta).toBe(4)
    expect(batch.maxTimestamp).toBe(T + 400 * 86_400_000)
    const got = batch.records.map(({ offset, timestamp, key, value }) => [
      offset,
      timestamp,
      key?.toString() ?? null,
      value?.toString() ?? null,
    ])
    expect(got).toEqual(records.map(([time, key, value], index) => [1_000_000_000_000 + index, time, key, value]))
  })

  test('have the same headers, whatever room they take', async () => {
    const { headers } = new FileSchemas(EVENTS_DEFAULT).open(SCHEMA)
    const writer = new RecordBatchWriter(1024)
    writer.headers = headers
    writer.begin(0)
    let count = 0
    while (writer.append(T, null, Buffer.from(`value ${count}`))) count++
    expect(count).toBeGreaterThan(10)
    writer.headers = Uint8Array.of(0)
    const { records } = await only(writer)
    expect(records.map(({ value }) => value?.toString())).toEqual(Array.from({ length: count }, (_, i) => `value ${i}`))
    const guid = createHash('sha256').update(SCHEMA).digest().subarray(0, 16)
    expect(records.every((record) => Buffer.concat([Uint8Array.of(1), guid]).equals(record.headers.__value_schema_id ?? guid))).toBe(true)
  })

  test('have a size and a CRC that cover exactly the batch, also back to back', async () => {
    const writer = new RecordBatchWriter(4096)
    writer.begin(0)
    writer.append(T, null, Buffer.from('first'))
    const middle = writer.finish()
    expect(writer.bytes.readInt32BE(8)).toBe(middle - 12)
    writer.begin(1, middle)
    writer.append(T, null, Buffer.from('..second..'), 2, 8)
    const batches = await decodeBatches(writer.bytes, 0, writer.finish())
    expect(batches.map((batch) => batch.records.map((record) => record.value?.toString()))).toEqual([['first'], ['second']])
    writer.bytes[middle + BATCH_HEADER_BYTES + 8]! ^= 1
    await expect(decodeBatches(writer.bytes, middle, writer.bytes.length)).rejects.toThrow()
  })

  test('stay where they are when the writer goes on with other bytes', async () => {
    const writer = new RecordBatchWriter(1024)
    writer.begin(5)
    writer.append(T, null, Buffer.from('first'))
    const end = writer.finish()
    const first = writer.swap(Buffer.allocUnsafeSlow(2048))
    writer.begin(6)
    writer.append(T, null, Buffer.from('second'))
    expect((await only(writer)).records.map(({ value }) => String(value))).toEqual(['second'])
    const [batch] = await decodeBatches(first, 0, end)
    expect([batch?.firstOffset, batch?.records.map(({ value }) => String(value))]).toEqual([5, ['first']])
  })

  test('without a timestamp carry -1', async () => {
    const writer = new RecordBatchWriter(4096)
    writer.begin(0)
    writer.append(-1, null, Buffer.from('a'))
    writer.append(-1, null, Buffer.from('b'))
    const batch = await only(writer)
    expect(batch.maxTimestamp).toBe(-1)
    expect(batch.records.map((record) => record.timestamp)).toEqual([-1, -1])
  })

  test('carry the producer, its sequence, transactional and control bits', async () => {
    const writer = new RecordBatchWriter(4096)
    writer.producerId = 5_000_000_001
    writer.producerEpoch = 7
    writer.baseSequence = 99
    writer.begin(0)
    writer.append(T, null, Buffer.from('a'))
    expect(await only(writer, TRANSACTIONAL)).toMatchObject({
      producerId: 5_000_000_001,
      producerEpoch: 7,
      firstSequence: 99,
      inTransaction: true,
      isControlBatch: false,
    })
    writer.begin(0)
    writer.append(T, Buffer.from([0, 0, 0, 1]), Buffer.from([0, 0, 0, 0, 0, 0]))
    writer.finish(TRANSACTIONAL | CONTROL)
    expect(writer.bytes.readInt16BE(21)).toBe(0x30)
  })

  test('leave gaps between offsets, at the end too', async () => {
    const writer = new RecordBatchWriter(4096)
    writer.begin(10)
    writer.append(T, null, Buffer.from('a'))
    writer.offsetDelta = 200
    writer.append(T, null, Buffer.from('b'))
    writer.offsetDelta = 300
    const batch = await only(writer)
    expect(batch.records.map((record) => record.offset)).toEqual([10, 210])
    expect(batch.lastOffsetDelta).toBe(299)
  })

  test('compressed with gzip read back the same', async () => {
    const writer = new RecordBatchWriter(4096)
    writer.begin(0)
    for (let index = 0; index < 20; index++) writer.append(T + index, Buffer.from('k'), Buffer.from(`value ${index}`))
    const batch = await only(writer, 1)
    expect(batch.records.map((record) => record.value?.toString())).toEqual(Array.from({ length: 20 }, (_, index) => `value ${index}`))
  })

  test('that compression makes longer than the buffer still come out whole', async () => {
    const writer = new RecordBatchWriter(1024)
    const noise = Buffer.from(Array.from({ length: 900 }, (_, index) => (index * index * 31 + (index >> 3)) & 255))
    writer.begin(0)
    expect(writer.append(T, null, noise)).toBe(true)
    expect(writer.append(T, null, Buffer.alloc(10))).toBe(true)
    expect((await only(writer, 1)).records[0]?.value?.equals(noise)).toBe(true)
  })

  test('say full instead of growing, except for a record that fits no empty batch', async () => {
    const writer = new RecordBatchWriter(1024)
    writer.begin(0)
    expect(writer.append(T, null, Buffer.alloc(500))).toBe(true)
    expect(writer.append(T, null, Buffer.alloc(500))).toBe(false)
    expect((await only(writer)).records.length).toBe(1)
    writer.begin(1)
    expect(writer.append(T, null, Buffer.alloc(5000, 7))).toBe(true)
    expect((await only(writer)).records[0]?.value?.length).toBe(5000)
  })

  test.each([63, 64, 65, 8191, 8192, 8193, 1_048_575, 1_048_576])('frame a value of %i bytes', async (size) => {
    const writer = new RecordBatchWriter(1024)
    writer.begin(0)
    writer.append(T, null, Buffer.alloc(size, 0x61))
    expect((await only(writer)).records[0]?.value?.length).toBe(size)
  })
})

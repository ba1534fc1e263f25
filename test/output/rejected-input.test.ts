import { expect, test } from 'vitest'
import { RecordBatchWriter } from '../../src/batch/record-batch-writer.ts'
import { formatsOf } from '../../src/format/format.ts'
import { REASONS } from '../../src/format/reasons.ts'
import { Cursor } from '../../src/ingest/cursor.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { DONE } from '../../src/ingest/event-counter.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import type { Output, OutputRecord } from '../../src/output/output.ts'
import { rejectedInput } from '../../src/output/rejected-input.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Partition } from '../../src/window/partition.ts'
import { Task } from '../../src/window/task.ts'
import { RULES } from '../../workshop/memory-run.ts'

const NOW = 1_700_000_000_000
const RAW_MAX_BYTES = 128 * 1024

/** Reads a batch and gives what went to the dead letters, bytes copied, and the lines of the log. */
function reject(batch: Uint8Array, clock = () => NOW) {
  const taken: (Omit<OutputRecord, 'bytes' | 'envelope'> & { text: string; key: string | undefined; timestamp: number | undefined })[] = []
  const lines: string[] = []
  const output: Output = {
    full: false,
    put: ({ bytes, envelope, ...rest }) => {
      const { key, timestamp } = envelope?.() ?? {}
      taken.push({
        ...rest,
        text: Buffer.from(bytes).toString(),
        key: key ? Buffer.from(key).toString() : undefined,
        timestamp,
      })
    },
    room: async () => {},
    delivered: async () => {},
    close: async () => {},
  }
  const log = { warn: (_: unknown, message: string) => void lines.push(message) }
  const letters = rejectedInput(output, 'ctr/test', ['impressions', 'clicks'], log, clock)
  const ingest = new Ingest(
    RULES,
    ['impressions', 'clicks'],
    formatsOf(['json', 'json']),
    new EventBlocks([new RingWriter(createRing(64 * 1024))]),
    letters,
  )
  const partition = new Partition(1, 3, { position: 0, maxEventTime: undefined }, REASONS, 0)
  const task = { time: new Task(3, RULES), dictionary: new Dictionary(1) }
  task.time.partitions.push(partition)
  expect(ingest.run(new Cursor(task, partition, batch, 0, batch.length))).toBe(DONE)
  return { taken, lines }
}

function batchOf(...values: (string | null)[]): Uint8Array {
  const writer = new RecordBatchWriter(1 << 20)
  writer.begin(40)
  values.forEach((value, i) => {
    writer.append(NOW + i, Buffer.from(`key-${i}`), value === null ? null : Buffer.from(value))
  })
  return new Uint8Array(writer.bytes.subarray(0, writer.finish()))
}

test('a rejected record takes its place, key and timestamp along', () => {
  const { taken } = reject(batchOf('nonsense', null))
  const of = { kind: 'invalid', writer: 'ctr/test', topic: 'clicks', partition: 3, truncated: false, eventTime: undefined, createdAt: NOW }
  expect(taken).toEqual([
    { ...of, offset: 40, reason: 'NOT_JSON', message: 'the value is not JSON', text: 'nonsense', key: 'key-0', timestamp: NOW },
    { ...of, offset: 41, reason: 'EMPTY', message: 'the record has no value', text: '', key: 'key-1', timestamp: NOW + 1 },
  ])
})

test('of a batch that can not be read there is no key', () => {
  const batch = batchOf('nonsense')
  batch[61] = 0x7f // the record's length
  expect(reject(batch).taken).toMatchObject([{ offset: 40, reason: 'CORRUPT_BATCH', key: undefined, timestamp: undefined }])
})

test.each([
  [RAW_MAX_BYTES - 1, RAW_MAX_BYTES - 1, false],
  [RAW_MAX_BYTES, RAW_MAX_BYTES, false],
  [RAW_MAX_BYTES + 1, RAW_MAX_BYTES, true],
])('of %i bytes %i are kept', (length, kept, truncated) => {
  const [record] = reject(batchOf('x'.repeat(length))).taken
  expect([record?.text.length, record?.truncated]).toEqual([kept, truncated])
})

test('five of a reason are logged in a minute, and the fifth says so', () => {
  let now = NOW
  const { lines, taken } = reject(batchOf(...Array.from({ length: 7 }, () => 'x')), () => now)
  expect(taken).toHaveLength(7)
  expect(lines).toHaveLength(5)
  expect(lines.map((line) => line.endsWith('no more of this reason for a minute'))).toEqual([false, false, false, false, true])
  const again = reject(batchOf(...Array.from({ length: 7 }, () => 'x')), () => (now += 20_000))
  expect(again.lines).toHaveLength(7)
})

import { expect, test } from 'vitest'
import { RecordBatchWriter } from '../../src/batch/record-batch-writer.ts'
import { formatsOf, PLAIN_JSON } from '../../src/format/format.ts'
import { REASON, REASONS } from '../../src/format/reasons.ts'
import { Cursor } from '../../src/ingest/cursor.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import { DONE } from '../../src/ingest/status.ts'
import { LetterQuota } from '../../src/output/letter-quota.ts'
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
function reject(batch: Uint8Array, clock = () => NOW, quota = new LetterQuota(Number.POSITIVE_INFINITY)) {
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
  const letters = rejectedInput({ output, quota, writer: 'ctr/test' }, ['impressions', 'clicks'], log, clock)
  const ingest = new Ingest(
    RULES,
    ['impressions', 'clicks'],
    formatsOf([PLAIN_JSON, PLAIN_JSON]),
    new EventBlocks([new RingWriter(createRing(64 * 1024))]),
    { letters },
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
  const { taken } = reject(batchOf('nonsense', '[]'))
  const of = { kind: 'invalid', writer: 'ctr/test', topic: 'clicks', partition: 3, truncated: false, eventTime: undefined, createdAt: NOW }
  expect(taken).toEqual([
    { ...of, offset: 40, reason: 'NOT_JSON', message: 'the value is not JSON', text: 'nonsense', key: 'key-0', timestamp: NOW },
    { ...of, offset: 41, reason: 'NOT_OBJECT', message: 'the value is not a JSON object', text: '[]', key: 'key-1', timestamp: NOW + 1 },
  ])
})

test.each([
  [1_023, 1_023],
  [1_024, 1_024],
  [1_025, 1_024],
  [4_000_000, 1_024],
])('of a detail of %i characters %i are kept, so that the letter can be taken', (length, kept) => {
  const messages: string[] = []
  const output: Output = {
    full: false,
    put: ({ message }) => void messages.push(message),
    room: async () => {},
    delivered: async () => {},
    close: async () => {},
  }
  const log = { warn: (_: unknown, message: string) => void messages.push(message) }
  const quota = new LetterQuota(Number.POSITIVE_INFINITY)
  const cursor = { partition: { partition: 3, topicIndex: 0 } } as unknown as Cursor
  const place = { cursor, offset: 40, bytes: new Uint8Array(1), start: 0, end: 1, time: undefined, records: 1 }
  rejectedInput({ output, quota, writer: 'ctr/test' }, ['clicks'], log, () => NOW).reject({
    ...place,
    reason: REASON.SCHEMA_MISMATCH,
    detail: 'x'.repeat(length),
  })
  expect(messages.map((message) => /x{9,}/.exec(message)?.[0].length)).toEqual([kept, kept])
  for (const message of messages) expect(message.length).toBeLessThan(1_300)
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

test.each([
  [2, 2, 0],
  [3, 3, 0],
  [4, 3, 1],
])('of %i letters of a reason %i are kept when three are allowed, and %i is left out, which is told once', (made, kept, leftOut) => {
  const quota = new LetterQuota(3)
  const { taken, lines } = reject(batchOf(...Array.from({ length: made }, () => 'x'), '[]'), () => NOW, quota)
  expect(taken.map(({ reason }) => reason)).toEqual([...Array.from({ length: kept }, () => 'NOT_JSON'), 'NOT_OBJECT'])
  expect(quota.leftOut[REASON.NOT_JSON]).toBe(leftOut)
  expect(quota.leftOut[REASON.NOT_OBJECT]).toBe(0)
  expect(lines.filter((line) => line.includes('deadLetter.perReason is reached'))).toHaveLength(leftOut > 0 ? 1 : 0)
})

test('each partition has its own share, and each minute a new one', () => {
  const quota = new LetterQuota(1)
  const take = (topic: number, partition: number, now: number) => {
    quota.look(now)
    return quota.keeps(topic, partition, REASON.TYPE)
  }
  expect([take(0, 0, 0), take(0, 0, 1), take(0, 1, 2), take(1, 0, 3), take(0, 0, 59_999)]).toEqual([true, false, true, true, false])
  expect([take(0, 0, 60_000), take(0, 0, 60_001)]).toEqual([true, false])
  expect(quota.leftOut[REASON.TYPE]).toBe(3)
})

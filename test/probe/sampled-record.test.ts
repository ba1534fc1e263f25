import { expect, test } from 'vitest'
import { recordsOf } from '../../src/probe/sampled-record.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'

test('records that were sampled stay what they were when the memory of their delivery is used for others', () => {
  const record = { topic: 't', partition: 0, offset: 7, recordTimestamp: 1, value: Buffer.from('{"product_id":"p"}') }
  const bytes = encodeBatch([record, { ...record, offset: 8 }])
  const sampled = recordsOf('t', 0, { bytes, start: 0, end: bytes.length }, 7, 1_000_000)
  bytes.fill(0xa5)
  expect(sampled.map(({ offset, value, headerBytes }) => [offset, value && Buffer.from(value).toString(), headerBytes?.length])).toEqual([
    [7, '{"product_id":"p"}', 1],
    [8, '{"product_id":"p"}', 1],
  ])
})

import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { BatchHeader } from '../../src/batch/record-batch.ts'
import { readEnvelope } from '../../src/batch/record-envelope.ts'

interface Given {
  readonly timestampDelta?: number
  readonly offsetDelta?: number
  readonly key?: Buffer | null
  readonly value?: Buffer | null
  readonly headers?: Record<string, Buffer | Buffer[]>
}

/** kafkajs' own encoder. */
const encode = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/record/v0') as (given: Given) => { buffer: Buffer }

const BASE = 1_700_000_000_000
const BEFORE = 5

/** Read from the middle of other bytes; text for bytes. */
function read(record: Uint8Array, more: Partial<BatchHeader> = {}) {
  const header = Object.assign(new BatchHeader(), { baseTimestamp: BASE, maxTimestamp: BASE + 99 }, more)
  const around = Buffer.concat([Buffer.alloc(BEFORE, 0xff), record, Buffer.alloc(300, 2)])
  const { key, headers, timestamp } = readEnvelope(around, BEFORE, header)
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
  return { key: text(key), headers: headers.map(([name, value]) => [name, text(value)]), timestamp }
}

describe('key, headers and timestamp are what was written', () => {
  const value = Buffer.from('{"product_id":"p"}')
  test.each<[what: string, given: Given, key: string | null, headers: (string | null)[][], timestamp: number]>([
    ['nothing', { key: null, value: null }, null, [], BASE],
    ['empty', { key: Buffer.alloc(0), value: Buffer.alloc(0) }, '', [], BASE],
    ['a key', { key: Buffer.from('köy'), value, timestampDelta: 7, offsetDelta: 3 }, 'köy', [], BASE + 7],
    ['a long key', { key: Buffer.from('k'.repeat(300)), value, offsetDelta: 70_000 }, 'k'.repeat(300), [], BASE],
    ['an older record', { key: null, value, timestampDelta: -86_400_000 }, null, [], BASE - 86_400_000],
    ['a far newer one', { key: null, value, timestampDelta: 2 ** 40 }, null, [], BASE + 2 ** 40],
    [
      'headers',
      { key: null, value, headers: { trace: Buffer.from('id-1'), empty: Buffer.alloc(0), twice: [Buffer.from('a'), Buffer.from('b')] } },
      null,
      [
        ['trace', 'id-1'],
        ['empty', ''],
        ['twice', 'a'],
        ['twice', 'b'],
      ],
      BASE,
    ],
  ])('%s', (_, given, key, headers, timestamp) => {
    expect(read(encode(given).buffer)).toEqual({ key, headers, timestamp })
  })
})

test('a header may be null', () => {
  //                       length attr time offset key value count name length, name, null
  const record = Uint8Array.of(18, 0, 0, 0, 1, 1, 2, 2, 0x68, 1)
  expect(read(record).headers).toEqual([['h', null]])
})

test('the timestamp is the batch’s where the broker sets it', () => {
  expect(read(encode({ timestampDelta: 7, key: null, value: null }).buffer, { logAppendTime: true }).timestamp).toBe(BASE + 99)
})

test('headers that run past their record end where they do', () => {
  const record = encode({
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: { one: Buffer.from('1'), two: Buffer.from('2') },
  }).buffer
  const countAt = record.length - 1 - 2 * 6
  expect(record[countAt]).toBe(4)
  for (const [count, names] of [
    [2, ['one']],
    [4, ['one', 'two']],
    [200, ['one', 'two']],
  ] as const) {
    record[countAt] = count
    expect(read(record).headers.map(([name]) => name)).toEqual(count === 200 ? [] : names)
  }
})

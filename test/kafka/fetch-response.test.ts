import { expect, test } from 'vitest'
import { decodeFetch } from '../../src/kafka/fetch-response.ts'
import { batchBytes, fetchBody } from '../support/batch-bytes.ts'

function listener() {
  const heard: string[] = []
  return {
    heard,
    maxBatchBytes: 2 ** 26,
    endOffset: (topic: string, partition: number, end: number, _: number, id?: string) =>
      void heard.push(`end ${topic}/${partition} ${end}${id === undefined ? '' : ` of ${id}`}`),
    outOfRange: (topic: string, partition: number) => void heard.push(`out ${topic}/${partition}`),
    otherTopic: (topic: string, partition: number) => void heard.push(`other ${topic}/${partition}`),
  }
}

test.each([4, 5, 6, 7, 8, 9, 10, 11])('version %i is read to its last byte', (version) => {
  const heard = listener()
  const records = Buffer.concat([batchBytes({ baseOffset: 5, count: 2 }), batchBytes({ baseOffset: 7, count: 1 })])
  const body = fetchBody(version, [
    { topic: 'impressions', partitions: [{ partition: 0, records }, { partition: 1 }] },
    {
      topic: 'clïcks',
      partitions: [{ partition: 0, records, highWatermark: 90, lastStableOffset: 8, aborted: [{ producerId: 3, firstOffset: 7 }] }],
    },
  ])
  const decoded = decodeFetch(version, body, undefined, heard)
  expect(decoded.responses.map(({ topicName, partitions }) => [topicName, partitions.map(({ messages }) => messages[0]?.offset)])).toEqual([
    ['impressions', ['7', undefined]],
    ['clïcks', ['7']],
  ])
  const [value] = decoded.responses[1]!.partitions[0]!.messages.map((message) => message.value)
  expect(value!.bytes.subarray(value!.walk.spans[0]!.start, value!.walk.spans[0]!.end)).toEqual(records)
  expect(heard.heard).toEqual(['end impressions/0 100', 'end impressions/1 100', 'end clïcks/0 8'])
})

test('version 13 is read to its last byte, by the ids that were asked for', () => {
  const heard = listener()
  const [a, b, c] = ['vPeOCWypqUOSepEvx0cbog', 'AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg'] as const
  const records = Buffer.concat([batchBytes({ baseOffset: 5, count: 2, filler: 300 }), batchBytes({ baseOffset: 7, count: 1 })])
  const aborted = [{ producerId: 3, firstOffset: 7 }]
  const body = fetchBody(13, [
    { topic: a, partitions: [{ partition: 0, records, highWatermark: 90, lastStableOffset: 8, aborted }, { partition: 1 }] },
    { topic: b, partitions: [100, 103].map((errorCode, partition) => ({ partition, errorCode, highWatermark: -1 })) },
    { topic: c, partitions: [{ partition: 0, records }] },
  ])
  const names = new Map([
    [a, 'impressions'],
    [b, 'clicks'],
  ])
  const decoded = decodeFetch(13, body, undefined, heard, names)
  expect(decoded.responses.map(({ topicName, partitions }) => [topicName, partitions.map(({ errorCode }) => errorCode)])).toEqual([
    ['impressions', [0, 0]],
    ['clicks', [0, 0]],
  ])
  const { value } = decoded.responses[0]!.partitions[0]!.messages[0]!
  expect(value.bytes.subarray(value.walk.spans[0]!.start, value.walk.spans[0]!.end)).toEqual(records)
  expect(value.topicId).toBe(a)
  expect(heard.heard).toEqual([`end impressions/0 8 of ${a}`, `end impressions/1 100 of ${a}`, 'other clicks/0', 'other clicks/1'])
})

test('an offset out of range is told to us and hidden from kafkajs, other errors are not', () => {
  const heard = listener()
  const partitions = [
    { partition: 0, errorCode: 1, highWatermark: -1 },
    { partition: 1, errorCode: 6, highWatermark: -1 },
  ]
  const decoded = decodeFetch(11, fetchBody(11, [{ topic: 't', partitions }]), undefined, heard)
  expect(decoded.responses[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 6])
  expect(heard.heard).toEqual(['out t/0'])
})

test('records that reach past the response are refused', () => {
  const body = fetchBody(11, [{ topic: 't', partitions: [{ partition: 0, records: batchBytes({ baseOffset: 0, count: 1 }) }] }])
  expect(() => decodeFetch(11, body.subarray(0, body.length - 1), undefined, listener())).toThrow(RangeError)
})

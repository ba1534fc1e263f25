import { expect, test } from 'vitest'
import { fetchById, knowsFetchById } from '../../src/kafka/fetch-by-id.ts'
import { decodeTopicIds, decodeTopics, encodeMetadataRequest } from '../../src/kafka/topic-ids.ts'

const ID = 'AAECAwQFBgcICQoLDA0ODw'
const ID_BYTES = '000102030405060708090a0b0c0d0e0f'
const hex = (...parts: string[]) => Buffer.from(parts.join(''), 'hex')

test.each([
  [10, '000000'],
  [12, '0000'],
])('a request of Metadata %i asks for topics by name, and makes none', (version, flags) => {
  const topic = (name: string) => ['0'.repeat(32), (name.length + 1).toString(16).padStart(2, '0'), Buffer.from(name).toString('hex'), '00']
  const wanted = hex('00', '03', ...topic('a'), ...topic('clicks'), flags, '00')
  expect(encodeMetadataRequest(version, ['a', 'clicks']).toString('hex')).toBe(wanted.toString('hex'))
})

test('rights are asked for by the last flag', () => {
  for (const version of [10, 12]) {
    const [without, having] = [false, true].map((rights) => encodeMetadataRequest(version, ['a'], rights).toString('hex'))
    expect(having).toBe(`${without?.slice(0, -4)}0100`)
  }
})

test('of a topic its partitions, those without a leader and the rights are read', () => {
  const partition = (number: number, leader: string) =>
    ['0000', number.toString(16).padStart(8, '0'), leader, '00000005', '02', '00000001', '02', '00000001', '01', '00'].join('')
  const partitions = [partition(0, '00000001'), partition(1, 'ffffffff'), partition(2, '00000000')]
  const a = ['0000', '02', '61', ID_BYTES, '00', '04', ...partitions, '00000108', '00']
  const gone = ['0003', '02', '62', '0'.repeat(32), '00', '01', '80000000', '00']
  const body = hex('00', '00000000', '01', '00', '00000001', '03', ...a, ...gone, '00')
  expect(decodeTopics(body)).toEqual([
    { name: 'a', id: ID, errorCode: 0, partitions: 3, leaderless: [1], operations: 0x108 },
    { name: 'b', id: undefined, errorCode: 3, partitions: 0, leaderless: [], operations: -0x80000000 },
  ])
})

test('ids are read of the topics that are there', () => {
  const broker = ['00000001', '05', Buffer.from('host').toString('hex'), '00002384', '00', '00']
  const partition = ['0000', '00000000', '00000001', '00000005', '02', '00000001', '02', '00000001', '01', '00']
  const topic = (error: string, name: string, id: string, ...partitions: string[]) => {
    const text = [(name.length + 1).toString(16).padStart(2, '0'), Buffer.from(name).toString('hex')]
    return [error, ...text, id, '00', ...partitions, '80000000', '00']
  }
  const body = hex(
    ...['00', '00000000', '02', ...broker, '04', '616263', '00000001', '04'],
    ...topic('0000', 'a', ID_BYTES, '03', ...partition, ...partition),
    ...topic('0003', 'gone', ID_BYTES, '01'),
    ...topic('0000', 'old', '0'.repeat(32), '01'),
    ...['80000000', '00'],
  )
  expect([...decodeTopicIds(body)]).toEqual([
    ['a', ID],
    ['old', ''],
  ])
  const denied = hex('00', '00000000', '01', '00', '00000001', '02', ...topic('001d', 'mine', '0'.repeat(32), '01'), '80000000', '00')
  expect(() => decodeTopicIds(denied)).toThrow('access to topic mine is denied')
})

test('a fetch is by id when all its topics have one', () => {
  const partitions = [{ partition: 3, fetchOffset: '9007199254740993', maxBytes: 100 }]
  const request = { maxWaitTime: 50, minBytes: 1, maxBytes: 1000, isolationLevel: 1, topics: [{ topic: 't', partitions }] }
  expect(fetchById(request, new Map())).toBeUndefined()
  const { payload, names } = fetchById(request, new Map([['t', ID]]))!
  expect([...names]).toEqual([[ID, 't']])
  const head = hex('00', 'ffffffff', '00000032', '00000001', '000003e8', '01', '00000000', 'ffffffff')
  const one = hex('00000003', 'ffffffff', '0020000000000001', 'ffffffff', 'ffffffffffffffff', '00000064', '00')
  expect(payload.toString('hex')).toBe(Buffer.concat([head, hex('02', ID_BYTES, '02'), one, hex('00', '01', '01', '00')]).toString('hex'))
})

test.each([
  [undefined, false],
  [{ minVersion: 0, maxVersion: 12 }, false],
  [{ minVersion: 4, maxVersion: 13 }, true],
  [{ minVersion: 4, maxVersion: 17 }, true],
  [{ minVersion: 14, maxVersion: 20 }, false],
])('of a broker that answers %j it is known whether it can be asked so', (versions, known) => {
  expect(knowsFetchById(versions)).toBe(known)
})

import { expect, test } from 'vitest'
import { decodeQuorumClock, encodeDescribeQuorum } from '../../src/kafka/quorum-clock.ts'

const NAME = Buffer.from('__cluster_metadata').toString('hex')
const hex = (...parts: string[]) => Buffer.from(parts.join(''), 'hex')
const i64 = (value: number) => value.toString(16).padStart(16, '0')
const NOW = 1_796_084_844_250

function answer(error: string, partitionError: string, leader: string, voters: readonly (readonly [string, number])[]): Buffer {
  const each = voters.map(([id, at]) => [id, i64(99), i64(at), i64(at), '00'].join(''))
  const count = (voters.length + 1).toString(16).padStart(2, '0')
  const partition = ['00000000', partitionError, leader, '00000002', i64(99), count, ...each, '01', '00']
  return hex('00', error, '02', '13', NAME, '02', ...partition, '00', '00')
}

test('the quorum is asked for by its one partition', () => {
  expect(encodeDescribeQuorum().toString('hex')).toBe(hex('00', '02', '13', NAME, '02', '00000000', '00', '00', '00').toString('hex'))
})

test('the time is that of the leader, wherever it stands among the voters', () => {
  const voters = [
    ['00000001', NOW - 500],
    ['00000003', NOW],
    ['00000002', NOW - 700],
  ] as const
  expect(decodeQuorumClock(answer('0000', '0000', '00000003', voters))).toBe(NOW)
})

test('where there is no time the answer says why', () => {
  expect(decodeQuorumClock(answer('001f', '0000', '00000001', []))).toContain('DESCRIBE on the cluster')
  expect(decodeQuorumClock(answer('0029', '0000', '00000001', []))).toContain('error 41')
  expect(decodeQuorumClock(answer('0000', '0006', '00000001', []))).toContain('error 6')
  expect(decodeQuorumClock(answer('0000', '0000', 'ffffffff', [['00000001', NOW]]))).toContain('no leader')
  expect(decodeQuorumClock(hex('00', '0000', '01', '00'))).toContain('no quorum')
})

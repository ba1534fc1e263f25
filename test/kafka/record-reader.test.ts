/** Records of aborted transactions, told by offsets and markers. */
import { expect, test } from 'vitest'
import { AbortedRecords } from '../../src/kafka/record-reader.ts'

const record = (producerId: string, inTransaction = true) => {
  return { offset: '', key: null, value: null, isControlRecord: false, batchContext: { producerId, inTransaction } }
}
const marker = (producerId: string) => ({ ...record(producerId), isControlRecord: true })

test('a producer’s records are left out from the first offset of an aborted transaction up to its marker', () => {
  const aborted = new AbortedRecords()
  aborted.add([{ producerId: '1', firstOffset: '10' }])
  const whole = (message: ReturnType<typeof record>, offset: number) => aborted.isWhole(message, offset)
  expect([whole(record('1'), 9), whole(record('1'), 10), whole(record('2'), 11), whole(record('1', false), 12)]).toEqual([
    true,
    false,
    true,
    true,
  ])
  expect([whole(record('1'), 13), whole(marker('1'), 14), whole(record('1'), 15)]).toEqual([false, false, true])
})

test('several that are told at once, and again, count once each', () => {
  const aborted = new AbortedRecords()
  const told = [
    { producerId: '1', firstOffset: '0' },
    { producerId: '2', firstOffset: '1' },
    { producerId: '1', firstOffset: '5' },
  ]
  aborted.add(told)
  // The first record that is seen lies behind the beginning of two of them.
  expect([aborted.isWhole(record('2'), 2), aborted.isWhole(record('1'), 3), aborted.isWhole(marker('1'), 4)]).toEqual([false, false, false])
  aborted.add(told)
  expect([
    aborted.isWhole(record('2'), 4),
    aborted.isWhole(record('1'), 5),
    aborted.isWhole(marker('1'), 6),
    aborted.isWhole(record('1'), 7),
  ]).toEqual([false, false, false, true])
})

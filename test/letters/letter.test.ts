import { describe, expect, test } from 'vitest'
import { REASON_TEXT, REASONS } from '../../src/format/reasons.ts'
import { isChosen, LETTER_REASONS, letterOf, notPutBack, rawBytes } from '../../src/letters/letter.ts'
import { PutBack, progressRecord } from '../../src/letters/progress.ts'
import { codeOf, type DeadLetter, deadLetterOf } from '../../src/output/dead-letter.ts'
import type { OutputRecord } from '../../src/output/output.ts'

function letter(reason: string, message: string, more: Partial<OutputRecord> = {}): DeadLetter {
  return deadLetterOf({
    kind: 'invalid',
    writer: 'ctr/g',
    topic: 'clicks',
    partition: 1,
    offset: 7,
    envelope: undefined,
    reason,
    message,
    bytes: Buffer.from('x'),
    truncated: false,
    eventTime: undefined,
    createdAt: 1000,
    ...more,
  })
}

const read = (value: unknown) => letterOf('0/1', Buffer.from(JSON.stringify(value)))

describe('a letter', () => {
  test.each(REASONS.filter((reason) => reason !== 'VALID'))('of %s is known by what it says, with and without a detail', (reason) => {
    expect(read(letter(reason, REASON_TEXT[reason]))?.reason).toBe(reason)
    expect(read(letter(reason, `${REASON_TEXT[reason]}: at 17`))?.reason).toBe(reason)
  })

  test('that is late, or a row, or of another version, is known by its code', () => {
    expect(read(letter('LATE', 'late'))?.reason).toBe('LATE')
    expect(read(letter('ROW_REFUSED', 'no'))?.reason).toBe('ROW_REFUSED')
    expect(read(letter('TYPE', 'in words of another version'))?.reason).toBe('VALIDATION_ERROR')
  })

  test.each([
    ['not JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['another object', '{"a":1}'],
    ['no message', JSON.stringify({ ...letter('TYPE', 'x'), errorMessage: undefined })],
    ['a message of another type', JSON.stringify({ ...letter('TYPE', 'x'), errorMessage: 7 })],
    ['an encoding of another kind', JSON.stringify({ ...letter('TYPE', 'x'), rawEncoding: 'hex' })],
    ['nothing of whether it was cut', JSON.stringify({ ...letter('TYPE', 'x'), rawTruncated: undefined })],
    ['a partition below 0', JSON.stringify({ ...letter('TYPE', 'x'), partition: -1 })],
    ['no offset', JSON.stringify({ ...letter('TYPE', 'x'), offset: 'a' })],
  ])('is not %s', (_, text) => {
    expect(letterOf('1', Buffer.from(text))).toBeUndefined()
  })

  test('gives the bytes of its record again, UTF-8 or not', () => {
    for (const bytes of [Buffer.from('ä"\u0000'), Buffer.from([0xff, 0, 0x80])]) {
      expect(rawBytes(letter('NOT_UTF8', 'x', { bytes }))).toEqual(bytes)
    }
  })

  test('can be put back when it has all of one record', () => {
    expect(notPutBack(letter('TYPE', 'x'))).toBeUndefined()
    expect(notPutBack(letter('TYPE', 'x', { truncated: true }))).toContain('only the beginning')
    expect(notPutBack(letter('ROW_REFUSED', 'x', { topic: '', offset: -1 }))).toContain('INSERT INTO')
    expect(notPutBack(letter('CORRUPT_BATCH', 'x'))).toContain('batches')
    expect(notPutBack(letter('BATCH_TOO_LARGE', 'x'))).toContain('batches')
    expect(notPutBack(letter('TYPE', 'x', { topic: '' }))).toContain('without a record')
    expect(notPutBack(letter('TYPE', 'x', { element: 0 }))).toContain('what is around them')
    expect(notPutBack(letter('LATE', 'x', { element: 3 }))).toContain('what is around them')
  })

  test('is chosen by reason or code, topic and time, up to the millisecond', () => {
    const found = read(letter('NOT_JSON', REASON_TEXT.NOT_JSON))
    if (found === undefined) throw new Error('no letter')
    const chosen = (choice: Parameters<typeof isChosen>[1]) => isChosen(found, choice)
    expect([chosen({}), chosen({ reasons: ['NOT_JSON'] }), chosen({ reasons: ['DESERIALIZATION_ERROR'] })]).toEqual([true, true, true])
    expect([chosen({ reasons: ['TYPE'] }), chosen({ topic: 'views' }), chosen({ topic: 'clicks' })]).toEqual([false, false, true])
    expect([chosen({ since: 1000 }), chosen({ since: 1001 }), chosen({ until: 1000 }), chosen({ until: 1001 })]).toEqual([
      true,
      false,
      false,
      true,
    ])
  })
})

test('every reason of a letter has a code', () => {
  expect(LETTER_REASONS.map(codeOf)).not.toContain(undefined)
  expect(LETTER_REASONS).toContain('LATE')
})

describe('progress', () => {
  test('is of the records that it was told of, whatever their letters', () => {
    const progress = new PutBack()
    const of = (topic: string, partition: number, offset: number) => letter('TYPE', 'x', { topic, partition, offset })
    expect(progress.add(progressRecord([of('a', 0, 1), of('b', 0, 1), of('a', 0, 5)], 'me', 0))).toBe(true)
    expect(progress.add(progressRecord([of('a', 1, 1)], 'me', 0))).toBe(true)
    const has = [of('a', 0, 1), of('a', 0, 5), of('b', 0, 1), of('a', 1, 1), of('a', 0, 2), of('b', 0, 5), of('c', 0, 1)].map((each) =>
      progress.has(each),
    )
    expect(has).toEqual([true, true, true, true, false, false, false])
  })

  test('is not what else may lie in a topic', () => {
    for (const value of [null, Buffer.from('x'), Buffer.from('{}'), Buffer.from('{"records":[1]}')])
      expect(new PutBack().add(value)).toBe(false)
  })
})

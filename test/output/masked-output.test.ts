import { expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { REASON_TEXT } from '../../src/format/reasons.ts'
import { type FoundLetter, letterOf, notPutBack, shownLetter } from '../../src/letters/letter.ts'
import { deadLetterOf } from '../../src/output/dead-letter.ts'
import { LetterEncoder } from '../../src/output/letter-encoder.ts'
import { maskedOutputs } from '../../src/output/masked-output.ts'
import type { Output, OutputRecord } from '../../src/output/output.ts'
import { Privacy } from '../../src/privacy/privacy.ts'
import { outputRecord } from '../support/output-records.ts'

const KEY = { id: 'k1', secret: 'a key of thirty-two bytes or more' }
const HMAC = '[0-9a-f]{16}'

function privacy(payload: 'masked' | 'none'): Privacy {
  return new Privacy(configSchema.parse({ privacy: { payload, ...(payload === 'masked' && { keep: ['product_id'] }) } }), payload, KEY)
}

/** What comes out of the output behind it. */
function through(payload: 'masked' | 'none', record: OutputRecord): OutputRecord {
  const taken: OutputRecord[] = []
  const output: Output = {
    full: false,
    put: (one) => void taken.push({ ...one, bytes: Buffer.from(one.bytes) }),
    room: async () => {},
    delivered: async () => {},
    close: async () => {},
  }
  maskedOutputs({ deadLetters: output }, privacy(payload)).deadLetters.put(record)
  expect(taken).toHaveLength(1)
  return taken[0] as OutputRecord
}

const ANN = outputRecord(7, '{"user_id":"ann","product_id":"p","time":ann}', {
  message: `${REASON_TEXT.NOT_JSON}: near "ann"`,
  eventTime: 1700,
  envelope: () => ({ key: Buffer.from('ann'), headers: [['ann', null]], timestamp: 1 }),
})

test('masked: structure, what is kept and the byte at fault; neither key, headers nor what quotes it', () => {
  const record = through('masked', ANN)
  expect(record).toMatchObject({ payload: 'masked', truncated: true, faultAt: 41, eventTime: 1700, envelope: undefined })
  expect(String(record.bytes)).toMatch(
    new RegExp(`^\\{"user_id":"\\*{3}text:k1:${HMAC}","product_id":"p","\\*{3}name:k1:${HMAC}":\\*{3}rest:k1:${HMAC}:4$`),
  )
  expect(record.message).toBe(`${REASON_TEXT.NOT_JSON}: ***`)
  expect(JSON.stringify(deadLetterOf(record))).not.toContain('ann')
})

test('none: where it is, and why it is there', () => {
  const { lateMs, ...letter } = deadLetterOf(through('none', { ...ANN, kind: 'late', lateMs: 17 }))
  expect(lateMs).toBe(17)
  expect(letter).toEqual({
    source: 'ctr/test',
    rawTopic: 'clicks',
    partition: 3,
    offset: 7,
    errorCode: 'DESERIALIZATION_ERROR',
    errorMessage: `${REASON_TEXT.NOT_JSON}: ***`,
    rawData: '',
    rawEncoding: 'utf8',
    rawTruncated: true,
    eventTimeMillisUtc: null,
    createdAtUtc: '2026-01-01T00:00:00.000Z',
    payload: 'none',
  })
})

test('where the bytes were cut off they do not end to be JSON', () => {
  expect(through('masked', outputRecord(7, '{"user_id":"an', { truncated: true })).faultAt).toBeUndefined()
  expect(through('masked', outputRecord(7, '{"user_id":ann', { truncated: true })).faultAt).toBe(11)
})

test.each(['masked', 'none'] as const)(
  '%s: the line is what JSON.stringify makes of the letter, and room for it is promised',
  (payload) => {
    const encoder = new LetterEncoder()
    for (const text of ['{"a":1}', 'ä"\n\\', '']) {
      const record = through(payload, outputRecord(7, text))
      const out = Buffer.alloc(encoder.maxBytes(record))
      const end = encoder.write(record, out, 0)
      expect(out.toString('utf8', 0, end)).toBe(`${JSON.stringify(deadLetterOf(record))}\n`)
    }
  },
)

test.each(['masked', 'none'] as const)('%s: no record is put back, and it is said why and where it is', (payload) => {
  const letter = deadLetterOf(through(payload, ANN))
  expect(notPutBack(letter)).toContain(`privacy.payload: ${payload}`)
  expect(notPutBack(letter)).toContain('the record itself is in its topic')
  // An engine of before takes it for one that was cut off.
  expect(letter.rawTruncated).toBe(true)
})

test('a letter of before is shown as one that is written now; what is masked does not come back', () => {
  const found = (record: OutputRecord) => letterOf('0/1', Buffer.from(JSON.stringify(deadLetterOf(record)))) as FoundLetter
  expect(shownLetter(found(ANN), undefined)).toEqual(found(ANN))
  for (const payload of ['masked', 'none'] as const) expect(shownLetter(found(ANN), privacy(payload))).toEqual(found(through(payload, ANN)))
  const masked = found(through('masked', ANN))
  expect(shownLetter(masked, privacy('masked'))).toEqual(masked)
  expect(shownLetter(masked, privacy('none'))).toEqual(found(through('none', ANN)))
  const none = found(through('none', ANN))
  expect(shownLetter(none, privacy('masked'))).toEqual(none)
})

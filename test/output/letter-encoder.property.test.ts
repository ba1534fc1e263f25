import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deadLetterOf } from '../../src/output/dead-letter.ts'
import { LetterEncoder } from '../../src/output/letter-encoder.ts'
import type { OutputRecord } from '../../src/output/output.ts'
import { repetitions } from '../support/effort.ts'
import { outputRecord } from '../support/output-records.ts'

const ESCAPED = ['"', '\\\\', '\\b', '\\f', '\\n', '\\r', '\\t', '\u0000', '\u001f', '\u007f', '\u2028', 'ü', '€', '😀', '\ufeff']

const text = fc.string({ unit: fc.oneof(fc.constantFrom(...ESCAPED), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })) })
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  text.map((value) => Buffer.from(value)),
)
const integer = fc.oneof(fc.constantFrom(0, 9, 10, 999_999_999, 1e9, 1e9 + 1, 1e18, Number.MAX_SAFE_INTEGER, -1), fc.maxSafeNat())

const record: fc.Arbitrary<OutputRecord> = fc
  .record({
    writer: text,
    topic: text,
    partition: fc.nat(3),
    offset: integer,
    element: fc.option(integer, { nil: undefined }),
    reason: fc.constantFrom('NOT_JSON', 'TYPE', 'EMPTY', 'CORRUPT_BATCH', 'ROW_REFUSED'),
    message: text,
    bytes,
    truncated: fc.boolean(),
    eventTime: fc.option(integer, { nil: undefined }),
    lateMs: fc.option(integer, { nil: undefined }),
    createdAt: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 }),
  })
  .map(({ lateMs, ...given }) => outputRecord(0, '', lateMs === undefined ? given : { ...given, lateMs }))

test('lines are what JSON.stringify makes of the letters, and none takes more than was said', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) => {
      const encoder = new LetterEncoder()
      for (const one of records) {
        const wanted = Buffer.from(`${JSON.stringify(deadLetterOf(one))}\n`)
        const most = encoder.maxBytes(one)
        const out = Buffer.alloc(most + 4, 0x2e)
        const end = encoder.write(one, out, 2)
        expect(out.subarray(2, end).toString('latin1')).toBe(wanted.toString('latin1'))
        expect(end - 2).toBeLessThanOrEqual(most)
      }
    }),
    { numRuns: repetitions({ unit: 200, all: 1_000, long: 50_000 }) },
  )
})

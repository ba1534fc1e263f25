import { describe, expect, test } from 'vitest'
import { AVRO } from '../../src/format/avro-format.ts'
import { FramedFormat } from '../../src/format/framed-format.ts'
import type { Framing } from '../../src/format/frames.ts'
import { Random } from '../../src/load/random.ts'
import { bothParsers, type Headers } from '../../workshop/both-parsers.ts'
import { PLAIN_RULES } from '../../workshop/plain-rules.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const RUNS = repetitions({ unit: 50, all: 100, long: 2000 })
const VALUES = 20

/** Its values begin with any byte. */
const TEXT = JSON.stringify({
  type: 'record',
  name: 'E',
  fields: [
    { name: 'before', type: 'int' },
    { name: 'product_id', type: 'string' },
    { name: 'event_type', type: 'string' },
    { name: 'timestamp', type: 'long' },
  ],
})
const OWN = Buffer.from([2, 0x70, 10, ...Buffer.from('click'), 0xf6, 0xf7, 0xcf, 0xdd, 0xf9, 0x62])

/** What stands before the value, and its first byte among it. */
const BEGINNINGS: readonly (readonly number[])[] = [
  [2],
  [4],
  [0],
  [3],
  [0, 0, 0, 0, 17, 2],
  [0, 0, 0, 0, 0, 0, 0, 0, 17, 2],
  [3, 0, ...Array.from({ length: 16 }, () => 7), 2],
  [3, 5],
]
const HEADERS: readonly Headers[] = [[], [['trace', Buffer.from('abc')]], [['__value_schema_id', Buffer.from([0, 0, 0, 0, 17])]]]

function formatOf(framing: Framing): FramedFormat {
  const file = { type: 'avro' as const, text: TEXT, references: [] }
  return new FramedFormat(AVRO, PLAIN_RULES, framing, { schemas: undefined, file, message: '' })
}

describe('a value that may or may not be framed', () => {
  test.each([1, SEED])('is the same whatever came before it: seed %i', (seed) => {
    const random = new Random(seed)
    const seen = new Set<string>()
    for (let run = 0; run < RUNS; run++) {
      const format = formatOf('auto')
      for (let i = 0; i < VALUES; i++) {
        const value = Buffer.concat([Buffer.from(BEGINNINGS[random.below(BEGINNINGS.length)]!), OWN])
        const headers = HEADERS[random.below(HEADERS.length)]!
        const alone = bothParsers(formatOf('auto'), value, headers).exact
        const { exact, fast } = bothParsers(format, value, headers)
        expect([exact, fast ?? alone], value.toString('hex')).toEqual([alone, alone])
        seen.add(`${alone.verdict} ${fast !== undefined}`)
      }
    }
    expect([...seen].toSorted()).toEqual(['NOT_AVRO false', 'VALID false', 'VALID true'])
  })

  test('is a value and no more with framing none', () => {
    const format = formatOf('none')
    for (const first of [2, 0, 3, 4]) {
      const { exact, fast } = bothParsers(format, Buffer.concat([Buffer.from([first]), OWN]))
      expect([exact.verdict, fast?.verdict]).toEqual(['VALID', 'VALID'])
    }
  })
})

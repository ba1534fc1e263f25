/** Texts that were committed once are read for ever; a new text is one that every version before can read. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/config/limits.ts'
import { decodeOffsetMetadata, encodeOffsetMetadata, METADATA_MAX_BYTES, type OffsetMetadata } from '../../src/kafka/offset-metadata.ts'
import { CANDIDATES_MAX } from '../../src/window/facts.ts'

const NOTHING = { maxEventTime: undefined, totals: undefined, incarnation: undefined, facts: undefined }
const NO_FACTS = { topicId: undefined, idleSince: undefined, candidates: undefined, windowsFrom: undefined }
const FACTS = {
  topicId: 'vPeOCWypqUOSepEvx0cbog',
  idleSince: 1_700_000_000_000,
  candidates: 'lk7 lk8',
  windowsFrom: 4,
}

describe('of the first version', () => {
  const LEDGER = '"ledger":{"first":3,"read":15,"counted":9,"late":1,"invalid":{"TYPE":2,"EMPTY":3}}'
  const sums = { first: 3, read: 15, counted: 9, late: 1, invalid: { EARLIER: 5 } }
  test.each<[text: string, known: Partial<OffsetMetadata>]>([
    ['{"v":1}', {}],
    ['{"v":1,"maxEventTime":1700000000123}', { maxEventTime: 1_700_000_000_123 }],
    ['{"v":1,"maxEventTime":-5}', { maxEventTime: -5 }],
    [`{"v":1,"maxEventTime":1700000000123,${LEDGER}}`, { maxEventTime: 1_700_000_000_123, totals: sums }],
    [`{"v":1,${LEDGER},"lineage":2}`, { totals: sums, incarnation: 2 }],
    [
      '{"v":1,"ledger":{"first":0,"read":0,"counted":0,"late":0,"invalid":{}}}',
      { totals: { ...sums, first: 0, read: 0, counted: 0, late: 0, invalid: {} } },
    ],
  ])('%s is read, its reasons as a sum', (text, known) => {
    expect(decodeOffsetMetadata(text)).toEqual({ ...NOTHING, ...known })
  })
})

describe('of this version', () => {
  test.each<[known: OffsetMetadata, text: string]>([
    [{ maxEventTime: undefined }, '{"v":1}'],
    [{ maxEventTime: 5, incarnation: 0 }, '{"v":1,"maxEventTime":5}'],
    [{ maxEventTime: 5, incarnation: 3 }, '{"v":1,"maxEventTime":5,"lineage":3}'],
    [{ maxEventTime: 5, revision: { revision: 0 } }, '{"v":1,"maxEventTime":5,"revision":0}'],
    [
      { maxEventTime: 5, incarnation: 3, revision: { revision: 2, revisionFrom: 1_700_000_010_000 } },
      '{"v":1,"maxEventTime":5,"lineage":3,"revision":2,"revisionFrom":1700000010000}',
    ],
    [
      { maxEventTime: 5, totals: { first: 3, read: 18, counted: 9, late: 1, invalid: { TYPE: 2, ignored: 3, EMPTY: 3 } } },
      '{"v":1,"maxEventTime":5,"ledger":{"first":3,"read":18,"counted":9,"late":1,"invalid":{"EARLIER":5,"ignored":3}}}',
    ],
    [
      { maxEventTime: 5, facts: FACTS },
      '{"v":1,"maxEventTime":5,"facts":{"topicId":"vPeOCWypqUOSepEvx0cbog","idleSince":1700000000000,' +
        '"candidates":"lk7 lk8","windowsFrom":4}}',
    ],
    [
      { maxEventTime: 5, facts: { topicId: FACTS.topicId, remade: 2, orphansUntil: 1_700_000_010_000 } },
      '{"v":1,"maxEventTime":5,"facts":{"topicId":"vPeOCWypqUOSepEvx0cbog","remade":2,"orphansUntil":1700000010000}}',
    ],
  ])('%j is this text, and what is read of it is written again', (known, text) => {
    expect(encodeOffsetMetadata(known)).toBe(text)
    const read = decodeOffsetMetadata(text)
    expect(read).toBeDefined()
    expect(encodeOffsetMetadata(read ?? known)).toBe(text)
  })

  test('is read by the first version as it should: reasons and other terms are a map of counts, and the sum is whole', () => {
    const totals = { first: 3, read: 18, counted: 9, late: 1, invalid: { TYPE: 2, ignored: 3, EMPTY: 3 } }
    const known = firstVersion(encodeOffsetMetadata({ maxEventTime: 5, totals, incarnation: 2, facts: FACTS }))
    expect(known).toMatchObject({ maxEventTime: 5, lineage: 2, totals: { first: 3, read: 18, counted: 9, late: 1 } })
    const { read, counted, late, invalid } = known!.totals!
    expect(counted + late + Object.values(invalid).reduce((sum, count) => sum + count, 0)).toBe(read)
    // It counts on, and hands back: nothing is lost, and the newer version's term is still known by its name.
    const later = { ...known!.totals!, read: 20, counted: 10, invalid: { ...invalid, TYPE: 1 } }
    const back = decodeOffsetMetadata(JSON.stringify({ v: 1, maxEventTime: 6, ledger: later, lineage: 2 }))
    expect(back?.totals).toEqual({ first: 3, read: 20, counted: 10, late: 1, invalid: { EARLIER: 6, ignored: 3 } })
  })
})

/** The decoder of the first version, word for word. */
function firstVersion(
  text: string,
): { totals?: { read: number; counted: number; late: number; invalid: Record<string, number> } } | undefined {
  const isTotals = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return false
    const { first, read, counted, late, invalid } = value as Record<string, unknown>
    if (typeof invalid !== 'object' || invalid === null) return false
    return [first, read, counted, late, ...Object.values(invalid)].every((count) => Number.isSafeInteger(count) && (count as number) >= 0)
  }
  const { v, maxEventTime, ledger, lineage } = JSON.parse(text)
  if (v !== 1) return undefined
  const time = typeof maxEventTime === 'number' && Number.isSafeInteger(maxEventTime) ? maxEventTime : undefined
  const life = typeof lineage === 'number' && Number.isSafeInteger(lineage) && lineage > 0 ? lineage : undefined
  return { maxEventTime: time, totals: isTotals(ledger) ? ledger : undefined, lineage: life } as ReturnType<typeof firstVersion>
}

test.each([null, undefined, '', 'other', '{', '{"v":2,"maxEventTime":5}', '[1]', '{}'])('%j of somebody else says nothing', (text) => {
  expect(decodeOffsetMetadata(text)).toBeUndefined()
})

test.each([
  '{"v":1,"maxEventTime":"5"}',
  '{"v":1,"maxEventTime":1.5}',
  '{"v":1,"lineage":-1}',
  '{"v":1,"lineage":0}',
  '{"v":1,"lineage":1.5}',
  '{"v":1,"lineage":"2"}',
  '{"v":1,"ledger":{"first":-1,"read":0,"counted":0,"late":0,"invalid":{}}}',
  '{"v":1,"ledger":{"first":1,"read":0,"counted":0,"late":0}}',
  '{"v":1,"ledger":{"first":1,"read":0,"counted":0,"late":0,"invalid":{"TYPE":"1"}}}',
  '{"v":1,"revision":-1}',
  '{"v":1,"revision":8192}',
  '{"v":1,"revision":"1","revisionFrom":5}',
  '{"v":1,"revisionFrom":5}',
  '{"v":1,"facts":7}',
  '{"v":1,"facts":{"topicId":"short","idleSince":-1,"candidates":"A","windowsFrom":-1,"other":1}}',
])('what does not fit in %s is left out', (text) => expect(decodeOffsetMetadata(text)).toEqual(NOTHING))

describe('candidates', () => {
  const times = (count: number, time = '1') => Array.from({ length: count }, () => time).join(' ')
  test.each([
    ['none', '', false],
    ['one', times(1), true],
    ['one fewer than the most', times(CANDIDATES_MAX - 1), true],
    ['the most', times(CANDIDATES_MAX), true],
    ['one more than the most', times(CANDIDATES_MAX + 1), false],
    ['the largest number that is exact', Number.MAX_SAFE_INTEGER.toString(36), true],
    ['one digit more', 'z'.repeat(12), false],
  ])('%s', (_, candidates, kept) => {
    const facts = decodeOffsetMetadata(JSON.stringify({ v: 1, facts: { candidates } }))?.facts
    expect(facts).toEqual(kept ? { ...NO_FACTS, candidates } : undefined)
  })
})

describe('the bound', () => {
  const LARGEST = Number.MAX_SAFE_INTEGER
  const largest: OffsetMetadata = {
    maxEventTime: -LARGEST,
    totals: {
      first: LARGEST,
      read: LARGEST,
      counted: LARGEST,
      late: LARGEST,
      // EARLIER, and more terms than are carried on; the sum of reasons is at most what was read.
      invalid: { TYPE: LARGEST, ...Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`abcdefghijk${'abcdef'[i]}`, LARGEST])) },
    },
    incarnation: LARGEST,
    revision: { revision: LIMITS.revisionMax, revisionFrom: LARGEST },
    facts: {
      topicId: 'z'.repeat(22),
      remade: LARGEST,
      orphansUntil: -LARGEST,
      idleSince: LARGEST,
      candidates: Array.from({ length: CANDIDATES_MAX }, () => LARGEST.toString(36)).join(' '),
      windowsFrom: LARGEST,
    },
  }

  test('holds with every number at its largest, and all of it is read back', () => {
    const text = encodeOffsetMetadata(largest)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(METADATA_MAX_BYTES)
    expect(METADATA_MAX_BYTES).toBe(1024)
    expect(encodeOffsetMetadata(decodeOffsetMetadata(text)!)).toBe(text)
  })

  test('is 1,024 bytes: one more is a fault of the engine', () => {
    const room = METADATA_MAX_BYTES - encodeOffsetMetadata({ maxEventTime: 1, facts: { topicId: '' } }).length
    const filled = (length: number) => encodeOffsetMetadata({ maxEventTime: 1, facts: { topicId: 'x'.repeat(length) } })
    expect(filled(room - 1)).toHaveLength(1023)
    expect(filled(room)).toHaveLength(1024)
    expect(() => filled(room + 1)).toThrow('fits')
  })
})

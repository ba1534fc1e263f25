import { describe, expect, test } from 'vitest'
import { REASON, UNSURE } from '../../src/format/reasons.ts'
import { type EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH } from '../../src/format/slot.ts'
import { compareParsers, PARSERS, type Read } from '../../workshop/compare-parsers.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const EVENTS = repetitions({ unit: 15_000, all: 30_000, long: 60_000 })
const { read, exact } = PARSERS

describe('whatever the fast reader is sure of', () => {
  test.each([1, SEED])('is what the exact parser says, by the oracle too: seed %i', (seed) => {
    const comparison = compareParsers({ count: EVENTS, seed, judgeEvery: 4 })
    expect(comparison.difference).toBeUndefined()
    // The comparison says little unless there is enough of everything.
    expect(comparison.valid).toBeGreaterThan(EVENTS * 0.3)
    expect(comparison.accepted).toBeGreaterThan(comparison.valid * 0.8)
    expect(comparison.sure).toBeGreaterThan(EVENTS * 0.8)
    expect(comparison.sure - comparison.accepted).toBeGreaterThan((EVENTS - comparison.valid) * 0.7)
    const wanted = ['VALID', 'IGNORED', 'NOT_UTF8', 'NOT_JSON', 'NOT_OBJECT', 'PRODUCT', 'TYPE', 'TIME', 'TIME_RANGE']
    for (const verdict of wanted) expect([verdict, comparison.verdicts.has(verdict)]).toEqual([verdict, true])
  })
})

describe('the comparison finds a fast reader that', () => {
  const faults: [string, Read, RegExp][] = [
    ['accepts everything', (...event) => Math.min(read(...event), REASON.VALID), /the fast reader says VALID and exact/],
    ['reads on behind the end', (bytes, start, end, slot) => read(bytes, start, end + 4, slot), /the fast reader says|differ/],
    ['is a millisecond off', spoiled((slot) => slot.time.set([slot.time[0]! + 1])), /the time is/],
    ['takes clicks for impressions', spoiled((slot) => slot.ints.set([0], SLOT_CLICK)), /click is/],
    ['cuts a product short', spoiled((slot) => slot.ints.set([slot.ints[SLOT_PRODUCT_END]! - 1], SLOT_PRODUCT_END)), /the product is/],
    ['hashes in another way', spoiled((slot) => slot.ints.set([slot.ints[SLOT_PRODUCT_HASH]! ^ 1], SLOT_PRODUCT_HASH)), /the hash is/],
    ['is sure of what it has not looked at', () => REASON.TYPE, /the fast reader says TYPE and exact/],
  ]
  test.each(faults)('%s', (_, faulty, message) => {
    expect(compareParsers({ count: 20_000, seed: 1, judgeEvery: 100, parsers: { read: faulty } }).difference).toMatch(message)
  })

  test('and an exact one that disagrees with the oracle', () => {
    const faulty: Read = (bytes, start, end, slot) => exact(bytes, start, Math.min(end, start + 300), slot)
    const parsers = { read: () => UNSURE, exact: faulty }
    const comparison = compareParsers({ count: 20_000, seed: 1, judgeEvery: 1, parsers })
    expect(comparison.difference).toMatch(/exact says .* and the oracle/)
  })
})

function spoiled(spoil: (slot: EventSlot) => void): Read {
  return (bytes, start, end, slot) => {
    const verdict = read(bytes, start, end, slot)
    if (verdict === REASON.VALID) spoil(slot)
    return verdict
  }
}

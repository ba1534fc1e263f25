import { describe, expect, test } from 'vitest'
import { exact } from '../../src/format/json-exact.ts'
import { scan } from '../../src/format/json-scan.ts'
import { REASONS } from '../../src/format/reasons.ts'
import { SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH } from '../../src/format/slot.ts'
import { compareParsers } from '../../workshop/compare-parsers.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const EVENTS = repetitions({ unit: 15_000, all: 30_000, long: 60_000 })

describe('whatever the fast parser accepts', () => {
  test.each([1, SEED])('is what the exact one makes of it, by the oracle too: seed %i', (seed) => {
    const comparison = compareParsers({ count: EVENTS, seed, judgeEvery: 4 })
    expect(comparison.difference).toBeUndefined()
    // The comparison says little unless there is enough of everything.
    expect(comparison.valid).toBeGreaterThan(EVENTS * 0.3)
    expect(comparison.accepted).toBeGreaterThan(comparison.valid * 0.8)
    for (const [reason, count] of comparison.reasons.entries()) {
      if (!['FUTURE', 'CORRUPT_BATCH'].includes(REASONS[reason]!)) expect([REASONS[reason], count > 0]).toEqual([REASONS[reason], true])
    }
  })
})

describe('the comparison finds a fast parser that', () => {
  const faults: [string, typeof scan, RegExp][] = [
    ['accepts everything', (bytes, start, end, slot) => scan(bytes, start, end, slot) || true, /scan accepts what exact calls/],
    ['reads on behind the end', (bytes, start, end, slot) => scan(bytes, start, end + 4, slot), /scan accepts what exact calls|differ/],
    ['is a millisecond off', spoiled((slot) => slot.time.set([slot.time[0]! + 1])), /the time is/],
    ['takes clicks for impressions', spoiled((slot) => slot.ints.fill(0, SLOT_CLICK)), /click is/],
    ['cuts a product short', spoiled((slot) => slot.ints.set([slot.ints[SLOT_PRODUCT_END]! - 1], SLOT_PRODUCT_END)), /the product has/],
    ['hashes in another way', spoiled((slot) => slot.ints.set([slot.ints[SLOT_PRODUCT_HASH]! ^ 1], SLOT_PRODUCT_HASH)), /the hash is/],
  ]
  test.each(faults)('%s', (_, faulty, message) => {
    const comparison = compareParsers({ count: 20_000, seed: 1, judgeEvery: 100, parsers: { scan: faulty, exact } })
    expect(comparison.difference).toMatch(message)
  })

  test('and an exact one that disagrees with the oracle', () => {
    const faulty: typeof exact = (bytes, start, end, slot) => exact(bytes, start, Math.min(end, start + 300), slot)
    const comparison = compareParsers({ count: 20_000, seed: 1, judgeEvery: 1, parsers: { scan: () => false, exact: faulty } })
    expect(comparison.difference).toMatch(/exact says .* and the oracle/)
  })
})

function spoiled(spoil: (slot: Parameters<typeof scan>[3]) => void): typeof scan {
  return (bytes, start, end, slot) => {
    const accepted = scan(bytes, start, end, slot)
    if (accepted) spoil(slot)
    return accepted
  }
}

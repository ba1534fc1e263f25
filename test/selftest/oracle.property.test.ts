/** The self-test's judge is itself held against the tests' oracle, whose windows and clocks were written apart from it. */
import { expect, test } from 'vitest'
import { rowKey, SelftestOracle } from '../../src/selftest/oracle.ts'
import { ORACLE_DEFAULTS, type OracleOptions, runOracle } from '../../workshop/oracle.ts'
import { expectSame } from '../support/expect-same.ts'
import { makeRecords } from '../support/records.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
test('both come to the same rows and ledgers, whatever the window and the rules of lateness', () => {
  const rules: Partial<OracleOptions>[] = [
    {},
    { windowSize: 1_000, outOfOrderness: 0, allowedLateness: 0 },
    { windowSize: 60_000, futureTolerance: 0 },
    { windowSize: 60_000, windowOffset: 19_000 },
    { windowSize: 21_000, windowSlide: 9_000, windowOffset: 4_000, allowedLateness: 1_000 },
    { windowSize: 20_000, windowSlide: 1_000, allowedLateness: 0 },
  ]
  for (const [i, rule] of rules.entries()) {
    const lists = makeRecords({ seed: SEED + i, partitions: 2, records: 4_000, products: 30 })
    const theirs = runOracle(lists, rule)
    const { windowSize = ORACLE_DEFAULTS.windowSize, windowSlide = windowSize, windowOffset = 0 } = rule
    const ours = new SelftestOracle({ ...ORACLE_DEFAULTS, ...rule, windowSlide, windowOffset })
    for (const record of lists.flat()) ours.add({ ...record, time: record.recordTimestamp })
    expect(ours.rows.size).toBe(theirs.rows.size)
    for (const { product, windowStart, task, impressions, clicks } of theirs.rows.values()) {
      expectSame(ours.rows.get(rowKey(product, windowStart, task)), { product, windowStart, task, impressions, clicks })
    }
    for (const [name, { read, counted, late, ignored, invalid }] of theirs.ledgers) {
      const ledger = ours.ledgers.get(name)
      expect(ledger).toMatchObject({ read, counted, late, ignored })
      expect(Object.fromEntries(ledger?.invalid ?? [])).toEqual(
        Object.fromEntries(Object.entries(invalid).filter(([, count]) => count > 0)),
      )
    }
    const total = ours.total
    expect(total.read).toBe(total.counted + total.late + total.ignored + total.invalid)
    expect(total.late).toBeGreaterThan(0)
  }
})

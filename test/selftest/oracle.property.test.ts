/** The self-test's judge is itself held against the tests' oracle, which was written apart from it. */
import { expect, test } from 'vitest'
import { readEvent, rowKey, SelftestOracle } from '../../src/selftest/oracle.ts'
import { EventMutator, MUTATED_MAX_BYTES } from '../../workshop/mutate.ts'
import { judge, ORACLE_DEFAULTS, type OracleOptions, runOracle } from '../../workshop/oracle.ts'
import { repetitions } from '../support/effort.ts'
import { expectSame } from '../support/expect-same.ts'
import { makeRecords } from '../support/records.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const EVENTS = repetitions({ unit: 15_000, all: 30_000, long: 60_000 })
const LATEST = 1_800_000_000_000

test.each([1, SEED])('both say the same of events with every freedom and fault: seed %i', (seed) => {
  const mutator = new EventMutator(seed)
  const bytes = new Uint8Array(MUTATED_MAX_BYTES)
  const reasons = new Map<string, number>()
  for (let i = 0; i < EVENTS; i++) {
    const value = bytes.subarray(0, mutator.next(bytes, 0))
    const ours = readEvent(value, LATEST)
    const theirs = judge(value, LATEST, 0)
    const want = theirs.valid
      ? { product: theirs.product, kind: theirs.click ? 'clicks' : 'impressions', time: theirs.time }
      : theirs.reason
    expectSame(ours, want, () => Buffer.from(value).toString())
    const reason = typeof ours === 'string' ? ours : 'VALID'
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const all = ['EMPTY', 'FUTURE', 'NOT_JSON', 'NOT_OBJECT', 'NOT_UTF8', 'PRODUCT', 'TIME', 'TIME_RANGE', 'TYPE', 'USER', 'VALID']
  expect([...reasons.keys()].sort()).toEqual(all)
  expect(reasons.get('VALID')).toBeGreaterThan(EVENTS / 4)
})

test.each([
  ['2024-02-29 23:59:59', Date.UTC(2024, 1, 29, 23, 59, 59)],
  ['2023-02-29 23:59:59', undefined],
  ['2024-01-01 24:00:00', undefined],
  ['2024-01-01T00:00:60Z', undefined],
  ['2024-01-01 00:00:00.5', undefined],
  ['2024-01-01 00:00:00Z', undefined],
  ['2024-01-01T00:00:00', undefined],
  ['2024-01-01T00:00:00.1239Z', Date.UTC(2024, 0, 1, 0, 0, 0, 123)],
  ['2024-01-01T00:00:00.5+23:59', Date.UTC(2023, 11, 31, 0, 1, 0, 500)],
  ['2024-01-01T00:00:00-24:00', undefined],
  ['1700000000000', 1_700_000_000_000],
  ['1700000000000.0', undefined],
  [1.5, undefined],
  [1e3, 1_000],
  [null, undefined],
])('a time written as %j', (timestamp, time) => {
  const value = Buffer.from(JSON.stringify({ product_id: 'p', user_id: 'u', event_type: 'CLICK', timestamp }))
  const want = time === undefined ? 'TIME' : { product: 'p', kind: 'clicks', time }
  expect(readEvent(value, Number.POSITIVE_INFINITY)).toEqual(want)
  const theirs = judge(value, -1, 0)
  expect(theirs.valid ? theirs.time : undefined).toBe(time)
})

test('both come to the same rows and ledgers, whatever the window and the rules of lateness', () => {
  const rules: Partial<OracleOptions>[] = [
    {},
    { windowSize: 1_000, outOfOrderness: 0, allowedLateness: 0 },
    { windowSize: 60_000, futureTolerance: 0 },
  ]
  for (const [i, rule] of rules.entries()) {
    const lists = makeRecords({ seed: SEED + i, partitions: 2, records: 4_000, products: 30 })
    const theirs = runOracle(lists, rule)
    const ours = new SelftestOracle({ ...ORACLE_DEFAULTS, ...rule })
    for (const record of lists.flat()) ours.add({ ...record, time: record.recordTimestamp })
    expect(ours.rows.size).toBe(theirs.rows.size)
    for (const { product, windowStart, task, impressions, clicks } of theirs.rows.values()) {
      expectSame(ours.rows.get(rowKey(product, windowStart, task)), { product, windowStart, task, impressions, clicks })
    }
    for (const [name, { read, counted, late, invalid }] of theirs.ledgers) {
      const ledger = ours.ledgers.get(name)
      expect(ledger).toMatchObject({ read, counted, late })
      expect(Object.fromEntries(ledger?.invalid ?? [])).toEqual(
        Object.fromEntries(Object.entries(invalid).filter(([, count]) => count > 0)),
      )
    }
    const total = ours.total
    expect(total.read).toBe(total.counted + total.late + total.invalid)
    expect(total.late).toBeGreaterThan(0)
  }
})

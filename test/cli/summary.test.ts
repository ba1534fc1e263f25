import { expect, test } from 'vitest'
import { renderSummary } from '../../src/cli/summary.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const stats = someStats({
  state: 'stopped',
  topics: [{ topic: 'events', events: 1_000_000 }],
  impressions: 760_000,
  clicks: 190_000,
  terms: { counted: 950_000, late: 30_000, invalid: 20_000, ignored: 0 },
  invalid: [
    { reason: 'NOT_JSON', count: 5000 },
    { reason: 'EMPTY', count: 0 },
    { reason: 'TIME', count: 15_000 },
  ],
  rowsWritten: 6000,
  partitions: [somePartition({ read: 1_000_000, counted: 950_000, late: 30_000, invalid: 20_000 })],
})

test('the summary tells the rate, what became of the events, and what to try next', () => {
  expect(renderSummary(stats, { elapsedMs: 4000, next: ['npx ctr query "SELECT 1"'], colours: false })).toEqual([
    '1,000,000 events in 4.0 s: 250,000 events/s',
    '  counted              950,000   760,000 impressions, 190,000 clicks, CTR 25.00 %',
    '  late                  30,000',
    '  invalid               20,000   TIME 15,000, NOT_JSON 5,000',
    '  ignored                    0',
    '  rows written           6,000',
    '  ledger                 exact   read = counted + late + invalid + ignored in every partition',
    '',
    'Try next:',
    '  npx ctr query "SELECT 1"',
  ])
})

test('a ledger that does not add up names the partition', () => {
  const wrong = {
    ...stats,
    partitions: [somePartition(), somePartition({ topic: 'a', partition: 3, read: 10, counted: 7, late: 1, invalid: 1 })],
  }
  expect(renderSummary(wrong, { elapsedMs: 1, colours: false }).at(-1)).toBe('  ledger                 WRONG   a/3: 10 != 7 + 1 + 1 + 0')
})

test('rows that ClickHouse refused are mentioned when there were any', () => {
  expect(renderSummary({ ...stats, rowsParked: 12 }, { elapsedMs: 1, colours: false })).toContain(
    '  rows parked               12   ClickHouse refuses them; they are in the dead letters',
  )
})

test('retries are mentioned when there were any, and an empty run has no wrong numbers', () => {
  expect(renderSummary({ ...stats, sinkRetries: 3 }, { elapsedMs: 1, colours: false }).join('\n')).toContain('3 retries')
  expect(renderSummary(someStats(), { elapsedMs: 0, colours: false }).join('\n')).not.toMatch(/NaN|Infinity/)
})

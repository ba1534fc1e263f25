import { describe, expect, test } from 'vitest'
import { type OracleOptions, type OracleResult, runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { OTTO_SPAN_MS, OTTO_WINDOW_MS, type OttoOrder, type OttoWindow, ottoEvents, ottoExpected } from '../support/otto.ts'

const WINDOWS: OttoWindow[] = ['10s', '1m', '1h']

function run(order: OttoOrder, options: Partial<OracleOptions>): OracleResult {
  const records = ottoEvents(order).map((text, offset) => {
    return { topic: 'otto', partition: 0, offset, recordTimestamp: -1, value: Buffer.from(text) }
  })
  return runOracle([records], options)
}

function lines(result: OracleResult): string[] {
  return [...result.rows.values()].map((row) => [row.windowStart, row.windowEnd, row.product, row.impressions, row.clicks].join(',')).sort()
}

describe('real events of OTTO', () => {
  test.each(WINDOWS)('in order of time give the expected windows of %s with the default lateness', (window) => {
    const result = run('sorted', { windowSize: OTTO_WINDOW_MS[window] })
    expect(lines(result)).toEqual(ottoExpected(window))
    expect(sumLedgers(result.ledgers.values())).toMatchObject({ read: 800, counted: 800, late: 0 })
  })

  test.each(WINDOWS)('in the order of sessions give the same windows of %s when out-of-orderness covers their span', (window) => {
    const result = run('file-order', { windowSize: OTTO_WINDOW_MS[window], outOfOrderness: OTTO_SPAN_MS })
    expect(lines(result)).toEqual(ottoExpected(window))
  })

  test('in the order of sessions are mostly late with the default lateness', () => {
    const result = run('file-order', {})
    expect(sumLedgers(result.ledgers.values())).toMatchObject({ read: 800, counted: 304, late: 496 })
  })
})

import { describe, expect, test } from 'vitest'
import { judge, Oracle, type OracleRecord, PartitionClock, REASONS, rowsHash, runOracle, sumLedgers } from '../../workshop/oracle.ts'

const T = 1_659_304_800_025
/** Of numbers below 1e11 it would be said that they are seconds. */
const DAY = 1_600_041_600_000

function event(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { user_id: 'u', product_id: 'p', event_type: 'click', timestamp: T, ...fields }
}

function judged(text: string | object, recordTimestamp = -1) {
  return judge(Buffer.from(typeof text === 'string' ? text : JSON.stringify(text)), recordTimestamp, 60_000)
}

function reasonOf(text: string | object, recordTimestamp = -1): string {
  const verdict = judged(text, recordTimestamp)
  return verdict.valid ? 'VALID' : verdict.reason
}

function record(offset: number, time: number, fields: Record<string, unknown> = {}): OracleRecord {
  const value = Buffer.from(JSON.stringify(event({ timestamp: time, ...fields })))
  return { topic: 't', partition: 0, offset, recordTimestamp: -1, value }
}

describe('time', () => {
  test('before the oldest that may be is invalid', () => {
    const oldest = Date.UTC(2000, 0, 1)
    const reasonAt = (timestamp: number) => {
      const verdict = judge(Buffer.from(JSON.stringify(event({ timestamp }))), -1, 0, oldest)
      return verdict.valid ? 'VALID' : verdict.reason
    }
    expect([oldest - 1, oldest, oldest + 1, 17_000_000].map(reasonAt)).toEqual(['TOO_OLD', 'VALID', 'VALID', 'TOO_OLD'])
  })

  test('beyond the record timestamp plus the tolerance is invalid, unless the record has none that is plausible', () => {
    expect(reasonOf(event(), T - 60_000)).toBe('VALID')
    expect(reasonOf(event(), T - 60_001)).toBe('FUTURE')
    for (const none of [-1, 0, Math.floor(T / 1000), Date.UTC(2001, 0, 1) - 1]) expect(reasonOf(event(), none)).toBe('VALID')
    expect(reasonOf(event(), Date.UTC(2001, 0, 1))).toBe('FUTURE')
  })
})

describe('windows and lateness', () => {
  test('two impressions and a click give 0.5', () => {
    const records = [record(0, T, { event_type: 'impression' }), record(1, T, { event_type: 'VIEW' }), record(2, T)]
    const [row, ...others] = [...runOracle([records], { revision: 3 }).rows.values()]
    expect(others).toEqual([])
    expect(row).toEqual({
      tenant: 'default',
      product: 'p',
      windowStart: 1_659_304_800_000,
      windowEnd: 1_659_304_810_000,
      task: 0,
      impressions: 2,
      clicks: 1,
      ctr: 0.5,
      version: 3 * 2 ** 40 + 3,
    })
  })

  test('an event is late exactly when its window end plus lateness is not above the watermark before it', () => {
    const times = (last: number) => [record(0, DAY + 100_000), record(1, DAY + last)]
    const plain = { maxJump: Number.POSITIVE_INFINITY, oldest: 0 }
    // The watermark is 95 s, so the window [80, 90) with lateness until 95 s is gone and [90, 100) isn't.
    expect(sumLedgers(runOracle([times(89_999)], plain).ledgers.values())).toMatchObject({ counted: 1, late: 1 })
    expect(sumLedgers(runOracle([times(90_000)], plain).ledgers.values())).toMatchObject({ counted: 2, late: 0 })
    const justBefore = [record(0, DAY + 99_999), record(1, DAY + 89_999)]
    expect(sumLedgers(runOracle([justBefore], plain).ledgers.values())).toMatchObject({ counted: 2, late: 0 })
  })

  test('lateness looks at the own partition only, and an invalid event carries no time', () => {
    const other = { ...record(0, DAY + 10_000), partition: 1 }
    const invalidLater = record(1, DAY + 900_000, { product_id: '' })
    const plain = { maxJump: Number.POSITIVE_INFINITY, oldest: 0 }
    const result = runOracle([[record(0, DAY + 100_000), invalidLater, record(2, DAY + 95_000)], [other]], plain)
    expect(sumLedgers(result.ledgers.values())).toMatchObject({ read: 4, counted: 3, late: 0, invalid: { PRODUCT: 1 } })
    expect(result.ledgers.get('t/1')).toMatchObject({ read: 1, counted: 1 })
  })

  describe('the event time of a partition', () => {
    const MINUTE = 60_000
    const timeAfter = (times: readonly number[]) => {
      const clock = new PartitionClock(10 * MINUTE)
      for (const minutes of times) clock.see(T + minutes * MINUTE)
      return clock.time === undefined ? undefined : (clock.time - T) / MINUTE
    }
    const many = (count: number, minutes: number) => new Array<number>(count).fill(minutes)

    test('begins with the eighth event, as the earliest of the eight', () => {
      expect(timeAfter(many(7, 0))).toBeUndefined()
      expect(timeAfter([500, 3, 2, 1, 500, 4, 5, 6])).toBe(1)
    })
    test('follows events up to maxJump ahead', () => {
      expect(timeAfter([...many(8, 0), 10])).toBe(10)
      expect(timeAfter([...many(8, 0), 10.001])).toBe(0)
      expect(timeAfter([...many(8, 0), 9, 18, 3])).toBe(18)
    })
    test('jumps when 25 of the last 32 agree, to the earliest of these', () => {
      expect(timeAfter([...many(8, 0), ...many(24, 60)])).toBe(0)
      expect(timeAfter([...many(8, 0), 70, ...many(24, 60)])).toBe(60)
      expect(timeAfter([...many(8, 0), ...many(24, 60), ...many(7, 0), 60])).toBe(60)
      expect(timeAfter([...many(8, 0), ...many(24, 60), ...many(8, 0), 60])).toBe(0)
    })
  })

  test('an offset that goes back is refused', () => {
    const oracle = new Oracle()
    oracle.add(record(5, T))
    expect(() => oracle.add(record(5, T))).toThrow(/offset 5/)
  })

  test('the hash is the same in any order and differs as soon as one count does', () => {
    const rows = [...runOracle([[record(0, T), record(1, T + 10_000), record(2, T, { product_id: 'q' })]]).rows.values()]
    expect(rowsHash(rows.toReversed())).toBe(rowsHash(rows))
    expect(rowsHash(rows.map((row, index) => (index === 1 ? { ...row, clicks: 2 } : row)))).not.toBe(rowsHash(rows))
    expect(rowsHash(rows.slice(1))).not.toBe(rowsHash(rows))
  })

  test('every reason has a counter', () => {
    const ledger = runOracle([[record(0, T)]]).ledgers.get('t/0')
    expect(Object.keys(ledger?.invalid ?? {})).toEqual([...REASONS])
  })
})

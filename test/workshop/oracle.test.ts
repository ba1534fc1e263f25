import { describe, expect, test } from 'vitest'
import { judge, Oracle, type OracleRecord, REASONS, rowsHash, runOracle, sumLedgers } from '../../workshop/oracle.ts'

const T = 1_659_304_800_025

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

function timeOf(timestamp: unknown): number | string {
  const verdict = judged(event({ timestamp }))
  return verdict.valid ? verdict.time : verdict.reason
}

function record(offset: number, time: number, fields: Record<string, unknown> = {}): OracleRecord {
  const value = Buffer.from(JSON.stringify(event({ timestamp: time, ...fields })))
  return { topic: 't', partition: 0, offset, recordTimestamp: -1, value }
}

describe('what an event is', () => {
  test('both spellings of each key are read and snake_case wins, even as null', () => {
    expect(judged({ userId: 'u', productId: 'p', eventType: 'VIEW', timestamp: T })).toEqual({
      valid: true,
      product: 'p',
      click: false,
      time: T,
    })
    expect(judged(event({ productId: 'other' }))).toMatchObject({ product: 'p' })
    expect(reasonOf(event({ product_id: null, productId: 'other' }))).toBe('PRODUCT')
  })

  test('the last of a repeated key wins', () => {
    expect(judged(`{"product_id":"a","user_id":"u","event_type":"view","timestamp":1,"product_id":"b"}`)).toMatchObject({ product: 'b' })
  })

  test('each fault has its reason, and the first one is named', () => {
    expect(judge(null, -1, 0)).toEqual({ valid: false, reason: 'EMPTY' })
    expect(reasonOf('')).toBe('EMPTY')
    expect(judge(Buffer.from([0x7b, 0xff, 0x7d]), -1, 0)).toEqual({ valid: false, reason: 'NOT_UTF8' })
    expect(reasonOf('{"a":1')).toBe('NOT_JSON')
    expect(reasonOf(`\ufeff${JSON.stringify(event())}`)).toBe('NOT_JSON')
    expect(reasonOf(`${JSON.stringify(event())} {}`)).toBe('NOT_JSON')
    for (const text of ['[]', 'null', '1', '"x"']) expect(reasonOf(text)).toBe('NOT_OBJECT')
    for (const product of ['', 1, null, undefined, ['p'], '\ud800']) {
      expect(reasonOf(event({ product_id: product, user_id: '' }))).toBe('PRODUCT')
    }
    for (const user of ['', 1, null, undefined]) expect(reasonOf(event({ user_id: user, event_type: 'x' }))).toBe('USER')
    for (const type of ['Click', 'purchase', '', 1, null, undefined])
      expect(reasonOf(event({ event_type: type, timestamp: null }))).toBe('TYPE')
  })

  test('a product id has at most 256 bytes of UTF-8', () => {
    expect(reasonOf(event({ product_id: 'x'.repeat(256) }))).toBe('VALID')
    expect(reasonOf(event({ product_id: 'x'.repeat(257) }))).toBe('PRODUCT')
    expect(reasonOf(event({ product_id: 'é'.repeat(128) }))).toBe('VALID')
    expect(reasonOf(event({ product_id: `${'é'.repeat(128)}x` }))).toBe('PRODUCT')
  })

  test('id and session of any type are ignored, a lone surrogate in the user too', () => {
    expect(reasonOf(event({ event_id: {}, session_id: 5, user_id: '\udc00' }))).toBe('VALID')
  })
})

describe('time', () => {
  test('is an integer in any spelling of a number, or a string of digits', () => {
    expect(timeOf(T)).toBe(T)
    expect(timeOf(String(T))).toBe(T)
    expect(timeOf(`000${T}`)).toBe(T)
    expect(judged(JSON.stringify(event()).replace(String(T), '1.659304800025e12'))).toMatchObject({ time: T })
    expect(judged(JSON.stringify(event()).replace(String(T), '1659304800025.0'))).toMatchObject({ time: T })
    for (const wrong of [1.5, null, undefined, '', ' 1', '1 ', '-1', '+1', '1.0', '1e3', true, [], {}]) expect(timeOf(wrong)).toBe('TIME')
    expect(reasonOf(JSON.stringify(event()).replace(String(T), '1e400'))).toBe('TIME')
  })

  test('is a UTC date and time or an ISO instant with up to nine digits of fraction', () => {
    const second = Date.UTC(2022, 6, 31, 22, 0, 0)
    expect(timeOf('2022-07-31 22:00:00')).toBe(second)
    expect(timeOf('2022-07-31T22:00:00Z')).toBe(second)
    expect(timeOf('2022-07-31T22:00:00.5Z')).toBe(second + 500)
    expect(timeOf('2022-07-31T22:00:00.123999999Z')).toBe(second + 123)
    expect(timeOf('2022-08-01T00:30:00+02:30')).toBe(second)
    expect(timeOf('2022-07-31T20:00:00-02:00')).toBe(second)
    expect(timeOf('2024-02-29 00:00:00')).toBe(Date.UTC(2024, 1, 29))
    const wrong = [
      '2023-02-29 00:00:00',
      '2022-13-01 00:00:00',
      '2022-00-01 00:00:00',
      '2022-01-00 00:00:00',
      '2022-07-31 24:00:00',
      '2022-07-31 23:60:00',
      '2022-07-31 23:59:60',
      '2022-07-31 22:00:00Z',
      '2022-07-31 22:00:00.5',
      '2022-07-31T22:00:00',
      '2022-07-31T22:00Z',
      '2022-07-31T22:00:00.Z',
      '2022-07-31T22:00:00.1234567890Z',
      '2022-07-31t22:00:00z',
      '2022-07-31T22:00:00+0200',
      '2022-07-31T22:00:00+24:00',
      '2022-07-31T22:00:00+02:60',
      '2022-07-31',
      ' 2022-07-31 22:00:00',
      '+012022-07-31T22:00:00Z',
    ]
    for (const text of wrong) expect([text, timeOf(text)]).toEqual([text, 'TIME'])
  })

  test('lies after 1970 and before year 10000', () => {
    expect(timeOf(1)).toBe(1)
    expect(timeOf(253_402_300_799_999)).toBe(253_402_300_799_999)
    for (const wrong of [0, -1, 253_402_300_800_000, '0', '1970-01-01 00:00:00', '0000-01-01 00:00:00', '9'.repeat(400)]) {
      expect(timeOf(wrong)).toBe('TIME_RANGE')
    }
    expect(reasonOf(JSON.stringify(event()).replace(String(T), '-0'))).toBe('TIME_RANGE')
    expect(timeOf('9999-12-31T23:59:59.999-00:01')).toBe('TIME_RANGE')
  })

  test('beyond the record timestamp plus the tolerance is invalid, unless the record has none', () => {
    expect(reasonOf(event(), T - 60_000)).toBe('VALID')
    expect(reasonOf(event(), T - 60_001)).toBe('FUTURE')
    expect(reasonOf(event(), 0)).toBe('FUTURE')
    expect(reasonOf(event(), -1)).toBe('VALID')
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
    const times = (last: number) => [record(0, 100_000), record(1, last)]
    // The watermark is 95 s, so the window [80, 90) with lateness until 95 s is gone and [90, 100) isn't.
    expect(sumLedgers(runOracle([times(89_999)]).ledgers.values())).toMatchObject({ counted: 1, late: 1 })
    expect(sumLedgers(runOracle([times(90_000)]).ledgers.values())).toMatchObject({ counted: 2, late: 0 })
    const justBefore = [record(0, 99_999), record(1, 89_999)]
    expect(sumLedgers(runOracle([justBefore]).ledgers.values())).toMatchObject({ counted: 2, late: 0 })
  })

  test('lateness looks at the own partition only, and an invalid event carries no time', () => {
    const other = { ...record(0, 10_000), partition: 1 }
    const invalidLater = record(1, 900_000, { user_id: '' })
    const result = runOracle([[record(0, 100_000), invalidLater, record(2, 95_000)], [other]])
    expect(sumLedgers(result.ledgers.values())).toMatchObject({ read: 4, counted: 3, late: 0, invalid: { USER: 1 } })
    expect(result.ledgers.get('t/1')).toMatchObject({ read: 1, counted: 1 })
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

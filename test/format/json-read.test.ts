import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/config/limits.ts'
import { REASON, UNSURE } from '../../src/format/reasons.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { nameOf, PARSERS } from '../../workshop/compare-parsers.ts'
import { isRefusedByOne } from '../../workshop/shape-one.ts'
import { refusedShapeOf } from '../support/shape-of.ts'

const TIME = 1_700_000_000_000
const { read, exact } = PARSERS
const EVENT = eventOf({})

/** The event with other values, as JSON text. */
function eventOf(values: Record<string, string>): string {
  const fields = { event_id: '"é-1"', product_id: '"p-7"', user_id: '"u-1"', event_type: '"click"', timestamp: String(TIME), ...values }
  return `{${Object.entries(fields).map(([key, value]) => `"${key}":${value}`)}}`
}

/** What the reader says of the value, behind which `after` lies, and what exact says. */
function reasonsOf(value: string | Buffer, after: string | Buffer = ''): { sure: string; exactly: string; times: (number | undefined)[] } {
  const own = Buffer.from(value as Buffer)
  const bytes = new Uint8Array(Buffer.concat([own, Buffer.from(after as Buffer)]))
  const [fast, slow] = [new EventSlot(), new EventSlot()]
  const sure = read(bytes, 0, own.length, fast)
  const exactly = exact(bytes, 0, own.length, slow)
  return { sure: nameOf(sure), exactly: nameOf(exactly), times: [fast.time[0], slow.time[0]] }
}

describe('is sure, as the exact parser is, that it is', () => {
  const long = 'p'.repeat(LIMITS.productIdMaxBytes)
  test.each([
    ['IGNORED', ''],
    ['IGNORED', eventOf({ event_type: '"purchase"' })],
    ['IGNORED', eventOf({ event_type: '"purchase"', timestamp: 'null', product_id: '{}' })],
    ['TOO_LARGE', Buffer.alloc(LIMITS.eventMaxBytes + 1, ' ')],
    ['NOT_JSON', Buffer.alloc(LIMITS.eventMaxBytes, ' ')],
    ['NOT_UTF8', Buffer.concat([Buffer.from(EVENT), Buffer.of(0xc3)])],
    ['NOT_JSON', 'hello'],
    ['NOT_JSON', 'tru'],
    ['NOT_JSON', '"open'],
    ['NOT_JSON', `${EVENT}{}`],
    ['NOT_JSON', EVENT.replace('}', ',}')],
    ['NOT_JSON', eventOf({ more: '01' })],
    ['NOT_JSON', eventOf({ more: '"\\\t"' })],
    ['NOT_JSON', eventOf({ more: '[1,{"a":}]' })],
    ['NOT_OBJECT', ` [${EVENT}] `],
    ['NOT_OBJECT', '"text"'],
    ['NOT_OBJECT', ' null'],
    ['TYPE', '{}'],
    ['TYPE', '{ }'],
    ['PRODUCT', eventOf({ product_id: '""' })],
    ['PRODUCT', eventOf({ product_id: '7.5', user_id: '7' })],
    ['PRODUCT', eventOf({ product_id: 'true' })],
    ['PRODUCT', eventOf({ product_id: '""', timestamp: '0' })],
    ['PRODUCT', eventOf({ product_id: `"${long}p"` })],
    ['PRODUCT', eventOf({ product_id: `"${'é'.repeat(LIMITS.productIdMaxBytes / 2)}e"` })],
    ['TIME', eventOf({ product_id: `"${long}"`, user_id: 'null', timestamp: 'null' })],
    ['TYPE', eventOf({ event_type: '""' })],
    ['TYPE', eventOf({ event_type: 'null' })],
    ['TYPE', eventOf({ event_type: '{"a":"click"}' })],
    ['TIME', eventOf({ timestamp: '{}' })],
    ['TIME', eventOf({ timestamp: '""' })],
    ['TIME', eventOf({ timestamp: '"yesterday"' })],
    ['TIME_RANGE', eventOf({ timestamp: '0' })],
    ['TIME_RANGE', eventOf({ timestamp: '"000"' })],
  ])('%s: %s', (reason, value) => {
    const { sure, exactly, times } = reasonsOf(value)
    expect([sure, exactly]).toEqual([reason, reason])
    if (reason === 'TIME_RANGE') expect(times[0]).toBe(times[1])
  })
})

test.each([
  ['a field that comes twice', eventOf({}).replace('{', '{"event_type":"purchase",')],
  ['a key with an escape', eventOf({}).replace('event_type', 'event_typ\\u0065')],
  ['a type with an escape', eventOf({ event_type: '"cl\\u0069ck"' })],
  ['a product with an escape', eventOf({ product_id: `"${'\\u0070'.repeat(LIMITS.productIdMaxBytes)}"` })],
  ['a time with an exponent', eventOf({ timestamp: '17e11' })],
  ['bytes that are not UTF-8 where nobody reads them', Buffer.from(EVENT, 'latin1')],
  ['a byte order mark in front', `\ufeff${EVENT}`],
  ['what is no number where nobody reads it', eventOf({ more: '[NaN,-Infinity]' })],
  ['a time in quotes with an escape', eventOf({ timestamp: '"\\u0031700000000000"' })],
  ['what is nested too deep for it', eventOf({ more: '['.repeat(100) + ']'.repeat(100) })],
])('%s may be valid, so it is not sure', (_, value) => {
  expect(reasonsOf(value)).toMatchObject({ sure: 'UNSURE', exactly: 'VALID' })
})

test.each([
  ['an event', EVENT],
  ['an array', `[${EVENT}]`],
  ['a text', '"the text"'],
  ['a literal', ' true '],
])('%s that is cut anywhere is what exact says, or it is not sure, whatever lies behind', (_, value) => {
  const bytes = Buffer.from(value)
  for (let cut = 0; cut < bytes.length; cut++) {
    for (const after of [bytes.subarray(cut), '', '"}', '0}', '"}}}}', EVENT]) {
      const { sure, exactly } = reasonsOf(bytes.subarray(0, cut), after)
      if (sure !== 'UNSURE') expect([cut, sure]).toEqual([cut, exactly])
    }
  }
})

test('an event with any byte changed to any other is what exact says, or it is not sure', () => {
  const original = Buffer.from(EVENT)
  const [fast, slow] = [new EventSlot(), new EventSlot()]
  let refused = 0
  for (let at = 0; at < original.length; at++) {
    const bytes = new Uint8Array(original)
    for (let byte = 0; byte < 256; byte++) {
      bytes[at] = byte
      const sure = read(bytes, 0, bytes.length, fast)
      if (sure === UNSURE) continue
      if (sure !== REASON.VALID) refused++
      expect([at, byte, nameOf(sure)]).toEqual([at, byte, nameOf(exact(bytes, 0, bytes.length, slow))])
    }
  }
  expect(refused).toBeGreaterThan(original.length * 100)
})

describe('a shape of invalid events', () => {
  const events: [string, string][] = [
    ['no product', EVENT.replace('"product_id":"p-7",', '')],
    ['a product that is a fraction', eventOf({ product_id: '7.5' })],
    ['no user, and no type', eventOf({ user_id: 'null', event_type: '""' })],
    ['no type', EVENT.replace('"event_type":"click",', '')],
    ['a type that is an object', eventOf({ event_type: '{"of":"click"}' })],
    ['no time', EVENT.replace(`,"timestamp":${TIME}`, '')],
    ['a time that is zero', eventOf({ timestamp: '0' })],
  ]

  test.each(events)('%s: fits others like it, and none that is valid or has another reason', (_, value) => {
    const original = Buffer.from(value)
    const [fast, slow] = [new EventSlot(), new EventSlot()]
    read(new Uint8Array(original), 0, original.length, fast)
    const { fits: shape = () => false, reason } = refusedShapeOf(value)
    expect(isRefusedByOne(shape, original, 0, original.length)).toBe(true)
    expect(isRefusedByOne(shape, Buffer.from(EVENT), 0, Buffer.byteLength(EVENT))).toBe(false)
    let fitting = 0
    for (let at = 0; at < original.length; at++) {
      const bytes = new Uint8Array(original)
      for (let byte = 0; byte < 256; byte++) {
        bytes[at] = byte
        if (!isRefusedByOne(shape, bytes, 0, bytes.length)) continue
        fitting++
        expect([at, byte, nameOf(exact(bytes, 0, bytes.length, slow))]).toEqual([at, byte, nameOf(reason)])
        if (reason === REASON.TIME_RANGE) expect(slow.time[0]).toBe(fast.time[0])
      }
    }
    expect(fitting).toBeGreaterThan(200)
  })

  test.each([
    ['what is no object', 'null', 'NOT_OBJECT'],
    ['what is empty', '{}', 'TYPE'],
    ['what is cut off', EVENT.slice(0, 20), 'NOT_JSON'],
  ])('is not learned of %s', (_, value, name) => {
    const { fits, reason } = refusedShapeOf(value)
    expect([nameOf(reason), fits]).toEqual([name, undefined])
  })
})

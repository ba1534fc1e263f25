/** What an event is, by examples: of the plain reading, of the exact parser, and of the fast reader where it is sure. */
import { describe, expect, test } from 'vitest'
import { eventRules } from '../../src/format/event-rules.ts'
import { ExactJson } from '../../src/format/json-exact.ts'
import { JsonReader } from '../../src/format/json-read.ts'
import { REASON, UNSURE } from '../../src/format/reasons.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { differ, nameOf } from '../../workshop/compare-parsers.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'
import { readings, type Words } from '../support/readings.ts'

const T = 1_732_800_000_000
const read = readings()
const eventOf = (fields: Record<string, unknown> = {}) =>
  JSON.stringify({ user_id: 'u', product_id: 'p', event_type: 'click', timestamp: T, ...fields })
const reasonOf = (value: string | Uint8Array) => read(value).verdict
const timeOf = (written: string) => {
  const { event, verdict } = read(`{"product_id":"p","event_type":"view","timestamp":${written}}`)
  return typeof event === 'string' ? verdict : event.time
}

describe('a time', () => {
  test.each([
    ['1732800000', T],
    ['1732800000000', T],
    ['1732800000000000', T],
    ['1732799999999999', T - 1],
    ['1732800000000000000', T],
    ['"1732800000"', T],
    ['"1732800000000"', T],
    ['"0001732800000000"', T],
    ['1732800000.5', T + 500],
    ['1732800000.123456', T + 123],
    ['1732800000123.456', T + 123],
    ['"1732800000123.456"', T + 123],
    ['1.7328e12', T],
    ['1732800000000.0', T],
    ['17328e5', T],
    ['99999999999', 99_999_999_999_000],
    ['100000000000', 100_000_000_000],
    ['99999999999999', 99_999_999_999_999],
    ['100000000000000', 100_000_000_000],
    ['"2024-11-28T13:20:00Z"', T],
    ['"2024-11-28T13:20:00.5Z"', T + 500],
    ['"2024-11-28T13:20:00.123456789Z"', T + 123],
    ['"2024-11-28t13:20:00z"', T],
    ['"2024-11-28T13:20:00"', T],
    ['"2024-11-28T13:20:00.123456"', T + 123],
    ['"2024-11-28 13:20:00"', T],
    ['"2024-11-28 13:20:00.123"', T + 123],
    ['"2024-11-28 13:20:00.123456+00:00"', T + 123],
    ['"2024-11-28T13:20Z"', T],
    ['"2024-11-28T13:20"', T],
    ['"2024-11-28 13:20:00 UTC"', T],
    ['"2024-11-28T15:20:00+02:00"', T],
    ['"2024-11-28T15:20:00+0200"', T],
    ['"2024-11-28T15:20:00+02"', T],
    ['"2024-11-28 15:20:00 +0200"', T],
    ['"2024-11-28T18:50:00+05:30"', T],
    ['"2024-11-28T03:35:00-09:45"', T],
    ['"2024-11-28T13:20:00,123Z"', T + 123],
    ['"2024-02-29 00:00:00"', Date.UTC(2024, 1, 29)],
    ['14102100', 14_102_100_000],
    ['0', 'TIME_RANGE'],
    ['-0', 'TIME_RANGE'],
    ['"0"', 'TIME_RANGE'],
    ['-1732800000', 'TIME_RANGE'],
    ['1e-400', 'TIME_RANGE'],
    ['"1970-01-01 00:00:00"', 'TIME_RANGE'],
    ['"9999-12-31T23:59:59.999-00:01"', 'TIME_RANGE'],
    ['999999999999999999999', 'TIME_RANGE'],
    ['"2024-02-30 00:00:00"', 'TIME'],
    ['"2023-02-29 00:00:00"', 'TIME'],
    ['"2024-11-28T25:00:00Z"', 'TIME'],
    ['"2024-11-28T24:00:00Z"', 'TIME'],
    ['"2024-11-28T23:60:00Z"', 'TIME'],
    ['"2024-11-28T23:59:60Z"', 'TIME'],
    ['"2024-11-28T13:20:00+25:00"', 'TIME'],
    ['"2024-11-28T13:20:00+02:60"', 'TIME'],
    ['"2024-11-28T13:20:00.Z"', 'TIME'],
    ['"2024-11-28T13:20:00.1234567890Z"', 'TIME'],
    ['"2024-11-28T13:20.5Z"', 'TIME'],
    ['"2024-11-28"', 'TIME'],
    ['"28.11.2024 13:20"', 'TIME'],
    ['"20241128T132000Z"', 'TIME'],
    ['"Thu, 28 Nov 2024 13:20:00 GMT"', 'TIME'],
    ['"yesterday"', 'TIME'],
    ['""', 'TIME'],
    ['" 1"', 'TIME'],
    ['"+1"', 'TIME'],
    ['null', 'TIME'],
    ['true', 'TIME'],
    ['[1732800000000]', 'TIME'],
    ['{}', 'TIME'],
    ['NaN', 'TIME'],
    ['1e400', 'TIME'],
  ])('%s is %s', (written, time) => expect(timeOf(written)).toBe(time))

  test.each([
    ['s', '1732800000', T],
    ['ms', '1732800000', 1_732_800_000],
    ['us', '1732800000000', 1_732_800_000],
    ['ns', '1732800000000', 1_732_800],
    ['s', '1732800000000', 'TIME_RANGE'],
  ] as const)('whose unit is said to be %s: %s is %s', (unit, written, time) => {
    const { event, verdict } = readings({ time: { unit } }, { unit })(`{"product_id":"p","event_type":"view","timestamp":${written}}`)
    expect(typeof event === 'string' ? verdict : event.time).toBe(time)
  })

  test('that names no zone is of the one that is given', () => {
    const inIndia = readings({ time: { zone: '+05:30' } }, { zone: '+05:30' })
    expect(inIndia(eventOf({ timestamp: '2024-11-28 18:50:00' })).event).toMatchObject({ time: T })
    expect(inIndia(eventOf({ timestamp: '2024-11-28T13:20:00Z' })).event).toMatchObject({ time: T })
  })
})

describe('a product', () => {
  test.each([
    ['12345', '12345'],
    ['9007199254740993', '9007199254740993'],
    ['-5', '-5'],
    ['"a\\u0062"', 'ab'],
    [`"${'é'.repeat(128)}"`, 'é'.repeat(128)],
  ])('%s is counted as %s', (written, product) => {
    expect(read(eventOf().replace('"p"', written)).event).toMatchObject({ product })
  })

  test.each(['1.5', '1e3', '1.0', 'true', '{}', '[1]', '""', 'null', 'NaN', '"\\ud800"', `"${'x'.repeat(257)}"`, `"${'é'.repeat(128)}x"`])(
    '%s is none',
    (written) => expect(reasonOf(eventOf().replace('"p"', written))).toBe('PRODUCT'),
  )

  test('may be a number only where that is allowed', () => {
    expect(readings({ product: { numbers: false } }, { numbers: false })(eventOf({ product_id: 7 })).verdict).toBe('PRODUCT')
  })

  test('is where the first of its names is there and not null', () => {
    expect(read(eventOf({ product_id: null, productId: 'other' })).event).toMatchObject({ product: 'other' })
    expect(read(eventOf({ productId: 'other' })).event).toMatchObject({ product: 'p' })
    expect(read(`{"product_id":"a","event_type":"view","timestamp":${T},"product_id":"b"}`).event).toMatchObject({ product: 'b' })
    expect(read(`{"product_id":"a","event_type":"view","timestamp":${T},"product_id":null}`).verdict).toBe('PRODUCT')
  })
})

describe('a type', () => {
  test.each(['Click', 'CLICK', 'clicks', 'click'])('%s is a click', (type) => {
    expect(read(eventOf({ event_type: type })).event).toMatchObject({ kind: 'clicks' })
  })
  test.each(['view', 'Views', 'IMPRESSION', 'impressions'])('%s is an impression', (type) => {
    expect(read(eventOf({ event_type: type })).event).toMatchObject({ kind: 'impressions' })
  })
  test.each(['add_to_cart', 'purchase', 'click ', 'clic\u212a', 5, true])('%j is another one, which is ignored', (type) => {
    const { verdict } = read(eventOf({ event_type: type }))
    expect(verdict).toBe(type === 'clic\u212a' ? 'VALID' : 'IGNORED')
  })
  test.each(['', null, undefined, {}, ['click']])('%j is none', (type) => expect(reasonOf(eventOf({ event_type: type }))).toBe('TYPE'))

  test('another one is ignored whatever else is wrong, unless it is to be invalid', () => {
    expect(reasonOf(eventOf({ event_type: 'cart', product_id: {}, timestamp: null }))).toBe('IGNORED')
    const strict = readings({ types: { other: 'invalid', caseSensitive: true } }, { otherTypes: 'invalid', caseSensitive: true })
    expect(['cart', 'Click', 'click'].map((event_type) => strict(eventOf({ event_type })).verdict)).toEqual(['TYPE', 'TYPE', 'VALID'])
  })

  test('may be that of all events of a topic', () => {
    const clicks = readings({ type: 'click' }, { fixedType: 'click' })
    expect(clicks(`{"product_id":"p","timestamp":${T}}`).event).toMatchObject({ kind: 'clicks' })
    expect(clicks(eventOf({ event_type: 'cart' })).event).toMatchObject({ kind: 'clicks' })
  })

  test('has words of its own where they are given', () => {
    const words = { impression: ['shop.impression.v1'], click: ['clické', '1'] }
    const own = readings({ types: words }, { impressions: words.impression, clicks: words.click })
    const kinds = ['Shop.Impression.v1', 'CLICKÉ', 1, 'click'].map((event_type) => own(eventOf({ event_type })).event)
    expect(kinds).toMatchObject([{ kind: 'impressions' }, { kind: 'clicks' }, { kind: 'clicks' }, 'IGNORED'])
  })
})

test('a user may be anything, unless one is required', () => {
  const users = [undefined, null, '', 42, {}]
  expect(users.map((user_id) => reasonOf(eventOf({ user_id })))).toEqual(users.map(() => 'VALID'))
  const strict = readings({ user: { required: true } }, { userRequired: true })
  expect(users.map((user_id) => strict(eventOf({ user_id })).verdict)).toEqual(users.map(() => 'USER'))
  expect(strict(eventOf()).verdict).toBe('VALID')
})

test('a record without a value is ignored, unless it is to be invalid', () => {
  expect(reasonOf('')).toBe('IGNORED')
  expect(readings({ empty: 'invalid' }, { empty: 'invalid' })('').verdict).toBe('EMPTY')
})

test('what is no JSON is tolerated where nobody reads it', () => {
  const odd = (extra: string) => Buffer.from(eventOf().replace('{', `{${extra},`), 'latin1')
  expect(read(`\ufeff${eventOf()}`)).toMatchObject({ verdict: 'VALID', tolerated: 1 })
  expect(read(odd('"price":NaN,"more":[-Infinity,{"x":Infinity}]'))).toMatchObject({ verdict: 'VALID', tolerated: 2 })
  expect(read(odd('"ua":"caf\xe9","\xff":1'))).toMatchObject({ verdict: 'VALID', tolerated: 4 })
  expect(read(odd('"ua":"\\ud83d"'))).toMatchObject({ verdict: 'VALID', tolerated: 0 })
  expect(read(odd('"ua":"a\tb\n\0","\x1f":1'))).toMatchObject({ verdict: 'VALID', tolerated: 8 })
  expect(read(odd('"ua":"a\tb\xe9"'))).toMatchObject({ verdict: 'VALID', tolerated: 12 })
  for (const key of ['product_id', 'event_type']) {
    expect(reasonOf(eventOf().replace(/"(product_id|event_type)":"/g, (one) => (one.includes(key) ? `${one}\t` : one)))).toBe('NOT_JSON')
    expect(reasonOf(eventOf().replace(`"${key}"`, `"\t${key}"`))).toBe(key === 'product_id' ? 'PRODUCT' : 'TYPE')
  }
  expect(reasonOf(Buffer.from(eventOf({ product_id: 'caf\xe9' }), 'latin1'))).toBe('NOT_UTF8')
  expect(reasonOf(Buffer.from(eventOf({ event_type: 'caf\xe9' }), 'latin1'))).toBe('NOT_UTF8')
  for (const extra of ['"a":"a\\\tb"', '"a":nan', '"a":-NaN', '"a":+1', 'NaN:1', '"a":1NaN', '"a":\'b\''])
    expect([extra, reasonOf(odd(extra))]).toEqual([extra, 'NOT_JSON'])
  expect(reasonOf(`${eventOf()},`)).toBe('NOT_JSON')
  expect(reasonOf(`${eventOf().slice(0, -1)},}`)).toBe('NOT_JSON')
  expect(reasonOf(Buffer.from(eventOf(), 'utf16le'))).toBe('NOT_JSON')
  expect(reasonOf(Buffer.of(0x7b, 0xff))).toBe('NOT_UTF8')
  for (const value of ['[]', 'null', '1', '"x"']) expect(reasonOf(value)).toBe('NOT_OBJECT')
})

test.each<[string, string, string]>([
  ['a byte order mark in front', '\xef\xbb\xbf{E}', 'VALID'],
  ['NaN', '{E,"price":NaN}', 'VALID'],
  ['Latin-1', '{E,"ua":"caf\xe9"}', 'VALID'],
  ['half a surrogate pair', '{E,"ua":"\\ud83d"}', 'VALID'],
  ['a control character as it is', '{E,"ua":"a\tb"}', 'VALID'],
  ['a comma behind the last value', '{E,}', 'NOT_JSON'],
  ['a carriage return behind it', '{E}\r', 'VALID'],
  ['nothing', '', 'IGNORED'],
  ['minus infinity', '{E,"price":-Infinity}', 'VALID'],
  ['UTF-16', '\xff\xfe{\0"\0}\0', 'NOT_UTF8'],
])('what exporters write: %s', (_, text, verdict) => {
  const event = '"product_id":"p","user_id":"u","event_type":"view","timestamp":1732800000000'
  expect(reasonOf(Buffer.from(text.replace('E', event), 'latin1'))).toBe(verdict)
})

test('nesting of any depth is read, without a bound of the stack', () => {
  const deep = (open: string, close: string) => `${open.repeat(1_000_000)}1${close.repeat(1_000_000)}`
  const exact = new ExactJson(eventRules(eventsWith({})))
  const verdictOf = (value: string) => {
    const bytes = Buffer.from(value)
    return exact.parse(bytes, 0, bytes.length, new EventSlot())
  }
  expect(verdictOf(eventOf().replace('{', `{"a":${deep('[', ']')},`))).toBe(REASON.VALID)
  expect(verdictOf(eventOf().replace('{', `{"a":${deep('{"b":', '}')},`))).toBe(REASON.VALID)
  expect(verdictOf(eventOf().replace('{', `{"a":${deep('[', ']')}],`))).toBe(REASON.NOT_JSON)
})

describe('an envelope', () => {
  const inner = { product_id: 'p', event_type: 'view', timestamp: T }
  test.each<[string, Words, unknown, unknown]>([
    ['connect', { envelope: 'connect' }, { schema: {}, payload: inner }, 'p'],
    ['connect, deleted', { envelope: 'connect' }, { schema: {}, payload: null }, 'IGNORED'],
    ['debezium', { envelope: 'debezium' }, { op: 'c', before: null, after: inner }, 'p'],
    ['debezium with schema', { envelope: 'debezium' }, { schema: {}, payload: { op: 'c', after: inner } }, 'p'],
    ['debezium, deleted', { envelope: 'debezium' }, { op: 'd', before: inner, after: null }, 'IGNORED'],
    ['cloudevents', { envelope: 'cloudevents' }, { type: 'view', time: '2024-11-28T13:20:00Z', data: { productId: 'p' } }, 'p'],
    [
      'segment',
      { envelope: 'segment', types: { click: ['Product Clicked'] } },
      { event: 'Product Clicked', timestamp: T, properties: { product_id: 7 } },
      '7',
    ],
    [
      'a path of its own',
      { envelope: 'debezium', fields: { product: 'after.sku' } },
      { after: { ...inner, sku: 4000000000000000001n } },
      '4000000000000000001',
    ],
    ['quoted steps', { fields: { product: '"a.b"."c\\"d"' } }, { ...inner, 'a.b': { 'c"d': 'x' } }, 'x'],
    ['a path into nothing', { fields: { product: 'product_id.x' } }, inner, 'PRODUCT'],
  ])('%s', (_, events, value, want) => {
    const rules = eventRules(eventsWith(events))
    const text = JSON.stringify(value, (__, one: unknown) => (typeof one === 'bigint' ? `#${one}#` : one)).replaceAll(/"#|#"/g, '')
    const bytes = Buffer.from(text)
    const [slow, fast] = [new EventSlot(), new EventSlot()]
    const verdict = new ExactJson(rules).parse(bytes, 0, bytes.length, slow)
    const sure = new JsonReader(rules).read(bytes, 0, bytes.length, fast)
    if (sure !== UNSURE) expect(differ(bytes, bytes.length, sure, fast, verdict, slow)).toBeUndefined()
    const product = Buffer.from(slow.product.subarray(0, slow.ints[1])).toString()
    expect(verdict === REASON.VALID ? product : nameOf(verdict)).toBe(want)
  })
})

/** How a record is shown: what names a person is masked, the byte at fault is where it is, and no more than that is changed. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import { faultPlace } from '../../src/probe/fault-place.ts'
import { jsonSpans, shownValue } from '../../src/probe/json-spans.ts'
import { shownRecord } from '../../src/probe/shown-record.ts'

const nobody = () => false
const show = (text: string, at = -1, open = false) => shownValue(Buffer.from(text), at, nobody, open)

describe('what may tell a person', () => {
  test.each([
    ['{"user_id":"u1","product_id":"p"}', '{"user_id":***,"product_id":"p"}'],
    ['{"visitor":{"id":7,"x":[1,"a"]},"p":1}', '{"visitor":{"id":***,"x":[***,***]},"p":1}'],
    ['{"a":[{"email":"x@y"},{"sku":1}]}', '{"a":[{"email":***},{"sku":1}]}'],
    ['{"remote_addr":"1.2.3.4","userAgent":"M"}', '{"remote_addr":***,"userAgent":***}'],
    ['{"é✓":"é✓","userId":"é✓"}', '{"é✓":"é✓","userId":***}'],
  ])('%s', (text, expected) => {
    expect(show(text)).toEqual({ text: expected, at: -1 })
    expect(show(text, -1, true).text).toBe(text)
  })

  test.each([
    ['{"user_id":"secr', '{"user_id":***'],
    ['{"user_id":"secret","product_id":"p', '{"user_id":***,"product_id":"p'],
    ['{"product_id":tru,"user_id":"secret","x":1}', '{"product_id":tru,"user_id":***,"x":1}'],
    ['{"x":1}}{"userId": secret}', '{"x":1}}{"userId": ***}'],
    ['{"user":{"name":"secret", oops', '{"user":{"name":***'],
  ])('also in a value that is broken: %s', (text, expected) => {
    expect(show(text).text).toBe(expected)
    expect(show(text).text).not.toContain('secr')
  })

  test('by the configuration’s own place, too', () => {
    expect(shownValue(Buffer.from('{"wer":"u1","p":2}'), -1, (steps) => steps.join('.') === 'wer', false).text).toBe('{"wer":***,"p":2}')
  })

  test('never shows a masked text, whatever else there is, and keeps its place', () => {
    const broken = fc.tuple(fc.json({ maxDepth: 3 }), fc.nat(40), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(broken, fc.nat(80), ([other, cut, noise], at) => {
        const text = `{"a":${other},"user_id":"SECRET-1234","b":${other.slice(0, cut)}${noise}`
        const bytes = Buffer.from(text)
        const place = Math.min(at, bytes.length)
        const found = shownValue(bytes, place, nobody, false)
        expect(found.text).not.toContain('SECRET')
        expect(found.at).toBeGreaterThanOrEqual(0)
        expect(found.at).toBeLessThanOrEqual(found.text.length)
      }),
      { numRuns: 500 },
    )
  })
})

describe('a record', () => {
  const avro = Buffer.concat([Buffer.of(14), Buffer.from('user-77'), Buffer.of(6), Buffer.from('p-1')])
  const framed = (...parts: (Buffer | string)[]) => Buffer.concat([Buffer.of(0, 0, 0, 0, 17), ...parts.map((part) => Buffer.from(part))])
  const shown = (value: Buffer, format = 'json', open = false, at = -1) =>
    shownRecord({ value, headers: [] }, at, { format, masked: nobody, open })

  test.each([
    ['avro', avro, 'bytes of avro'],
    ['avro', framed(avro), 'bytes of avro'],
    ['avro', Buffer.from('{"user_id":"user-77"}'), 'bytes of avro'],
    ['protobuf', Buffer.concat([Buffer.of(10, 7), Buffer.from('user-77')]), 'bytes of protobuf'],
    ['json', framed(avro), 'bytes that are no text'],
    ['json', avro, 'bytes that are no text'],
    ['json-schema', Buffer.concat([Buffer.of(3, 0), Buffer.alloc(16, 9), Buffer.from('{"user_id":"user-77"}')]), 'bytes that are no text'],
  ])('of %s that is binary shows nothing but its size to who may not see people: %o', (format, value, what) => {
    expect(shown(value, format, false, 3)).toEqual({ text: `*** (${value.length} ${what})`, at: -1 })
    expect(shown(value, format, true).text).toContain('user-77')
  })

  test('of JSON is masked by its keys, behind a frame too, and shown where it is broken', () => {
    const json = '{"user":{"name":"user-77"},"p":1}'
    expect(shown(framed(json), 'json-schema', false, 5 + json.indexOf('1}'))).toEqual({ text: '{"user":{"name":***},"p":1}', at: 25 })
    expect(shown(Buffer.from(json))).toEqual(show(json))
    expect(shown(Buffer.from('{"p":"\u0001","user_id":"user-77"}')).text).toBe('{"p":"\u0001","user_id":***}')
    expect(shown(Buffer.alloc(0))).toEqual({ text: '', at: -1 })
  })
})

describe('the byte at fault', () => {
  const fault = (text: string | Buffer, reason: Parameters<typeof faultPlace>[1], events: object = {}) =>
    faultPlace(Buffer.from(text as string), reason, { ...EVENTS_DEFAULT, ...events })

  test.each([
    ['{"a":1,}', 7],
    ['{"a":tru}', 5],
    ['{"a":"x', 7],
    ['{"a":"x\ny"}', 7],
    ['{"a":"\\x"}', 6],
    ['{"a":1}{', 7],
    ['nul', 0],
    ['{"a":01}', 6],
    ['{"a" 1}', 5],
    ['[1,2', 4],
  ])('of %j, which is not JSON, is %i', (text, at) => {
    expect(fault(text, 'NOT_JSON').at).toBe(at)
  })

  test('no fault is found in what JSON.parse takes, and one in what it does not', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.nat(), fc.constantFrom('', ',', '"', '}', '[', '1', 'x', ':'), (text, at, extra) => {
        const place = at % (text.length + 1)
        const changed = text.slice(0, place) + extra + text.slice(place + (at % 2))
        let isJson = true
        try {
          JSON.parse(changed)
        } catch {
          isJson = false
        }
        expect(jsonSpans(Buffer.from(changed)).fault < 0).toBe(isJson)
      }),
      { numRuns: 2000 },
    )
  })

  test('of a field is where its value begins, or nowhere when there is none', () => {
    expect(fault('{"event_type":"click","timestamp":"x"}', 'TIME')).toEqual({ at: 34, what: 'byte 34 begins timestamp' })
    expect(fault('{"event_type":"click"}', 'PRODUCT')).toEqual({ at: -1, what: 'there is no product_id and no productId' })
    expect(fault('{"data":{"sku":true}}', 'PRODUCT', { fields: { product: ['data.sku'] } }).at).toBe(15)
    expect(fault(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'NOT_UTF8').at).toBe(2)
    expect(fault('[]', 'NOT_OBJECT').at).toBe(0)
  })
})

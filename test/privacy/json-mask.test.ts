import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import { LIMITS } from '../../src/config/limits.ts'
import { maskJson } from '../../src/privacy/json-mask.ts'
import { knownPlaces } from '../../src/privacy/known-places.ts'
import { maskOf } from '../../src/privacy/mask.ts'

const KEY = { id: 'k1', secret: 'a key of thirty-two bytes or more' }
const KNOWN = knownPlaces(EVENTS_DEFAULT, ['product_id', 'context.page', 'items[].sku', '"a.b"'], ['tags', 'note']).record

const mask = (text: string | Buffer, mark?: number) => maskJson(Buffer.from(text), KNOWN, KEY, mark)
const hmac = (value: string | Buffer) => createHmac('sha256', KEY.secret).update(value).digest('hex').slice(0, 16)

test('structure, known names and kept values stay; every other value and name is masked', () => {
  const { text, faultAt } = mask(
    '{ "product_id": "p-1", "user_id": "ann", "n\\u006fte": 17, "tags": [true, null, -1.5e3], "ann@example.org": {"product_id": "p-1"} }',
  )
  expect(faultAt).toBeUndefined()
  expect(text).toBe(
    `{"product_id":"p-1","user_id":"***text:k1:${hmac('ann')}","n\\u006fte":"***number:k1:${hmac('17')}",` +
      `"tags":["***boolean:k1:${hmac('true')}",null,"***number:k1:${hmac('-1.5e3')}"],` +
      `"***name:k1:${hmac('ann@example.org')}":{"***name:k1:${hmac('product_id')}":"***text:k1:${hmac('p-1')}"}}`,
  )
})

test('a kept place keeps its own value and nothing that lies within it; elements of an array are where the array is', () => {
  expect(mask('{"product_id":{"product_id":"x"}}').text).not.toContain('"x"')
  expect(mask('{"context":{"page":"home","user":"ann"},"items":[{"sku":"s1","buyer":"ann"}],"a.b":1}').text).toBe(
    `{"context":{"page":"home","***name:k1:${hmac('user')}":"***text:k1:${hmac('ann')}"},` +
      `"items":[{"sku":"s1","***name:k1:${hmac('buyer')}":"***text:k1:${hmac('ann')}"}],"a.b":1}`,
  )
  expect(mask('"ann"').text).toBe(JSON.stringify(`***text:k1:${hmac('ann')}`))
})

test('equal values have equal masks, however they are written', () => {
  expect(mask('["\\u0061nn"]').text).toBe(mask('[ "ann" ]').text)
})

test.each([
  ['{"user_id":"ann","x":tru}', '"ann"', 21],
  ['{"user_id":"ann', '"ann', 15],
  ['{"user_id":"ann" "b":1}', '"b"', 17],
  ['{"user_id" "ann"}', '"ann"', 11],
  ['{"user_id":"ann"} bob', 'bob', 18],
  ['ann said', 'ann', 0],
  ['{"user_id":"an\\q","b":1}', 'an', 14],
  ['{"user_id":012}', '12', 12],
  ['{,"user_id":1}', 'user_id', 1],
  ['[1,]', '1', 3],
  ['{"user_id":1', '1', 12],
])('of %s nothing of a value is told, and where it ends to be JSON', (text, planted, at) => {
  const { text: masked, faultAt, markAt } = mask(text)
  expect(masked.replaceAll(/\*\*\*[a-z]+:k1:[0-9a-f]{16}(?::\d+)?/g, '')).not.toContain(planted.replaceAll('"', ''))
  expect(faultAt).toBe(at)
  // What is marked is what is left: the mask of the rest, or the end.
  expect(masked.slice(markAt)).toMatch(/^(?:\*\*\*rest:k1:[0-9a-f]{16}:\d+)?$/)
})

test('text that is not UTF-8 is masked by its bytes, and its place is told', () => {
  const bytes = Buffer.concat([Buffer.from('{"product_id":"'), Buffer.from([0xff, 0x61]), Buffer.from('","note":1}')])
  const { text, faultAt } = mask(bytes)
  expect(text).toContain(`{"product_id":"***text:k1:${hmac(bytes.subarray(14, 18))}","note":`)
  expect(faultAt).toBe(14)
})

test('the place of a byte is that of its value', () => {
  const text = '{"user_id": "ann", "note": 17}'
  const { text: masked, markAt } = mask(text, text.indexOf('17'))
  expect(masked.slice(markAt)).toBe(`"***number:k1:${hmac('17')}"}`)
})

test('without a key values are cut out', () => {
  expect(maskJson(Buffer.from('{"user_id":"ann","x":1}'), KNOWN, undefined).text).toBe('{"user_id":"***text","***name":"***number"}')
  expect(maskOf('bytes', Buffer.from('ann'), undefined)).toBe('***bytes:3')
})

test.each([
  [LIMITS.masksMax - 1, false],
  [LIMITS.masksMax, false],
  [LIMITS.masksMax + 1, true],
])('of %i values the last one ends it: %s', (values, cut) => {
  const { text, faultAt } = mask(`{"tags":[${'1,'.repeat(values - 1)}1]}`)
  expect(text.includes('***rest:')).toBe(cut)
  expect(text.match(/\*\*\*/g)).toHaveLength(Math.min(values, LIMITS.masksMax + 1))
  expect(faultAt).toBeUndefined()
})

test('what is nested without end is masked as a whole', () => {
  const deep = '['.repeat(100_000)
  expect(mask(`${deep}"ann"`)).toMatchObject({
    faultAt: undefined,
    text: expect.stringMatching(/^\[{100}\*\*\*rest:k1:[0-9a-f]{16}:99905$/),
  })
})

import { expect, test } from 'vitest'
import { LetterSamples, lookOf } from '../../src/output/letter-samples.ts'

const look = (text: string) => lookOf(Buffer.from(text))

test('of an input only its fields, and where it ends to be JSON, can be seen', () => {
  expect(look('{"product_id":"p-17","user":{"e-mail":"ann@example.org"},"t": 1700}')).toEqual({
    masked: '{"product_id":"a-00","user":{"e-mail":"aaa@aaaaaaa.aaa"},"t": 0000}',
    byteAtFault: undefined,
  })
  expect(look('{"ä":1,}')).toEqual({ masked: '{"a":0,}', byteAtFault: 8 })
  expect(look(`{"ü":[1,2,{"b":tru},3]}`).byteAtFault).toBe(19)
  expect(look('{"a":"ann')).toEqual({ masked: '{"a":"aaa', byteAtFault: 9 })
  expect(look('Ann said: "Bob" 42\u202e')).toMatchObject({ masked: 'aaa aaaa: "aaa" 00?', byteAtFault: 0 })
  expect(lookOf(Buffer.from([0xff, 0x41]))).toEqual({ masked: undefined, byteAtFault: undefined })
})

test('a name that is too long for one, or holds what names do not, is masked', () => {
  expect(look(`{"${'ann'.repeat(20)}":1}`).masked).toBe(`{"${'aaa'.repeat(20)}":0}`)
  expect(look('{"ann@example.org":1}').masked).toBe('{"aaa@aaaaaaa.aaa":0}')
})

test('the newest are kept', () => {
  const samples = new LetterSamples()
  for (let offset = 0; offset < 60; offset++)
    samples.add({ at: 1, reason: 'NOT_JSON', topic: 't', partition: 0, offset, message: 'no', ...look('{') })
  expect(samples.newest.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, i) => i + 10))
})

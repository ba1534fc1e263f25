import { expect, test } from 'vitest'
import { EventMutator, MUTATED_MAX_BYTES } from '../../workshop/mutate.ts'
import { judge } from '../../workshop/oracle.ts'

function make(seed: number, count: number): string[] {
  const mutator = new EventMutator(seed)
  const bytes = new Uint8Array(MUTATED_MAX_BYTES)
  return Array.from({ length: count }, () => Buffer.from(bytes.subarray(0, mutator.next(bytes, 0))).toString('latin1'))
}

test('the same seed makes the same events', () => {
  expect(make(3, 2000)).toEqual(make(3, 2000))
  expect(make(3, 50)).not.toEqual(make(4, 50))
})

test('made-up events hold what the parsers could disagree about', () => {
  const events = make(1, 200_000)
  const holds = (claim: string, found: (text: string) => boolean) => expect([claim, events.some(found)]).toEqual([claim, true])
  holds('both spellings in one event', (text) => text.includes('"product_id"') && text.includes('"productId"'))
  holds('a key twice', (text) => text.split('"user_id"').length > 2)
  holds('an escaped key', (text) => text.includes('product\\u005fid'))
  for (const control of ['\0', '\t', '\x1f']) holds('a raw control character in a string', (text) => text.includes(`"${control}"`))
  holds('a lone surrogate escape', (text) => /\\ud83d"/.test(text))
  holds('bytes that are not UTF-8', (text) => text.includes('\xed\xa0\x80'))
  holds('a byte-order mark in front', (text) => text.startsWith('\xef\xbb\xbf'))
  holds('trailing bytes', (text) => /\} *\{\}$/.test(text))
  holds('nesting over a hundred levels', (text) => text.includes('['.repeat(100)))
  holds('a huge number', (text) => text.includes('1e400'))
  holds('a date with an offset', (text) => /T\d\d:\d\d:\d\d\.?\d*[+-]\d\d:\d\d"/.test(text))
  holds('a cut event', (text) => text.startsWith('{"') && !text.includes('}'))
  holds('nothing at all', (text) => text === '')
  for (const length of [255, 256, 257]) holds(`a product of ${length} bytes`, (text) => text.includes(`"${'x'.repeat(length)}"`))
})

test('between a third and two thirds of the made-up events are valid', () => {
  const valid = make(1, 20_000).filter((text) => judge(Buffer.from(text, 'latin1'), -1, 0).valid).length
  expect(valid / 20_000).toBeGreaterThan(1 / 3)
  expect(valid / 20_000).toBeLessThan(2 / 3)
})

test('no event is longer than the limit', () => {
  const mutator = new EventMutator(9)
  const bytes = new Uint8Array(2 * MUTATED_MAX_BYTES)
  let longest = 0
  for (let index = 0; index < 200_000; index++) longest = Math.max(longest, mutator.next(bytes, 0))
  expect(longest).toBeLessThanOrEqual(MUTATED_MAX_BYTES)
})

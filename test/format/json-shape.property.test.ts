import { describe, expect, test } from 'vitest'
import { hashProduct } from '../../src/format/hash.ts'
import { REASON, UNSURE } from '../../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../../src/format/slot.ts'
import { Random } from '../../src/load/random.ts'
import { compareParsers, PARSERS, shapedReader } from '../../workshop/compare-parsers.ts'
import { compareShapes } from '../../workshop/compare-shapes.ts'
import { shapeOne } from '../../workshop/shape-one.ts'
import { repetitions } from '../support/effort.ts'
import { shapeOf } from '../support/shape-of.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const EVENTS = repetitions({ unit: 8_000, all: 20_000, long: 40_000 })
const EVENT =
  '{"event_id":"e-1","user_id":"u-1","product_id":"p-0001","event_type":"impression","timestamp":1700000000000,"session_id":"s-1"}'

function parse(learnt: string, text: string | Buffer) {
  const shape = shapeOf(learnt)!
  const event = Buffer.isBuffer(text) ? text : Buffer.from(text)
  // Behind the event lies what would complete it, as the next record does: reading past the end must not be rewarded.
  const bytes = new Uint8Array(Buffer.concat([Buffer.from('xyz'), event, Buffer.from('"}","timestamp":1700000000000}')]))
  const slot = new EventSlot()
  const fits = shapeOne(shape, bytes, 3, 3 + event.length, slot) === REASON.VALID
  return { fits, slot, bytes }
}

describe('a shape fits', () => {
  test('the event it was learned from, and gives product, hash, type and time', () => {
    const { fits, slot, bytes } = parse(EVENT, EVENT)
    expect(fits).toBe(true)
    const start = slot.ints[SLOT_PRODUCT_START]!
    const end = slot.ints[SLOT_PRODUCT_END]!
    expect(Buffer.from(bytes.subarray(start, end)).toString()).toBe('p-0001')
    expect(slot.ints[SLOT_PRODUCT_HASH]).toBe(hashProduct(bytes, start, end))
    expect([slot.ints[SLOT_CLICK], slot.time[0]]).toEqual([0, 1_700_000_000_000])
  })

  test.each([
    EVENT.replace('impression', 'click'),
    EVENT.replace('impression', 'VIEW'),
    EVENT.replace('p-0001', 'p'),
    EVENT.replace('p-0001', 'x'.repeat(256)),
    EVENT.replace('e-1', ''),
    EVENT.replace('e-1', 'a\\"b\\u00e9ü€😀'),
    EVENT.replace('impression', 'Click'),
    EVENT.replace('impression', 'VIEWS'),
    EVENT.replace('"u-1"', '""'),
    EVENT.replace('1700000000000', '1'),
    EVENT.replace('1700000000000', '1700000000000.5'),
    EVENT.replace('1700000000000', '"2023-11-14T22:13:20.5+00:00"'),
    EVENT.replace('1700000000000', '99999999999999'),
  ])('an event with other values: %s', (text) => {
    expect(parse(EVENT, text).fits).toBe(true)
  })
})

describe('a shape does not fit', () => {
  test.each([
    EVENT.replace('p-0001', ''),
    EVENT.replace('p-0001', 'x'.repeat(257)),
    EVENT.replace('"u-1"', 'null'),
    EVENT.replace('"impression"', '""'),
    EVENT.replace('impression', 'cl\\u0069ck'),
    EVENT.replace('1700000000000', '-1700000000000'),
    EVENT.replace('1700000000000', '1700000000000.'),
    EVENT.replace('1700000000000', '"2023-02-29T22:13:20Z"'),
    EVENT.replace('1700000000000', '17000000000a0'),
    EVENT.replace('1700000000000', '\0\0\0\0\0\0\0\x0000123'),
    EVENT.replace('1700000000000', '01700000000000'),
    EVENT.replace('1700000000000', '0700000000000'),
    EVENT.replace('e-1', 'a\nb'),
    EVENT.replace('e-1', 'a\\xb'),
    EVENT.replace('product_id', 'productId'),
    EVENT.slice(0, -1),
    EVENT.slice(0, -2),
    `${EVENT} `,
    EVENT.slice(0, 60),
    EVENT.slice(0, 3),
    '',
  ])('%s', (text) => {
    expect(parse(EVENT, text).fits).toBe(false)
  })

  test('an event cut anywhere, whatever lies behind it', () => {
    for (let length = 0; length < EVENT.length; length++)
      expect([length, parse(EVENT, EVENT.slice(0, length)).fits]).toEqual([length, false])
  })

  test('bytes that are not UTF-8 in a string it skips', () => {
    expect(parse(EVENT, Buffer.from(EVENT.replace('e-1', 'e\xff1'), 'latin1')).fits).toBe(false)
  })
})

test('keys may come in any order and spelling, with white space and values of any kind between them', () => {
  const odd =
    ' { "a" : [1, {"b": null}], "timestamp" : "1700000000001" , "eventType":"click", "userId":"u", "n":-1.5e3,\n"productId":"p" } '
  const { fits, slot } = parse(odd, odd.replace('-1.5e3', '7').replace('[1, {"b": null}]', '{}'))
  expect(fits).toBe(true)
  expect([slot.ints[SLOT_CLICK], slot.time[0]]).toEqual([1, 1_700_000_000_001])
})

test('objects within an event belong to the shape; their keys are not the event’s', () => {
  const nested = (page: string, tags: string, time = 1_700_000_000_001) =>
    [
      `{"timestamp":${time},"context":{"page":"${page}","timestamp":5,"device":{"product_id":"no","os":{}}}`,
      `"tags":${tags},"eventType":"click","userId":"u","productId":"p"}`,
    ].join()
  const learnt = nested('/shoes', '[1,{"a":[]}]')
  const { fits, slot, bytes } = parse(learnt, nested('/a/longer/one', '[]', 1_700_000_000_002))
  expect(fits).toBe(true)
  expect([slot.ints[SLOT_CLICK], slot.time[0]]).toEqual([1, 1_700_000_000_002])
  expect(Buffer.from(bytes.subarray(slot.ints[SLOT_PRODUCT_START]!, slot.ints[SLOT_PRODUCT_END]!)).toString()).toBe('p')
  expect(parse(learnt, nested('/a"', '[]')).fits).toBe(false)
  expect(parse(learnt, nested('/a', '[1')).fits).toBe(false)
  expect(parse(learnt, learnt.replace('"os":{}}}', '"os":{}}')).fits).toBe(false)
  expect(parse(learnt, learnt.replace('"os":{}}}', '"os":{}}}}')).fits).toBe(false)
})

test('a product may be the last value, whatever its length', () => {
  for (let length = 1; length < 40; length++) {
    const event = (id: string) => `{"user_id":"u","event_type":"click","timestamp":1700000000000,"product_id":"${id}"}`
    for (const learnt of [length, 3, 16, 17]) {
      const { fits, slot, bytes } = parse(event('a'.repeat(learnt)), event('b'.repeat(length)))
      expect([length, learnt, fits]).toEqual([length, learnt, true])
      const found = Buffer.from(bytes.subarray(slot.ints[SLOT_PRODUCT_START]!, slot.ints[SLOT_PRODUCT_END]!))
      expect(found.toString()).toBe('b'.repeat(length))
    }
  }
})

test(`events that differ from the learned one in their values only, seed ${SEED}`, () => {
  const { fits, ignored, refused, difference } = compareShapes(EVENTS, SEED)
  expect(difference).toBeUndefined()
  expect(fits).toBeGreaterThan(EVENTS / 2)
  expect(ignored).toBeGreaterThan(EVENTS / 200)
  expect(refused).toBeGreaterThan(EVENTS / 100)
})

test(`whatever any shape is sure of is what the exact parser says of mutated events: ${SEED}`, () => {
  const shaped = shapedReader()
  const comparison = compareParsers({ count: (EVENTS * 3) / 2, seed: SEED, judgeEvery: 10, parsers: { read: shaped.read } })
  expect(comparison.difference).toBeUndefined()
  expect(shaped.hits().valid).toBeGreaterThan(EVENTS / 200)
})

test(`one or two bytes changed at random, seed ${SEED}`, () => {
  const random = new Random(SEED)
  const original = Buffer.from(EVENT)
  const shape = shapeOf(EVENT)!
  const fast = new EventSlot()
  const slow = new EventSlot()
  let fitting = 0
  for (let i = 0; i < (EVENTS * 5) / 4; i++) {
    const bytes = new Uint8Array(original)
    for (let changes = 1 + random.below(2); changes > 0; changes--)
      bytes[random.below(bytes.length)] = random.below(random.chance(0.5) ? 256 : 96) + 0
    const verdict = shapeOne(shape, bytes, 0, bytes.length, fast)
    if (verdict === UNSURE) continue
    fitting++
    const text = Buffer.from(bytes).toString('latin1')
    expect([text, PARSERS.exact(bytes, 0, bytes.length, slow)]).toEqual([text, verdict])
    if (verdict !== REASON.VALID) continue
    expect([text, fast.time[0], fast.ints[SLOT_CLICK], fast.ints[SLOT_PRODUCT_HASH]]).toEqual([
      text,
      slow.time[0],
      slow.ints[SLOT_CLICK],
      slow.ints[SLOT_PRODUCT_HASH],
    ])
  }
  expect(fitting).toBeGreaterThan(EVENTS / 80)
})

import { describe, expect, test } from 'vitest'
import { EventGenerator, GENERATE_DEFAULTS, type GenerateOptions, INVALID_KINDS } from '../../src/source/generate.ts'
import { judge } from '../support/oracle.ts'

const NOW = 1_659_304_800_000

interface Made {
  key: string
  value: Buffer | null
  click: boolean
  valid: boolean
  time: number
}

function make(count: number, options: Partial<GenerateOptions> = {}): Made[] {
  const generator = new EventGenerator({ ...GENERATE_DEFAULTS, ...options })
  const made: Made[] = []
  for (let index = 0; index < count; index++) {
    generator.next(NOW + index)
    const key = Buffer.alloc(generator.keyBytes)
    generator.writeKey(key, 0)
    const value = generator.valueBytes < 0 ? null : Buffer.alloc(generator.valueBytes + 2, 0x7e)
    if (value !== null) generator.writeValue(value, 1)
    expect(value === null || (value[0] === 0x7e && value.at(-1) === 0x7e)).toBe(true)
    made.push({
      key: key.toString(),
      value: value?.subarray(1, -1) ?? null,
      click: generator.click,
      valid: generator.valid,
      time: generator.time,
    })
  }
  return made
}

describe('generated events', () => {
  test('look like this', () => {
    const [first, second] = make(2, { seed: 42, clickShare: 0.5, disorderMs: 0 })
    const head = /^\{"event_id":"0000002a-000000000001","user_id":"u-(\d{6})","product_id":"p-\d{4}",/
    const tail = /"event_type":"(impression|click)","timestamp":1659304800000,"session_id":"s-\d{6}"\}$/
    expect(first?.value?.toString()).toMatch(new RegExp(head.source + tail.source))
    const event = JSON.parse(first?.value?.toString() ?? '')
    expect(event.session_id.slice(2)).toBe(event.user_id.slice(2))
    expect(JSON.parse(second?.value?.toString() ?? '')).toMatchObject({ event_id: '0000002a-000000000002', timestamp: NOW + 1 })
  })

  test('are valid and what the generator says of them, across the turns of their digits', () => {
    for (const { key, value, click, valid, time } of make(25_000, { disorderMs: 30_000, lateShare: 0.1 })) {
      expect(valid).toBe(true)
      expect(judge(value, NOW + 25_000, 0)).toEqual({ valid: true, product: key, click, time })
    }
  })

  test('have ids that are never the same', () => {
    const ids = make(25_000).map(({ value }) => JSON.parse(value?.toString() ?? '{}').event_id)
    expect(new Set(ids).size).toBe(25_000)
  })

  test('are the same for the same seed and others for another', () => {
    const text = (seed: number) => make(500, { seed, invalidShare: 0.2, lateShare: 0.2 }).map(({ key, value }) => `${key} ${value}`)
    expect(text(7)).toEqual(text(7))
    expect(text(7)).not.toEqual(text(8))
    expect(text(2 ** 32 + 7).map((line) => line.slice(0, 6))).not.toEqual(text(7).map((line) => line.slice(0, 6)))
  })

  test('keep to the shares asked for', () => {
    const generator = new EventGenerator({ ...GENERATE_DEFAULTS, invalidShare: 0.05, lateShare: 0.1, lateByMs: 60_000, disorderMs: 1000 })
    const count = 100_000
    let late = 0
    for (let index = 0; index < count; index++) {
      generator.next(NOW)
      if (generator.time < NOW - 1000) {
        late++
        expect(NOW - generator.time).toBeLessThanOrEqual(121_000)
        expect(NOW - generator.time).toBeGreaterThanOrEqual(60_000)
      } else expect(generator.time).toBeLessThanOrEqual(NOW)
    }
    const { events, impressions, clicks, invalid } = generator.drawn
    expect(events).toBe(count)
    expect(impressions + clicks + invalid).toBe(count)
    expect(invalid / count).toBeCloseTo(0.05, 2)
    expect(late / count).toBeCloseTo(0.1, 2)
    expect(clicks / (clicks + impressions)).toBeCloseTo(0.2, 2)
  })

  test('that are invalid come in every kind, each with its own reason', () => {
    const reasons = new Map<string, number>()
    for (const { value, valid } of make(5000, { invalidShare: 1 })) {
      expect(valid).toBe(false)
      const verdict = judge(value, NOW + 5000, 60_000)
      const reason = verdict.valid ? 'VALID' : verdict.reason
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    expect([...reasons.keys()].sort()).toEqual(
      ['EMPTY', 'FUTURE', 'NOT_JSON', 'NOT_OBJECT', 'NOT_UTF8', 'PRODUCT', 'TIME', 'TIME_RANGE', 'TYPE', 'USER'].sort(),
    )
    expect(reasons.size).toBe(INVALID_KINDS.length)
    for (const count of reasons.values()) expect(count / 5000).toBeCloseTo(0.1, 1)
  })

  test.each([
    [0, 0.01],
    [1, 1 / 5.187],
  ])('with a skew of %f give the first of 100 products its share', (skew, share) => {
    const generator = new EventGenerator({ ...GENERATE_DEFAULTS, products: 100, skew })
    const counts = new Array(100).fill(0)
    for (let index = 0; index < 200_000; index++) {
      generator.next(NOW)
      counts[generator.product]++
    }
    expect(counts[0] / 200_000).toBeCloseTo(share, 2)
    expect(counts.every((count) => count > 0)).toBe(true)
    const tail = counts.slice(50).reduce((sum, count) => sum + count, 0) / 200_000
    expect(tail).toBeCloseTo(skew === 0 ? 0.5 : (5.187 - 4.499) / 5.187, 2)
  })

  test('have product and user numbers with as many digits as it takes', () => {
    const generator = new EventGenerator({ ...GENERATE_DEFAULTS, products: 1_234_567, users: 12_345_678, skew: 0 })
    expect(generator.productId(1_234_566)).toBe('p-1234567')
    generator.next(NOW)
    const value = Buffer.alloc(generator.valueBytes)
    generator.writeValue(value, 0)
    expect(JSON.parse(value.toString())).toMatchObject({ product_id: generator.productId(generator.product) })
    expect(value.toString()).toMatch(/"user_id":"u-\d{8}"/)
  })

  test('refuse times that do not have 13 digits', () => {
    const generator = new EventGenerator({ ...GENERATE_DEFAULTS, disorderMs: 0 })
    generator.next(999_999_999_999)
    expect(() => generator.writeValue(Buffer.alloc(300), 0)).toThrow(/13 digits/)
  })
})

import { describe, expect, test } from 'vitest'
import { EventGenerator, GENERATE_DEFAULTS, type GenerateOptions, INVALID_KINDS, productId } from '../../src/load/generate.ts'
import { judge } from '../../workshop/oracle.ts'

const OLDEST = Date.UTC(2000, 0, 1)
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
      const verdict = judge(value, NOW + 5000, 60_000, OLDEST)
      const reason = verdict.valid ? 'VALID' : verdict.reason
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    expect([...reasons.keys()].sort()).toEqual(
      ['FUTURE', 'NOT_JSON', 'NOT_OBJECT', 'NOT_UTF8', 'PRODUCT', 'TIME', 'TIME_RANGE', 'TOO_OLD', 'TYPE'].sort(),
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
    const options = { ...GENERATE_DEFAULTS, products: 1_234_567, users: 12_345_678, skew: 0 }
    const generator = new EventGenerator(options)
    expect(productId(1_234_566, { products: 1_234_567, productsPerMinute: 0 })).toBe('p-1234567')
    generator.next(NOW)
    const value = Buffer.alloc(generator.valueBytes)
    generator.writeValue(value, 0)
    expect(JSON.parse(value.toString())).toMatchObject({ product_id: productId(generator.product, options) })
    expect(value.toString()).toMatch(/"user_id":"u-\d{8}"/)
  })

  test.each(['snake', 'camel', 'mixed'] as const)('spell their keys as asked: %s', (keys) => {
    const made = make(2000, { keys })
    const camel = made.filter(({ value }) => value?.includes('"productId":') && !value.includes('_id"')).length
    const snake = made.filter(({ value }) => value?.includes('"product_id":') && !value.includes('Id"')).length
    expect(camel + snake).toBe(2000)
    expect(camel / 2000).toBeCloseTo({ snake: 0, camel: 1, mixed: 0.5 }[keys], 1)
    for (const { key, value, click, time } of made) expect(judge(value, NOW + 2000, 0)).toEqual({ valid: true, product: key, click, time })
  })

  test('that are invalid keep their reasons in the other spelling', () => {
    const reasons = new Set(
      make(2000, { invalidShare: 1, keys: 'camel' }).map(({ value }) => {
        const verdict = judge(value, NOW + 2000, 60_000, OLDEST)
        return verdict.valid ? 'VALID' : verdict.reason
      }),
    )
    expect(reasons.size).toBe(INVALID_KINDS.length)
    expect(reasons.has('VALID')).toBe(false)
  })

  test.each([
    ['number', /^u-\d{6}$/],
    ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/],
    ['email', /^user\d{6}@mail\.example$/],
  ] as const)('have user ids of the shape %s', (userIds, shape) => {
    const ids = make(500, { userIds }).map(({ value }) => JSON.parse(value?.toString() ?? '').user_id)
    for (const id of ids) expect(id).toMatch(shape)
    expect(new Set(ids).size).toBeGreaterThan(450)
  })

  test('are padded to the size asked for, and left alone when they are longer or all but', () => {
    const [plain = 0] = make(1, { clickShare: 0 }).map(({ value }) => value?.length ?? 0)
    const sizes = [0, plain - 1, plain, plain + 13, plain + 14, 300, 1000]
    const lengths = sizes.map((eventBytes) => make(1, { eventBytes, clickShare: 0 })[0]?.value?.length)
    expect(lengths).toEqual([plain, plain, plain, plain, plain + 14, 300, 1000])
    expect(judge(make(1, { eventBytes: 1000, keys: 'camel' })[0]?.value ?? null, NOW, 0)).toMatchObject({ valid: true })
  })

  test('repeat the one before byte by byte, in about the share asked for', () => {
    const values = make(20_000, { duplicateShare: 0.1, invalidShare: 0.05 }).map(({ value }) => String(value))
    const repeats = values.filter((value, i) => value === values[i - 1]).length
    expect(repeats / values.length).toBeCloseTo(0.1, 1)
    const generator = new EventGenerator({ ...GENERATE_DEFAULTS, duplicateShare: 0.5 })
    for (let i = 0; i < 1000; i++) generator.next(NOW)
    const { events, impressions, clicks, duplicates } = generator.drawn
    expect([events, impressions + clicks]).toEqual([1000, 1000])
    expect(duplicates / 1000).toBeCloseTo(0.5, 1)
  })

  test('of a share are of its products alone, with ids that no other share has', () => {
    const products = Int32Array.of(3, 7, 8)
    const ids = [0, 1].flatMap((stream) => {
      const generator = new EventGenerator({ ...GENERATE_DEFAULTS, products: 10 }, { products, owns: () => false, stream, streams: 2 })
      return Array.from({ length: 12_000 }, () => {
        generator.next(NOW)
        expect(products).toContain(generator.product)
        const value = Buffer.alloc(generator.valueBytes)
        generator.writeValue(value, 0)
        return JSON.parse(value.toString()).event_id as string
      })
    })
    expect(new Set(ids).size).toBe(24_000)
  })

  test('refuse times that do not have 13 digits', () => {
    const generator = new EventGenerator({ ...GENERATE_DEFAULTS, disorderMs: 0 })
    generator.next(999_999_999_999)
    expect(() => generator.writeValue(Buffer.alloc(300), 0)).toThrow(/13 digits/)
  })
})

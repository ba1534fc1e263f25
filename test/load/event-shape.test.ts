/** Shapes that a load makes: what is generated is read back by JSON.parse, with the values where they should be. */
import { expect, test } from 'vitest'
import { fieldsArgument } from '../../src/cli/arguments.ts'
import { type EventShape, LOAD_ENVELOPES, PLAIN_SHAPE } from '../../src/load/event-shape.ts'
import { isLoads } from '../../src/load/foreign.ts'
import { EventGenerator, GENERATE_DEFAULTS, INVALID_KINDS } from '../../src/load/generate.ts'

const NOW = Date.UTC(2024, 10, 28, 13, 20, 9)

function values(shape: EventShape, more: object = {}, count = 200): string[] {
  const generator = new EventGenerator({ ...GENERATE_DEFAULTS, ...more, shape })
  return Array.from({ length: count }, (_, i) => {
    generator.next(NOW + i * 137)
    const bytes = Buffer.alloc(generator.valueBytes)
    generator.writeValue(bytes, 0)
    return bytes.toString()
  })
}

/** Where each envelope has product, type and time. */
const PLACES: { readonly [envelope in EventShape['envelope']]: readonly string[] } = {
  none: ['product_id', 'event_type', 'timestamp'],
  connect: ['payload.product_id', 'payload.event_type', 'payload.timestamp'],
  debezium: ['after.product_id', 'after.event_type', 'after.timestamp'],
  cloudevents: ['data.product_id', 'type', 'time'],
  segment: ['properties.product_id', 'event', 'timestamp'],
}

const at = (value: unknown, path: string) => path.split('.').reduce((inside, key) => (inside as Record<string, unknown>)[key], value)

test.each(LOAD_ENVELOPES)('%s: every event is JSON with its values in their places, and is known as one of a load', (envelope) => {
  for (const text of values({ ...PLAIN_SHAPE, envelope, types: ['angezeigt ✓', 'geklickt'] })) {
    const event: unknown = JSON.parse(text)
    const [product, type, time] = (PLACES[envelope] ?? []).map((path) => at(event, path))
    expect(product).toMatch(/^p-\d{4}$/)
    expect(['angezeigt ✓', 'geklickt']).toContain(type)
    expect(Math.abs(new Date(time as string | number).getTime() - NOW)).toBeLessThan(60_000)
    expect(isLoads(Buffer.from(text))).toBe(true)
  }
})

test('a time as a date is the time as a number', () => {
  const [numbers, dates] = (['none', 'cloudevents'] as const).map((envelope) => {
    return values({ ...PLAIN_SHAPE, envelope }, { seed: 7 }).map((text) => {
      return new Date(at(JSON.parse(text), (PLACES[envelope] ?? [])[2] ?? '') as string | number).getTime()
    })
  })
  expect(dates).toEqual(numbers)
})

test('times in seconds and with a zone are the times in ms, and products that are numbers are the same ones', () => {
  const plain = values(PLAIN_SHAPE, { seed: 7 }).map((text) => JSON.parse(text) as { timestamp: number; product_id: string })
  const others = (shape: Partial<EventShape>) => values({ ...PLAIN_SHAPE, ...shape }, { seed: 7 }).map((text) => JSON.parse(text))
  for (const [i, { timestamp }] of others({ times: 's' }).entries()) expect(timestamp).toBe(Math.floor((plain[i]?.timestamp ?? 0) / 1000))
  for (const [i, { timestamp }] of others({ times: 'zoned' }).entries()) {
    expect(timestamp).toMatch(/^2024-11-28T15:20:\d\d\.\d{3}\+02:00$/)
    expect(new Date(timestamp).getTime()).toBe(plain[i]?.timestamp)
  }
  for (const [i, { product_id }] of others({ productNumbers: true }).entries())
    expect(product_id).toBe(10_000 + Number(plain[i]?.product_id.slice(2)))
})

test('fields go where they are told, into objects that others are in, too', () => {
  const fields = fieldsArgument('product=item.sku,type=item.kind', fieldsArgument('time=at'))
  for (const text of values({ ...PLAIN_SHAPE, fields })) {
    expect(JSON.parse(text)).toMatchObject({
      item: { sku: expect.stringMatching(/^p-/), kind: expect.stringMatching(/^(impression|click)$/) },
    })
    expect(JSON.parse(text)).toHaveProperty('at', expect.any(Number))
  }
  expect(() => values({ ...PLAIN_SHAPE, fields: { product: ['user_id'] } })).toThrow('user_id is another value')
  expect(() => values({ ...PLAIN_SHAPE, fields: { product: ['user_id', 'x'] } })).toThrow('user_id.x is another value')
  for (const text of ['product', 'sku=a', 'product=', 'product=a..b']) expect(() => fieldsArgument(text)).toThrow('Write a field')
})

test.each(INVALID_KINDS)('%s is made in every envelope', (kind) => {
  for (const envelope of LOAD_ENVELOPES) {
    const shape = { ...PLAIN_SHAPE, envelope }
    for (const text of values(shape, { invalidShare: 1, invalidKinds: [kind] }, 20)) {
      if (kind === 'not-utf8') expect(text).toContain('\ufffd')
      else if (kind === 'truncated') expect(() => JSON.parse(text)).toThrow()
      else if (kind === 'array') expect(JSON.parse(text)).toHaveLength(1)
      else {
        const [product, type, time] = (PLACES[envelope] ?? []).map((path) => at(JSON.parse(text), path))
        const ms = new Date(time as string | number).getTime()
        const found = { 'no-product': product === null, 'no-type': type === null, 'no-time': time === null, 'epoch-zero': ms === 0 }
        const timed = { 'too-old': ms > 0 && ms < Date.UTC(1971, 0), 'far-future': ms > NOW + 86_400_000 }
        expect({ ...found, ...timed }[kind as keyof typeof found], text).toBe(true)
      }
    }
  }
})

import { expect, test } from 'vitest'
import { EventGenerator, GENERATE_DEFAULTS, productId } from '../../src/load/generate.ts'
import { PRODUCTS_END, Turnover } from '../../src/load/turnover.ts'

const FROM = 1_659_304_800_000
const MINUTE = 60_000

test('a newcomer comes at its moment and not before, in place of the oldest', () => {
  const turnover = new Turnover({ products: 3, productsPerMinute: 2 }, Int32Array.of(0, 1, 2), () => true)
  const alive = (now: number) => {
    if (now >= turnover.dueAt) turnover.moveOn(now)
    return [...turnover.alive]
  }
  expect(alive(FROM)).toEqual([0, 1, 2])
  expect(alive(FROM + MINUTE / 2 - 1)).toEqual([0, 1, 2])
  expect(alive(FROM + MINUTE / 2)).toEqual([3, 1, 2])
  expect(alive(FROM + 2 * MINUTE - 1)).toEqual([3, 4, 5])
  expect(alive(FROM + 2 * MINUTE)).toEqual([6, 4, 5])
})

test('shares that divide the newcomers among them have each newcomer once, whenever they look', () => {
  const options = { products: 10, productsPerMinute: 100 }
  const seen = [1, 8, 1000].map((stepMs, part) => {
    const first = Int32Array.from({ length: 10 }, (_, i) => i).filter((product) => product % 3 === part)
    const turnover = new Turnover(options, first, (product) => product % 3 === part)
    const products = new Set(first)
    for (let now = FROM; now <= FROM + MINUTE; now += stepMs) {
      if (now >= turnover.dueAt) turnover.moveOn(now)
      for (const product of turnover.alive) products.add(product)
    }
    expect(turnover.alive.length).toBe(first.length)
    return [...products]
  })
  expect(seen.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 110 }, (_, i) => i))
})

test('nobody comes any more when the numbers have run out', () => {
  const turnover = new Turnover({ products: PRODUCTS_END - 2, productsPerMinute: 1 }, Int32Array.of(5), () => true)
  for (const minutes of [0, 1, 2, 100]) turnover.moveOn(FROM + minutes * MINUTE)
  expect([turnover.alive[0], turnover.dueAt]).toEqual([PRODUCTS_END - 1, Number.POSITIVE_INFINITY])
})

test('of generated events those of the youngest products alone are made, and over the time all of them', () => {
  const options = { ...GENERATE_DEFAULTS, products: 50, productsPerMinute: 100, skew: 0, duplicateShare: 0.1 }
  const generator = new EventGenerator(options)
  const value = Buffer.alloc(1000)
  const seen = new Set<string>()
  for (let ms = 0; ms <= 3 * MINUTE; ms += 5) {
    generator.next(FROM + ms)
    const newcomers = Math.floor((ms * 100) / MINUTE)
    if (!generator.repeated) {
      expect(generator.product).toBeGreaterThanOrEqual(newcomers)
      expect(generator.product).toBeLessThan(newcomers + 50)
    }
    generator.writeValue(value, 0)
    const event = JSON.parse(value.toString('latin1', 0, generator.valueBytes))
    expect(event.product_id).toBe(productId(generator.product, options))
    seen.add(event.product_id)
  }
  // The last few may not have had their turn yet.
  expect(seen.size).toBeGreaterThan(340)
  expect(seen.size).toBeLessThanOrEqual(350)
  expect(Math.max(...[...seen].map((id) => id.length))).toBe(12)
})

test('ids have room for the last number', () => {
  const ids = { products: 10, productsPerMinute: 1 }
  expect([productId(0, ids), productId(PRODUCTS_END - 1, ids)]).toEqual(['p-0000000001', 'p-2147483647'])
})

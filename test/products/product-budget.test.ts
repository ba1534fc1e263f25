import { expect, test } from 'vitest'
import { hashProduct } from '../../src/format/hash.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import { ProductBudget, productCost } from '../../src/products/product-budget.ts'

const insert = (dictionary: Dictionary, id: string) => {
  const bytes = new Uint8Array(Buffer.from(id))
  return dictionary.insert(hashProduct(bytes, 0, bytes.length), bytes, 0, bytes.length)
}

test.each([
  ['products', { maxProducts: 3, maxBytes: Number.POSITIVE_INFINITY }],
  ['bytes', { maxProducts: Number.POSITIVE_INFINITY, maxBytes: 3 * productCost(2) }],
])('is full with as many %s as there may be, and not with one less, over all dictionaries', (_name, limits) => {
  const budget = new ProductBudget(limits)
  const [one, other] = [new Dictionary(1, budget), new Dictionary(2, budget)]
  insert(one, 'p1')
  insert(other, 'p1')
  expect([one.full, other.full]).toEqual([false, false])
  insert(one, 'p2')
  expect([one.full, other.full, budget.share]).toEqual([true, true, 1])
  one.sweep(0, 1, () => true)
  expect(other.full).toBe(false)
  other.release()
  one.release()
  expect(budget).toMatchObject({ products: 0, keyBytes: 0, bytes: 0 })
})

test('windows take of the same bytes', () => {
  const budget = new ProductBudget({ maxProducts: Number.POSITIVE_INFINITY, maxBytes: 1_000 })
  budget.paneBytes = 999
  expect(budget.full).toBe(false)
  budget.paneBytes = 1_000
  expect(budget.full).toBe(true)
})

test('without limits nothing is full', () => {
  const budget = new ProductBudget()
  budget.add(1e9, 256e9)
  expect([budget.full, budget.share]).toEqual([false, 0])
})

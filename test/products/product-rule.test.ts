import { expect, test } from 'vitest'
import { ProductRule } from '../../src/products/product-rule.ts'

const fits = (match: ConstructorParameters<typeof ProductRule>[0]['match'], id: string) => {
  const bytes = new Uint8Array(Buffer.from(`..${id}..`))
  return new ProductRule({ match, other: '__other__' }).fits(bytes, 2, bytes.length - 2)
}

test.each([
  [{ pattern: /^p-\d+$/u }, 'p-1', true],
  [{ pattern: /^p-\d+$/u }, 'p-1x', false],
  [{ pattern: /^ä+$/u }, 'ää', true],
  [{ maxLength: 3 }, 'abc', true],
  [{ maxLength: 3 }, 'abcd', false],
  [{ maxLength: 3 }, 'äb', true],
  [{ maxLength: 3 }, 'ää', false],
  [{ list: ['a', 'b'] }, 'b', true],
  [{ list: ['a', 'b'] }, 'ab', false],
  [{ list: ['a', 'bb'], maxLength: 1 }, 'bb', false],
  [{ list: ['a', 'bb'], pattern: /a/u }, 'bb', false],
  [{}, 'anything', true],
])('%o: %s fits: %s', (match, id, expected) => {
  expect(fits(match, id)).toBe(expected)
})

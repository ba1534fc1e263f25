import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeTenant } from '../../src/products/key.ts'
import { encodeName, rowFrame, rowMaxBytes, VERSION_UNIT, writeRow } from '../../src/sink/row-binary.ts'
import { EncodedRows } from '../../src/sink/row-reader.ts'
import { readRow } from '../../workshop/read-row.ts'

const TENANT = encodeTenant('default')

/** Of windows with a name, where there is one. */
function encoded(products: readonly string[], windowName = ''): EncodedRows {
  const name = encodeName(windowName)
  const out = new Uint8Array(products.length * rowMaxBytes(TENANT, name))
  const view = new DataView(out.buffer)
  let at = 0
  products.forEach((product, i) => {
    const id = Buffer.from(product)
    at = writeRow(out, view, at, TENANT, id, 0, id.length, rowFrame(i * 1000, i * 1000 + 10, i, 3, 2 ** 40 + i, name), i + 2, 1)
  })
  return new EncodedRows(out.subarray(0, at), products.length, name.length)
}

/** The products of rows read by a decoder that shares nothing with ours. */
function productsOf(bytes: Uint8Array, named: boolean): string[] {
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const { row, end } = readRow(bytes, at, named)
    found.push(row.product)
    at = end
  }
  return found
}

const product = fc.oneof(
  fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }).filter((text) => Buffer.byteLength(text) <= 256),
  fc.constantFrom('a'.repeat(127), 'b'.repeat(128), 'c'.repeat(255), 'd'.repeat(256)),
)

test('any range of rows is exactly those rows, and gathered rows are those in the order given', () => {
  fc.assert(
    fc.property(fc.array(product, { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), fc.boolean(), (products, a, b, named) => {
      const rows = encoded(products, named ? 'sliding' : '')
      const from = Math.min(a % (products.length + 1), b % (products.length + 1))
      const to = Math.max(a % (products.length + 1), b % (products.length + 1))
      expect(productsOf(rows.slice({ from, to }), named)).toEqual(products.slice(from, to))
      const gathered = rows.gather([
        { from: to, to: products.length },
        { from: 0, to: from },
      ])
      expect(gathered.count).toBe(products.length - to + from)
      expect(productsOf(gathered.bytes, named)).toEqual([...products.slice(to), ...products.slice(0, from)])
    }),
  )
})

test.each(['', 'sliding'])('a row reads back as it was written, at both lengths of a length; its windows are named %j', (name) => {
  const products = ['p', 'ünïcödé-☃-𝒳', 'a'.repeat(127), 'b'.repeat(128), 'c'.repeat(256)]
  const rows = encoded(products, name)
  products.forEach((productId, i) => {
    expect(rows.read(i)).toEqual({
      tenant: 'default',
      productId,
      windowStart: i * 1000,
      windowEnd: i * 1000 + 10,
      task: i,
      impressions: i + 2,
      clicks: 1,
      ctr: 1 / (i + 2),
      version: 3 * VERSION_UNIT + i + 3,
      emittedAt: 2 ** 40 + i,
    })
  })
})

test('bytes that are not whole rows are a bug that is told', () => {
  const { bytes } = encoded(['a', 'b'])
  expect(() => new EncodedRows(bytes.subarray(0, bytes.length - 1), 2).slice({ from: 0, to: 1 })).toThrow('rows end where their bytes do')
  expect(() => new EncodedRows(bytes, 1).slice({ from: 0, to: 0 })).toThrow('rows end where their bytes do')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeTenant } from '../../src/products/key.ts'
import { rowFrame, rowMaxBytes, VERSION_UNIT, writeRow } from '../../src/sink/row-binary.ts'
import { EncodedRows } from '../../src/sink/row-reader.ts'
import { readRow } from '../../workshop/memory-run.ts'

const TENANT = encodeTenant('default')

function encoded(products: readonly string[]): EncodedRows {
  const out = new Uint8Array(products.length * rowMaxBytes(TENANT))
  const view = new DataView(out.buffer)
  let at = 0
  products.forEach((product, i) => {
    const id = Buffer.from(product)
    at = writeRow(out, view, at, TENANT, id, 0, id.length, rowFrame(i * 1000, i * 1000 + 10, i, 3, 2 ** 40 + i), i + 2, 1)
  })
  return new EncodedRows(out.subarray(0, at), products.length)
}

/** The products of rows read by a decoder that shares nothing with ours. */
function productsOf(bytes: Uint8Array): string[] {
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const { row, end } = readRow(bytes, at)
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
    fc.property(fc.array(product, { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), (products, a, b) => {
      const rows = encoded(products)
      const from = Math.min(a % (products.length + 1), b % (products.length + 1))
      const to = Math.max(a % (products.length + 1), b % (products.length + 1))
      expect(productsOf(rows.slice({ from, to }))).toEqual(products.slice(from, to))
      const gathered = rows.gather([
        { from: to, to: products.length },
        { from: 0, to: from },
      ])
      expect(gathered.count).toBe(products.length - to + from)
      expect(productsOf(gathered.bytes)).toEqual([...products.slice(to), ...products.slice(0, from)])
    }),
  )
})

test('a row reads back as it was written, at both lengths of a length', () => {
  const products = ['p', 'ünïcödé-☃-𝒳', 'a'.repeat(127), 'b'.repeat(128), 'c'.repeat(256)]
  const rows = encoded(products)
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

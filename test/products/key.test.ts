import { expect, test } from 'vitest'
import { LIMITS } from '../../src/config/limits.ts'
import { encodeTenant, KEY_MAX_BYTES, keyColumnsEnd, keyColumnsMaxBytes, readKeyColumns, writeKeyColumns } from '../../src/products/key.ts'

/** The columns' bytes, with something before and behind them. */
function written(tenant: string, product: string): Buffer {
  const key = Buffer.from(product)
  const source = Buffer.concat([Buffer.from('??'), key, Buffer.from('!')])
  const out = Buffer.alloc(3 + keyColumnsMaxBytes(encodeTenant(tenant)) + 1, 0xaa)
  const end = writeKeyColumns(out, 3, encodeTenant(tenant), source, 2, key.length)
  expect(out.subarray(0, 3).every((byte) => byte === 0xaa) && out.subarray(end).every((byte) => byte === 0xaa)).toBe(true)
  return out.subarray(0, end)
}

const column = (text: string, ...length: number[]) => Buffer.concat([Buffer.from(length), Buffer.from(text)])

test.each([
  [1, [1]],
  [126, [126]],
  [127, [127]],
  [128, [0x80, 1]],
  [129, [0x81, 1]],
  [KEY_MAX_BYTES - 1, [0xff, 1]],
  [KEY_MAX_BYTES, [0x80, 2]],
])('a product of %i bytes is written with its length and reads back', (bytes, length) => {
  const product = 'p'.repeat(bytes)
  const out = written('ten', product)
  expect(out.subarray(3).toString('hex')).toBe(Buffer.concat([column('ten', 3), column(product, ...length)]).toString('hex'))
  expect(keyColumnsEnd(out, 3)).toBe(out.length)
  expect(readKeyColumns(out, 3)).toEqual({ tenant: 'ten', productId: product })
})

test('no tenant and the longest one read back too, and the longest key takes exactly keyColumnsMaxBytes', () => {
  for (const tenant of ['', 't'.repeat(127), 't'.repeat(LIMITS.tenantMaxBytes), 'é'.repeat(LIMITS.tenantMaxBytes / 2)]) {
    const out = written(tenant, '𝒳'.repeat(KEY_MAX_BYTES / 4))
    expect(readKeyColumns(out, 3)).toEqual({ tenant, productId: '𝒳'.repeat(KEY_MAX_BYTES / 4) })
    expect(out.length - 3).toBe(keyColumnsMaxBytes(encodeTenant(tenant)))
  }
})

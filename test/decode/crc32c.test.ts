import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from '../../src/decode/crc32c.ts'

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
const vectors: [string, Uint8Array, number][] = [
  ['nothing', new Uint8Array(0), 0],
  ['"123456789"', Buffer.from('123456789'), 0xe3069283],
  ['32 zero bytes', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes 0xff', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['32 ascending bytes', Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ['32 descending bytes', Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
]

for (const [name, bytes, expected] of vectors) {
  test(`the published check value of ${name} comes out`, () => {
    expect(crc32c(bytes, 0, bytes.length)).toBe(expected)
  })
}

test('slices of any length at any place agree with the bit by bit definition', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(16), fc.nat(16), (bytes, before, after) => {
      const padded = Buffer.concat([Buffer.alloc(before, 0xaa), bytes, Buffer.alloc(after, 0x55)])
      expect(crc32c(padded, before, before + bytes.length)).toBe(bitwise(bytes))
    }),
  )
})

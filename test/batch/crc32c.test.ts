import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from '../../src/batch/crc32c.ts'

/** The definition, for one byte more. */
function step(crc: number, byte: number): number {
  let next = crc ^ byte
  for (let bit = 0; bit < 8; bit++) next = next & 1 ? (next >>> 1) ^ 0x82f63b78 : next >>> 1
  return next
}

function bitwise(bytes: Uint8Array): number {
  return ~bytes.reduce(step, -1) >>> 0
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

const arbitrary = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, at) => Math.imul(at + seed, 2_654_435_761) >>> (at % 24))

test('every length over the first two chunks, at every alignment, agrees with the bit by bit definition', () => {
  const longest = (209 + 2 * 512 + 2) * 8
  const wrong: string[] = []
  for (let start = 0; start < 8; start++) {
    const bytes = Buffer.from(arbitrary(start + longest, start))
    let crc = -1
    for (let end = start; end <= bytes.length; end++) {
      if (crc32c(bytes, start, end) !== ~crc >>> 0) wrong.push(`[${start}, ${end})`)
      crc = step(crc, bytes[end] ?? 0)
    }
  }
  expect(wrong).toEqual([])
})

test('slices of any length at any place agree with the bit by bit definition, whatever came before', () => {
  const length = fc.oneof(fc.nat(70), fc.nat(70_000))
  fc.assert(
    fc.property(length, fc.nat(1000), fc.nat(16), fc.nat(16), (size, seed, before, after) => {
      const bytes = arbitrary(before + size + after, seed)
      expect(crc32c(bytes, before, before + size)).toBe(bitwise(bytes.subarray(before, before + size)))
    }),
  )
})

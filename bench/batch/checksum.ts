/** CRC-32C of a record batch's bytes. */
import { crc32c } from '../../src/batch/crc32c.ts'
import type { StageMaker } from '../stage.ts'

const POLYNOMIAL = 0x82f63b78

export const checksumStages: StageMaker = (quick) => {
  const bytes = Uint8Array.from({ length: quick ? 8_192 : 262_144 }, (_, i) => (i * 2_654_435_761) >>> 24)
  return [{ name: 'crc32c', unit: 'byte', units: bytes.length, expected: bitByBit(bytes), run: () => crc32c(bytes, 0, bytes.length) }]
}

/** The definition. */
function bitByBit(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL
  }
  return ~crc >>> 0
}

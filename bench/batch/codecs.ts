/** Compressing and decompressing the records of a batch; a figure is per uncompressed byte. */
import { CODEC } from '../../src/batch/codec.ts'
import { compress } from '../../src/batch/compress.ts'
import { crc32c } from '../../src/batch/crc32c.ts'
import { decompress } from '../../src/batch/decompress.ts'
import type { Stage, StageMaker } from '../stage.ts'
import { generateValues } from '../support/batches.ts'

const MAX_BYTES = 64 * 1024 * 1024

export const codecStages: StageMaker = (quick) => {
  const { bytes } = generateValues(quick ? 100 : 1_700)
  const length = bytes.length
  const whole = crc32c(bytes, 0, length)
  return Object.entries(CODEC).flatMap(([name, codec]): Stage[] => {
    if (codec === CODEC.none) return []
    const packed = compress(codec, bytes)
    const unpack = () => decompress(codec, packed, MAX_BYTES) ?? new Uint8Array(0)
    const unpacked = unpack()
    if (unpacked.length !== length || crc32c(unpacked, 0, length) !== whole) throw new Error(`${name} does not give back what went in`)
    return [
      { name: `${name}: decompress`, unit: 'byte', units: length, expected: length, run: () => unpack().length },
      { name: `${name}: compress`, unit: 'byte', units: length, expected: packed.length, run: () => compress(codec, bytes).length },
    ]
  })
}

/** Compresses the records of a batch, in the way Java clients do. Bytes in, bytes out; the result never shares memory with its input. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import snappy from 'snappyjs'
import { CODEC, LZ4_STORED, XERIAL_HEADER_BYTES, XERIAL_MAGIC } from './codec.ts'
import { encodeLz4Block, LZ4_TABLE_LENGTH } from './lz4-block.ts'

const XERIAL_BLOCK_BYTES = 32 * 1024
const LZ4_BLOCK_BYTES = 64 * 1024
/** Magic, version 1 with independent blocks, blocks of 64 KiB, checksum of these two bytes. */
const LZ4_HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])

/** `codec` is a number of CODEC; throws a RangeError for any other. */
export function compress(codec: number, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case CODEC.none:
      return new Uint8Array(bytes)
    case CODEC.gzip:
      return gzipSync(bytes)
    case CODEC.snappy:
      return snappyFrame(bytes)
    case CODEC.lz4:
      return lz4Frame(bytes)
    case CODEC.zstd:
      return zstdCompressSync(bytes)
    default:
      throw new RangeError(`codec ${codec} is not one of ${JSON.stringify(CODEC)}`)
  }
}

function snappyFrame(bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(XERIAL_HEADER_BYTES)
  XERIAL_MAGIC.copy(header)
  header.writeInt32BE(1, 8)
  header.writeInt32BE(1, 12)
  const parts: Uint8Array[] = [header]
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappy.compress(new Uint8Array(bytes.subarray(at, at + XERIAL_BLOCK_BYTES)))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

function lz4Frame(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [LZ4_HEADER]
  const table = new Int32Array(LZ4_TABLE_LENGTH)
  for (let at = 0; at < bytes.length; at += LZ4_BLOCK_BYTES) {
    const end = Math.min(at + LZ4_BLOCK_BYTES, bytes.length)
    const length = end - at
    // At worst a length byte for every 255 literals, and the token.
    const block = Buffer.alloc(4 + length + Math.ceil(length / 255) + 16)
    const size = encodeLz4Block(bytes, at, end, block, 4, table) - 4
    const gained = size < length
    if (!gained) block.set(bytes.subarray(at, end), 4)
    block.writeUInt32LE(gained ? size : length + LZ4_STORED)
    parts.push(block.subarray(0, 4 + (gained ? size : length)))
  }
  parts.push(Buffer.alloc(4))
  return Buffer.concat(parts)
}

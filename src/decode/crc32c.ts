/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as Kafka's record batches carry it. Slicing by eight: eight bytes per step through
 * eight tables of 256 words, 8 KiB in all, which stay in the first-level cache.
 */

const TABLE_WORDS = 256
const STEP_BYTES = 8
const tables = buildTables()

/** CRC-32C of `bytes` from `start` up to `end`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  return slices(bytes, start, end) >>> 0
}

/** Signed all the way: an unsigned result in here makes V8 throw its optimised code away, again and again. */
function slices(bytes: Uint8Array, start: number, end: number): number {
  const t = tables
  let crc = -1
  let at = start
  for (const stop = end - STEP_BYTES; at <= stop; at += STEP_BYTES) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      t[1792 + (low & 255)]! ^
      t[1536 + ((low >>> 8) & 255)]! ^
      t[1280 + ((low >>> 16) & 255)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 255]!
  return ~crc
}

/** tables[k * 256 + b] = CRC of byte b followed by k zero bytes. */
function buildTables(): Int32Array {
  const built = new Int32Array(STEP_BYTES * TABLE_WORDS)
  for (let byte = 0; byte < TABLE_WORDS; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78
    built[byte] = crc
  }
  for (let at = TABLE_WORDS; at < built.length; at++) {
    const shorter = built[at - TABLE_WORDS]!
    built[at] = (shorter >>> 8) ^ built[shorter & 255]!
  }
  return built
}

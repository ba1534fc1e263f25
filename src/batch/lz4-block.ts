/**
 * An LZ4 block encoder: greedy, one hash table of the last position of each four bytes. Written here because the JavaScript package at hand
 * starts matches closer to a block's end than the format allows, and reference decoders then refuse the block.
 */
const MIN_MATCH = 4
/** A block's last bytes are literals, and its last match begins at least this far before its end: the reference decoder relies on it. */
const LAST_LITERALS = 5
const MATCH_LIMIT = 12
const HASH_BITS = 14
/** Length of the table that encodeLz4Block wants. */
export const LZ4_TABLE_LENGTH = 1 << HASH_BITS

/** Compresses bytes[start, end), at most 64 KiB, to out from `to`; returns where it ends. `out` has room for length * 256 / 255 + 16. */
export function encodeLz4Block(bytes: Uint8Array, start: number, end: number, out: Uint8Array, to: number, table: Int32Array): number {
  table.fill(-1)
  let at = start
  let anchor = start
  const matchLast = end - MATCH_LIMIT
  const matchEnd = end - LAST_LITERALS
  let misses = 0
  while (at <= matchLast) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    const slot = Math.imul(word, -1640531535) >>> (32 - HASH_BITS)
    const from = table[slot]!
    table[slot] = at
    const found =
      from >= 0 &&
      at - from < 65_536 &&
      word === (bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24))
    if (!found) {
      at += 1 + (misses++ >> 6)
      continue
    }
    misses = 0
    let length = MIN_MATCH
    while (at + length < matchEnd && bytes[from + length] === bytes[at + length]) length++
    const token = to
    to = writeLiterals(bytes, anchor, at, out, to)
    out[to++] = (at - from) & 255
    out[to++] = (at - from) >> 8
    const rest = length - MIN_MATCH
    out[token] = out[token]! | Math.min(rest, 15)
    if (rest >= 15) to = writeLength(rest - 15, out, to)
    at += length
    anchor = at
  }
  return writeLiterals(bytes, anchor, end, out, to)
}

function writeLiterals(bytes: Uint8Array, start: number, end: number, out: Uint8Array, to: number): number {
  const count = end - start
  out[to++] = Math.min(count, 15) << 4
  if (count >= 15) to = writeLength(count - 15, out, to)
  for (let at = start; at < end; at++) out[to++] = bytes[at]!
  return to
}

function writeLength(rest: number, out: Uint8Array, to: number): number {
  for (; rest >= 255; rest -= 255) out[to++] = 255
  out[to++] = rest
  return to
}

/** Varints as compiled readers step over them. They may be longer than they need be. */

/** The bits of a varint of at most four bytes, without a sign; -1 for a longer one. */
export function shortVarint(bytes: Uint8Array, at: number): number {
  const a = bytes[at]!
  if (a < 128) return a
  const b = bytes[at + 1]!
  if (b < 128) return (a & 127) | (b << 7)
  const c = bytes[at + 2]!
  if (c < 128) return (a & 127) | ((b & 127) << 7) | (c << 14)
  const d = bytes[at + 3]!
  return d < 128 ? (a & 127) | ((b & 127) << 7) | ((c & 127) << 14) | (d << 21) : -1
}

/** Bytes of a varint that shortVarint reads. */
export function shortVarintSize(bytes: Uint8Array, at: number): number {
  if (bytes[at]! < 128) return 1
  if (bytes[at + 1]! < 128) return 2
  return bytes[at + 2]! < 128 ? 3 : 4
}

/** Behind a varint of 32 bits, or -1 for one of more. */
export function intEnd(bytes: Uint8Array, at: number): number {
  let from = at
  while (from < at + 4 && bytes[from]! > 127) from++
  return bytes[from]! < (from === at + 4 ? 16 : 128) ? from + 1 : -1
}

/** Behind a varint of 64 bits, or -1 for one of more. */
export function longEnd(bytes: Uint8Array, at: number): number {
  let from = at
  while (from < at + 9 && bytes[from]! > 127) from++
  return bytes[from]! < (from === at + 9 ? 2 : 128) ? from + 1 : -1
}

/** Behind a varint of at most ten bytes, whatever their bits, or -1. */
export function varintEnd(bytes: Uint8Array, at: number): number {
  let from = at
  while (from < at + 9 && bytes[from]! > 127) from++
  return bytes[from]! < 128 ? from + 1 : -1
}

/** Behind the value of a Protobuf field that has this tag, before `end`; -1 for groups, and where it isn't sure. */
export function fieldEnd(bytes: Uint8Array, at: number, tag: number, end: number): number {
  if (tag < 8) return -1
  switch (tag & 7) {
    case 0:
      return varintEnd(bytes, at)
    case 1:
      return at + 8
    case 5:
      return at + 4
    case 2: {
      const length = shortVarint(bytes, at)
      const from = at + shortVarintSize(bytes, at)
      return length < 0 || length > end - from ? -1 : from + length
    }
    default:
      return -1
  }
}

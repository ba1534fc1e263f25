/**
 * Decompresses the records of a batch: bytes in, bytes out. A result never shares memory with its input and lies in a buffer of an
 * OutputPool.
 *
 * What comes out is bounded before memory is taken, so that a small hostile batch can't take all of it: a length in a header is not
 * believed beyond what the codec can make of the bytes there are. Snappy and lz4 are decoded here and not by a package, because the
 * packages write past the end, or accept truncated input, without a word. Their checksums aren't read: the batch's own CRC covers the
 * compressed bytes.
 */
import { CtrError } from '../errors.ts'
import { CODEC, LZ4_STORED, XERIAL_HEADER_BYTES, XERIAL_MAGIC } from './codec.ts'
import { gunzip, unzstd } from './inflater.ts'
import { KEPT_MAX_BYTES, OutputPool } from './output-pool.ts'

const LZ4_MAGIC = 0x184d2204
/** Up to here a copy word by word beats a call. */
const LONG_COPY_BYTES = 128

/** A copy of 3 bytes gives 64; one of 2 gives less. */
const SNAPPY_GROWTH_MAX = 22
/** A byte that lengthens a match gives 255. */
const LZ4_GROWTH_MAX = 255

/**
 * Decompresses the records of a batch to a buffer of `pool`; undefined when they are more than `maxBytes`, for which nothing is taken.
 * Throws CTR_KAFKA_CORRUPT_BATCH when they are damaged or of an unknown codec.
 */
export function decompress(codec: number, bytes: Uint8Array, maxBytes: number, pool = new OutputPool()): Uint8Array | undefined {
  try {
    switch (codec) {
      case CODEC.none:
        return bytes.length > maxBytes ? undefined : new Uint8Array(bytes)
      case CODEC.gzip:
        return gunzip(bytes, pool, maxBytes)
      case CODEC.snappy:
        return unsnappy(bytes, pool, maxBytes)
      case CODEC.lz4:
        return unlz4(bytes, pool, maxBytes)
      case CODEC.zstd:
        return unzstd(bytes, pool, maxBytes)
      default:
        throw new RangeError(`codec ${codec} is not one of ${JSON.stringify(CODEC)}`)
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `records of ${bytes.length} bytes, codec ${codec}: ${reason}`, { cause })
  }
}

function unsnappy(bytes: Uint8Array, pool: OutputPool, maxBytes: number): Uint8Array | undefined {
  const framed = bytes.length >= XERIAL_HEADER_BYTES && XERIAL_MAGIC.equals(bytes.subarray(0, XERIAL_MAGIC.length))
  if (!framed) {
    const length = snappyLength(bytes, 0, bytes.length)
    if (length > maxBytes) return undefined
    const out = pool.take(length)
    return out.subarray(0, snappyBlock(bytes, 0, bytes.length, out, 0))
  }
  let size = 0
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const end = xerialBlockEnd(bytes, at)
    size += snappyLength(bytes, at + 4, end)
    at = end
  }
  if (size > maxBytes) return undefined
  const out = pool.take(size)
  let written = 0
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const end = xerialBlockEnd(bytes, at)
    written = snappyBlock(bytes, at + 4, end, out, written)
    at = end
  }
  return out.subarray(0, written)
}

function xerialBlockEnd(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw new RangeError('snappy: truncated in a block length')
  const end = at + 4 + ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)
  if (end <= at + 4 || end > bytes.length) throw new RangeError('snappy: a block reaches past the end')
  return end
}

/** What a raw block says it decompresses to. */
function snappyLength(bytes: Uint8Array, start: number, end: number): number {
  let length = 0
  for (let shift = 0, at = start; at < end && shift < 35; shift += 7, at++) {
    const byte = bytes[at]!
    length += (byte & 127) * 2 ** shift
    if (byte >= 128) continue
    if (length > (end - start) * SNAPPY_GROWTH_MAX) throw new RangeError(`snappy: ${end - start} bytes can't become ${length}`)
    return length
  }
  throw new RangeError('snappy: no length')
}

/** Decodes one raw block to out[from, from + its length); returns where it ends. */
function snappyBlock(bytes: Uint8Array, start: number, end: number, out: Buffer, from: number): number {
  const source = viewOf(bytes)
  const into = viewOf(out)
  const stop = from + snappyLength(bytes, start, end)
  let at = start
  while (bytes[at++]! >= 128);
  let to = from
  while (at < end) {
    const tag = bytes[at++]!
    const kind = tag & 3
    let length = (tag >>> 2) + 1
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60
        length = 1
        for (let k = 0; k < extra; k++) length += bytes[at + k]! * 2 ** (8 * k)
        at += extra
      }
      if (!(at + length <= end && to + length <= stop)) throw new RangeError('snappy: a literal reaches past the end')
      to = copyLiteral(bytes, source, at, out, into, to, length)
      at += length
      continue
    }
    let back: number
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4
      back = ((tag >>> 5) << 8) | bytes[at]!
      at += 1
    } else if (kind === 2) {
      back = bytes[at]! | (bytes[at + 1]! << 8)
      at += 2
    } else {
      back = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
      at += 4
    }
    if (back === 0 || back > to - from || to + length > stop || at > end) throw new RangeError('snappy: a copy from or to outside')
    to = copyBack(out, into, to, back, length)
  }
  if (to !== stop) throw new RangeError('snappy: truncated')
  return to
}

function unlz4(bytes: Uint8Array, pool: OutputPool, maxBytes: number): Uint8Array | undefined {
  const view = viewOf(bytes)
  if (bytes.length < 7 || view.getUint32(0, true) !== LZ4_MAGIC) throw new RangeError('lz4: not a frame')
  const flags = bytes[4]!
  const sizeCode = (bytes[5]! >> 4) & 7
  if (flags >> 6 !== 1 || sizeCode < 4) throw new RangeError('lz4: unknown frame version or block size')
  const blockMaxBytes = 1 << (8 + 2 * sizeCode)
  const blocksAt = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0)
  const checksumBytes = flags & 16 ? 4 : 0

  let bound = 0
  let at = blocksAt
  for (;;) {
    if (at + 4 > bytes.length) throw new RangeError('lz4: truncated before a block')
    const word = view.getUint32(at, true)
    if (word === 0) break
    const length = word & ~LZ4_STORED
    at += 4 + length + checksumBytes
    if (at > bytes.length || length > blockMaxBytes) throw new RangeError('lz4: a block reaches past the end')
    bound += word >= LZ4_STORED ? length : Math.min(blockMaxBytes, length * LZ4_GROWTH_MAX)
  }
  // The bound is far above what most blocks become: for a large one it is worth a look at every length.
  if (bound > Math.min(KEPT_MAX_BYTES, maxBytes)) bound = lz4FrameSize(bytes, view, blocksAt, checksumBytes)
  if (bound > maxBytes) return undefined
  const out = pool.take(bound)
  const into = viewOf(out)
  let to = 0
  for (at = blocksAt; ; ) {
    const word = view.getUint32(at, true)
    if (word === 0) return out.subarray(0, to)
    at += 4
    const length = word & ~LZ4_STORED
    if (word >= LZ4_STORED) to = copyLiteral(bytes, view, at, out, into, to, length)
    else to = lz4Block(bytes, view, at, at + length, out, into, to, Math.min(to + blockMaxBytes, bound))
    at += length + checksumBytes
  }
}

/** What the blocks of a frame, whose ends are known to be true, become, if they are not damaged. */
function lz4FrameSize(bytes: Uint8Array, view: DataView, blocksAt: number, checksumBytes: number): number {
  let size = 0
  for (let at = blocksAt; ; ) {
    const word = view.getUint32(at, true)
    if (word === 0) return size
    at += 4
    const length = word & ~LZ4_STORED
    size += word >= LZ4_STORED ? length : lz4BlockSize(bytes, at, at + length)
    at += length + checksumBytes
  }
}

/** The lengths of a block's literals and matches, added up. */
function lz4BlockSize(bytes: Uint8Array, start: number, end: number): number {
  let size = 0
  for (let at = start; at < end; ) {
    const token = bytes[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      for (; more === 255 && at < end; at++) literals += more = bytes[at]!
    }
    size += literals
    at += literals
    if (at >= end) return size
    at += 2
    let length = (token & 15) + 4
    if (length === 19) {
      let more = 255
      for (; more === 255 && at < end; at++) length += more = bytes[at]!
    }
    size += length
  }
  return size
}

/** Decodes one block to out from `from`, at most up to `stop`; returns where it ends. Matches may reach back into earlier blocks. */
function lz4Block(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: Buffer,
  into: DataView,
  from: number,
  stop: number,
): number {
  let at = start
  let to = from
  while (at < end) {
    const token = bytes[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      for (; more === 255 && at < end; at++) literals += more = bytes[at]!
    }
    if (at + literals > end || to + literals > stop) throw new RangeError('lz4: a literal reaches past the end')
    to = copyLiteral(bytes, view, at, out, into, to, literals)
    at += literals
    if (at === end) return to
    if (at + 2 > end) break
    const back = bytes[at]! | (bytes[at + 1]! << 8)
    at += 2
    let length = (token & 15) + 4
    if (length === 19) {
      let more = 255
      for (; more === 255 && at < end; at++) length += more = bytes[at]!
    }
    if (back === 0 || back > to || to + length > stop) throw new RangeError('lz4: a match from or to outside')
    to = copyBack(out, into, to, back, length)
  }
  throw new RangeError('lz4: a block ends without its last literals')
}

/** Word by word, if three bytes more may be read; what is written too much is written over, or lies in the output's slack. */
function copyLiteral(bytes: Uint8Array, from: DataView, at: number, out: Buffer, into: DataView, to: number, length: number): number {
  const end = to + length
  if (length > LONG_COPY_BYTES) out.set(bytes.subarray(at, at + length), to)
  else if (at + length + 4 <= bytes.length) {
    for (let k = to, source = at; k < end; k += 4, source += 4) into.setInt32(k, from.getInt32(source, true), true)
  } else for (let k = 0; k < length; k++) out[to + k] = bytes[at + k]!
  return end
}

/** A copy that overlaps itself repeats the bytes just written: a word that was written whole may be read. */
function copyBack(out: Buffer, into: DataView, to: number, back: number, length: number): number {
  const end = to + length
  if (length > LONG_COPY_BYTES && back >= length) out.copyWithin(to, to - back, to - back + length)
  else if (back >= 4) for (let k = to; k < end; k += 4) into.setInt32(k, into.getInt32(k - back, true), true)
  else for (let k = to; k < end; k++) out[k] = out[k - back]!
  return end
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

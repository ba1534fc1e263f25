/**
 * Framing of a Kafka record batch, format 2 (magic 2), for all who read or write one:
 *
 *   byte 0           8        12             16      17    21           23                27
 *        | base      | length | leader epoch | magic | crc | attributes | last offset     | base
 *        | offset 8  | 4      | 4            | 1     | 4   | 2          | delta 4         | timestamp 8
 *   byte 35          43            51      53         57       61
 *        | max       | producer id | epoch | sequence | record | records ...
 *        | timestamp | 8           | 2     | 4        | count 4|
 *
 * length counts from byte 12; crc is CRC-32C from byte 21 to the end. attributes: bits 0–2 codec, bit 3 log append time, bit 4
 * transactional, bit 5 control. Integers are big-endian.
 *
 *   record  | length | attributes 1 | timestamp delta | offset delta | key length | key | value length | value | headers |
 *
 * where lengths and deltas are zigzag varints; a length of -1 means null.
 */

/** Bytes before the records, which are compressed as a whole when the codec is not 0. */
export const BATCH_HEADER_BYTES = 61
/** Bytes that `length` doesn't count. */
export const BATCH_PREFIX_BYTES = 12
/** The one version there is since Kafka 0.11. */
export const MAGIC = 2

export const BASE_OFFSET_AT = 0
export const LENGTH_AT = 8
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
/** The CRC covers all from here. */
export const CRC_FROM = ATTRIBUTES_AT
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const COUNT_AT = 57

/** Bits of the attributes: the codec, and what the batch is. */
export const CODEC_BITS = 0x07
const LOG_APPEND_TIME = 0x08
export const TRANSACTIONAL = 0x10
export const CONTROL = 0x20

/** The header fields the engine needs; times in ms. Reused for every batch. */
export class BatchHeader {
  baseOffset = 0
  /** Whole batch, prefix included. */
  sizeBytes = 0
  magic = 0
  crc = 0
  codec = 0
  logAppendTime = false
  control = false
  lastOffset = 0
  baseTimestamp = 0
  maxTimestamp = 0
  count = 0
}

/** Reads the header of the batch at `at`; false when fewer bytes are there than it says it has, or its length can't be true. */
export function readBatchHeader(bytes: Uint8Array, at: number, end: number, header: BatchHeader): boolean {
  if (end - at < BATCH_HEADER_BYTES) return false
  header.baseOffset = readInt64(bytes, at + BASE_OFFSET_AT)
  header.sizeBytes = BATCH_PREFIX_BYTES + readInt32(bytes, at + LENGTH_AT)
  header.magic = bytes[at + MAGIC_AT]!
  if (header.sizeBytes < BATCH_HEADER_BYTES || header.sizeBytes > end - at) return false
  header.crc = readInt32(bytes, at + CRC_AT) >>> 0
  const attributes = bytes[at + ATTRIBUTES_AT + 1]!
  header.codec = attributes & CODEC_BITS
  header.logAppendTime = (attributes & LOG_APPEND_TIME) !== 0
  header.control = (attributes & CONTROL) !== 0
  header.lastOffset = header.baseOffset + readInt32(bytes, at + LAST_OFFSET_DELTA_AT)
  header.baseTimestamp = readInt64(bytes, at + BASE_TIMESTAMP_AT)
  header.maxTimestamp = readInt64(bytes, at + MAX_TIMESTAMP_AT)
  header.count = readInt32(bytes, at + COUNT_AT)
  return true
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Exact for values of at most 53 bits, which offsets and times are. */
function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 4_294_967_296 + (readInt32(bytes, at + 4) >>> 0)
}

/** The zigzag varint at `at`, as a 32-bit number. */
export function varint(bytes: Uint8Array, at: number): number {
  let raw = bytes[at]!
  if (raw > 127) {
    raw = (raw & 127) | ((bytes[at + 1]! & 127) << 7)
    if (bytes[at + 1]! > 127) {
      raw |= (bytes[at + 2]! & 127) << 14
      if (bytes[at + 2]! > 127) raw |= ((bytes[at + 3]! & 127) << 21) | (bytes[at + 3]! > 127 ? bytes[at + 4]! << 28 : 0)
    }
  }
  return (raw >>> 1) ^ -(raw & 1)
}

/** The zigzag varlong at `at`; exact to 53 bits. */
export function varlong(bytes: Uint8Array, at: number): number {
  let raw = 0
  let unit = 1
  let from = at
  for (; bytes[from]! > 127; from++) {
    raw += (bytes[from]! & 127) * unit
    unit *= 128
  }
  raw += bytes[from]! * unit
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
}

/** Bytes a varint or varlong takes. */
export function varintSize(bytes: Uint8Array, at: number): number {
  if (bytes[at]! < 128) return 1
  let size = 2
  while (bytes[at + size - 1]! > 127 && size < 10) size++
  return size
}

/** Where the parts of a record lie. Reused for every record. */
export class RecordPlace {
  /** Its timestamp delta and its offset delta. */
  timestampAt = 0
  offsetAt = 0
  /** Its value is [value, valueEnd); empty when it is null. */
  value = 0
  valueEnd = 0
  /** The next record. */
  next = 0
}

/** Finds the parts of the record at `at`; false when its lengths contradict each other or reach past `end`. */
export function locateRecord(bytes: Uint8Array, at: number, end: number, place: RecordPlace): boolean {
  const length = varint(bytes, at)
  const body = at + varintSize(bytes, at)
  place.next = body + length
  place.timestampAt = body + 1
  place.offsetAt = place.timestampAt + varintSize(bytes, place.timestampAt)
  let p = place.offsetAt + varintSize(bytes, place.offsetAt)
  const keyLength = varint(bytes, p)
  p += varintSize(bytes, p) + (keyLength & ~(keyLength >> 31)) // -1, for null, counts as 0
  const valueLength = varint(bytes, p)
  place.value = p + varintSize(bytes, p)
  place.valueEnd = place.value + (valueLength & ~(valueLength >> 31))
  return length > 0 && place.next <= end && place.valueEnd <= place.next
}

/** The record's timestamp lies below its batch's first one: its delta is negative, an odd varint. */
export function isOlder(bytes: Uint8Array, timestampAt: number): boolean {
  return (bytes[timestampAt]! & 1) === 1
}

/** Offset of the record at `at`, in a batch that begins at `baseOffset`. */
export function offsetOf(bytes: Uint8Array, at: number, baseOffset: number): number {
  const timestampAt = at + varintSize(bytes, at) + 1
  return baseOffset + varint(bytes, timestampAt + varintSize(bytes, timestampAt))
}

/**
 * How many records of a batch lie at or above `position`, if none was compacted away below it. The header's count is not believed beyond
 * the offsets that the batch takes up: a forged one would put into the ledger what was never there.
 */
export function recordsFrom({ count, baseOffset, lastOffset }: BatchHeader, position: number): number {
  const offsets = lastOffset + 1 - Math.max(baseOffset, position)
  return count > 0 && count < offsets ? count : offsets
}

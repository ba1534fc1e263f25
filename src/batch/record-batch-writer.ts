/**
 * Writes Kafka record batches (record-batch.ts has their layout) in place: no object per record. Attributes of a record are 0, and all
 * records have the same headers, by default none.
 *
 * Protocol: begin, then reserve (and fill keyAt, valueAt) or append for each record, then finish; several batches may stand back to back
 * in `bytes`. "Full" is a return value; a record too big for an empty buffer makes the buffer grow. `bytes` may be replaced by begin,
 * reserve, append and finish.
 */
import { assert } from '../assert.ts'
import { compress } from './compress.ts'
import { crc32c } from './crc32c.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CODEC_BITS,
  COUNT_AT,
  CRC_AT,
  CRC_FROM,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
} from './record-batch.ts'

/** The most that a record takes besides its key, value and headers: length, attributes, two deltas, two lengths. */
const RECORD_OVERHEAD_BYTES = 5 + 1 + 10 + 5 + 5 + 5
const TWO_32 = 0x1_0000_0000
const NO_HEADERS = Uint8Array.of(0)

export class RecordBatchWriter {
  bytes: Buffer
  /** Records in the open batch, and its offset delta: raise it before a record to leave a gap, as compaction does. */
  count = 0
  offsetDelta = 0
  /** Where the key and the value of the record reserved last belong in `bytes`. */
  keyAt = 0
  valueAt = 0
  /** Written in the headers of idempotent producers' batches. */
  producerId = -1
  producerEpoch = -1
  baseSequence = -1
  /** What stands behind every value: how many headers, and the headers, as a record has them. */
  headers: Uint8Array = NO_HEADERS

  #view: DataView
  #start = 0
  #at = BATCH_HEADER_BYTES
  #baseOffset = 0
  #baseTimestamp = 0
  #maxTimestamp = 0

  constructor(capacityBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(capacityBytes, 1024))
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
  }

  /** Goes on with other bytes, and gives those away that it had; `begin` must follow. */
  swap(bytes: Buffer): Buffer {
    const had = this.bytes
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset)
    return had
  }

  /** Opens a batch at byte `start`; what is open is forgotten. */
  begin(baseOffset: number, start = 0): void {
    this.#start = start
    this.#at = start + BATCH_HEADER_BYTES
    this.#baseOffset = baseOffset
    this.count = 0
    this.offsetDelta = 0
    if (this.#at > this.bytes.length) this.#grow(this.#at)
  }

  /** Bytes of the open batch, before compression. */
  get size(): number {
    return this.#at - this.#start
  }

  /** Appends a record's frame; the caller fills keyBytes at keyAt and valueBytes at valueAt. A length of -1 is null. False when full. */
  reserve(timestamp: number, keyBytes: number, valueBytes: number): boolean {
    const { headers } = this
    const most = RECORD_OVERHEAD_BYTES + headers.length + keyBytes + valueBytes
    if (this.#at + most > this.bytes.length) {
      if (this.count > 0 || this.#start > 0) return false
      this.#grow(this.#at + most)
    }
    if (this.count === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    } else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    const delta = timestamp - this.#baseTimestamp
    const offsetDelta = this.offsetDelta++
    this.count++
    const payload = Math.max(keyBytes, 0) + Math.max(valueBytes, 0)
    const sizes = varintSize(delta) + varintSize(offsetDelta) + varintSize(keyBytes) + varintSize(valueBytes)
    const length = 1 + payload + sizes + headers.length
    const bytes = this.bytes
    let at = writeVarint(bytes, this.#at, length)
    bytes[at++] = 0
    at = writeVarint(bytes, at, delta)
    at = writeVarint(bytes, at, offsetDelta)
    at = writeVarint(bytes, at, keyBytes)
    this.keyAt = at
    if (keyBytes > 0) at += keyBytes
    at = writeVarint(bytes, at, valueBytes)
    this.valueAt = at
    if (valueBytes > 0) at += valueBytes
    for (let i = 0; i < headers.length; i++) bytes[at++] = headers[i]!
    this.#at = at
    return true
  }

  /** Appends a record, its value value[start, end); false when full. */
  append(timestamp: number, key: Buffer | null, value: Buffer | null, start = 0, end = value === null ? 0 : value.length): boolean {
    if (!this.reserve(timestamp, key === null ? -1 : key.length, value === null ? -1 : end - start)) return false
    key?.copy(this.bytes, this.keyAt)
    value?.copy(this.bytes, this.valueAt, start, end)
    return true
  }

  /** Closes the batch: compresses by the codec in `attributes`, writes the header and the CRC; returns the byte after the batch. */
  finish(attributes = 0): number {
    const start = this.#start
    const recordsStart = start + BATCH_HEADER_BYTES
    const codec = attributes & CODEC_BITS
    if (codec !== 0) {
      const packed = compress(codec, this.bytes.subarray(recordsStart, this.#at))
      if (recordsStart + packed.length > this.bytes.length) this.#grow(recordsStart + packed.length)
      this.bytes.set(packed, recordsStart)
      this.#at = recordsStart + packed.length
    }
    const end = this.#at
    const view = this.#view
    writeInt64(view, start + BASE_OFFSET_AT, this.#baseOffset)
    view.setInt32(start + LENGTH_AT, end - start - BATCH_PREFIX_BYTES)
    view.setInt32(start + LEADER_EPOCH_AT, -1)
    view.setInt8(start + MAGIC_AT, MAGIC)
    view.setInt16(start + ATTRIBUTES_AT, attributes)
    view.setInt32(start + LAST_OFFSET_DELTA_AT, this.offsetDelta - 1)
    writeInt64(view, start + BASE_TIMESTAMP_AT, this.#baseTimestamp)
    writeInt64(view, start + MAX_TIMESTAMP_AT, this.#maxTimestamp)
    writeInt64(view, start + PRODUCER_ID_AT, this.producerId)
    view.setInt16(start + PRODUCER_EPOCH_AT, this.producerEpoch)
    view.setInt32(start + BASE_SEQUENCE_AT, this.baseSequence)
    view.setInt32(start + COUNT_AT, this.count)
    view.setUint32(start + CRC_AT, crc32c(this.bytes, start + CRC_FROM, end))
    return end
  }

  #grow(bytes: number): void {
    assert(bytes < 2 ** 31, 'a record batch stays below 2 GiB', { bytes })
    const grown = Buffer.allocUnsafeSlow(Math.max(bytes, this.bytes.length * 2))
    this.bytes.copy(grown)
    this.bytes = grown
    this.#view = new DataView(grown.buffer, grown.byteOffset)
  }
}

/** Bytes of a zigzag varint; exact for any integer below 2^52. */
function varintSize(value: number): number {
  if (value < 64 && value >= -64) return 1
  if (value < 8192 && value >= -8192) return 2
  let zigzag = value < 0 ? -value * 2 - 1 : value * 2
  let size = 1
  while (zigzag >= 128) {
    zigzag = Math.floor(zigzag / 128)
    size++
  }
  return size
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  if (value < 64 && value >= -64) {
    bytes[at] = (value << 1) ^ (value >> 31)
    return at + 1
  }
  let zigzag = value < 0 ? -value * 2 - 1 : value * 2
  while (zigzag >= TWO_32) {
    bytes[at++] = (zigzag % 128) | 128
    zigzag = Math.floor(zigzag / 128)
  }
  let low = zigzag >>> 0
  while (low >= 128) {
    bytes[at++] = (low & 127) | 128
    low >>>= 7
  }
  bytes[at] = low
  return at + 1
}

function writeInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / TWO_32))
  view.setUint32(at + 4, value >>> 0)
}

/**
 * Messages of formats 0 and 1, of Kafka before 0.11, which old segments on brokers before 4.0 may still hold, to batches of format 2:
 * whatever comes after knows no other.
 *
 *   byte 0        8        12    16      17           18          (format 1 only)   then
 *        | offset | length | crc | magic | attributes | timestamp 8               | key length 4 | key | value length 4 | value |
 *
 * length counts from byte 12; crc is CRC-32 (not C) from byte 16 to the end; a length of -1 means null. attributes: bits 0–2 codec, bit 3
 * log append time. With a codec the value is a set of messages, of which the offset outside is the last one's. The offsets inside count
 * from the first one in format 1, and are the real ones in format 0. Integers are big-endian.
 */
import { crc32 } from 'node:zlib'
import { decompress } from './decompress.ts'
import { BATCH_PREFIX_BYTES, CODEC_BITS, LENGTH_AT, MAGIC_AT } from './record-batch.ts'
import { RecordBatchWriter } from './record-batch-writer.ts'

const CRC_AT = 12
const ATTRIBUTES_AT = 17
const TIMESTAMP_AT = 18
const LOG_APPEND_TIME = 0x08
const NO_TIMESTAMP = -1
/** A message with a key and a value without bytes, in format 0. */
const MESSAGE_MIN_BYTES = 14
/** Of one partition's share of a response no more is made at once; the rest is fetched again. */
const CONVERTED_MAX_BYTES = 16 * 1024 * 1024

interface OldMessage {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** The format of a whole message before 0.11 at `at`, by its CRC; undefined when it is none. */
export function oldFormatOf(bytes: Buffer, at: number, end: number): 0 | 1 | undefined {
  if (end - at < BATCH_PREFIX_BYTES + MESSAGE_MIN_BYTES) return undefined
  const magic = bytes[at + MAGIC_AT]
  const length = bytes.readInt32BE(at + LENGTH_AT)
  const messageEnd = at + BATCH_PREFIX_BYTES + length
  if ((magic !== 0 && magic !== 1) || length < MESSAGE_MIN_BYTES || messageEnd > end) return undefined
  return crc32(bytes.subarray(at + MAGIC_AT, messageEnd)) === bytes.readUInt32BE(at + CRC_AT) ? magic : undefined
}

/**
 * Batches of format 2 for what bytes[start, end) begins with, and what follows behind it as it is. undefined when no old message is first,
 * or when that one can't be read: it is damaged, or becomes more than `maxBytes`. One further behind ends the batches.
 */
export function toBatches(bytes: Buffer, start: number, end: number, maxBytes: number): Buffer | undefined {
  const batches: Buffer[] = []
  let messages: OldMessage[] = []
  const close = () => {
    if (messages.length > 0) batches.push(write(messages))
    messages = []
  }
  let size = 0
  let at = start
  for (; size < CONVERTED_MAX_BYTES && oldFormatOf(bytes, at, end) !== undefined; at += sizeOf(bytes, at)) {
    const packed = (bytes[at + ATTRIBUTES_AT]! & CODEC_BITS) !== 0
    const read = readAll(bytes, at, packed, maxBytes)
    if (read === undefined) break
    // What was packed together is a batch, and plain messages that follow each other are one.
    if (packed) close()
    for (const message of read) {
      messages.push(message)
      size += (message.key?.length ?? 0) + (message.value?.length ?? 0) + MESSAGE_MIN_BYTES
    }
    if (packed) close()
  }
  close()
  if (batches.length === 0) return undefined
  if (at < end && oldFormatOf(bytes, at, end) === undefined) batches.push(bytes.subarray(at, end))
  return Buffer.concat(batches)
}

function sizeOf(bytes: Buffer, at: number): number {
  return BATCH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT)
}

/** The message at `at`, which is whole. Throws RangeError when its lengths contradict each other. */
function readMessage(bytes: Buffer, at: number): OldMessage {
  const end = at + sizeOf(bytes, at)
  const timed = bytes[at + MAGIC_AT] === 1
  let p = at + TIMESTAMP_AT + (timed ? 8 : 0)
  const field = () => {
    const length = bytes.readInt32BE(p)
    p += 4 + Math.max(length, 0)
    if (p > end) throw new RangeError('a field reaches past its message')
    return length < 0 ? null : bytes.subarray(p - length, p)
  }
  const timestamp = timed ? Number(bytes.readBigInt64BE(at + TIMESTAMP_AT)) : NO_TIMESTAMP
  return { offset: Number(bytes.readBigInt64BE(at)), timestamp, key: field(), value: field() }
}

/** The message at `at`, or those packed in it; undefined when they can't be read. */
function readAll(bytes: Buffer, at: number, packed: boolean, maxBytes: number): readonly OldMessage[] | undefined {
  try {
    return packed ? readPacked(bytes, at, maxBytes) : [readMessage(bytes, at)]
  } catch {
    return undefined
  }
}

function readPacked(bytes: Buffer, at: number, maxBytes: number): readonly OldMessage[] | undefined {
  const outer = readMessage(bytes, at)
  const attributes = bytes[at + ATTRIBUTES_AT]!
  const unpacked = decompress(attributes & CODEC_BITS, outer.value ?? Buffer.alloc(0), maxBytes)
  if (unpacked === undefined) return undefined
  const inside = Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength)
  const messages: OldMessage[] = []
  for (let p = 0; p < inside.length; p += sizeOf(inside, p)) {
    if (oldFormatOf(inside, p, inside.length) === undefined) return undefined
    messages.push(readMessage(inside, p))
  }
  const last = messages.at(-1)
  if (last === undefined) return undefined
  const shift = bytes[at + MAGIC_AT] === 1 ? outer.offset - last.offset : 0
  const appended = (attributes & LOG_APPEND_TIME) !== 0
  return messages.map((one) => ({ ...one, offset: one.offset + shift, timestamp: appended ? outer.timestamp : one.timestamp }))
}

/** One batch of all of them, which are at least one; gaps between their offsets stay. */
function write(messages: readonly OldMessage[]): Buffer {
  const bytes = messages.reduce((sum, { key, value }) => sum + 40 + (key?.length ?? 0) + (value?.length ?? 0), 128)
  const writer = new RecordBatchWriter(bytes)
  const base = messages[0]!.offset
  writer.begin(base)
  for (const { offset, timestamp, key, value } of messages) {
    writer.offsetDelta = offset - base
    writer.append(timestamp, key, value)
  }
  const end = writer.finish()
  return writer.bytes.subarray(0, end)
}

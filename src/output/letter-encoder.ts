/**
 * Records of an output to bytes: byte for byte what `JSON.stringify(deadLetterOf(record))` is in UTF-8, and the end of the line, but
 * without a string or an object per record. When a third of all events is invalid, this decides how fast the rest is counted. What is the
 * same for many records, source and place, reason, moment, is kept as bytes; of the rest digits and escapes are written one by one.
 */
import { isUtf8 } from 'node:buffer'
import { codeOf, deadLetterOf } from './dead-letter.ts'
import type { OutputRecord } from './output.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** What a control character becomes at most: \u001f. */
const ESCAPE_MAX_BYTES = 6
/** The numbers, the moment and the words between them. */
const NUMBERS_MAX_BYTES = 256
/** Reasons are few; of those with a detail of their own no more than so many are kept. */
const REASONS_MAX = 64
const BILLION = 1e9

/** By byte: PLAIN stands for itself, QUOTED takes a backslash before it, CONTROL has an escape of its own, ABOVE is part of UTF-8. */
const PLAIN = 0
const QUOTED = 1
const CONTROL = 2
const ABOVE = 3
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return ABOVE
  if (byte === QUOTE || byte === BACKSLASH) return QUOTED
  return byte < 0x20 ? CONTROL : PLAIN
})
/** Of control characters: \\n and the like, or six characters. */
const ESCAPES = Array.from({ length: 0x20 }, (_, byte) => Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1)))

const OFFSET = ascii(',"offset":')
const ELEMENT = ascii(',"element":')
const UTF8 = ascii('","rawEncoding":"utf8","rawTruncated":false,"eventTimeMillisUtc":')
const UTF8_TRUNCATED = ascii('","rawEncoding":"utf8","rawTruncated":true,"eventTimeMillisUtc":')
const NULL = ascii('null')
const LATE = ascii(',"lateMs":')
const END = ascii('}\n')
const END_BYTES = 2

export class LetterEncoder {
  /** Up to the offset, of the record before. */
  #place: Uint8Array = ascii('')
  #writer = ''
  #topic: string | undefined
  #partition = -1
  /** From behind offset and element to the raw data, by message. */
  readonly #reasons = new Map<string, { readonly reason: string; readonly bytes: Uint8Array }>()
  /** From behind the event's time on. */
  #moment: Uint8Array = ascii('')
  #createdAt = Number.NaN

  /** More than a line of it takes. */
  maxBytes({ writer, topic, reason, message, bytes }: OutputRecord): number {
    const texts = writer.length + topic.length + reason.length + message.length
    return ESCAPE_MAX_BYTES * (bytes.length + texts) + 2 * NUMBERS_MAX_BYTES
  }

  /** Writes the line and its newline, for which there is room, and returns the place behind it. */
  write(record: OutputRecord, out: Buffer, start: number): number {
    const { bytes, element, eventTime, truncated } = record
    if (record.payload !== undefined) return writeText(out, start, `${JSON.stringify(deadLetterOf(record))}\n`)
    let at = put(out, start, this.#placeOf(record))
    at = put(out, at, OFFSET)
    at = writeInteger(out, at, record.offset)
    if (element !== undefined) at = writeInteger(out, put(out, at, ELEMENT), element)
    at = put(out, at, this.#reasonOf(record))
    at = writeEscaped(out, at, bytes)
    if (at < 0) return writeText(out, start, `${JSON.stringify(deadLetterOf(record))}\n`)
    at = put(out, at, truncated ? UTF8_TRUNCATED : UTF8)
    at = eventTime === undefined ? put(out, at, NULL) : writeInteger(out, at, eventTime)
    at = put(out, at, this.#momentOf(record.createdAt))
    if (record.lateMs === undefined) return at
    at = put(out, at - END_BYTES, LATE)
    return put(out, writeInteger(out, at, record.lateMs), END)
  }

  #placeOf({ writer, topic, partition }: OutputRecord): Uint8Array {
    if (partition !== this.#partition || topic !== this.#topic || writer !== this.#writer) {
      this.#writer = writer
      this.#topic = topic
      this.#partition = partition
      this.#place = Buffer.from(`{"source":${JSON.stringify(writer)},"rawTopic":${JSON.stringify(topic)},"partition":${partition}`)
    }
    return this.#place
  }

  #reasonOf({ reason, message }: OutputRecord): Uint8Array {
    const known = this.#reasons.get(message)
    if (known?.reason === reason) return known.bytes
    const bytes = Buffer.from(`,"errorCode":"${codeOf(reason)}","errorMessage":${JSON.stringify(message)},"rawData":"`)
    if (this.#reasons.size >= REASONS_MAX) this.#reasons.clear()
    this.#reasons.set(message, { reason, bytes })
    return bytes
  }

  #momentOf(createdAt: number): Uint8Array {
    if (createdAt !== this.#createdAt) {
      this.#createdAt = createdAt
      this.#moment = ascii(`,"createdAtUtc":"${new Date(createdAt).toISOString()}"}\n`)
    }
    return this.#moment
  }
}

function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function put(out: Buffer, at: number, part: Uint8Array): number {
  out.set(part, at)
  return at + part.length
}

function writeText(out: Buffer, at: number, text: string): number {
  return at + out.write(text, at)
}

/** The bytes as the inside of a JSON string; -1 when they are not UTF-8. */
function writeEscaped(out: Buffer, start: number, bytes: Uint8Array): number {
  const kinds = KINDS
  const { length } = bytes
  let at = start
  let allAscii = true
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] ?? 0
    const kind = kinds[byte]
    if (kind !== PLAIN) {
      if (kind === QUOTED) out[at++] = BACKSLASH
      else if (kind === ABOVE) allAscii = false
      else {
        at = put(out, at, ESCAPES[byte] ?? NULL)
        continue
      }
    }
    out[at++] = byte
  }
  return allAscii || isUtf8(bytes) ? at : -1
}

/** In decimal, as JSON has it. */
function writeInteger(out: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) return writeText(out, at, JSON.stringify(value))
  if (value < BILLION) return writeDigits(out, at, value, digitsOf(value))
  const high = Math.floor(value / BILLION)
  return writeDigits(out, writeInteger(out, at, high), value - high * BILLION, 9)
}

function digitsOf(value: number): number {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits++
  return digits
}

/** `value` below 10^9, with leading zeros to `digits`. */
function writeDigits(out: Buffer, at: number, value: number, digits: number): number {
  let rest = value | 0
  for (let i = at + digits - 1; i >= at; i--) {
    const above = (rest / 10) | 0
    out[i] = 48 + (rest - above * 10)
    rest = above
  }
  return at + digits
}

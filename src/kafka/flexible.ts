/**
 * Kafka's flexible encoding, in which newer versions of requests and responses are written: lengths are unsigned varints and one too large,
 * so that 0 stands for null, and every structure ends with tagged fields, which may be passed over.
 */

/** Where a reader stands. */
export interface FlexibleCursor {
  readonly bytes: Buffer
  at: number
}

/** Bytes of a topic's id. */
export const TOPIC_ID_BYTES = 16
/** The end of a structure without tagged fields. */
export const NO_TAGS = Buffer.of(0)
const NO_TOPIC_ID = Buffer.alloc(TOPIC_ID_BYTES)

/** An unsigned varint. */
export function flexibleVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** A text with its length before it. */
export function compactText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([flexibleVarint(bytes.length + 1), bytes])
}

/** Encoded items with their number before them. */
export function compactArray(items: readonly Buffer[]): Buffer {
  return Buffer.concat([flexibleVarint(items.length + 1), ...items])
}

/** The bytes of a topic's id. */
export function topicIdBytes(id: string): Buffer {
  return Buffer.from(id, 'base64url')
}

/** A topic's id as text, 22 letters as Kafka's own tools show it; undefined for the one that stands for none. */
export function readTopicId(cursor: FlexibleCursor): string | undefined {
  const bytes = cursor.bytes.subarray(cursor.at, cursor.at + TOPIC_ID_BYTES)
  if (bytes.length < TOPIC_ID_BYTES) throw new RangeError('a response ends within the id of a topic')
  cursor.at += TOPIC_ID_BYTES
  return bytes.equals(NO_TOPIC_ID) ? undefined : bytes.toString('base64url')
}

function readVarint(cursor: FlexibleCursor): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = cursor.bytes.readUInt8(cursor.at++)
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return value
  }
  throw new RangeError('a varint of a response has more than five bytes')
}

/** A length, or a number of items: 0 for null too. */
export function readLength(cursor: FlexibleCursor): number {
  return Math.max(0, readVarint(cursor) - 1)
}

/** The next text; '' for null. */
export function readCompactText(cursor: FlexibleCursor): string {
  const length = readLength(cursor)
  const text = cursor.bytes.toString('utf8', cursor.at, cursor.at + length)
  cursor.at += length
  return text
}

/** Passes the tagged fields at the end of a structure. */
export function skipTags(cursor: FlexibleCursor): void {
  for (let count = readVarint(cursor); count > 0; count--) {
    readVarint(cursor)
    const size = readVarint(cursor)
    cursor.at += size
  }
}

/**
 * What an output writes: a JSON object for each record, a line of a file or the value of a Kafka record. Its form is public, as consumers
 * read it.
 */
import { isUtf8 } from 'node:buffer'
import type { OutputRecord } from './output.ts'

type DeadLetterCode = 'INVALID_EVENT' | 'DESERIALIZATION_ERROR' | 'VALIDATION_ERROR' | 'CORRUPT_BATCH' | 'ROW_REFUSED'

export interface DeadLetter {
  /** Who rejected it: `ctr/<groupId>`. */
  readonly source: string
  /** Empty, with partition = task and offset = -1, for a row: it comes from many records. */
  readonly rawTopic: string
  readonly partition: number
  readonly offset: number
  readonly errorCode: DeadLetterCode
  readonly errorMessage: string
  /** The bytes as text when they are UTF-8, else base64; possibly cut off. */
  readonly rawData: string
  readonly rawEncoding: 'utf8' | 'base64'
  readonly rawTruncated: boolean
  /** The event's own time where it could be read, else null. */
  readonly eventTimeMillisUtc: number | null
  readonly createdAtUtc: string
}

/** The object for a record; keys in the order in which they are written. */
export function deadLetterOf(record: OutputRecord): DeadLetter {
  const { writer, topic, partition, offset, reason, message, bytes, truncated, eventTime, createdAt } = record
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64'
  return {
    source: writer,
    rawTopic: topic,
    partition,
    offset,
    errorCode: codeOf(reason),
    errorMessage: message,
    rawData: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding),
    rawEncoding: encoding,
    rawTruncated: truncated,
    eventTimeMillisUtc: eventTime ?? null,
    createdAtUtc: new Date(createdAt).toISOString(),
  }
}

function codeOf(reason: string): DeadLetterCode {
  if (reason === 'ROW_REFUSED' || reason === 'CORRUPT_BATCH') return reason
  if (reason === 'EMPTY') return 'INVALID_EVENT'
  if (reason === 'NOT_UTF8' || reason === 'NOT_JSON') return 'DESERIALIZATION_ERROR'
  return 'VALIDATION_ERROR'
}

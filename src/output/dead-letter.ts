/**
 * What an output writes: a JSON object for each record, a line of a file or the value of a Kafka record. Its form is public, as consumers
 * read it.
 */
import { isUtf8 } from 'node:buffer'
import type { Reason } from '../format/reasons.ts'
import type { OutputRecord } from './output.ts'

type DeadLetterCode =
  | 'INVALID_EVENT'
  | 'DESERIALIZATION_ERROR'
  | 'VALIDATION_ERROR'
  | 'BATCH_TOO_LARGE'
  | 'CORRUPT_BATCH'
  | 'ROW_REFUSED'
  | 'LATE_EVENT'

export interface DeadLetter {
  /** Who rejected it: `ctr/<groupId>`. */
  readonly source: string
  /** Empty, with partition = task and offset = -1, for a row: it comes from many records. */
  readonly rawTopic: string
  readonly partition: number
  readonly offset: number
  /** Of an element of the record's array, which is then the raw data: its number, from 0 on. */
  readonly element?: number
  readonly errorCode: DeadLetterCode
  readonly errorMessage: string
  /** The bytes as text when they are UTF-8, else base64; possibly cut off. */
  readonly rawData: string
  readonly rawEncoding: 'utf8' | 'base64'
  readonly rawTruncated: boolean
  /** The event's own time where it could be read, else null. */
  readonly eventTimeMillisUtc: number | null
  readonly createdAtUtc: string
  /** Of a late event: how far its time is behind the watermark, ms. */
  readonly lateMs?: number
  /** What privacy.payload has made of the raw data; absent when it is as it was. */
  readonly payload?: 'masked' | 'none'
  /** Of masked data: the first byte of what it was that did not fit. */
  readonly faultAt?: number
}

/** What can't be taken apart, whatever it means. */
const UNREADABLE: ReadonlySet<string> = new Set<Reason>([
  'NOT_UTF8',
  'NOT_JSON',
  'FRAME',
  'SCHEMA_UNKNOWN',
  'SCHEMA_MISMATCH',
  'NOT_AVRO',
  'NOT_PROTOBUF',
])

/** The object for a record; keys in the order in which they are written. */
export function deadLetterOf(record: OutputRecord): DeadLetter {
  const { writer, topic, partition, offset, element, reason, message, bytes, truncated, eventTime, createdAt } = record
  const { lateMs, payload, faultAt } = record
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64'
  return {
    source: writer,
    rawTopic: topic,
    partition,
    offset,
    ...(element === undefined ? {} : { element }),
    errorCode: codeOf(reason),
    errorMessage: message,
    rawData: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding),
    rawEncoding: encoding,
    rawTruncated: truncated,
    eventTimeMillisUtc: eventTime ?? null,
    createdAtUtc: new Date(createdAt).toISOString(),
    ...(lateMs === undefined ? {} : { lateMs }),
    ...(payload === undefined ? {} : { payload }),
    ...(faultAt === undefined ? {} : { faultAt }),
  }
}

/** What consumers tell letters apart by. */
export function codeOf(reason: string): DeadLetter['errorCode'] {
  if (reason === 'ROW_REFUSED' || reason === 'CORRUPT_BATCH' || reason === 'BATCH_TOO_LARGE') return reason
  if (reason === 'LATE') return 'LATE_EVENT'
  if (reason === 'EMPTY') return 'INVALID_EVENT'
  if (UNREADABLE.has(reason)) return 'DESERIALIZATION_ERROR'
  return 'VALIDATION_ERROR'
}

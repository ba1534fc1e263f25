/**
 * What becomes of an input that can't be counted, and of a row that ClickHouse refuses: a JSON object to a Kafka topic, or a line of a
 * file in bounded runs.
 */

export type DeadLetterCode = 'INVALID_EVENT' | 'DESERIALIZATION_ERROR' | 'VALIDATION_ERROR' | 'CORRUPT_BATCH' | 'ROW_REFUSED'

export interface DeadLetter {
  /** Who rejected it: `ctr/<groupId>`. */
  readonly source: string
  /** Empty, with partition = task and offset = -1, for a row: it comes from many records. */
  readonly rawTopic: string
  readonly partition: number
  readonly offset: number
  readonly errorCode: DeadLetterCode
  readonly errorMessage: string
  /** The bytes as text when they are UTF-8, else base64; cut off by letters.ts beyond its limit. */
  readonly rawData: string
  readonly rawEncoding: 'utf8' | 'base64'
  readonly rawTruncated: boolean
  /** The event's own time where it could be read, else null. */
  readonly eventTimeMillisUtc: number | null
  readonly createdAtUtc: string
}

/** Where dead letters go. Bounded: when `full`, the caller awaits `room` before the next `put`. */
export interface DeadLetterOffice {
  readonly full: boolean
  /** Why letters wait although they are tried again and again, in words for an operator; undefined when all is well. */
  readonly trouble?: string | undefined
  put(letter: DeadLetter): void
  room(): Promise<void>
  /** Resolves when every letter put before the call is acknowledged as delivered, however long it takes; rejects only when closed first. */
  settled(): Promise<void>
  close(): Promise<void>
}

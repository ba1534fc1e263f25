/** Why a record is not counted as an event, in words for metrics, dead letters and people. */
import { LIMITS } from '../config/limits.ts'

/** Reason 0 is "valid". The position in this list is the reason's number. */
export const REASONS = [
  'VALID',
  'EMPTY',
  'TOO_LARGE',
  'NOT_UTF8',
  'NOT_JSON',
  'NOT_OBJECT',
  'FRAME',
  'SCHEMA_UNKNOWN',
  'SCHEMA_MISMATCH',
  'NOT_AVRO',
  'NOT_PROTOBUF',
  'PRODUCT',
  'USER',
  'TYPE',
  'TIME',
  'TIME_RANGE',
  'CLICK',
  'TOO_MANY',
  'TOO_OLD',
  'FUTURE',
  'BATCH_TOO_LARGE',
  'CORRUPT_BATCH',
] as const

/** Instead of a reason: the record is left out and counted as that. */
export const IGNORED = -1
/** Instead of a reason: the fast reader does not know. */
export const UNSURE = -2
/** Instead of a reason: the schema that the record was written with is not here yet. Nothing of it may be passed over. */
export const WAITING_SCHEMA = -3

/** Why an event is invalid, as metrics and dead letters name it. */
export type Reason = (typeof REASONS)[number]

/** Numbers of the reasons, for code that returns them. */
export const REASON = Object.fromEntries(REASONS.map((name, number) => [name, number])) as { readonly [name in Reason]: number }

/** What a dead letter says of each reason. */
export const REASON_TEXT: { readonly [name in Reason]: string } = {
  VALID: 'valid',
  EMPTY: 'the record has no value',
  TOO_LARGE: `the value has more than ${LIMITS.eventMaxBytes} bytes`,
  NOT_UTF8: 'the value is not UTF-8',
  NOT_JSON: 'the value is not JSON',
  NOT_OBJECT: 'the value is not a JSON object',
  FRAME: 'the value does not begin as kafka.topics[].framing says that it does',
  SCHEMA_UNKNOWN: 'the schema that the value names is not to be had',
  SCHEMA_MISMATCH: 'the schema that the value was written with lacks what events.fields names, or is not of kafka.topics[].format',
  NOT_AVRO: 'the value is not what its Avro schema says',
  NOT_PROTOBUF: 'the value is not what its Protobuf schema says',
  PRODUCT: `the product id (events.fields.product) is missing, or is no text of 1 to ${LIMITS.productIdMaxBytes} bytes and no integer`,
  USER: 'the user id (events.fields.user) is missing or is no text, and events.user.required is set',
  TYPE: 'the type (events.fields.type) is missing, or is none of events.types',
  TIME: 'the time (events.fields.time) is missing, or is neither a number since the epoch (events.time.unit) nor an ISO-8601 date and time',
  TIME_RANGE: 'the time must lie after 1970 and before year 10000; events.time.unit says what its numbers count',
  CLICK: 'the click flag (events.click.field) is neither true nor false, 1 nor 0',
  TOO_MANY: 'the record has more events than events.maxPerRecord',
  TOO_OLD: 'the time lies before time.oldest; a time in seconds read as milliseconds does',
  FUTURE: 'the time lies too far ahead: of the Kafka record (time.futureTolerance), the clock (time.wallClockGuard) or its partition',
  BATCH_TOO_LARGE: 'the record batch decompresses to too many bytes',
  CORRUPT_BATCH: 'the record batch is corrupt',
}

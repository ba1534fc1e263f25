/** Why a record is not counted as an event, in words for metrics, dead letters and people. */
import { LIMITS } from '../config/limits.ts'

/** Reason 0 is "valid". The position in this list is the reason's number. */
export const REASONS = [
  'VALID',
  'EMPTY',
  'NOT_UTF8',
  'NOT_JSON',
  'NOT_OBJECT',
  'PRODUCT',
  'USER',
  'TYPE',
  'TIME',
  'TIME_RANGE',
  'FUTURE',
  'CORRUPT_BATCH',
] as const

/** Why an event is invalid, as metrics and dead letters name it. */
export type Reason = (typeof REASONS)[number]

/** Numbers of the reasons, for code that returns them. */
export const REASON = Object.fromEntries(REASONS.map((name, number) => [name, number])) as { readonly [name in Reason]: number }

/** What a dead letter says of each reason. */
export const REASON_TEXT: { readonly [name in Reason]: string } = {
  VALID: 'valid',
  EMPTY: 'the record has no value',
  NOT_UTF8: 'the value is not UTF-8',
  NOT_JSON: 'the value is not JSON',
  NOT_OBJECT: 'the value is not a JSON object',
  PRODUCT: `product_id must be a non-empty string of at most ${LIMITS.productIdMaxBytes} bytes`,
  USER: 'user_id must be a non-empty string',
  TYPE: 'event_type must be impression, view or click',
  TIME: 'timestamp must be whole milliseconds since the epoch, yyyy-MM-dd HH:mm:ss (UTC) or an ISO-8601 instant',
  TIME_RANGE: 'timestamp must lie after 1970 and before year 10000',
  FUTURE: 'timestamp lies further ahead of the Kafka record than time.futureTolerance',
  CORRUPT_BATCH: 'the record batch is corrupt',
}

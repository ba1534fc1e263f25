/**
 * What both parsers share: the reasons an event can be invalid for, and the slot a parsed event is put into.
 *
 * The slot is reused for every event: nothing is allocated per event, and times stay unboxed in a Float64Array.
 */
import { randomBytes } from 'node:crypto'
import { LIMITS } from '../config/limits.ts'
import type { DeadLetterCode } from '../dlq/dead-letter.ts'

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

/** The dead letter's code for a reason. */
export function letterCodeOf(reason: Reason): DeadLetterCode {
  if (reason === 'EMPTY') return 'INVALID_EVENT'
  if (reason === 'NOT_UTF8' || reason === 'NOT_JSON') return 'DESERIALIZATION_ERROR'
  if (reason === 'CORRUPT_BATCH') return 'CORRUPT_BATCH'
  return 'VALIDATION_ERROR'
}

/** UTF-8 bytes of the longest product id that counts. */
export const PRODUCT_MAX_BYTES = LIMITS.productIdMaxBytes
/** Times lie strictly between these, in ms since the epoch. */
export const TIME_MIN_MS = 0
/** See TIME_MIN_MS. */
export const TIME_MAX_MS = LIMITS.eventTimeEndMs

/** Indexes into EventSlot.ints. */
export const PRODUCT_START = 0
export const PRODUCT_END = 1
export const PRODUCT_HASH = 2
/** 1 for a click, 0 for an impression. */
export const CLICK = 3

/** A parsed event. `scan` leaves the product in the input's bytes, `exact` copies it to `product`. */
export class EventSlot {
  readonly ints = new Int32Array(4)
  /** Event time in ms since the epoch. */
  readonly time = new Float64Array(1)
  readonly product = new Uint8Array(PRODUCT_MAX_BYTES)
  /** The same memory as `product`, for reading words. */
  readonly productView = new DataView(this.product.buffer)
}

/** Another one in every process, so that nobody can make product ids that all fall into one slot. */
export const HASH_SEED = randomBytes(4).readInt32LE()

/** One step of the product hash: four bytes, little-endian, missing ones zero. */
export function mixHash(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1)
  return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b)
}

/** Hash of a product's bytes, a word at a time; `shape.ts` computes the same while it reads them. */
export function hashProduct(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED
  let at = start
  for (; at + 4 <= end; at += 4) hash = mixHash(hash, bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
  if (at < end) {
    let word = 0
    for (let shift = 0; at < end; at++, shift += 8) word |= bytes[at]! << shift
    hash = mixHash(hash, word)
  }
  return hash
}

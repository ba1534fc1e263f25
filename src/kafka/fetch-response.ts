/**
 * Decodes a Fetch response of versions 4 to 11 without touching a record: per partition, where its record batches lie in the frame.
 * kafkajs gets one pseudo-message per partition, whose offset is the last one walked over; that moves its position past control batches and
 * aborted transactions too, and its own per-message work shrinks to nothing.
 *
 *   throttle_time i32, [v7: error i16, session i32],
 *   [topic string, [partition i32, error i16, high_watermark i64, last_stable_offset i64, [v5: log_start_offset i64],
 *     [producer_id i64, first_offset i64] (count i32, -1 = none), [v11: preferred_read_replica i32], records bytes (size i32)]]
 */

import { type AbortedTransaction, readLong, type Walk, walkBatches } from '../batch/record-batches.ts'
import type { Frame } from './frame-pool.ts'

/** The versions of the Fetch API that can be decoded. */
export const FETCH_MIN_VERSION = 4
/** The newest of them. */
export const FETCH_MAX_VERSION = 11
const OFFSET_OUT_OF_RANGE = 1

/** What one partition of one response holds; the value of its pseudo-message. */
export interface FetchedRecords {
  readonly bytes: Buffer
  readonly walk: Walk
  /** The memory behind `bytes`, if it is pooled, and its generation when it was read. */
  readonly frame: Frame | undefined
  readonly generation: number
}

/** Told about every partition of every response, before its records are handed on. */
export interface FetchListener {
  /** The end a read_committed consumer can reach: the last stable offset. */
  endOffset(topic: string, partition: number, endOffset: number): void
  outOfRange(topic: string, partition: number): void
}

interface PseudoMessage {
  readonly offset: string
  readonly value: FetchedRecords
  readonly key: null
  readonly isControlRecord: false
  readonly batchContext: Record<string, never>
}

/** A response in the shape that kafkajs' consumer reads. `errorCode` of a partition is 0 or one that it must act on. */
export interface DecodedFetch {
  readonly throttleTime: number
  readonly clientSideThrottleTime: number
  readonly errorCode: number
  /** Of the whole response. */
  readonly bytes: number
  /** Holds the records; held once for whoever gets this. */
  readonly frame: Frame | undefined
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly DecodedPartition[] }[]
}

/** One partition of it. */
export interface DecodedPartition {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: string
  readonly preferredReadReplica: number
  readonly abortedTransactions: readonly []
  readonly messages: readonly PseudoMessage[]
}

/** Decodes the body of a response (after the correlation id). Throws RangeError when it is shorter than it says. */
export function decodeFetch(version: number, body: Buffer, frame: Frame | undefined, listener: FetchListener): DecodedFetch {
  const cursor = { bytes: body, at: 0 }
  const clientSideThrottleTime = int32(cursor)
  let errorCode = 0
  if (version >= 7) {
    errorCode = int16(cursor)
    cursor.at += 4
  }
  const responses = []
  for (let topics = int32(cursor); topics > 0; topics--) {
    const length = int16(cursor)
    const topicName = body.toString('utf8', cursor.at, cursor.at + length)
    cursor.at += length
    const partitions = []
    for (let count = int32(cursor); count > 0; count--) partitions.push(decodePartition(version, cursor, topicName, frame, listener))
    responses.push({ topicName, partitions })
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, bytes: body.length, frame, responses }
}

interface Cursor {
  readonly bytes: Buffer
  at: number
}

function decodePartition(
  version: number,
  cursor: Cursor,
  topic: string,
  frame: Frame | undefined,
  listener: FetchListener,
): DecodedPartition {
  const { bytes } = cursor
  const partition = int32(cursor)
  let errorCode = int16(cursor)
  const highWatermark = int64(cursor)
  const lastStableOffset = int64(cursor)
  if (version >= 5) cursor.at += 8
  const aborted: AbortedTransaction[] = []
  for (let count = int32(cursor); count > 0; count--) aborted.push({ producerId: int64(cursor), firstOffset: int64(cursor) })
  const preferredReadReplica = version >= 11 ? int32(cursor) : -1
  const size = Math.max(0, int32(cursor))
  const start = cursor.at
  const end = start + size
  if (end > bytes.length) throw new RangeError(`fetch response: ${size} bytes of records, ${bytes.length - start} are there`)
  cursor.at = end

  if (errorCode === OFFSET_OUT_OF_RANGE) {
    // kafkajs would commit a reset and fetch from there without a word about what was lost.
    errorCode = 0
    listener.outOfRange(topic, partition)
  } else if (errorCode === 0) {
    listener.endOffset(topic, partition, lastStableOffset >= 0 ? lastStableOffset : highWatermark)
  }
  const messages: PseudoMessage[] = []
  if (size > 0 && errorCode === 0) {
    const walk = walkBatches(bytes, start, end, aborted)
    const last = walk.corrupt === undefined ? walk.nextOffset - 1 : Number.MAX_SAFE_INTEGER
    const value = { bytes, walk, frame, generation: frame?.generation ?? 0 }
    messages.push({ offset: String(last), value, key: null, isControlRecord: false, batchContext: {} })
  }
  return { partition, errorCode, highWatermark: String(highWatermark), preferredReadReplica, abortedTransactions: [], messages }
}

function int16(cursor: Cursor): number {
  const value = cursor.bytes.readInt16BE(cursor.at)
  cursor.at += 2
  return value
}

function int32(cursor: Cursor): number {
  const value = cursor.bytes.readInt32BE(cursor.at)
  cursor.at += 4
  return value
}

function int64(cursor: Cursor): number {
  const value = readLong(cursor.bytes, cursor.at)
  cursor.at += 8
  return value
}

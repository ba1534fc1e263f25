/**
 * Decodes a Fetch response of versions 4 to 11, and 13, without touching a record: per partition, where its batches lie in the frame.
 * kafkajs gets one pseudo-message per partition, whose offset is the last one walked over; that moves its position past control batches and
 * aborted transactions too, and its own per-message work shrinks to nothing.
 *
 *   throttle_time i32, [v7: error i16, session i32],
 *   [topic string, [partition i32, error i16, high_watermark i64, last_stable_offset i64, [v5: log_start_offset i64],
 *     [producer_id i64, first_offset i64] (count i32, -1 = none), [v11: preferred_read_replica i32], records bytes (size i32)]]
 *
 * Version 13 has the same in Kafka's flexible encoding (flexible.ts), and a topic's id in place of its name.
 */

import { toBatches } from '../batch/old-messages.ts'
import { type AbortedTransaction, readLong, type Walk, walkBatches } from '../batch/record-batches.ts'
import { type FlexibleCursor, readLength, readTopicId, skipTags } from './flexible.ts'
import type { Frame } from './frame-pool.ts'

/** The versions of the Fetch API that can be decoded. */
export const FETCH_MIN_VERSION = 4
/** The newest of them that names topics. */
export const FETCH_MAX_VERSION = 11
/** The one that has their ids. */
export const FETCH_BY_ID_VERSION = 13
const OFFSET_OUT_OF_RANGE = 1
/** The id is no topic's any more, or another one's than the partition's. */
const OTHER_TOPIC: readonly number[] = [100, 103]

/** What one partition of one response holds; the value of its pseudo-message. */
export interface FetchedRecords {
  readonly bytes: Buffer
  readonly walk: Walk
  /** The memory behind `bytes`, if it is pooled, and its generation when it was read. */
  readonly frame: Frame | undefined
  readonly generation: number
  /** Which topic of that name they are of; undefined when the fetch did not say. */
  readonly topicId?: string | undefined
}

/** Told about every partition of every response, before its records are handed on. */
export interface FetchListener {
  /** What a batch may decompress to. */
  readonly maxBatchBytes: number
  /**
   * The end a read_committed consumer can reach: the last stable offset. Transactions that are open lie between it and `highWatermark`.
   * `topicId` is undefined when the fetch did not say.
   */
  endOffset(topic: string, partition: number, endOffset: number, highWatermark: number, topicId: string | undefined): void
  outOfRange(topic: string, partition: number): void
  /** The topic that was fetched from is not there any more. */
  otherTopic(topic: string, partition: number): void
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

/** A response as it is decoded. */
interface Decoding extends FlexibleCursor {
  readonly version: number
  readonly frame: Frame | undefined
  readonly listener: FetchListener
}

/**
 * Decodes the body of a response (after the correlation id). `names` of the ids that were asked for, with FETCH_BY_ID_VERSION; an answer
 * for any other is left out. Throws RangeError when it is shorter than it says.
 */
export function decodeFetch(
  version: number,
  body: Buffer,
  frame: Frame | undefined,
  listener: FetchListener,
  names?: ReadonlyMap<string, string>,
): DecodedFetch {
  const from: Decoding = { bytes: body, at: 0, version, frame, listener }
  if (isFlexible(from)) skipTags(from)
  const clientSideThrottleTime = int32(from)
  let errorCode = 0
  if (version >= 7) {
    errorCode = int16(from)
    from.at += 4
  }
  const responses = []
  for (let topics = countOf(from); topics > 0; topics--) {
    const topicId = isFlexible(from) ? readTopicId(from) : undefined
    const topicName = isFlexible(from) ? names?.get(topicId ?? '') : nameOf(from)
    const partitions = []
    for (let count = countOf(from); count > 0; count--) partitions.push(decodePartition(from, topicName, topicId))
    if (isFlexible(from)) skipTags(from)
    if (topicName !== undefined) responses.push({ topicName, partitions })
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, bytes: body.length, frame, responses }
}

const isFlexible = ({ version }: Decoding) => version >= FETCH_BY_ID_VERSION

/** How many items, or bytes, follow; 0 for null. */
function countOf(from: Decoding): number {
  return isFlexible(from) ? readLength(from) : Math.max(0, int32(from))
}

function nameOf(from: Decoding): string {
  const length = int16(from)
  const name = from.bytes.toString('utf8', from.at, from.at + length)
  from.at += length
  return name
}

function decodePartition(from: Decoding, topic: string | undefined, topicId: string | undefined): DecodedPartition {
  const { bytes, version, frame, listener } = from
  const partition = int32(from)
  let errorCode = int16(from)
  const highWatermark = int64(from)
  const lastStableOffset = int64(from)
  if (version >= 5) from.at += 8
  const aborted: AbortedTransaction[] = []
  for (let count = countOf(from); count > 0; count--) {
    aborted.push({ producerId: int64(from), firstOffset: int64(from) })
    if (isFlexible(from)) skipTags(from)
  }
  const preferredReadReplica = version >= 11 ? int32(from) : -1
  const size = countOf(from)
  const start = from.at
  const end = start + size
  if (end > bytes.length) throw new RangeError(`fetch response: ${size} bytes of records, ${bytes.length - start} are there`)
  from.at = end
  if (isFlexible(from)) skipTags(from)

  if (topic !== undefined && errorCode === OFFSET_OUT_OF_RANGE) {
    // kafkajs would commit a reset and fetch from there without a word about what was lost.
    errorCode = 0
    listener.outOfRange(topic, partition)
  } else if (topic !== undefined && OTHER_TOPIC.includes(errorCode)) {
    errorCode = 0
    listener.otherTopic(topic, partition)
  } else if (topic !== undefined && errorCode === 0) {
    const stable = lastStableOffset >= 0 ? lastStableOffset : highWatermark
    listener.endOffset(topic, partition, stable, Math.max(stable, highWatermark), topicId)
  }
  const messages: PseudoMessage[] = []
  if (size > 0 && errorCode === 0) {
    const value = { ...recordsIn(bytes, start, end, aborted, frame, listener.maxBatchBytes), topicId }
    const { walk } = value
    const last = walk.corrupt === undefined ? walk.nextOffset - 1 : Number.MAX_SAFE_INTEGER
    messages.push({ offset: String(last), value, key: null, isControlRecord: false, batchContext: {} })
  }
  return { partition, errorCode, highWatermark: String(highWatermark), preferredReadReplica, abortedTransactions: [], messages }
}

/** Messages of Kafka before 0.11 become batches in memory of their own. */
function recordsIn(
  bytes: Buffer,
  start: number,
  end: number,
  aborted: readonly AbortedTransaction[],
  frame: Frame | undefined,
  maxBatchBytes: number,
): Omit<FetchedRecords, 'topicId'> {
  const batches = toBatches(bytes, start, end, maxBatchBytes)
  if (batches === undefined) return { bytes, walk: walkBatches(bytes, start, end, aborted), frame, generation: frame?.generation ?? 0 }
  return { bytes: batches, walk: walkBatches(batches, 0, batches.length, aborted), frame: undefined, generation: 0 }
}

function int16(cursor: FlexibleCursor): number {
  const value = cursor.bytes.readInt16BE(cursor.at)
  cursor.at += 2
  return value
}

function int32(cursor: FlexibleCursor): number {
  const value = cursor.bytes.readInt32BE(cursor.at)
  cursor.at += 4
  return value
}

function int64(cursor: FlexibleCursor): number {
  const value = readLong(cursor.bytes, cursor.at)
  cursor.at += 8
  return value
}

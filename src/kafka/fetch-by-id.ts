/**
 * Fetches by the ids of topics (version 13 of Fetch, Kafka 3.1 and later), which kafkajs doesn't speak. A fetch that names a topic gets the
 * records of whatever topic has that name: of one that was deleted and made again those behind the old one's position, as if nothing had
 * happened. By its id it is refused.
 *
 *   tags, replica i32, max_wait i32, min_bytes i32, max_bytes i32, isolation i8, session i32, session_epoch i32,
 *   [topic_id uuid, [partition i32, leader_epoch i32, offset i64, last_epoch i32, log_start i64, max_bytes i32, tags], tags],
 *   [forgotten], rack compact string, tags
 */
import type { FetchRequest } from './fetch-ahead.ts'
import { FETCH_BY_ID_VERSION } from './fetch-response.ts'
import { flexibleVarint, NO_TAGS, topicIdBytes } from './flexible.ts'

/** Which topics partitions are read from: by name, the ids of those of which one is known. */
export type ReadIds = ReadonlyMap<string, string>

const HEADER_BYTES = 1 + 4 * 4 + 1 + 4 * 2
const PARTITION_BYTES = 4 + 4 + 8 + 4 + 8 + 4 + 1
const CONSUMER = -1
const NO_SESSION_EPOCH = -1
const NO_EPOCH = -1
/** No forgotten topic, no rack, no tags. */
const TAIL = Buffer.of(1, 1, 0)

/** What a request becomes when all its topics have an id; undefined otherwise. `names` by id. */
export function fetchById(
  request: FetchRequest,
  ids: ReadIds,
): { readonly payload: Buffer; readonly names: Map<string, string> } | undefined {
  const names = new Map<string, string>()
  const parts: Buffer[] = [headerOf(request), flexibleVarint(request.topics.length + 1)]
  for (const { topic, partitions } of request.topics) {
    const id = ids.get(topic)
    if (id === undefined) return undefined
    names.set(id, topic)
    const list = Buffer.alloc(partitions.length * PARTITION_BYTES)
    for (const [i, one] of partitions.entries()) writePartition(list, i * PARTITION_BYTES, one)
    parts.push(topicIdBytes(id), flexibleVarint(partitions.length + 1), list, NO_TAGS)
  }
  return { payload: Buffer.concat([...parts, TAIL]), names }
}

/** Whether a broker that answers these versions of Fetch can be asked so. */
export function knowsFetchById(versions: { readonly minVersion: number; readonly maxVersion: number } | undefined): boolean {
  return versions !== undefined && versions.minVersion <= FETCH_BY_ID_VERSION && versions.maxVersion >= FETCH_BY_ID_VERSION
}

function headerOf({ maxWaitTime, minBytes, maxBytes, isolationLevel }: FetchRequest): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  let at = 1 // no tags
  for (const value of [CONSUMER, maxWaitTime, minBytes, maxBytes]) at = header.writeInt32BE(value, at)
  at = header.writeInt8(isolationLevel, at)
  at = header.writeInt32BE(0, at)
  header.writeInt32BE(NO_SESSION_EPOCH, at)
  return header
}

function writePartition(
  to: Buffer,
  start: number,
  { partition, fetchOffset, maxBytes }: FetchRequest['topics'][number]['partitions'][number],
) {
  let at = to.writeInt32BE(partition, start)
  at = to.writeInt32BE(NO_EPOCH, at)
  at = to.writeBigInt64BE(BigInt(fetchOffset), at)
  at = to.writeInt32BE(NO_EPOCH, at)
  at = to.writeBigInt64BE(-1n, at)
  to.writeInt32BE(maxBytes, at)
}

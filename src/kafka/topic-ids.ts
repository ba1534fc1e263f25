/**
 * Asks for the ids of topics: Kafka gives each topic an id when it is made (2.8 and later), so one that was deleted and made again is told
 * from the former one of its name. The same answer says, on request, what the user may do with each. kafkajs speaks older versions of
 * Metadata only; these are 10 to 12.
 *
 *   request    [topic_id uuid, name compact string, tags], allow_auto_topic_creation i8, [to 10: i8], with_operations i8, tags
 *   response   throttle_time i32, [node_id i32, host compact string, port i32, rack compact string, tags], cluster_id compact string,
 *              controller_id i32,
 *              [error i16, name compact string, topic_id uuid, internal i8,
 *                [error i16, partition i32, leader i32, epoch i32, [replica i32], [in sync i32], [offline i32], tags], operations i32,
 *                tags], …
 *
 * The header of such a request ends with tagged fields, and so does that of its response.
 */
import {
  compactArray,
  compactText,
  type FlexibleCursor,
  NO_TAGS,
  readCompactText,
  readLength,
  readTopicId,
  skipTags,
  TOPIC_ID_BYTES,
} from './flexible.ts'

/** The versions of the Metadata API that know ids and that can be spoken. */
export const METADATA_IDS_MIN_VERSION = 10
/** The newest of them. */
export const METADATA_IDS_MAX_VERSION = 12

/** Kafka's code of a topic that the user may not know of. */
export const TOPIC_AUTHORIZATION_FAILED = 29
const ANY_ID = Buffer.alloc(TOPIC_ID_BYTES)

/** What a broker says of a topic. */
export interface TopicFacts {
  readonly name: string
  /** undefined when it has none. */
  readonly id: string | undefined
  /** Kafka's own; 0 for none. */
  readonly errorCode: number
  readonly partitions: number
  /** Partitions without a leader. */
  readonly leaderless: readonly number[]
  /** What the user may do with it: a bit for each of Kafka's operations, at its number. Without meaning when it was not asked for. */
  readonly operations: number
}

/** What follows the client's id in the request. */
export function encodeMetadataRequest(version: number, topics: readonly string[], withOperations = false): Buffer {
  const names = topics.map((topic) => Buffer.concat([ANY_ID, compactText(topic), NO_TAGS]))
  // No topic is made, and nobody's rights on the cluster are asked for.
  const flags = Buffer.alloc(version <= 10 ? 3 : 2)
  flags.writeUInt8(withOperations ? 1 : 0, flags.length - 1)
  return Buffer.concat([NO_TAGS, compactArray(names), flags, NO_TAGS])
}

/**
 * Ids by topic, out of what follows the correlation id of a response; topics that are not there are left out. A cluster that is being
 * upgraded to 2.8 gives no ids yet: then they are ''. Throws when access to a topic is denied.
 */
export function decodeTopicIds(body: Buffer): Map<string, string> {
  const ids = new Map<string, string>()
  for (const { name, id, errorCode } of decodeTopics(body)) {
    if (errorCode === TOPIC_AUTHORIZATION_FAILED) {
      throw Object.assign(new Error(`access to topic ${name} is denied`), { type: 'TOPIC_AUTHORIZATION_FAILED' })
    }
    if (errorCode === 0) ids.set(name, id ?? '')
  }
  return ids
}

/** All that it says of the topics. */
export function decodeTopics(body: Buffer): TopicFacts[] {
  const cursor: FlexibleCursor = { bytes: body, at: 0 }
  skipTags(cursor)
  cursor.at += 4
  for (let brokers = readLength(cursor); brokers > 0; brokers--) {
    cursor.at += 4
    readCompactText(cursor)
    cursor.at += 4
    readCompactText(cursor)
    skipTags(cursor)
  }
  readCompactText(cursor)
  cursor.at += 4
  const topics: TopicFacts[] = []
  for (let left = readLength(cursor); left > 0; left--) {
    const errorCode = cursor.bytes.readInt16BE(cursor.at)
    cursor.at += 2
    const name = readCompactText(cursor)
    const id = readTopicId(cursor)
    cursor.at += 1
    const partitions = readLength(cursor)
    const leaderless: number[] = []
    for (let i = 0; i < partitions; i++) {
      const { partition, leader } = readPartition(cursor)
      if (leader < 0) leaderless.push(partition)
    }
    const operations = cursor.bytes.readInt32BE(cursor.at)
    cursor.at += 4
    skipTags(cursor)
    topics.push({ name, id, errorCode, partitions, leaderless, operations })
  }
  return topics
}

function readPartition(cursor: FlexibleCursor): { readonly partition: number; readonly leader: number } {
  const partition = cursor.bytes.readInt32BE(cursor.at + 2)
  const leader = cursor.bytes.readInt32BE(cursor.at + 6)
  cursor.at += 2 + 3 * 4
  for (let list = 0; list < 3; list++) {
    const brokers = readLength(cursor)
    cursor.at += brokers * 4
  }
  skipTags(cursor)
  return { partition, leader }
}

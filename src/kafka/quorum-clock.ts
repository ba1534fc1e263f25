/**
 * What time it is for Kafka's controller: of all requests that write nothing only DescribeQuorum, from version 1 on (Kafka 3.3 and later,
 * with KRaft), has an answer that says so. The leader of the quorum gives the present moment as the time at which it itself was last up to
 * date. Whoever asks needs DESCRIBE on the cluster.
 *
 *   request    [topic compact string, [partition i32, tags], tags], tags
 *   response   error i16, [topic compact string, [partition i32, error i16, leader i32, epoch i32, high_watermark i64,
 *                [replica i32, log_end i64, fetched_at i64, caught_up_at i64, tags], …
 *
 * Headers end with tagged fields, as in topic-ids.ts.
 */
import { compactArray, compactText, type FlexibleCursor, NO_TAGS, readCompactText, readLength, skipTags } from './flexible.ts'

export const QUORUM_CLOCK_VERSION = 1
const METADATA_TOPIC = '__cluster_metadata'
const CLUSTER_AUTHORIZATION_FAILED = 31

/** What follows the client's id in the request. */
export function encodeDescribeQuorum(): Buffer {
  const partition = Buffer.concat([Buffer.alloc(4), NO_TAGS])
  const topic = Buffer.concat([compactText(METADATA_TOPIC), compactArray([partition]), NO_TAGS])
  return Buffer.concat([NO_TAGS, compactArray([topic]), NO_TAGS])
}

/** The leader's time, ms since the epoch, out of what follows the correlation id of a response; or why it is not there. */
export function decodeQuorumClock(body: Buffer): number | string {
  const cursor: FlexibleCursor = { bytes: body, at: 0 }
  skipTags(cursor)
  const errorCode = body.readInt16BE(cursor.at)
  if (errorCode === CLUSTER_AUTHORIZATION_FAILED) return 'the user may not ask for it: that takes DESCRIBE on the cluster'
  if (errorCode !== 0) return `the broker answers with Kafka's error ${errorCode}`
  cursor.at += 2
  if (readLength(cursor) === 0) return 'the broker knows no quorum'
  readCompactText(cursor)
  if (readLength(cursor) === 0) return 'the broker knows no quorum'
  const partitionError = body.readInt16BE(cursor.at + 4)
  if (partitionError !== 0) return `the broker answers with Kafka's error ${partitionError}`
  const leader = body.readInt32BE(cursor.at + 6)
  cursor.at += 4 + 2 + 4 + 4 + 8
  for (let voters = readLength(cursor); voters > 0; voters--) {
    const replica = body.readInt32BE(cursor.at)
    const caughtUpAt = Number(body.readBigInt64BE(cursor.at + 4 + 8 + 8))
    if (replica === leader && caughtUpAt > 0) return caughtUpAt
    cursor.at += 4 + 3 * 8
    skipTags(cursor)
  }
  return 'the quorum has no leader at present'
}

/**
 * Rejected input to dead letters, and a sample of them to the log: at most LOG_PER_REASON lines per reason and minute, without the
 * event's bytes, because those may name a user.
 */
import { isUtf8 } from 'node:buffer'
import type { Clock } from '../clock.ts'
import { REASON_TEXT, REASONS, type Reason } from '../format/reasons.ts'
import type { Letters, Rejected } from '../ingest/ingest.ts'
import type { DeadLetterCode, DeadLetterOffice } from './dead-letter.ts'

/** More than this of an input is cut off: a letter must fit Kafka's usual limit of 1 MiB a message, base64 and JSON escapes included. */
const RAW_MAX_BYTES = 128 * 1024

const LOG_PER_REASON = 5
const LOG_PERIOD_MS = 60_000

interface Log {
  warn(fields: Record<string, unknown>, message: string): void
}

/** The ingest's view of the office. `source` names this engine in every letter. */
export function letterWriter(office: DeadLetterOffice, source: string, topics: readonly string[], log: Log, clock: Clock): Letters {
  const logged = new Float64Array(REASONS.length)
  let periodEnds = 0
  return {
    get full() {
      return office.full
    },
    reject(rejected: Rejected) {
      const now = clock()
      if (now >= periodEnds) {
        logged.fill(0)
        periodEnds = now + LOG_PERIOD_MS
      }
      const reason = REASONS[rejected.reason] ?? 'CORRUPT_BATCH'
      const partition = rejected.cursor.partition
      const topic = topics[partition.topicIndex] ?? ''
      const errorMessage = rejected.detail === undefined ? REASON_TEXT[reason] : `${REASON_TEXT[reason]}: ${rejected.detail}`
      const seen = (logged[rejected.reason] ?? 0) + 1
      logged[rejected.reason] = seen
      if (seen <= LOG_PER_REASON) {
        const more = seen === LOG_PER_REASON ? '; no more of this reason for a minute' : ''
        const fields = { reason, topic, partition: partition.partition, offset: rejected.offset, records: rejected.records }
        log.warn(fields, `invalid input dead-lettered: ${errorMessage}${more}`)
      }
      const raw = rejected.bytes.subarray(rejected.start, Math.min(rejected.end, rejected.start + RAW_MAX_BYTES))
      const truncated = rejected.end - rejected.start > RAW_MAX_BYTES
      const text = isUtf8(raw)
      office.put({
        source,
        rawTopic: topic,
        partition: partition.partition,
        offset: rejected.offset,
        errorCode: letterCodeOf(reason),
        errorMessage,
        rawData: Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString(text ? 'utf8' : 'base64'),
        rawEncoding: text ? 'utf8' : 'base64',
        rawTruncated: truncated,
        eventTimeMillisUtc: rejected.time ?? null,
        createdAtUtc: new Date(now).toISOString(),
      })
    },
  }
}

/** The dead letter's code for a reason. */
function letterCodeOf(reason: Reason): DeadLetterCode {
  if (reason === 'EMPTY') return 'INVALID_EVENT'
  if (reason === 'NOT_UTF8' || reason === 'NOT_JSON') return 'DESERIALIZATION_ERROR'
  if (reason === 'CORRUPT_BATCH') return 'CORRUPT_BATCH'
  return 'VALIDATION_ERROR'
}

/**
 * Rejected input to its output, and a sample of it to the log: at most LOG_PER_REASON lines per reason and minute, without the event's
 * bytes, because those may name a user.
 */
import { readEnvelope } from '../batch/record-envelope.ts'
import type { Clock } from '../clock.ts'
import { REASON_TEXT, REASONS } from '../format/reasons.ts'
import type { Letters, Rejected } from '../ingest/ingest.ts'
import type { Output } from './output.ts'

/** More than this of an input is cut off: a letter must fit Kafka's usual limit of 1 MiB a message, base64 and JSON escapes included. */
const RAW_MAX_BYTES = 128 * 1024

const LOG_PER_REASON = 5
const LOG_PERIOD_MS = 60_000

interface Log {
  warn(fields: Record<string, unknown>, message: string): void
}

/** The ingest's view of the dead letters. `writer` names this engine in each. */
export function rejectedInput(output: Output, writer: string, topics: readonly string[], log: Log, clock: Clock): Letters {
  const logged = new Float64Array(REASONS.length)
  let periodEnds = 0
  return {
    get full() {
      return output.full
    },
    reject(rejected: Rejected) {
      const now = clock()
      if (now >= periodEnds) {
        logged.fill(0)
        periodEnds = now + LOG_PERIOD_MS
      }
      const { cursor, bytes, recordAt, offset, start, end } = rejected
      const { partition, topicIndex } = cursor.partition
      const reason = REASONS[rejected.reason] ?? 'CORRUPT_BATCH'
      const topic = topics[topicIndex] ?? ''
      const message = rejected.detail === undefined ? REASON_TEXT[reason] : `${REASON_TEXT[reason]}: ${rejected.detail}`
      const seen = (logged[rejected.reason] ?? 0) + 1
      logged[rejected.reason] = seen
      if (seen <= LOG_PER_REASON) {
        const more = seen === LOG_PER_REASON ? '; no more of this reason for a minute' : ''
        log.warn({ reason, topic, partition, offset, records: rejected.records }, `invalid input dead-lettered: ${message}${more}`)
      }
      output.put({
        kind: 'invalid',
        writer,
        topic,
        partition,
        offset,
        envelope: recordAt === undefined ? undefined : () => readEnvelope(bytes, recordAt, cursor.header),
        reason,
        message,
        bytes: bytes.subarray(start, Math.min(end, start + RAW_MAX_BYTES)),
        truncated: end - start > RAW_MAX_BYTES,
        eventTime: rejected.time,
        createdAt: now,
      })
    },
  }
}

/**
 * Rejected input to its output, and a sample of it to the log: at most LOG_PER_REASON lines per reason and minute, without the event's
 * bytes, because those may name a user.
 */
import { readEnvelope } from '../batch/record-envelope.ts'
import type { Clock } from '../clock.ts'
import { LIMITS } from '../config/limits.ts'
import type { ValueText } from '../format/format.ts'
import { REASON_TEXT, REASONS } from '../format/reasons.ts'
import type { Letters, Rejected } from '../ingest/outlets.ts'
import { type Privacy, wholeOf } from '../privacy/privacy.ts'
import { clip } from '../text.ts'
import type { LetterQuota } from './letter-quota.ts'
import { type LetterSamples, lookOf, maskedLook } from './letter-samples.ts'
import type { Output, OutputRecord } from './output.ts'
import { valueJson } from './value-json.ts'

/** More than this of an input is cut off: a letter must fit Kafka's usual limit of 1 MiB a message, base64 and JSON escapes included. */
export const RAW_MAX_BYTES = 128 * 1024

const LOG_PER_REASON = 5
const LOG_PERIOD_MS = 60_000

interface Log {
  warn(fields: Record<string, unknown>, message: string): void
}

/** Where dead letters go, and which of them. */
export interface LettersPlace {
  readonly output: Output
  readonly quota: LetterQuota
  /** Names this engine in each. */
  readonly writer: string
  /** What is logged is seen here as well. */
  readonly samples?: LetterSamples | undefined
  /** What may be told of an input; all that is told without it, when not given. */
  readonly privacy?: Privacy | undefined
  /** With it, how values of each topic are told that are not JSON. */
  readonly texts?: readonly (ValueText | undefined)[] | undefined
}

/** The ingest's view of the dead letters. */
export function rejectedInput(
  { output, quota, writer, samples, privacy, texts = [] }: LettersPlace,
  topics: readonly string[],
  log: Log,
  clock: Clock,
): Letters {
  const logged = new Float64Array(REASONS.length)
  /** By reason: in which minute of the quota it was told last that no more are kept. */
  const toldFull = new Float64Array(REASONS.length).fill(-1)
  let periodEnds = 0
  const tellFull = (number: number, topicIndex: number, partition: number) => {
    toldFull[number] = quota.rounds
    const [reason, topic] = [REASONS[number], topics[topicIndex]]
    const what = `no more dead letters of ${reason} in ${topic}/${partition} for the rest of a minute`
    log.warn({ reason, topic, partition }, `${what}: deadLetter.perReason is reached; the ledger counts what is left out`)
  }
  return {
    get full() {
      return output.full
    },
    leavesOut({ topicIndex, partition }, reason) {
      if (!quota.leavesOut(topicIndex, partition, reason)) return false
      if (toldFull[reason] !== quota.rounds) tellFull(reason, topicIndex, partition)
      return true
    },
    reject(rejected: Rejected) {
      const { cursor, bytes, recordAt, offset, element, start, end } = rejected
      const { partition, topicIndex } = cursor.partition
      if (!quota.keeps(topicIndex, partition, rejected.reason)) {
        if (toldFull[rejected.reason] !== quota.rounds) tellFull(rejected.reason, topicIndex, partition)
        return
      }
      const now = clock()
      if (now >= periodEnds) {
        logged.fill(0)
        periodEnds = now + LOG_PERIOD_MS
      }
      const reason = REASONS[rejected.reason] ?? 'CORRUPT_BATCH'
      const topic = topics[topicIndex] ?? ''
      // Without an end it could make a letter that no topic takes, which is tried again for ever.
      const detail = rejected.detail === undefined ? '' : `: ${clip(rejected.detail, LIMITS.detailMaxLength)}`
      const message = REASON_TEXT[reason] + detail
      const asJson = valueJson(texts[topicIndex], bytes, end - start > RAW_MAX_BYTES ? undefined : recordAt)
      const seen = (logged[rejected.reason] ?? 0) + 1
      logged[rejected.reason] = seen
      if (seen <= LOG_PER_REASON) {
        const more = seen === LOG_PER_REASON ? '; no more of this reason for a minute' : ''
        const told = privacy?.message(reason, message) ?? message
        samples?.add({ at: now, reason, topic, partition, offset, message: told, ...looksLike(rejected, privacy, topic, reason, asJson) })
        log.warn({ reason, topic, partition, offset, element, records: rejected.records }, `invalid input dead-lettered: ${told}${more}`)
      }
      output.put({
        kind: 'invalid',
        writer,
        topic,
        partition,
        offset,
        element,
        envelope: recordAt === undefined ? undefined : () => readEnvelope(bytes, recordAt, cursor.header),
        asJson,
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

function looksLike(
  { bytes, start, end, element }: Rejected,
  privacy: Privacy | undefined,
  topic: string,
  reason: string,
  asJson: OutputRecord['asJson'],
): ReturnType<typeof lookOf> {
  if (privacy === undefined) return lookOf(bytes.subarray(start, end))
  const value = bytes.subarray(start, Math.min(end, start + RAW_MAX_BYTES))
  return maskedLook(privacy.value(value, topic, wholeOf(reason, element), { asJson }))
}

/** Records for outputs, and what becomes of them. */
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import type { OutputRecord } from '../../src/output/output.ts'

/** As ingest rejects it. */
export function outputRecord(offset: number, text = 'x', more: Partial<OutputRecord> = {}): OutputRecord {
  return {
    kind: 'invalid',
    writer: 'ctr/test',
    topic: 'clicks',
    partition: 3,
    offset,
    envelope: undefined,
    reason: 'NOT_JSON',
    message: 'not JSON',
    bytes: Buffer.from(text),
    truncated: false,
    eventTime: undefined,
    createdAt: Date.UTC(2026, 0, 1),
    ...more,
  }
}

/** The same as consumers read it. */
export function letterOf(offset: number, rawData = 'x'): DeadLetter {
  return {
    source: 'ctr/test',
    rawTopic: 'clicks',
    partition: 3,
    offset,
    errorCode: 'DESERIALIZATION_ERROR',
    errorMessage: 'not JSON',
    rawData,
    rawEncoding: 'utf8',
    rawTruncated: false,
    eventTimeMillisUtc: null,
    createdAtUtc: '2026-01-01T00:00:00.000Z',
  }
}

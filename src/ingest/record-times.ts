/** Times of events that are those of their Kafka records. */
import { type BatchHeader, varintSize, varlong } from '../batch/record-batch.ts'
import { type ParsedEvents, ROW_RECORD, ROW_WORDS } from '../format/parsed-events.ts'
import { REASON } from '../format/reasons.ts'
import { TIME_MAX_MS, TIME_MIN_MS } from '../format/slot.ts'
import type { Cursor } from './cursor.ts'

/** The timestamp of the record that begins at `recordAt`, ms; -1 for none. */
export function timestampOf({ logAppendTime, maxTimestamp, baseTimestamp }: BatchHeader, records: Uint8Array, recordAt: number): number {
  return logAppendTime ? maxTimestamp : baseTimestamp + varlong(records, recordAt + varintSize(records, recordAt) + 1)
}

/** Gives the events of the cursor's batch the timestamps of their records. */
export function fillRecordTimes({ header, records }: Cursor, { rows, times, count }: ParsedEvents): void {
  for (let i = 0; i < count; i++) times[i] = timestampOf(header, records, rows[i * ROW_WORDS + ROW_RECORD]!)
}

/** Why a time is none that lies before the oldest, or behind all. */
export function outOfRange(time: number): number {
  return time > TIME_MIN_MS && time < TIME_MAX_MS ? REASON.TOO_OLD : REASON.TIME_RANGE
}

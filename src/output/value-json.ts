/** The value of a record of another format as JSON, for who masks it by its fields. */
import { locateRecord, RecordPlace } from '../batch/record-batch.ts'
import type { ValueText } from '../format/format.ts'

const place = new RecordPlace()

/** undefined where the topic's values are not told so, or there is no record to read; else it is read when that is called. */
export function valueJson(
  text: ValueText | undefined,
  bytes: Uint8Array,
  recordAt: number | undefined,
): (() => string | undefined) | undefined {
  if (text === undefined || recordAt === undefined) return undefined
  return () => (locateRecord(bytes, recordAt, bytes.length, place) ? text(bytes, place.value, place.valueEnd, place.next) : undefined)
}

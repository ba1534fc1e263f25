/** What a format of records is that are one event at most; format.ts says what its two parsers are. */
import type { ParsedEvents, RecordsAt } from './parsed-events.ts'
import type { SchemaKey } from './schemas.ts'
import type { EventSlot } from './slot.ts'

/** Of records that are one event at most. */
export interface EventFormat {
  readonly several: false
  /** Events have no times of their own; see fillRecordTimes. */
  readonly timeOfRecord: boolean
  /**
   * Puts up to `limit` records from `recordAt` on into `parsed`, those that are surely no events as refusals; false when it stopped at one
   * that it isn't sure of, or whose schema is not here yet.
   */
  parse(records: RecordsAt, parsed: ParsedEvents, limit: number): boolean
  /**
   * The reason why one value, bytes[start, end), is not an event, or IGNORED, or VALID with the event in `slot`, or WAITING_SCHEMA. The
   * record's headers lie in bytes[end, recordEnd), if there are any.
   */
  exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot, recordEnd?: number): number
  /** More words to the reason that `exact` returned last. */
  readonly detail?: string | undefined
  /** The schema that `exact` waited for when it returned WAITING_SCHEMA last. */
  readonly waitsFor?: SchemaKey | undefined
}

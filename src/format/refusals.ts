/**
 * The records of ParsedEvents that are no events, of which `parse` was sure. They are a list beside the rows, so that events on both sides
 * of one are looked up and counted together; `eventsBefore` and `ignoredBefore` say where among the others a record was.
 */
export class Refusals {
  count = 0
  /** How many of them are rejected. */
  settled = 0
  readonly eventsBefore: Int32Array
  readonly ignoredBefore: Int32Array
  /** Where each begins. */
  readonly records: Int32Array
  /** Numbers of REASONS. */
  readonly reasons: Int32Array
  /** Of TIME_RANGE the event's time, ms. */
  readonly times: Float64Array

  constructor(room: number) {
    this.eventsBefore = new Int32Array(room)
    this.ignoredBefore = new Int32Array(room)
    this.records = new Int32Array(room)
    this.reasons = new Int32Array(room)
    this.times = new Float64Array(room)
  }

  /** Forgets all. */
  begin(): void {
    this.count = 0
    this.settled = 0
  }
}

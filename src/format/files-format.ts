/** The format of files: records are of Avro when a header names their schema (file-schemas.ts), else of JSON. A batch has one kind. */
import { locateRecord, RecordPlace } from '../batch/record-batch.ts'
import type { EventFormat } from './event-format.ts'
import { schemaHeader } from './frames.ts'
import type { ParsedEvents, RecordsAt } from './parsed-events.ts'
import type { EventSlot } from './slot.ts'

export class FilesFormat implements EventFormat {
  readonly several = false
  readonly timeOfRecord: boolean
  detail: string | undefined
  readonly #json: EventFormat
  readonly #avro: EventFormat
  readonly #place = new RecordPlace()

  constructor(json: EventFormat, avro: EventFormat) {
    this.timeOfRecord = json.timeOfRecord
    this.#json = json
    this.#avro = avro
  }

  parse(records: RecordsAt, parsed: ParsedEvents, limit: number): boolean {
    const { records: bytes, recordAt, recordsEnd } = records
    const place = this.#place
    const format = locateRecord(bytes, recordAt, recordsEnd, place) ? this.#formatOf(bytes, place.valueEnd, place.next) : this.#json
    return format.parse(records, parsed, limit)
  }

  exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot, recordEnd = end): number {
    const format = this.#formatOf(bytes, end, recordEnd)
    const reason = format.exact(bytes, start, end, slot, recordEnd)
    this.detail = format.detail
    return reason
  }

  #formatOf(bytes: Uint8Array, valueEnd: number, recordEnd: number): EventFormat {
    return schemaHeader(bytes, valueEnd, recordEnd) < 0 ? this.#json : this.#avro
  }
}

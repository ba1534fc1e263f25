/** A format of the tests: JSON behind the five bytes of Confluent's frame, which is read only when the schema that it names is here. */

import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { eventRules } from '../../src/format/event-rules.ts'
import { ExactJson } from '../../src/format/json-exact.ts'
import type { ParsedEvents, RecordsAt } from '../../src/format/parsed-events.ts'
import { REASON, WAITING_SCHEMA } from '../../src/format/reasons.ts'
import type { Schemas } from '../../src/format/schemas.ts'
import type { EventSlot } from '../../src/format/slot.ts'

export class FramedJson implements EventFormat {
  readonly several = false
  readonly timeOfRecord = false
  waitsFor: string | undefined
  readonly #schemas: Schemas
  readonly #exact = new ExactJson(eventRules(EVENTS_DEFAULT))

  constructor(schemas: Schemas) {
    this.#schemas = schemas
  }

  parse({ recordAt }: RecordsAt, parsed: ParsedEvents): boolean {
    parsed.begin(recordAt)
    return false
  }

  exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
    const key = `id:${new DataView(bytes.buffer, bytes.byteOffset).getInt32(start + 1)}`
    const schema = this.#schemas.find(key)
    if (schema === 'unknown') return REASON.SCHEMA_UNKNOWN
    if (schema !== undefined) return this.#exact.parse(bytes, start + 5, end, slot)
    this.waitsFor = key
    return WAITING_SCHEMA
  }
}

/** A value of that format. */
export function framed(id: number, json: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeInt32BE(id, 1)
  return Buffer.concat([head, Buffer.from(json)])
}

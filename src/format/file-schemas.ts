/**
 * Schemas that files bring along. The records of such a file have a header with the GUID of its schema, as those of Confluent's serializers
 * may have, and nothing else stands around their values; records without it are of files of JSON.
 */
import { createHash } from 'node:crypto'
import type { EventsConfig } from '../config/events-section.ts'
import { CtrError } from '../errors.ts'
import { avroEnds, type ValueEnd } from './avro-ends.ts'
import { AVRO } from './avro-format.ts'
import { avroSchema } from './avro-schema.ts'
import { eventRules } from './event-rules.ts'
import { guidHeaders, uuidAt } from './frames.ts'
import { REASON } from './reasons.ts'
import { whyUnfit } from './schema-fault.ts'
import type { SchemaKey, Schemas, WriterSchema } from './schemas.ts'
import { EventSlot } from './slot.ts'

/** How the records of a file are told apart and handed over. */
export interface FileRecords {
  readonly endOf: ValueEnd
  /** Behind every value, as a record has them. */
  readonly headers: Uint8Array
  /** The event time of a value; 0 where it has none. */
  readonly timeOf: (bytes: Uint8Array, start: number, end: number) => number
}

export class FileSchemas implements Schemas {
  readonly #events: EventsConfig
  readonly #known = new Map<SchemaKey, WriterSchema>()

  constructor(events: EventsConfig) {
    this.#events = events
  }

  /** The records of a file by its Avro schema. Throws CTR_INPUT for one that can't be used. */
  open(text: string): FileRecords {
    const rules = eventRules(this.#events)
    if (rules.elementsMax > 0) throw new CtrError('CTR_INPUT', `is an Avro file, ${SEVERAL}`)
    const schema: WriterSchema = { type: 'avro', text, references: [] }
    try {
      const endOf = avroEnds(avroSchema(schema))
      const { exact } = AVRO.read(schema, rules).open(new Uint8Array(0), '')
      const guid = createHash('sha256').update(text).digest()
      this.#known.set(`guid:${uuidAt(guid, 0)}`, schema)
      const slot = new EventSlot()
      const timeOf: FileRecords['timeOf'] = (bytes, start, end) =>
        exact.parse(bytes, start, end, slot) === REASON.VALID ? slot.time[0]! : 0
      return { endOf, headers: guidHeaders(guid), timeOf }
    } catch (error) {
      const words = whyUnfit(error)
      throw words === undefined ? error : new CtrError('CTR_INPUT', `has a schema that can't be used: ${words}`, { cause: error })
    }
  }

  find(key: SchemaKey): WriterSchema | 'unknown' {
    return this.#known.get(key) ?? 'unknown'
  }

  unfit(): void {}
}

const SEVERAL = [
  'and its records may be several events, by an array or events.click.field, which only JSON may',
  'avro-tools tojson FILE makes JSON lines of it',
].join('; ')

/**
 * The formats of events: what turns the bytes of a topic's records into events. A format has two parsers with one meaning.
 *
 *   parse   fast: record after record into ParsedEvents, up to one that it isn't sure of. It may learn how a producer writes. Of a record
 *           that is no event it may say the reason; one that has words of its own, a detail, is left to exact.
 *   exact   plain: one value to an event or to the reason why it is none, and always sure.
 *
 * A format of records that may be several events, which is `several`, has one method that reads a record to all of its events.
 *
 * Where `parse` is sure it says what `exact` would say; a differential test of each format holds that. A new format is a class with both,
 * a member of Format and a case in `formatOf`.
 */
import { EVENTS_DEFAULT, type EventsConfig } from '../config/events-section.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { AVRO } from './avro-format.ts'
import type { EventFormat } from './event-format.ts'
import { type EventRules, eventRules } from './event-rules.ts'
import { FilesFormat } from './files-format.ts'
import { FramedFormat } from './framed-format.ts'
import { JsonFormat } from './json-format.ts'
import { JsonRecords } from './json-records.ts'
import { PROTOBUF } from './proto-format.ts'
import { REASON } from './reasons.ts'
import { RecordEvents } from './record-events.ts'
import { readSchemaFile } from './schema-file.ts'
import type { SchemaFormat } from './schema-format.ts'
import type { Schemas } from './schemas.ts'
import { EventSlot } from './slot.ts'

/** How the records of a topic are read. */
export interface TopicFormat extends Pick<Config['kafka']['topics'][number], 'format' | 'framing' | 'schemaFile' | 'schemaMessage'> {
  readonly events: EventsConfig
  /** They are of files, and some may bring their schema along. */
  readonly ofFiles?: boolean | undefined
}

/** What is taken without a word in the configuration. */
export const PLAIN_JSON: TopicFormat = { format: 'json', events: EVENTS_DEFAULT }

/** Any of the formats. */
export type Format = EventFormat | JsonRecords

/**
 * A format for each of the topics; equal ones share one, and what it has learned. `schemas` answers those whose records name one. Throws
 * CTR_CONFIG for a schema file that can't be used.
 */
export function formatsOf(topics: readonly TopicFormat[], schemas?: Schemas): readonly Format[] {
  const made = new Map<string, Format>()
  return topics.map((topic) => {
    const key = JSON.stringify(topic)
    const format = made.get(key) ?? formatOf(topic, schemas)
    made.set(key, format)
    return format
  })
}

/** Gives the value bytes[start, end) of a record that ends at `recordEnd` as JSON; undefined where that can't be told. */
export type ValueText = (bytes: Uint8Array, start: number, end: number, recordEnd: number) => string | undefined

/** For each of the topics how its values are told; undefined where they are JSON. Nothing is shared with formatsOf. */
export function valueTexts(topics: readonly TopicFormat[], schemas?: Schemas): readonly (ValueText | undefined)[] {
  return topics.map((topic) => {
    const isJson = topic.format === 'json' || topic.format === 'json-schema'
    const format = isJson ? undefined : formatOf(topic, schemas)
    return format instanceof FramedFormat ? format.textOf.bind(format) : undefined
  })
}

function formatOf(topic: TopicFormat, schemas: Schemas | undefined): Format {
  const rules = eventRules(topic.events)
  switch (topic.format) {
    case 'json':
      if (rules.elementsMax > 0) return new JsonRecords(rules)
      return topic.ofFiles ? new FilesFormat(new JsonFormat(rules), ofFiles(rules, schemas)) : new JsonFormat(rules)
    case 'json-schema':
      return new JsonFormat(rules, topic.framing ?? 'auto')
    case 'avro':
      return framedOf(topic, AVRO, rules, schemas)
    case 'protobuf':
      return framedOf(topic, PROTOBUF, rules, schemas)
  }
}

/** Reads the event time of a record's value, of several events that of the first; 0 where it has none. */
export function timeReader(topic: TopicFormat): (bytes: Uint8Array, start: number, end: number) => number {
  const format = formatOf(topic, undefined)
  const slot = new EventSlot()
  if (!format.several) return (bytes, start, end) => (format.exact(bytes, start, end, slot) === REASON.VALID ? slot.time[0]! : 0)
  const events = new RecordEvents(format.elementsMax)
  return (bytes, start, end) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const verdict = format.read({ bytes, view, record: start, start, end, older: false }, events, slot)
    if (verdict !== REASON.VALID || events.count === 0) return 0
    return events.times.subarray(0, events.count).reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY)
  }
}

function ofFiles(rules: EventRules, schemas: Schemas | undefined): FramedFormat {
  return new FramedFormat(AVRO, rules, 'confluent', { schemas, file: undefined, message: '' })
}

function framedOf(topic: TopicFormat, format: SchemaFormat, rules: EventRules, schemas: Schemas | undefined): FramedFormat {
  const { framing, schemaFile, schemaMessage = '' } = topic
  const read = schemaFile === undefined ? schemas : readSchemaFile(schemaFile, format.type)
  if (read === undefined || 'find' in read) {
    if (schemaFile !== undefined && framing === 'none') throw new CtrError('CTR_CONFIG', NOTHING_NAMES)
    return new FramedFormat(format, rules, framing ?? 'auto', { schemas: read, file: undefined, message: schemaMessage })
  }
  return new FramedFormat(format, rules, framing ?? 'none', { schemas, file: read, message: schemaMessage })
}

const NOTHING_NAMES =
  'kafka.topics[].framing is none, so nothing says which file of the folder kafka.topics[].schemaFile; name one, or leave framing out'

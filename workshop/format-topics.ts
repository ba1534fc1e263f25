/** Topics whose values are of a format: with their schemas in a registry, and what the engine is told of them. */
import { type EventEncoding, LOAD_SCHEMAS, type LoadFormat } from '../src/load/event-formats.ts'
import type { Apicurio } from './apicurio.ts'
import { TOPICS } from './load.ts'

/** The formats that events can be made in. */
export type MadeFormat = 'json' | LoadFormat

/** Where events of a format go. */
export interface FormatTopics {
  readonly topics: readonly string[]
  /** How they are written; undefined of JSON. */
  readonly encoding: EventEncoding | undefined
  /** For the engine that reads them. */
  readonly sets: readonly string[]
}

const SCHEMA_TYPES: { readonly [format in LoadFormat]: 'AVRO' | 'JSON' | 'PROTOBUF' } = {
  avro: 'AVRO',
  'json-schema': 'JSON',
  protobuf: 'PROTOBUF',
}

/** TOPICS under another name, the schemas of their values registered; nothing is produced yet. */
export async function formatTopics(name: string, format: MadeFormat, registry: Apicurio | undefined): Promise<FormatTopics> {
  const topics = TOPICS.map((topic) => `${topic}-${name}`)
  const sets = [`kafka.topics=${JSON.stringify(topics.map((topic) => ({ name: topic, format })))}`]
  if (format === 'json') return { topics, encoding: undefined, sets }
  if (registry === undefined) throw new Error(`schemas of ${format} need a registry`)
  const schemaIds: number[] = []
  for (const topic of topics) schemaIds.push(await registry.register(`${topic}-value`, LOAD_SCHEMAS[format], SCHEMA_TYPES[format]))
  return { topics, encoding: { format, schemaIds }, sets: [...sets, `schemaRegistry.url=${registry.url}`] }
}

/** What the first bytes of a record's value say that it is, where that is no JSON object. */
import { parseValue } from './fields-seen.ts'

/** How values are encoded, as far as their bytes tell. */
export type Encoding =
  | 'json'
  | 'json array'
  | 'json text'
  | 'json scalar'
  | 'avro'
  | 'protobuf'
  | 'json-schema'
  | 'confluent'
  | 'confluent json'
  | 'glue'
  | 'avro file'
  | 'gzip'
  | 'text'
  | 'binary'

/** Of the frame before a value. */
export const CONFLUENT_BYTES = 5
const GLUE_VERSION = 3
const GLUE_CODECS = [0, 5]
const GLUE_BYTES = 18
const IDS_SHOWN = 5
const GUID_HEADER = '__value_schema_id'

/** Of one value and its headers. */
export function encodingOf(value: Uint8Array, headers: readonly (readonly [string, Uint8Array | null])[] = []): Encoding {
  const first = value[0] ?? 0
  if (value.length > CONFLUENT_BYTES && first === 0) return value[CONFLUENT_BYTES] === 0x7b ? 'confluent json' : 'confluent'
  if (value.length > GLUE_BYTES && first === GLUE_VERSION && GLUE_CODECS.includes(value[1] ?? -1)) return 'glue'
  if (value.length > 4 && Buffer.from(value.subarray(0, 4)).equals(Buffer.from('Obj\x01'))) return 'avro file'
  if (first === 0x1f && value[1] === 0x8b) return 'gzip'
  switch (parseValue(value).kind) {
    case 'object':
      return 'json'
    case 'array':
      return 'json array'
    case 'text':
      return 'json text'
    case 'scalar':
      return 'json scalar'
    case 'other':
      if (headers.some(([name]) => name === GUID_HEADER)) return 'confluent'
      return isText(value) ? (/^\s*\{/.test(Buffer.from(value.subarray(0, 64)).toString('latin1')) ? 'json' : 'text') : 'binary'
  }
}

/** The schema id of a Confluent frame. */
export function schemaIdOf(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(1)
}

/** Without control characters but those of lines. */
function isText(value: Uint8Array): boolean {
  return value.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))
}

/** What values of an encoding are, and what to do where that can't be read. */
const ENCODING_REMEDY: { readonly [encoding in Encoding]: string | undefined } = {
  json: undefined,
  avro: undefined,
  protobuf: undefined,
  'json-schema': undefined,
  'json array': 'each value is a JSON array: have the producer write one record for each element, or an object around it',
  'json text': 'each value is JSON within a JSON text (it was encoded twice): have the producer write the object itself',
  'json scalar': 'each value is a single number or word, not an object: there is no place for a product, a type and a time in it',
  confluent: 'each value begins with the five bytes of a schema registry (Avro or Protobuf)',
  'confluent json': 'each value begins with the five bytes of a schema registry and is JSON behind them',
  glue: 'each value begins with the frame of the AWS Glue schema registry',
  'avro file': 'each value is a whole Avro file with its own schema: have the producer write one event a record',
  gzip: 'each value is compressed by the producer itself: let Kafka compress instead (compression.type) and write plain values',
  text: 'the values are text but not JSON: lines of CSV or of a log have to become JSON before (ctr replay --csv reads files)',
  binary: 'the values are neither JSON nor text: perhaps Avro or Protobuf without a frame, MessagePack or a serialized object',
}

/** The formats of `kafka.topics[].format` that a frame's values may be of. */
const FORMATS_OF: { readonly [encoding in Encoding]?: readonly string[] } = {
  confluent: ['avro', 'protobuf'],
  'confluent json': ['json-schema'],
  glue: ['avro', 'protobuf', 'json-schema'],
}

/**
 * What to do about values of an encoding; `formats` are those that the configuration knows, `schemaIds` what frames name. undefined for
 * what is read as it is.
 */
export function encodingRemedy(encoding: Encoding, formats: readonly string[], schemaIds: readonly number[] = []): string | undefined {
  const remedy = ENCODING_REMEDY[encoding]
  const fitting = (FORMATS_OF[encoding] ?? []).filter((format) => formats.includes(format))
  if (remedy === undefined || fitting.length === 0) return remedy
  const ids = schemaIds.length > 0 ? `, of the schemas ${schemaIds.slice(0, IDS_SHOWN).join(', ')}` : ''
  const registry = encoding === 'confluent' ? ', and where the schemas are: schemaRegistry.url' : ''
  return `${remedy}${ids}; say kafka.topics[].format: ${fitting.join(' or ')}${registry}`
}

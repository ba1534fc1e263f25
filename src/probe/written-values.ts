/**
 * Values behind frames that name a schema, as the objects that JSON would have for them: so what is told of JSON, by names and by what is
 * found there, is told of them, too.
 */
import { sleep } from '../clock.ts'
import { avroSchema } from '../format/avro-schema.ts'
import { FRAME, isInHeader, schemaHeaderEnd, ValueFrame } from '../format/frames.ts'
import { indexesOf, PROTOBUF } from '../format/proto-format.ts'
import { type ProtoMessage, ProtoTypes } from '../format/proto-schema.ts'
import { whyUnfit } from '../format/schema-fault.ts'
import type { SchemaKey, WriterSchema } from '../format/schemas.ts'
import { avroObject } from './avro-value.ts'
import { parseValue } from './fields-seen.ts'
import type { ComingSchemas } from './judge.ts'
import { protoObject } from './proto-value.ts'
import type { SampledRecord } from './sampled-record.ts'

/** How the records of a topic are read. */
export interface FramedReading {
  /** As `kafka.topics[].format` has it. */
  readonly format: 'avro' | 'protobuf' | 'json-schema'
  /** By the record's place among those that were given; undefined of one that is written otherwise. */
  readonly objects: readonly (object | undefined)[]
  /** Where its schemas come from; JSON Schema needs none. */
  readonly schemas: ComingSchemas | undefined
}

/** What was found, and why a schema is missing, in words. */
export interface Read {
  readonly reading: FramedReading | undefined
  readonly trouble: string | undefined
}

const SCHEMA_MAX_MS = 15_000
const SCHEMA_LOOK_MS = 100
const OBJECT_OPENS = 0x7b
const ID_BYTES = 4
const GUID_BYTES = 16
/** Of these the schemas are not asked for: no registry of ours has them. */
const OTHERS: readonly number[] = [FRAME.notFramed, FRAME.bare, FRAME.glue, FRAME.glueZlib]

interface Framed {
  readonly key: SchemaKey
  readonly kind: number
  /** The value, and what stands behind it. */
  readonly bytes: Buffer
  readonly valueEnd: number
  /** Behind the frame. */
  readonly start: number
  /** Behind what names the schema, where Protobuf says which message it is; and where that must have ended. */
  readonly preambleAt: number
  readonly preambleEnd: number
}

type Decode = (framed: Framed) => object | undefined

/** Looks behind the frames of the records. */
export async function readWritten(records: readonly SampledRecord[], schemas: ComingSchemas | undefined): Promise<Read> {
  const frame = new ValueFrame('auto', true)
  const framed = records.map((record) => framedBy(frame, record))
  const asJson = framed.map((one) => one && objectIn(one))
  const isJson = asJson.filter((object) => object !== undefined).length * 2 > framed.filter((one) => one !== undefined).length
  if (isJson) return { reading: { format: 'json-schema', objects: asJson, schemas: undefined }, trouble: undefined }
  const keys = new Set(framed.flatMap((one) => one?.key ?? []))
  if (schemas === undefined || keys.size === 0) return { reading: undefined, trouble: undefined }
  const trouble = await arrivalOf(schemas, [...keys])
  const of = (format: 'avro' | 'protobuf'): FramedReading => {
    const decoders = new Map([...keys].map((key) => [key, decoderOf(schemas.find(key), format)]))
    return { format, objects: framed.map((one) => one && decoders.get(one.key)?.(one)), schemas }
  }
  const [avro, protobuf] = [of('avro'), of('protobuf')]
  const most = countOf(avro) >= countOf(protobuf) ? avro : protobuf
  return { reading: countOf(most) > 0 ? most : undefined, trouble }
}

function countOf({ objects }: FramedReading): number {
  return objects.filter((object) => object !== undefined).length
}

function framedBy(frame: ValueFrame, { value, headerBytes }: SampledRecord): Framed | undefined {
  if (value === null || value.length === 0) return undefined
  const bytes = Buffer.concat([value, headerBytes ?? new Uint8Array(0)])
  frame.read(bytes, 0, value.length, bytes.length)
  const { kind, start, idAt } = frame
  if (OTHERS.includes(kind)) return undefined
  // Whatever its header names, it is plain JSON.
  if (isInHeader(kind) && parseValue(value).kind === 'object') return undefined
  const [preambleAt, preambleEnd] = isInHeader(kind)
    ? [idAt + (kind === FRAME.headerGuid ? GUID_BYTES : ID_BYTES), schemaHeaderEnd[0] ?? 0]
    : [start, value.length]
  return { key: frame.keyOf(bytes), kind, bytes, valueEnd: value.length, start, preambleAt, preambleEnd }
}

/** A value of JSON Schema is JSON behind its frame. */
function objectIn({ bytes, start, valueEnd }: Framed): object | undefined {
  if (bytes[start] !== OBJECT_OPENS) return undefined
  const parsed = parseValue(bytes.subarray(start, valueEnd))
  return parsed.kind === 'object' ? (withoutLists(parsed.value) as object) : undefined
}

/** Only records of plain JSON may be several events. */
function withoutLists(value: unknown): unknown {
  if (Array.isArray(value)) return null
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, withoutLists(own)]))
}

/** Waits for the schemas, up to the first that does not come; why it does not. */
async function arrivalOf(schemas: ComingSchemas, keys: readonly SchemaKey[]): Promise<string | undefined> {
  const until = Date.now() + SCHEMA_MAX_MS
  for (const key of keys) {
    while (schemas.find(key) === undefined) {
      const trouble = schemas.troubleOf(key)
      if (trouble !== undefined) return trouble.message
      if (Date.now() > until) return `${key} has not come within ${SCHEMA_MAX_MS / 1000} s`
      await Promise.race([schemas.arrival(key), sleep(SCHEMA_LOOK_MS)])
    }
  }
  return undefined
}

/** How values of a schema are read; undefined for one of another format, or that can't be used. */
function decoderOf(schema: WriterSchema | 'unknown' | undefined, format: 'avro' | 'protobuf'): Decode | undefined {
  if (schema === undefined || schema === 'unknown' || schema.type !== format) return undefined
  return orNothing(() => {
    if (format === 'protobuf') return protoDecoder(new ProtoTypes(schema))
    const type = avroSchema(schema)
    return ({ bytes, start, valueEnd }) => avroObject(type, bytes.subarray(0, valueEnd), start)
  })
}

function protoDecoder(types: ProtoTypes): Decode {
  const messages = new Map<string, ProtoMessage | undefined>()
  return ({ kind, bytes, start, valueEnd, preambleAt, preambleEnd }) => {
    const size = PROTOBUF.preambleBytes(bytes, preambleAt, preambleEnd, kind)
    if (size < 0) return undefined
    const preamble = bytes.subarray(preambleAt, preambleAt + size)
    const path = preamble.toString('hex')
    if (!messages.has(path))
      messages.set(
        path,
        orNothing(() => types.message(types.nameAt(indexesOf(preamble), ''))),
      )
    const message = messages.get(path)
    return message && protoObject(message, bytes.subarray(0, valueEnd), start + (isInHeader(kind) ? 0 : size))
  }
}

function orNothing<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (whyUnfit(error) === undefined) throw error
    return undefined
  }
}

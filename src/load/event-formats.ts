/**
 * Events that are made as JSON, as values of the formats that have schemas: with Confluent's frame before them, | 0 | id, 4 bytes |. What
 * is missing in an event is null, or not there; what is no JSON follows the frame as it is, and is no event in any format.
 *
 * Of valid events the values are copied from where the generator has put them; only invalid ones, which are few, are parsed.
 */
import type { EventGenerator } from './generate.ts'

/** What is before a value, and how it is written. */
export type LoadFormat = 'avro' | 'json-schema' | 'protobuf'

const NAMES = ['event_id', 'user_id', 'product_id', 'event_type', 'timestamp', 'session_id', 'page_url'] as const
const TIME = 'timestamp'

const avroType = (name: string) => (name === TIME ? { type: 'long', logicalType: 'timestamp-millis' } : 'string')

/** In which format values are written, and under which ids its schema was registered, by topic. */
export interface EventEncoding {
  readonly format: LoadFormat
  readonly schemaIds: readonly number[]
}

/** The schemas of the values, as they are registered. */
export const LOAD_SCHEMAS: { readonly [format in LoadFormat]: string } = {
  avro: JSON.stringify({
    type: 'record',
    name: 'Event',
    namespace: 'shop',
    fields: NAMES.map((name) => ({ name, type: ['null', avroType(name)], default: null })),
  }),
  'json-schema': JSON.stringify({
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Event',
    type: 'object',
    properties: Object.fromEntries(NAMES.map((name) => [name, { type: name === TIME ? 'integer' : 'string' }])),
  }),
  protobuf: `syntax = "proto3";
package shop;
message Event {
${NAMES.map((name, i) => `  optional ${name === TIME ? 'int64' : 'string'} ${name} = ${i + 1};`).join('\n')}
}
`,
}

/** By field: which value it has. No valid event has a page. */
const VALUES = ['id', 'user', 'product', 'type', 'time', 'session', undefined] as const
const TIME_VARINT_BYTES_MAX = 7
/** Of a field: its tag or branch, and its length. */
const FIELD_BYTES = 2
const TEXT_BYTES_MAX = 127
const QUOTE = 0x22
const BACKSLASH = 0x5c
const TIME_DIGITS = 13

/** Encodes what a generator has drawn. */
export class EventEncoder {
  readonly #encoding: EventEncoding
  #json = Buffer.alloc(0)
  #out = Buffer.alloc(0)
  #at = 0

  constructor(encoding: EventEncoding) {
    this.#encoding = encoding
  }

  /** The value of the event drawn last, for the topic of this index, until the next one; undefined when it has none. */
  encode(generator: EventGenerator, topicIndex: number): Uint8Array | undefined {
    const { format, schemaIds } = this.#encoding
    const { valueBytes } = generator
    if (valueBytes < 0) return undefined
    const most = valueBytes + 6 + VALUES.length * FIELD_BYTES + TIME_VARINT_BYTES_MAX
    if (this.#out.length < most) {
      this.#json = Buffer.alloc(most)
      this.#out = Buffer.alloc(most)
    }
    const id = schemaIds[topicIndex] ?? 0
    const out = this.#out
    generator.writeValue(this.#json, 0)
    this.#at = writeFrame(out, format, id)
    if (format === 'json-schema') {
      out.set(this.#json.subarray(0, valueBytes), this.#at)
      return out.subarray(0, this.#at + valueBytes)
    }
    if (!generator.valid || !this.#copy(generator)) return encodeEvent(format, id, this.#json.subarray(0, valueBytes))
    return out.subarray(0, this.#at)
  }

  /** False when a value is not as it would be in the format. */
  #copy({ values, time }: EventGenerator): boolean {
    const isAvro = this.#encoding.format === 'avro'
    const out = this.#out
    for (let i = 0; i < VALUES.length; i++) {
      const name = VALUES[i]
      if (name === undefined) {
        if (isAvro) out[this.#at++] = 0
        continue
      }
      const [start, end] = values[name]
      if (name === 'time') {
        if (end - start !== TIME_DIGITS) return false
        out[this.#at++] = isAvro ? 2 : (i + 1) << 3
        this.#varint(isAvro ? time * 2 : time)
      } else {
        out[this.#at++] = isAvro ? 2 : ((i + 1) << 3) | 2
        if (!this.#text(start + 1, end - 1, isAvro)) return false
      }
    }
    return true
  }

  #text(start: number, end: number, isAvro: boolean): boolean {
    const [json, out] = [this.#json, this.#out]
    const length = end - start
    if (length > TEXT_BYTES_MAX || json[start - 1] !== QUOTE) return false
    this.#varint(isAvro ? length * 2 : length)
    for (let at = start; at < end; at++) {
      const byte = json[at] ?? 0
      if (byte === BACKSLASH) return false
      out[this.#at++] = byte
    }
    return true
  }

  #varint(value: number): void {
    let rest = value
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#out[this.#at++] = (rest % 128) | 128
    this.#out[this.#at++] = rest
  }
}

function writeFrame(out: Buffer, format: LoadFormat, id: number): number {
  out[0] = 0
  out.writeUInt32BE(id, 1)
  if (format !== 'protobuf') return 5
  // The first message of its file.
  out[5] = 0
  return 6
}

type Event = { readonly [key: string]: unknown }

/** The value of an event that is `json`, of the schema that was registered under `id`. */
export function encodeEvent(format: LoadFormat, id: number, json: Uint8Array): Buffer {
  const head = Buffer.alloc(6)
  const frame = head.subarray(0, writeFrame(head, format, id))
  const event = format === 'json-schema' ? undefined : eventOf(json)
  if (event === undefined) return Buffer.concat([frame, json])
  return Buffer.concat([frame, ...(format === 'avro' ? avroFields(event) : protobufFields(event))])
}

function eventOf(json: Uint8Array): Event | undefined {
  try {
    const event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)) as unknown
    return typeof event === 'object' && event !== null && !Array.isArray(event) ? (event as Event) : undefined
  } catch {
    return undefined
  }
}

function fieldOf(event: Event, name: string): string | number | undefined {
  const value = event[name] ?? event[name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())]
  return typeof value === 'string' || typeof value === 'number' ? value : undefined
}

function avroFields(event: Event): Uint8Array[] {
  return NAMES.flatMap((name) => {
    const value = fieldOf(event, name)
    if (value === undefined) return [Uint8Array.of(0)]
    if (name === TIME) return [Uint8Array.of(2), varint(zigzag(BigInt(value)))]
    const text = Buffer.from(String(value))
    return [Uint8Array.of(2), varint(zigzag(BigInt(text.length))), text]
  })
}

function protobufFields(event: Event): Uint8Array[] {
  return NAMES.flatMap((name, i) => {
    const value = fieldOf(event, name)
    if (value === undefined) return []
    if (name === TIME) return [Uint8Array.of((i + 1) << 3), varint(BigInt.asUintN(64, BigInt(value)))]
    const text = Buffer.from(String(value))
    return [Uint8Array.of(((i + 1) << 3) | 2), varint(BigInt(text.length)), text]
  })
}

function zigzag(value: bigint): bigint {
  return value < 0n ? -value * 2n - 1n : value * 2n
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...bytes, Number(rest)])
}

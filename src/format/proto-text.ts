/**
 * A Protobuf message as JSON, for people: its fields by name, whole numbers of 64 bits as texts, bytes as Base64. What the schema does not
 * know, or knows in another form, is left out; so are defaults, which nobody has written. Nothing is told of what can't be read.
 */
import { WIRE, wireOf } from './proto-fields.ts'
import type { ProtoField, ProtoMessage } from './proto-schema.ts'

const DEPTH_MAX = 64
const VARINT_MAX_BITS = 70n
/** Of a message with more values nothing is told. */
const VALUES_MAX = 100_000
/** Of such fields many values may stand behind one length. */
const UNPACKED: ReadonlySet<string> = new Set(['string', 'bytes', 'message'])

type Told = Record<string, unknown>

/** undefined for a value that can't be read. */
export function protoText(message: ProtoMessage, bytes: Uint8Array): string | undefined {
  const told = noFields()
  return new Reading(bytes).message(message, told, bytes.length, 0) ? JSON.stringify(told) : undefined
}

/** Names are the schema's, `__proto__` among them. */
function noFields(): Told {
  return Object.create(null) as Told
}

class Reading {
  readonly #bytes: Buffer
  #at = 0
  #values = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Puts the fields up to `end` into `told`; false when they can't be read. */
  message(message: ProtoMessage, told: Told, end: number, depth: number): boolean {
    if (depth > DEPTH_MAX) return false
    while (this.#at < end) {
      const tag = this.#varint(end)
      if (tag === undefined) return false
      const wire = Number(tag & 7n)
      const id = Number(BigInt.asUintN(32, tag) >> 3n)
      const field = message.fields.find((one) => one.id === id)
      const isRead = field === undefined ? this.#skip(wire, end) : this.#field(field, wire, told, end, depth)
      if (!isRead) return false
    }
    return this.#at === end
  }

  #field(field: ProtoField, wire: number, told: Told, end: number, depth: number): boolean {
    const { name, isMap, isRepeated, type } = field
    const isPacked = isRepeated && wire === WIRE.bytes && !UNPACKED.has(type)
    if (wire !== wireOf(field) && !isPacked) return this.#skip(wire, end)
    if (isMap) {
      told[name] ??= noFields()
      return this.#within(end, (inside) => this.#entry(field, told[name] as Told, inside, depth))
    }
    if (isRepeated) {
      told[name] ??= []
      const values = told[name] as unknown[]
      if (!isPacked) return this.#add(values, this.#value(field, undefined, end, depth))
      return this.#within(end, (inside) => {
        while (this.#at < inside) if (!this.#add(values, this.#value(field, undefined, inside, depth))) return false
        return true
      })
    }
    // One that is written twice is put together.
    const value = this.#value(field, told[name] as Told | undefined, end, depth)
    told[name] = value
    return value !== undefined
  }

  #add(values: unknown[], value: unknown): boolean {
    values.push(value)
    return value !== undefined
  }

  /** An entry of a map: its key, a text, and its value. */
  #entry(field: ProtoField, told: Told, end: number, depth: number): boolean {
    const key = { ...field, id: 1, name: 'key', type: 'string' as const, message: undefined, isMap: false, isRepeated: false }
    const value = { ...field, id: 2, name: 'value', isMap: false, isRepeated: false }
    const entry = noFields()
    if (!this.message({ name: '', fields: [key, value] }, entry, end, depth + 1)) return false
    told[String(entry.key ?? '')] = entry.value ?? null
    return true
  }

  #value(field: ProtoField, before: Told | undefined, end: number, depth: number): unknown {
    if (++this.#values > VALUES_MAX) return undefined
    const { type, message, symbols } = field
    switch (type) {
      case 'message': {
        const told = before ?? noFields()
        return message !== undefined && this.#within(end, (inside) => this.message(message, told, inside, depth + 1)) ? told : undefined
      }
      case 'string':
        return this.#sized('utf8', end)
      case 'bytes':
        return this.#sized('base64', end)
      case 'float':
        return this.#take(4, end, (at) => finite(this.#bytes.readFloatLE(at)))
      case 'double':
        return this.#take(8, end, (at) => finite(this.#bytes.readDoubleLE(at)))
      case 'fixed32':
        return this.#take(4, end, (at) => this.#bytes.readUInt32LE(at))
      case 'sfixed32':
        return this.#take(4, end, (at) => this.#bytes.readInt32LE(at))
      case 'fixed64':
        return this.#take(8, end, (at) => String(this.#bytes.readBigUInt64LE(at)))
      case 'sfixed64':
        return this.#take(8, end, (at) => String(this.#bytes.readBigInt64LE(at)))
      default: {
        const raw = this.#varint(end)
        return raw === undefined ? undefined : whole(type, raw, symbols)
      }
    }
  }

  #within(end: number, read: (inside: number) => boolean): boolean {
    const size = this.#varint(end)
    if (size === undefined || size > BigInt(end - this.#at)) return false
    const inside = this.#at + Number(size)
    return read(inside) && this.#at === inside
  }

  #sized(encoding: 'utf8' | 'base64', end: number): string | undefined {
    let text: string | undefined
    this.#within(end, (inside) => {
      text = this.#bytes.toString(encoding, this.#at, inside)
      this.#at = inside
      return true
    })
    return text
  }

  #take<T>(size: number, end: number, read: (at: number) => T): T | undefined {
    if (size > end - this.#at) return undefined
    this.#at += size
    return read(this.#at - size)
  }

  /** Over a field that is not told; groups are not read. */
  #skip(wire: number, end: number): boolean {
    if (wire === WIRE.varint) return this.#varint(end) !== undefined
    if (wire === WIRE.bytes) return this.#sized('base64', end) !== undefined
    if (wire !== WIRE.fixed64 && wire !== WIRE.fixed32) return false
    return this.#take(wire === WIRE.fixed64 ? 8 : 4, end, () => true) === true
  }

  #varint(end: number): bigint | undefined {
    let value = 0n
    for (let shift = 0n; shift < VARINT_MAX_BITS && this.#at < end; shift += 7n) {
      const byte = this.#bytes[this.#at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    return undefined
  }
}

function finite(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

function whole(type: string, raw: bigint, symbols: ReadonlyMap<number, string>): unknown {
  const zigzag = (raw >> 1n) ^ -(raw & 1n)
  switch (type) {
    case 'bool':
      return raw !== 0n
    case 'enum': {
      const number = Number(BigInt.asIntN(32, raw))
      return symbols.get(number) ?? number
    }
    case 'uint32':
      return Number(BigInt.asUintN(32, raw))
    case 'sint32':
      return Number(BigInt.asIntN(32, zigzag))
    case 'int64':
      return String(BigInt.asIntN(64, raw))
    case 'uint64':
      return String(raw)
    case 'sint64':
      return String(BigInt.asIntN(64, zigzag))
    default:
      return Number(BigInt.asIntN(32, raw))
  }
}

/** A value of Protobuf as the object that JSON would have for it, by its writer's schema; for people, who look at a few. */
import { valueOfField, WIRE, wireOf, wrappedIn } from '../format/proto-fields.ts'
import type { ProtoField, ProtoMessage } from '../format/proto-schema.ts'
import { numberText } from './fields-seen.ts'

const DEPTH_MAX = 32

/** The value bytes[start, …), numbers as parseValue has them, without lists; undefined for one that can't be read. */
export function protoObject(message: ProtoMessage, bytes: Buffer, start: number): object | undefined {
  try {
    return new Fields(bytes, start).message(message, bytes.length, 0)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

type Found = Record<string, unknown>

/** Of maps of one value. */
const ENTRIES_MAX = 10_000

class Fields {
  readonly #bytes: Buffer
  #at: number
  #entries = 0

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  message({ fields }: ProtoMessage, end: number, depth: number): Found {
    if (depth > DEPTH_MAX) throw new RangeError('too deep')
    const found: Found = Object.fromEntries(fields.flatMap((field) => unwritten(field)))
    while (this.#at < end) {
      const tag = Number(this.#varint())
      const [id, wire] = [Math.floor(tag / 8), tag & 7]
      const field = fields.find((one) => one.id === id)
      if (field === undefined || field.isRepeated || wire !== wireOf(field)) this.#skip(wire)
      else if (field.isMap) this.#put(found, field, this.#entry(field, depth + 1))
      else found[field.name] = this.#value(field, depth + 1)
    }
    if (this.#at !== end) throw new RangeError('cut off')
    return found
  }

  #put(found: Found, { name }: ProtoField, entry: object): void {
    if (++this.#entries > ENTRIES_MAX) throw new RangeError('too many')
    const known = found[name]
    if (typeof known === 'object' && known !== null) Object.assign(known, entry)
    else found[name] = entry
  }

  #value(field: ProtoField, depth: number): unknown {
    const { type, message } = field
    switch (type) {
      case 'message':
        return message === undefined ? null : this.#part(field, message, depth)
      case 'string':
        return this.#span().toString()
      case 'bytes':
        this.#span()
        return null
      case 'bool':
        return this.#varint() !== 0n
      case 'enum': {
        const number = Number(BigInt.asIntN(32, this.#varint()))
        return field.symbols.get(number) ?? numberText(String(number))
      }
      default:
        return numberText(String(this.#number(type)))
    }
  }

  #number(type: Exclude<ProtoField['type'], 'message' | 'string' | 'bytes' | 'bool' | 'enum'>): bigint | number {
    switch (type) {
      case 'float':
        return this.#take(4).readFloatLE()
      case 'double':
        return this.#take(8).readDoubleLE()
      case 'fixed32':
        return this.#take(4).readUInt32LE()
      case 'sfixed32':
        return this.#take(4).readInt32LE()
      case 'fixed64':
        return this.#take(8).readBigUInt64LE()
      case 'sfixed64':
        return this.#take(8).readBigInt64LE()
      case 'uint32':
      case 'uint64':
        return this.#varint()
      case 'sint32':
      case 'sint64': {
        const raw = this.#varint()
        return (raw >> 1n) ^ -(raw & 1n)
      }
      default:
        return BigInt.asIntN(64, this.#varint())
    }
  }

  #part(field: ProtoField, message: ProtoMessage, depth: number): unknown {
    const end = this.#lengthEnd()
    const own = this.message(message, end, depth)
    if (valueOfField(field) === 'timestamp') return instantOf(own)
    const wrapped = wrappedIn(message)
    return wrapped === undefined ? own : (own[wrapped.name] ?? null)
  }

  #entry(field: ProtoField, depth: number): Found {
    const of = (id: number, name: string, part: Partial<ProtoField>): ProtoField => ({ ...field, isMap: false, id, name, ...part })
    const fields = [of(1, 'key', { type: 'string', message: undefined }), of(2, 'value', {})]
    const { key = '', value = null } = this.message({ name: '', fields }, this.#lengthEnd(), depth)
    return { [String(key)]: value }
  }

  #skip(wire: number): void {
    if (wire === WIRE.varint) this.#varint()
    else if (wire === WIRE.fixed64) this.#take(8)
    else if (wire === WIRE.fixed32) this.#take(4)
    else if (wire === WIRE.bytes) this.#span()
    else throw new RangeError('a group')
  }

  #span(): Buffer {
    return this.#take(Number(this.#varint()))
  }

  #lengthEnd(): number {
    const length = Number(this.#varint())
    if (length > this.#bytes.length - this.#at) throw new RangeError('cut off')
    return this.#at + length
  }

  #take(size: number): Buffer {
    const start = this.#at
    if (size > this.#bytes.length - start) throw new RangeError('cut off')
    this.#at += size
    return this.#bytes.subarray(start, start + size)
  }

  #varint(): bigint {
    let raw = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#take(1)[0] ?? 0
      raw |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, raw)
    }
    throw new RangeError('too long')
  }
}

/** What is never written has a value all the same; numbers and texts are missing then. */
function unwritten({ name, type, hasPresence, isRepeated, isMap, symbols }: ProtoField): [string, unknown][] {
  if (hasPresence || isRepeated || isMap) return []
  if (type === 'bool') return [[name, false]]
  return type === 'enum' && symbols.has(0) ? [[name, symbols.get(0)]] : []
}

/** google.protobuf.Timestamp as text. */
function instantOf({ seconds, nanos }: Found): string | null {
  const number = (part: unknown) => (typeof part === 'string' ? Number(part.replace(/^\D+/, '')) : 0)
  const date = new Date(number(seconds) * 1000 + Math.floor(number(nanos) / 1e6))
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

/**
 * An Avro value as JSON, for people: names and values in the order of its schema. A union is what it holds, bytes are Base64, and a number
 * that is none is a text. Nothing is told of a value that is not what its schema says, or whose JSON would be out of proportion.
 */
import { type AvroField, type AvroType, fixedSizeOf } from './avro-schema.ts'

const DEPTH_MAX = 64
/** What a letter may hold of a record is an eighth of it. */
const TEXT_MAX = 1024 * 1024
const LONG_MAX_BYTES = 10

/** undefined for a value that can't be read. */
export function avroText(type: AvroType, bytes: Uint8Array): string | undefined {
  const reading = new Reading(bytes)
  return reading.value(type, 0) && reading.isAtEnd ? reading.text : undefined
}

class Reading {
  text = ''
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Whether it could be read. */
  value(type: AvroType, depth: number): boolean {
    if (depth > DEPTH_MAX || this.text.length > TEXT_MAX) return false
    switch (type.kind) {
      case 'record':
        return this.#fields(type.fields, depth)
      case 'array':
      case 'map':
        return this.#blocks(type.kind, type.items, depth)
      case 'union': {
        const index = this.#number()
        const branch = index === undefined ? undefined : type.branches[index]
        return branch !== undefined && this.value(branch, depth + 1)
      }
      case 'enum': {
        const index = this.#number()
        return this.#put(index === undefined ? undefined : type.symbols[index])
      }
      case 'null':
        this.text += 'null'
        return true
      case 'int':
      case 'long': {
        const long = this.#long()
        if (long !== undefined) this.text += long
        return long !== undefined
      }
      case 'boolean':
        return this.#take(1, (at) => String(this.#bytes[at] !== 0))
      case 'float':
        return this.#take(4, (at) => numberText(this.#bytes.readFloatLE(at)))
      case 'double':
        return this.#take(8, (at) => numberText(this.#bytes.readDoubleLE(at)))
      case 'fixed':
        return this.#take(type.size, (at) => JSON.stringify(this.#bytes.toString('base64', at, at + type.size)))
      case 'bytes':
        return this.#put(this.#sized('base64'))
      case 'string':
        return this.#put(this.#sized('utf8'))
    }
  }

  #blocks(kind: 'array' | 'map', items: AvroType, depth: number): boolean {
    this.text += kind === 'map' ? '{' : '['
    let isFirst = true
    for (;;) {
      let count = this.#number()
      if (count === undefined) return false
      if (count === 0) break
      if (count < 0) {
        count = -count
        if (this.#long() === undefined) return false
      }
      // Items without bytes may be any number, and hold nothing.
      if (kind === 'array' && fixedSizeOf(items) === 0) continue
      if (count > this.#bytes.length - this.#at) return false
      for (let left = count; left > 0; left--) {
        if (!isFirst) this.text += ','
        isFirst = false
        if ((kind === 'map' && !this.#name(this.#sized('utf8'))) || !this.value(items, depth + 1)) return false
      }
    }
    this.text += kind === 'map' ? '}' : ']'
    return true
  }

  #fields(fields: readonly AvroField[], depth: number): boolean {
    this.text += '{'
    for (const [i, { name, type }] of fields.entries()) {
      if (i > 0) this.text += ','
      if (!this.#name(name) || !this.value(type, depth + 1)) return false
    }
    this.text += '}'
    return true
  }

  #name(name: string | undefined): boolean {
    const isThere = this.#put(name)
    this.text += ':'
    return isThere
  }

  #put(text: string | undefined): boolean {
    if (text !== undefined) this.text += JSON.stringify(text)
    return text !== undefined
  }

  #take(size: number, read: (at: number) => string): boolean {
    if (size > this.#bytes.length - this.#at) return false
    this.text += read(this.#at)
    this.#at += size
    return true
  }

  /** Bytes behind their length. */
  #sized(encoding: 'utf8' | 'base64'): string | undefined {
    const size = this.#number()
    if (size === undefined || size < 0 || size > this.#bytes.length - this.#at) return undefined
    this.#at += size
    return this.#bytes.toString(encoding, this.#at - size, this.#at)
  }

  /** A count, length or index. */
  #number(): number | undefined {
    const long = this.#long()
    return long === undefined ? undefined : Number(long)
  }

  #long(): bigint | undefined {
    let raw = 0n
    for (let size = 0; size < LONG_MAX_BYTES; size++) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) return undefined
      raw |= BigInt(byte & 127) << BigInt(7 * size)
      if (byte < 128) return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n))
    }
    return undefined
  }
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : JSON.stringify(String(value))
}

/** A value of Avro as the object that JSON would have for it, by its writer's schema; for people, who look at a few. */
import type { AvroType } from '../format/avro-schema.ts'
import { numberText } from './fields-seen.ts'

const DEPTH_MAX = 32
const ITEMS_MAX = 10_000

/** The value bytes[start, …), numbers as parseValue has them, without lists; undefined for one that can't be read. */
export function avroObject(type: AvroType, bytes: Buffer, start: number): object | undefined {
  try {
    const value = new Values(bytes, start).value(type, 0)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** A schema may make many of no bytes. */
const VALUES_MAX = 100_000

class Values {
  readonly #bytes: Buffer
  #at: number
  #values = 0

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  value(type: AvroType, depth: number): unknown {
    if (depth > DEPTH_MAX) throw new RangeError('too deep')
    if (++this.#values > VALUES_MAX) throw new RangeError('too many')
    switch (type.kind) {
      case 'null':
        return null
      case 'boolean':
        return this.#take(1)[0] !== 0
      case 'int':
      case 'long':
        return numberText(String(this.#long()))
      case 'float':
        return numberText(String(this.#take(4).readFloatLE()))
      case 'double':
        return numberText(String(this.#take(8).readDoubleLE()))
      case 'string':
        return this.#take(Number(this.#long())).toString()
      case 'enum':
        return type.symbols[Number(this.#long())]
      case 'bytes':
        this.#take(Number(this.#long()))
        return null
      case 'fixed':
        this.#take(type.size)
        return null
      case 'union': {
        const branch = type.branches[Number(this.#long())]
        if (branch === undefined) throw new RangeError('no such branch')
        return this.value(branch, depth)
      }
      case 'record':
        return Object.fromEntries(type.fields.map((field) => [field.name, this.value(field.type, depth + 1)]))
      default:
        return this.#items(type.kind, type.items, depth + 1)
    }
  }

  #items(kind: 'array' | 'map', items: AvroType, depth: number): object | null {
    const found: [string, unknown][] = []
    for (let count = this.#long(); count !== 0n; count = this.#long()) {
      if (count < 0n) this.#long()
      for (let left = count < 0n ? -count : count; left > 0n; left--) {
        if (found.length === ITEMS_MAX) throw new RangeError('too many')
        const key = kind === 'map' ? this.#take(Number(this.#long())).toString() : ''
        found.push([key, this.value(items, depth)])
      }
    }
    return kind === 'map' ? Object.fromEntries(found) : null
  }

  #take(size: number): Buffer {
    const start = this.#at
    if (!(size >= 0 && size <= this.#bytes.length - start)) throw new RangeError('cut off')
    this.#at += size
    return this.#bytes.subarray(start, start + size)
  }

  #long(): bigint {
    let raw = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#take(1)[0] ?? 0
      raw |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n))
    }
    throw new RangeError('too long')
  }
}

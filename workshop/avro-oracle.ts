/** What avsc makes of an Avro value, judged by the exact parser of JSON. */
import avsc from 'avsc'
import type { EventRules } from '../src/format/event-rules.ts'
import type { ExactJson } from '../src/format/json-exact.ts'
import { REASON, REASONS } from '../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END } from '../src/format/slot.ts'
import { branchName, type RawSchema } from './avro-cases.ts'
import type { Said } from './both-parsers.ts'

const BigLong = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => Number(a > b) - Number(a < b),
})

/** A type of avsc with longs as BigInt and wrapped unions. */
export function avscType(schema: RawSchema): avsc.Type {
  const typeHook = (part: unknown) => (part === 'long' || (part as { type?: unknown }).type === 'long' ? BigLong : undefined)
  return avsc.Type.forSchema(schema as avsc.Schema, { typeHook, wrapUnions: true } as never)
}

const slot = new EventSlot()

/** What the value is by JSON's rules; `undefined` when avsc refuses it. */
export function avscSays(type: avsc.Type, schema: RawSchema, value: Uint8Array, exact: ExactJson, rules: EventRules): Said | string {
  let decoded: unknown
  try {
    decoded = type.fromBuffer(Buffer.from(value))
  } catch (error) {
    return (error as Error).message
  }
  const json = Buffer.from(new Writer(schema, rules).write(schema, decoded))
  const verdict = exact.parse(json, 0, json.length, slot)
  if (verdict < 0) return { verdict: 'IGNORED' }
  if (verdict !== REASON.VALID) return { verdict: REASONS[verdict]! }
  const product = Buffer.from(slot.product.subarray(0, slot.ints[SLOT_PRODUCT_END]!)).toString()
  return { verdict: 'VALID', product, click: slot.ints[SLOT_CLICK] === 1, time: slot.time[0]! }
}

interface Parts {
  readonly type: string
  readonly fields: { name: string; type: RawSchema; aliases?: string[] }[]
  readonly values: RawSchema
  readonly logicalType?: string
  readonly scale?: number
}

/** Writes a value as the JSON that means the same. */
class Writer {
  readonly #named = new Map<string, RawSchema>()
  readonly #rules: EventRules

  constructor(schema: RawSchema, rules: EventRules) {
    this.#rules = rules
    this.#learn(schema)
  }

  #learn(schema: unknown): void {
    if (typeof schema !== 'object' || schema === null) return
    const { name } = schema as { name?: string }
    if (name !== undefined && 'type' in schema && /record|enum|fixed/.test(String(schema.type))) this.#named.set(name, schema as RawSchema)
    for (const part of Object.values(schema)) this.#learn(part)
  }

  write(schema: RawSchema, value: unknown): string {
    if (Array.isArray(schema)) {
      if (value === null) return 'null'
      const [[name, inside]] = Object.entries(value as object) as [[string, unknown]]
      return this.write((schema as readonly RawSchema[]).find((branch) => branchName(branch) === name)!, inside)
    }
    const parts = (typeof schema === 'string' ? { type: schema } : schema) as unknown as Parts
    const { type } = parts
    const known = this.#named.get(type)
    if (known !== undefined && typeof schema === 'string') return this.write(known, value)
    switch (type) {
      case 'record':
        return this.#record(parts.fields, value as { [key: string]: unknown })
      case 'map':
        return `{${Object.entries(value as object).map(([key, item]) => `${JSON.stringify(key)}:${this.write(parts.values, item)}`)}}`
      case 'array':
        return '[]'
      case 'long':
      case 'int':
        return this.#integer(BigInt(value as bigint), parts.logicalType)
      case 'bytes':
        return this.#decimal(value as Buffer, parts)
      case 'fixed':
        return '{}'
      case 'double':
      case 'float':
        return Number.isFinite(value) ? String(value) : 'NaN'
      default:
        return JSON.stringify(value)
    }
  }

  #record(fields: { name: string; type: RawSchema; aliases?: string[] }[], value: { [key: string]: unknown }): string {
    const names = new Set(fields.map(({ name }) => name))
    const members = fields.flatMap(({ name, type, aliases = [] }) => {
      const text = this.write(type, value[name])
      return [name, ...aliases.filter((alias) => !names.has(alias))].map((key) => `${JSON.stringify(key)}:${text}`)
    })
    return `{${members.join(',')}}`
  }

  /** A time by its type is written as a date, where dates can say it. */
  #integer(value: bigint, logical: string | undefined): string {
    if (logical === 'date') return '{}'
    if (logical === undefined) return String(value)
    const per = logical.endsWith('millis') ? 1n : logical.endsWith('micros') ? 1000n : 1_000_000n
    const isLocal = logical.startsWith('local-')
    if (value <= 0n) return '"1970-01-01T00:00:00.000Z"'
    const ms = value / per
    if (ms === 0n) return '"1970-01-01T00:00:00.000Z"'
    if (ms > 253_402_300_799_999n) return '9e40'
    return `"${new Date(Number(ms)).toISOString().slice(0, -1)}${isLocal ? zoneOf(this.#rules.time.zone.eastAt(Number(ms))) : 'Z'}"`
  }

  #decimal(value: Buffer, { logicalType, scale }: { logicalType?: string; scale?: number }): string {
    if (logicalType !== 'decimal' || value.length === 0 || value.length > 32) return '{}'
    const digits = BigInt.asIntN(value.length * 8, BigInt(`0x${value.toString('hex')}`))
    if (!scale) return String(digits)
    const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
    return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
  }
}

function zoneOf(ms: number): string {
  const minutes = Math.abs(ms) / 60_000
  const two = (value: number) => String(value).padStart(2, '0')
  return `${ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

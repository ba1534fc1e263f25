/** Avro's schemas, read from their JSON: a graph of types, in which a record may be a part of itself. */
import { SchemaFault } from './schema-fault.ts'
import type { WriterSchema } from './schemas.ts'

/** What stands for a type of Avro that holds no others. `logical` is the meaning it is given, '' for none. */
export interface AvroPrimitive {
  readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'
  readonly logical: string
  /** Of a decimal. */
  readonly scale: number
}

/** So many bytes. */
export interface AvroFixed {
  readonly kind: 'fixed'
  readonly size: number
  readonly logical: string
  readonly scale: number
}

/** One of a list of words. */
export interface AvroEnum {
  readonly kind: 'enum'
  readonly symbols: readonly string[]
}

/** An array, or a map, whose keys are texts. */
export interface AvroBlocks {
  readonly kind: 'array' | 'map'
  readonly items: AvroType
}

/** A value of one of several types. */
export interface AvroUnion {
  readonly kind: 'union'
  readonly branches: readonly AvroType[]
}

/** A part of a record. */
export interface AvroField {
  readonly name: string
  readonly aliases: readonly string[]
  readonly type: AvroType
}

/** Values under names, one after the other. */
export interface AvroRecord {
  readonly kind: 'record'
  /** With its namespace. */
  readonly name: string
  readonly fields: readonly AvroField[]
  /** How often the schema refers to it. */
  uses: number
  /** It can be a part of itself. */
  isRecursive: boolean
  /** See fixedSizeOf; undefined while it isn't known. */
  fixed: number | undefined
}

/** Any of the types. */
export type AvroType = AvroPrimitive | AvroFixed | AvroEnum | AvroBlocks | AvroUnion | AvroRecord

const PRIMITIVES: ReadonlySet<string> = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])
/** Deeper schemas are refused, and larger ones. */
const NESTING_MAX = 64
const TYPES_MAX = 5000
const TEXT_MAX = 4 * 1024 * 1024
const FIXED_MAX = 1 << 27
/** So many digits behind the point at most; a decimal of 32 bytes has no more. */
const SCALE_MAX = 77
/** What a logical type may be of; of others it means nothing. */
const LOGICAL: ReadonlyMap<string, readonly string[]> = new Map([
  ['date', ['int']],
  ['time-millis', ['int']],
  ['time-micros', ['long']],
  ['timestamp-millis', ['long']],
  ['timestamp-micros', ['long']],
  ['timestamp-nanos', ['long']],
  ['local-timestamp-millis', ['long']],
  ['local-timestamp-micros', ['long']],
  ['local-timestamp-nanos', ['long']],
  ['decimal', ['bytes', 'fixed']],
])

type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject
interface JsonObject {
  readonly [key: string]: Json
}

/** The type that a schema's text says; throws a SchemaFault for one that is none. */
export function avroSchema({ text, references }: WriterSchema): AvroType {
  const reader = new SchemaReader()
  for (const reference of references) reader.read(reference.text)
  const type = reader.read(text)
  for (const record of reader.records) record.isRecursive = isWithinItself(record)
  return type
}

/** Bytes of every value of a type, or -1 when they differ. */
export function fixedSizeOf(type: AvroType): number {
  switch (type.kind) {
    case 'null':
      return 0
    case 'boolean':
      return 1
    case 'float':
      return 4
    case 'double':
      return 8
    case 'fixed':
      return type.size
    case 'record':
      if (type.fixed === undefined) {
        type.fixed = -1 // of one that is a part of itself
        type.fixed = type.isRecursive ? -1 : sumOrVaries(type.fields.map((field) => fixedSizeOf(field.type)))
      }
      return type.fixed
    default:
      return -1
  }
}

function sumOrVaries(sizes: readonly number[]): number {
  const sum = sizes.reduce((total, size) => total + size, 0)
  // Beyond what an event may have, the parts are looked at one by one.
  return sizes.some((size) => size < 0) || sum > FIXED_MAX ? -1 : sum
}

/** Whether a record can be a part of itself. */
function isWithinItself(record: AvroRecord): boolean {
  const seen = new Set<AvroType>()
  const open: AvroType[] = [...partsOf(record)]
  for (let type = open.pop(); type !== undefined; type = open.pop()) {
    if (type === record) return true
    if (seen.has(type)) continue
    seen.add(type)
    open.push(...partsOf(type))
  }
  return false
}

function partsOf(type: AvroType): readonly AvroType[] {
  if (type.kind === 'record') return type.fields.map((field) => field.type)
  if (type.kind === 'union') return type.branches
  return type.kind === 'array' || type.kind === 'map' ? [type.items] : []
}

class SchemaReader {
  readonly records: AvroRecord[] = []
  readonly #named = new Map<string, AvroType>()
  /** What a union may have one of: the name of a type that has one, else its kind. */
  readonly #marks = new Map<AvroType, string>()
  /** How deep a type's values nest, but for those that are within themselves. */
  readonly #depths = new Map<AvroType, number>()
  #types = 0

  read(text: string): AvroType {
    return this.#type(parseJson(text), '', 0)
  }

  /** `namespace` is that of what is around. */
  #type(json: Json, namespace: string, depth: number): AvroType {
    const type = depth > NESTING_MAX ? undefined : this.#any(json, namespace, depth)
    const inside = type === undefined ? NESTING_MAX : Math.max(0, ...partsOf(type).map((part) => this.#depths.get(part) ?? 0))
    if (type === undefined || inside >= NESTING_MAX) throw new SchemaFault(`it is nested deeper than ${NESTING_MAX}`)
    this.#depths.set(type, inside + 1)
    return type
  }

  #any(json: Json, namespace: string, depth: number): AvroType {
    if (++this.#types > TYPES_MAX) throw new SchemaFault(`it has more than ${TYPES_MAX} types`)
    if (typeof json === 'string') return this.#byName(json, namespace)
    if (Array.isArray(json)) {
      const branches = json.map((branch) => this.#type(branch, namespace, depth + 1))
      if (branches.some(({ kind }) => kind === 'union')) throw new SchemaFault('a union is part of a union')
      if (branches.length === 0) throw new SchemaFault('a union has no branches')
      const marks = branches.map((branch) => this.#marks.get(branch) ?? branch.kind)
      const twice = marks.find((mark, i) => marks.indexOf(mark) < i)
      if (twice !== undefined) throw new SchemaFault(`a union has the branch ${twice} twice`)
      return { kind: 'union', branches }
    }
    if (!isObject(json)) throw new SchemaFault(`${JSON.stringify(json)} is no type`)
    const { type } = json
    if (type === 'record' || type === 'error') return this.#record(json, namespace, depth)
    if (type === 'enum') return this.#enum(json, namespace)
    if (type === 'fixed') return this.#fixed(json, namespace)
    if (type === 'array' || type === 'map') {
      return { kind: type, items: this.#type(type === 'array' ? json.items : json.values, namespace, depth + 1) }
    }
    if (typeof type === 'string' && PRIMITIVES.has(type)) return primitive(type, json)
    return this.#type(type, namespace, depth + 1)
  }

  #byName(name: string, namespace: string): AvroType {
    if (PRIMITIVES.has(name)) return primitive(name, {})
    const type = this.#named.get(fullName(name, namespace)) ?? this.#named.get(name)
    if (type === undefined) throw new SchemaFault(`the type ${name} is not defined`)
    if (type.kind === 'record') type.uses++
    return type
  }

  #record(json: JsonObject, namespace: string, depth: number): AvroRecord {
    const name = this.#nameOf(json, namespace)
    if (!Array.isArray(json.fields)) throw new SchemaFault(`the record ${name} has no fields`)
    const fields: AvroField[] = []
    const record: AvroRecord = { kind: 'record', name, fields, uses: 1, isRecursive: false, fixed: undefined }
    this.#define(name, record)
    this.records.push(record)
    const inside = name.slice(0, Math.max(0, name.lastIndexOf('.')))
    for (const field of json.fields) {
      if (!isObject(field) || typeof field.name !== 'string') throw new SchemaFault(`a field of the record ${name} has no name`)
      fields.push({ name: field.name, aliases: texts(field.aliases), type: this.#type(field.type, inside, depth + 1) })
    }
    return record
  }

  #enum(json: JsonObject, namespace: string): AvroEnum {
    const name = this.#nameOf(json, namespace)
    const symbols = texts(json.symbols)
    if (symbols.length === 0) throw new SchemaFault(`the enum ${name} has no symbols`)
    const type: AvroEnum = { kind: 'enum', symbols }
    this.#define(name, type)
    return type
  }

  #fixed(json: JsonObject, namespace: string): AvroFixed {
    const name = this.#nameOf(json, namespace)
    const { size } = json
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > FIXED_MAX) {
      throw new SchemaFault(`the fixed ${name} has ${typeof size === 'number' ? `the size ${size}` : 'a size that is no number'}`)
    }
    const type: AvroFixed = { kind: 'fixed', size, ...meaning('fixed', json) }
    this.#define(name, type)
    return type
  }

  #define(name: string, type: AvroType): void {
    this.#named.set(name, type)
    this.#marks.set(type, name)
  }

  #nameOf({ name, namespace: own }: JsonObject, namespace: string): string {
    if (typeof name !== 'string' || name === '') throw new SchemaFault('a record, enum or fixed has no name')
    return fullName(name, typeof own === 'string' ? own : namespace)
  }
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
}

function primitive(kind: string, json: JsonObject): AvroPrimitive {
  return { kind: kind as AvroPrimitive['kind'], ...meaning(kind, json) }
}

/** A logical type that is not as it should be means nothing, as Avro has it. */
function meaning(kind: string, { logicalType, scale: written }: JsonObject): { logical: string; scale: number } {
  const nothing = { logical: '', scale: 0 }
  if (typeof logicalType !== 'string' || LOGICAL.get(logicalType)?.includes(kind) !== true) return nothing
  if (logicalType !== 'decimal') return { logical: logicalType, scale: 0 }
  const scale = written ?? 0
  const isScale = typeof scale === 'number' && Number.isInteger(scale) && scale >= 0 && scale <= SCALE_MAX
  return isScale ? { logical: logicalType, scale } : nothing
}

function texts(json: Json): readonly string[] {
  return Array.isArray(json) ? json.filter((one) => typeof one === 'string') : []
}

function parseJson(text: string): Json {
  if (text.length > TEXT_MAX) throw new SchemaFault(`its text has more than ${TEXT_MAX} characters`)
  try {
    return JSON.parse(text) as Json
  } catch {
    // A schema of one word may be written without quotes.
    if (/^\w+$/.test(text.trim())) return text.trim()
    throw new SchemaFault('its text is not JSON')
  }
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

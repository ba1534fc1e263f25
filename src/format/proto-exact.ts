/**
 * The parser that defines what a Protobuf value is to the engine: reads it from the first byte to the last, then looks at field after
 * field. Slow and plain. What it takes and what it refuses:
 *
 *   numbers    varints of at most ten bytes; bits beyond those of the type are not looked at
 *   fields     of another kind on the wire than the schema says are passed over, as unknown ones are
 *   again      of a field that comes twice, and of a oneof, the last value counts; a message that comes twice is put together
 *   missing    a field that isn't written is not there; but an enum or bool that has no presence is 0 then, for that is never written
 *   text       of a field it must be UTF-8 where the event needs it
 *   groups     are passed over, to a depth of GROUPS_MAX
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../config/limits.ts'
import { FieldChecks, type TypedValue } from './event-check.ts'
import { type EventRules, FIELD_TIME } from './event-rules.ts'
import { fieldTree, type TreeKey, type TreeNode } from './field-tree.ts'
import { FoundValues } from './found-values.ts'
import { keyOfField, type ProtoValue, valueInMap, valueOfField, WIRE, wireOf, wrappedIn } from './proto-fields.ts'
import type { ProtoField, ProtoMessage } from './proto-schema.ts'
import { REASON } from './reasons.ts'
import { type EventSlot, SLOT_TOLERATED } from './slot.ts'

const GROUPS_MAX = 32
const OTHER: TypedValue = { kind: 'object', text: '', fault: REASON.VALID }
const NO_NUMBER: TypedValue = { kind: 'not finite', text: '', fault: REASON.VALID }
const EMPTY: TypedValue = { kind: 'text', text: '', fault: REASON.VALID }

/** A message that is one value: a timestamp's parts, or what is wrapped. */
interface Whole {
  seconds: bigint
  nanos: bigint
  value: TypedValue | undefined
}

export class ExactProto {
  /** More words to the reason that was returned last. */
  detail: string | undefined
  readonly #message: ProtoMessage
  readonly #rules: EventRules
  readonly #root: TreeNode
  readonly #found: FoundValues
  readonly #checks: FieldChecks
  /** Keys that have been met. */
  readonly #met = new Set<TreeKey>()
  #bytes: Uint8Array = new Uint8Array()
  #view: DataView = new DataView(new ArrayBuffer(0))
  #start = 0
  #at = 0
  /** What messages that are one value have been put together to. */
  readonly #wholes = new Map<TreeKey, Whole>()

  constructor(message: ProtoMessage, rules: EventRules) {
    this.#message = message
    this.#rules = rules
    this.#root = fieldTree(rules.places, rules.emptyAt).root
    this.#found = new FoundValues(this.#root)
    this.#checks = new FieldChecks(rules)
  }

  /** VALID with the event in the slot and its product in slot.product, IGNORED, or why bytes[start, end) is none. */
  parse(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
    this.detail = undefined
    slot.ints[SLOT_TOLERATED] = 0
    if (end - start > LIMITS.eventMaxBytes) return REASON.TOO_LARGE
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#start = start
    this.#at = start
    this.#found.begin()
    this.#met.clear()
    this.#wholes.clear()
    if (!this.#walk(this.#message, this.#root, end)) return REASON.NOT_PROTOBUF
    this.#fill(this.#message, this.#root)
    this.#found.choose()
    return this.#found.isEmpty ? this.#rules.empty : this.#checks.checkEvent(this.#found.values, slot)
  }

  #fault(what: string): false {
    this.detail = `at byte ${this.#at - this.#start}: ${what}`
    return false
  }

  /** Over the fields of a message, up to `end`. */
  #walk(message: ProtoMessage, node: TreeNode, end: number): boolean {
    while (this.#at < end) {
      const tag = this.#varint(end)
      if (tag === undefined) return false
      const id = Number(BigInt.asUintN(32, tag) >> 3n)
      const wire = Number(tag & 7n)
      if (id === 0) return this.#fault('a field has the number 0')
      const field = message.fields.find((one) => one.id === id)
      const key = field && keyOfField(field, node)
      const isIt = field !== undefined && (field.isRepeated || wire === wireOf(field))
      if (isIt && field.oneof !== '') this.#clearOthers(message, field, node)
      if (!(isIt && key !== undefined ? this.#member(field, key, wire, end) : this.#skip(wire, id, end, 0))) return false
    }
    return true
  }

  /** Of a oneof the last one counts. */
  #clearOthers(message: ProtoMessage, field: ProtoField, node: TreeNode): void {
    for (const other of message.fields) {
      const key = other.oneof === field.oneof && other !== field ? keyOfField(other, node) : undefined
      if (key === undefined) continue
      this.#found.meet(key)
      for (const one of [key, ...key.below]) {
        this.#met.delete(one)
        this.#wholes.delete(one)
      }
    }
  }

  #member(field: ProtoField, key: TreeKey, wire: number, end: number): boolean {
    const found = this.#found
    if (field.isRepeated) {
      found.put(key, OTHER)
      return this.#skip(wire, field.id, end, 0)
    }
    this.#met.add(key)
    if (field.isMap || (field.message !== undefined && key.inside !== undefined)) {
      found.put(key, OTHER)
      return this.#within(end, (inside) =>
        field.isMap ? this.#entry(field, key, inside) : this.#walk(field.message!, key.inside!, inside),
      )
    }
    const value = field.message === undefined ? this.#scalar(field, valueOfField(field), end) : this.#whole(field, key, end)
    if (value !== undefined) found.put(key, value)
    return value !== undefined
  }

  /** A message that is one value. */
  #whole(field: ProtoField, key: TreeKey, end: number): TypedValue | undefined {
    const wrapped = wrappedIn(field.message)
    const isTime = key.field === FIELD_TIME && valueOfField(field) === 'timestamp'
    if (wrapped === undefined && !isTime) return this.#skip(WIRE.bytes, field.id, end, 0) ? OTHER : undefined
    const whole = this.#wholes.get(key) ?? { seconds: 0n, nanos: 0n, value: wrapped && defaultOf(wrapped) }
    this.#wholes.set(key, whole)
    const isRead = this.#within(end, (inside) => {
      while (this.#at < inside) if (!this.#part(whole, wrapped, inside)) return false
      return true
    })
    if (!isRead) return undefined
    return isTime ? timestamp(whole) : whole.value
  }

  /** A field of such a message. */
  #part(whole: Whole, wrapped: ProtoField | undefined, end: number): boolean {
    const tag = this.#varint(end)
    if (tag === undefined) return false
    const id = Number(BigInt.asUintN(32, tag) >> 3n)
    const wire = Number(tag & 7n)
    if (id === 0) return this.#fault('a field has the number 0')
    if (wrapped !== undefined) {
      if (id !== 1 || wire !== wireOf(wrapped)) return this.#skip(wire, id, end, 0)
      whole.value = this.#scalar(wrapped, valueOfField(wrapped), end)
      return whole.value !== undefined
    }
    if (wire !== WIRE.varint || id > 2) return this.#skip(wire, id, end, 0)
    const part = this.#varint(end)
    if (part === undefined) return false
    if (id === 1) whole.seconds = BigInt.asIntN(64, part)
    else whole.nanos = BigInt.asIntN(32, part)
    return true
  }

  /** An entry of a map: a text, and a value. */
  #entry(field: ProtoField, { inside }: TreeKey, end: number): boolean {
    let name = ''
    let value = defaultOf(field)
    const wire = wireOf({ ...field, isMap: false })
    while (this.#at < end) {
      const tag = this.#varint(end)
      if (tag === undefined) return false
      const id = Number(BigInt.asUintN(32, tag) >> 3n)
      if (id === 0) return this.#fault('a field has the number 0')
      if (id === 1 && Number(tag & 7n) === WIRE.bytes) {
        const text = this.#scalar(field, 'string', end)
        if (text === undefined) return false
        name = text.fault === REASON.VALID ? text.text : '\uFFFD'
      } else if (id === 2 && Number(tag & 7n) === wire) {
        const read = this.#scalar(field, valueInMap(field), end)
        if (read === undefined) return false
        value = read
      } else if (!this.#skip(Number(tag & 7n), id, end, 0)) return false
    }
    const key = inside?.keys.find(({ text }) => text === name)
    if (key !== undefined) {
      this.#found.meet(key)
      this.#found.put(key, value)
    }
    return true
  }

  /** Reads a length, and then so many bytes by `read`. */
  #within(end: number, read: (inside: number) => boolean): boolean {
    const length = this.#length(end)
    return length >= 0 && read(this.#at + length)
  }

  /** What is known of fields that were not written. */
  #fill(message: ProtoMessage, node: TreeNode): void {
    for (const field of message.fields) {
      const key = keyOfField(field, node)
      if (key === undefined || field.isRepeated) continue
      if (this.#met.has(key)) {
        if (field.message !== undefined && !field.isMap && key.inside !== undefined) this.#fill(field.message, key.inside)
      } else if (field.hasPresence) this.#found.putNull(key)
      else if (!field.isMap && (field.type === 'enum' || field.type === 'bool')) this.#found.put(key, defaultOf(field))
    }
  }

  #scalar(field: ProtoField, value: ProtoValue, end: number): TypedValue | undefined {
    switch (value) {
      case 'string': {
        const length = this.#length(end)
        if (length < 0) return undefined
        const text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, length)
        this.#at += length
        const wellFormed = isUtf8(text)
        return { kind: 'text', text: text.toString(wellFormed ? 'utf8' : 'latin1'), fault: wellFormed ? REASON.VALID : REASON.NOT_UTF8 }
      }
      case 'float':
      case 'double':
      case 'fixed32':
      case 'sfixed32':
      case 'fixed64':
      case 'sfixed64':
        return this.#fixed(value, end)
      case 'none':
      case 'bytes':
      case 'timestamp':
        return this.#skip(WIRE.bytes, field.id, end, 0) ? OTHER : undefined
      default: {
        const raw = this.#varint(end)
        return raw === undefined ? undefined : integer(raw, value, field)
      }
    }
  }

  #fixed(type: 'float' | 'double' | 'fixed32' | 'sfixed32' | 'fixed64' | 'sfixed64', end: number): TypedValue | undefined {
    const size = type.endsWith('64') || type === 'double' ? 8 : 4
    const at = this.#at
    if (size > end - at) {
      this.#fault(`${size} bytes run past the end`)
      return undefined
    }
    this.#at += size
    if (type === 'float' || type === 'double') {
      const value = type === 'float' ? this.#view.getFloat32(at, true) : this.#view.getFloat64(at, true)
      return Number.isFinite(value) ? number(String(value)) : NO_NUMBER
    }
    const bits = size === 8 ? this.#view.getBigUint64(at, true) : BigInt(this.#view.getUint32(at, true))
    return number(String(type.startsWith('s') ? BigInt.asIntN(size * 8, bits) : bits))
  }

  /** Over a value that nobody reads. */
  #skip(wire: number, id: number, end: number, depth: number): boolean {
    switch (wire) {
      case WIRE.varint:
        return this.#varint(end) !== undefined
      case WIRE.fixed64:
      case WIRE.fixed32: {
        const size = wire === WIRE.fixed64 ? 8 : 4
        if (size > end - this.#at) return this.#fault(`${size} bytes run past the end`)
        this.#at += size
        return true
      }
      case WIRE.bytes: {
        const length = this.#length(end)
        this.#at += Math.max(0, length)
        return length >= 0
      }
      case WIRE.group:
        return this.#group(id, end, depth)
      default:
        return this.#fault(`the field ${id} is of the kind ${wire}, which there is not here`)
    }
  }

  #group(id: number, end: number, depth: number): boolean {
    if (depth >= GROUPS_MAX) return this.#fault(`groups are within groups more than ${GROUPS_MAX} times`)
    for (;;) {
      const tag = this.#varint(end)
      if (tag === undefined) return false
      const own = Number(BigInt.asUintN(32, tag) >> 3n)
      const wire = Number(tag & 7n)
      if (own === 0) return this.#fault('a field has the number 0')
      if (wire === WIRE.groupEnd) return own === id || this.#fault(`the group ${id} ends as ${own}`)
      if (!this.#skip(wire, own, end, depth + 1)) return false
    }
  }

  /** The length of what follows and is there, or -1. */
  #length(end: number): number {
    const length = this.#varint(end)
    if (length === undefined) return -1
    if (length <= BigInt(end - this.#at)) return Number(length)
    this.#fault(`a length of ${length} runs past the end`)
    return -1
  }

  #varint(end: number): bigint | undefined {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= end) {
        this.#fault('it is cut off within a number')
        return undefined
      }
      const byte = this.#bytes[this.#at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    this.#fault('a number has too many bytes')
    return undefined
  }
}

function number(text: string): TypedValue {
  return { kind: 'number', text, fault: REASON.VALID }
}

function integer(raw: bigint, type: ProtoValue, { symbols }: ProtoField): TypedValue {
  switch (type) {
    case 'bool':
      return { kind: 'boolean', text: String(raw !== 0n), fault: REASON.VALID }
    case 'enum': {
      const value = Number(BigInt.asIntN(32, raw))
      const text = symbols.get(value)
      return text === undefined ? number(String(value)) : { kind: 'text', text, fault: REASON.VALID }
    }
    case 'uint32':
      return number(String(BigInt.asUintN(32, raw)))
    case 'int32':
      return number(String(BigInt.asIntN(32, raw)))
    case 'int64':
      return number(String(BigInt.asIntN(64, raw)))
    case 'sint32': {
      const bits = BigInt.asUintN(32, raw)
      return number(String((bits >> 1n) ^ -(bits & 1n)))
    }
    case 'sint64':
      return number(String((raw >> 1n) ^ -(raw & 1n)))
    default:
      return number(String(raw))
  }
}

/** What a value is that is not written where one is. */
function defaultOf({ type, symbols }: ProtoField): TypedValue {
  if (type === 'string') return EMPTY
  if (type === 'bool') return { kind: 'boolean', text: 'false', fault: REASON.VALID }
  const symbol = symbols.get(0)
  if (type === 'enum' && symbol !== undefined) return { kind: 'text', text: symbol, fault: REASON.VALID }
  return type === 'bytes' || type === 'message' ? OTHER : number('0')
}

function timestamp({ seconds, nanos }: Whole): TypedValue {
  if (nanos < 0n || nanos > 999_999_999n) return OTHER
  return { ...number(`${seconds}.${String(nanos).padStart(9, '0')}`), unit: 's' }
}

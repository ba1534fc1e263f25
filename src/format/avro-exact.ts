/**
 * The parser that defines what an Avro value is to the engine: reads it from the first byte to the last, by its schema, then looks at field
 * after field. Slow and plain. What it takes and what it refuses:
 *
 *   long, int   varints of at most 10 and 5 bytes, that need not be the shortest
 *   boolean     a byte; 0 is false, any other true
 *   text        of a field it must be UTF-8 where the event needs it; of others nobody looks
 *   blocks      of arrays and maps; the size that a negative count is followed by is passed over; of keys that come twice the last counts
 *   records     that are a part of themselves, to a depth of RECURSION_MAX
 *   end         where the value does; bytes behind it are a fault
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../config/limits.ts'
import { isDecimal, isTimeOfDay, keysOf, timestampUnit } from './avro-fields.ts'
import { type AvroBlocks, type AvroRecord, type AvroType, fixedSizeOf } from './avro-schema.ts'
import { FieldChecks, type TypedValue } from './event-check.ts'
import type { EventRules } from './event-rules.ts'
import { fieldTree, type TreeKey, type TreeNode } from './field-tree.ts'
import { FoundValues } from './found-values.ts'
import { REASON } from './reasons.ts'
import { type EventSlot, SLOT_TOLERATED } from './slot.ts'

/** A record may be within itself so often. */
export const RECURSION_MAX = 32

const OTHER: TypedValue = { kind: 'object', text: '', fault: REASON.VALID }
const NO_NUMBER: TypedValue = { kind: 'not finite', text: '', fault: REASON.VALID }

export class ExactAvro {
  /** More words to the reason that was returned last. */
  detail: string | undefined
  readonly #type: AvroType
  readonly #rules: EventRules
  readonly #root: TreeNode
  readonly #found: FoundValues
  readonly #checks: FieldChecks
  readonly #keys = new Map<TreeNode, Map<AvroRecord, readonly (TreeKey | undefined)[]>>()
  #bytes: Uint8Array = new Uint8Array()
  #view: DataView = new DataView(new ArrayBuffer(0))
  #start = 0
  #at = 0
  #end = 0
  #depth = 0

  constructor(type: AvroType, rules: EventRules) {
    this.#type = type
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
    this.#end = end
    this.#depth = 0
    this.#found.begin()
    if (!this.#walk(this.#type, this.#root)) return REASON.NOT_AVRO
    if (this.#at !== end) {
      this.#fault(`${end - this.#at} bytes lie behind the value`)
      return REASON.NOT_AVRO
    }
    this.#found.choose()
    return this.#found.isEmpty ? this.#rules.empty : this.#checks.checkEvent(this.#found.values, slot)
  }

  #fault(what: string): false {
    this.detail = `at byte ${this.#at - this.#start}: ${what}`
    return false
  }

  /** Over a value; `node` says what to look for in it. */
  #walk(type: AvroType, node: TreeNode | undefined): boolean {
    switch (type.kind) {
      case 'record':
        return this.#record(type, node)
      case 'array':
      case 'map':
        return this.#blocks(type, node)
      case 'union': {
        const branch = this.#branch(type.branches)
        return branch !== undefined && this.#walk(branch, node)
      }
      default:
        return this.#scalar(type) !== undefined
    }
  }

  /** Over the value of a key on the way. */
  #member(key: TreeKey, type: AvroType): boolean {
    if (type.kind === 'union') {
      const branch = this.#branch(type.branches)
      return branch !== undefined && this.#member(key, branch)
    }
    if (type.kind === 'null') {
      this.#found.putNull(key)
      return true
    }
    if (type.kind === 'record' || type.kind === 'map' || type.kind === 'array') {
      this.#found.put(key, OTHER)
      return this.#walk(type, key.inside)
    }
    const value = this.#scalar(type)
    if (value === undefined) return false
    this.#found.put(key, value)
    return true
  }

  #record(type: AvroRecord, node: TreeNode | undefined): boolean {
    const deeper = type.isRecursive ? 1 : 0
    if (this.#depth + deeper > RECURSION_MAX) return this.#fault(`${type.name} is within itself more than ${RECURSION_MAX} times`)
    this.#depth += deeper
    const keys = node === undefined ? undefined : this.#keysOf(type, node)
    for (let i = 0; i < type.fields.length; i++) {
      const key = keys?.[i]
      const field = type.fields[i]!
      if (key !== undefined) this.#found.meet(key)
      if (!(key === undefined ? this.#walk(field.type, undefined) : this.#member(key, field.type))) return false
    }
    this.#depth -= deeper
    return true
  }

  #keysOf(type: AvroRecord, node: TreeNode): readonly (TreeKey | undefined)[] {
    const ofNode = this.#keys.get(node) ?? new Map<AvroRecord, readonly (TreeKey | undefined)[]>()
    this.#keys.set(node, ofNode)
    const keys = ofNode.get(type) ?? keysOf(type, node)
    ofNode.set(type, keys)
    return keys
  }

  #blocks({ kind, items }: AvroBlocks, node: TreeNode | undefined): boolean {
    const size = fixedSizeOf(items)
    for (;;) {
      let count = this.#long(10)
      if (count === undefined) return false
      if (count === 0n) return true
      if (count < 0n) {
        count = -count
        if (this.#long(10) === undefined) return false
      }
      // Items without bytes may be any number; of others each takes one at least.
      if (kind === 'array' && size === 0) continue
      if (count > BigInt(this.#end - this.#at)) return this.#fault(`${count} items run past the end`)
      for (let left = Number(count); left > 0; left--) if (!this.#item(kind, items, node)) return false
    }
  }

  #item(kind: AvroBlocks['kind'], items: AvroType, node: TreeNode | undefined): boolean {
    if (kind === 'array') return this.#walk(items, undefined)
    const length = this.#length()
    if (length < 0) return false
    const at = this.#at
    this.#at += length
    const key = node?.find(this.#bytes, at, length)
    if (key === undefined) return this.#walk(items, undefined)
    this.#found.meet(key)
    return this.#member(key, items)
  }

  #branch(branches: readonly AvroType[]): AvroType | undefined {
    const index = this.#long(5)
    if (index === undefined) return undefined
    const branch = index < 0n ? undefined : branches[Number(index)]
    if (branch === undefined) this.#fault(`a union of ${branches.length} has no branch ${index}`)
    return branch
  }

  /** Any value that holds no others. */
  #scalar(type: AvroType): TypedValue | undefined {
    switch (type.kind) {
      case 'null':
        return OTHER
      case 'boolean': {
        const at = this.#take(1)
        return at < 0 ? undefined : { kind: 'boolean', text: String(this.#bytes[at] !== 0), fault: REASON.VALID }
      }
      case 'int':
      case 'long': {
        const value = this.#long(type.kind === 'int' ? 5 : 10)
        if (value === undefined) return undefined
        if (isTimeOfDay(type)) return OTHER
        return { kind: 'number', text: String(value), fault: REASON.VALID, ...timestampOf(type.logical) }
      }
      case 'float':
      case 'double': {
        const at = this.#take(type.kind === 'float' ? 4 : 8)
        if (at < 0) return undefined
        const value = type.kind === 'float' ? this.#view.getFloat32(at, true) : this.#view.getFloat64(at, true)
        return Number.isFinite(value) ? { kind: 'number', text: String(value), fault: REASON.VALID } : NO_NUMBER
      }
      case 'enum':
        return this.#symbol(type.symbols)
      case 'fixed': {
        const at = this.#take(type.size)
        return at < 0 ? undefined : this.#bytesValue(type, at, type.size)
      }
      case 'bytes': {
        const length = this.#length()
        if (length < 0) return undefined
        this.#at += length
        return this.#bytesValue(type, this.#at - length, length)
      }
      case 'string':
        return this.#text()
      default:
        return undefined
    }
  }

  #text(): TypedValue | undefined {
    const length = this.#length()
    if (length < 0) return undefined
    const text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, length)
    this.#at += length
    const wellFormed = isUtf8(text)
    return { kind: 'text', text: text.toString(wellFormed ? 'utf8' : 'latin1'), fault: wellFormed ? REASON.VALID : REASON.NOT_UTF8 }
  }

  #symbol(symbols: readonly string[]): TypedValue | undefined {
    const index = this.#long(5)
    if (index === undefined) return undefined
    const text = index < 0n ? undefined : symbols[Number(index)]
    if (text !== undefined) return { kind: 'text', text, fault: REASON.VALID }
    this.#fault(`an enum of ${symbols.length} has no symbol ${index}`)
    return undefined
  }

  #bytesValue(type: AvroType, at: number, length: number): TypedValue {
    if (!isDecimal(type) || length === 0) return OTHER
    let value = BigInt.asIntN(8, BigInt(this.#bytes[at]!))
    for (let i = 1; i < length && i < DECIMAL_BYTES_MAX; i++) value = value * 256n + BigInt(this.#bytes[at + i]!)
    if (length > DECIMAL_BYTES_MAX) return OTHER
    const digits = String(value < 0n ? -value : value).padStart(type.scale + 1, '0')
    const point = digits.length - type.scale
    const text = type.scale > 0 ? `${digits.slice(0, point)}.${digits.slice(point)}` : digits
    return { kind: 'number', text: value < 0n ? `-${text}` : text, fault: REASON.VALID }
  }

  /** Where so many bytes begin, which it steps over; -1 when they are not there. */
  #take(size: number): number {
    const at = this.#at
    if (size > this.#end - at) {
      this.#fault(`${size} bytes run past the end`)
      return -1
    }
    this.#at += size
    return at
  }

  /** The length of a text or of bytes that follow and are there, or -1. */
  #length(): number {
    const length = this.#long(10)
    if (length === undefined) return -1
    if (length >= 0n && length <= BigInt(this.#end - this.#at)) return Number(length)
    this.#fault(`a text or bytes of length ${length} run past the end`)
    return -1
  }

  /** A varint of at most so many bytes, within 32 bits when these are 5, else within 64. */
  #long(sizeMax: 5 | 10): bigint | undefined {
    let raw = 0n
    for (let size = 0; size < sizeMax; size++) {
      if (this.#at >= this.#end) {
        this.#fault('the value is cut off within a number')
        return undefined
      }
      const byte = this.#bytes[this.#at++]!
      raw |= BigInt(byte & 127) << BigInt(7 * size)
      if (byte > 127) continue
      if (raw >> (sizeMax === 5 ? 32n : 64n) !== 0n) break
      return (raw >> 1n) ^ -(raw & 1n)
    }
    this.#fault('a number has too many bytes')
    return undefined
  }
}

/** A decimal of more is no id and no time. */
const DECIMAL_BYTES_MAX = 32

function timestampOf(logical: string): Pick<TypedValue, 'unit' | 'isLocal'> {
  const unit = timestampUnit(logical)
  return unit === undefined ? {} : { unit, isLocal: logical.startsWith('local-') }
}

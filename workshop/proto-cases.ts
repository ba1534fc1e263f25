/** Makes up .proto files whose messages hold events, and values of them, for the tests that all parsers mean the same. */
import type { TreeNode } from '../src/format/field-tree.ts'
import { Random } from '../src/load/random.ts'
import { AvroCases } from './avro-cases.ts'

const SCALARS = ['int32', 'int64', 'uint32', 'uint64', 'sint32', 'sint64', 'fixed32', 'fixed64', 'sfixed32', 'sfixed64'] as const
const FLOATS = ['float', 'double'] as const
const TIME = 1_700_000_000_000
const TEXTS: { readonly [field: number]: readonly string[] } = {
  0: ['impression', 'click', 'Click', 'view', 'purchase', ''],
  1: ['p-0001', 'p-000123', '0123456789abcdef', 'seventeen-bytes-7', '日本語', ''],
  2: ['u-1', ''],
  3: ['2024-11-28T13:20:00.123+02:00', '1700000000123', '1700000000.5', 'never'],
}

/** A field as the generator of values knows it. */
export interface MadeField {
  readonly name: string
  readonly id: number
  readonly type: string
  readonly hint: number
  readonly isRepeated: boolean
  readonly isMap: boolean
  /** Keys of a map that mean something. */
  readonly keys: readonly string[]
  readonly inside: MadeMessage | undefined
}

export interface MadeMessage {
  readonly name: string
  readonly text: string
  readonly fields: readonly MadeField[]
}

export class ProtoCases {
  readonly #random: Random
  readonly #damage: AvroCases
  #named = 0

  constructor(seed: number) {
    this.#random = new Random(seed)
    this.#damage = new AvroCases(seed)
  }

  /** A file with one message at its top. */
  file(root: TreeNode): { readonly text: string; readonly message: MadeMessage } {
    const message = this.#message(root, 0)
    const imports = ['timestamp', 'wrappers'].map((name) => `import "google/protobuf/${name}.proto";`).join('\n')
    return {
      text: `syntax = "proto3";\npackage shop.v1;\n${imports}\nenum Kind { OTHER = 0; IMPRESSION = 1; CLICK = 2; }\n${message.text}`,
      message,
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)]!
  }

  #message(node: TreeNode | undefined, depth: number): MadeMessage {
    const random = this.#random
    const name = `M${this.#named++}`
    const fields: MadeField[] = []
    const lines: string[] = []
    let id = 0
    const add = (field: Omit<MadeField, 'id'>, label = '') => {
      id += 1 + random.below(random.chance(0.1) ? 300 : 3)
      fields.push({ ...field, id })
      const type = field.isMap ? `map<string, ${field.type}>` : field.type
      lines.push(`  ${field.isRepeated ? 'repeated ' : label}${type} ${field.name} = ${id};`)
    }
    const plain = { hint: -1, isRepeated: false, isMap: false, keys: [], inside: undefined }
    const junk = () => {
      while (random.chance(0.4)) {
        const type = this.#pick([...SCALARS, ...FLOATS, 'bool', 'string', 'bytes', 'Kind'])
        add({ ...plain, name: `f${this.#named++}`, type, isRepeated: random.chance(0.2) })
      }
    }
    const nested: string[] = []
    junk()
    for (const key of node?.keys ?? []) {
      if (random.chance(0.05)) continue
      const label = random.chance(0.4) ? 'optional ' : ''
      if (key.inside !== undefined) {
        const isMap = random.chance(0.25)
        const inside = isMap ? undefined : this.#message(key.inside, depth + 1)
        if (inside !== undefined) nested.push(inside.text)
        const type = inside?.name ?? this.#pick(['string', 'string', 'int64', 'Kind'])
        add({ ...plain, name: key.text, type, isMap, keys: key.inside.keys.map(({ text }) => text), inside, hint: -1 })
      } else add({ ...plain, name: key.text, type: this.#leaf(key.field), hint: key.field, isRepeated: random.chance(0.03) }, label)
      junk()
    }
    return { name, fields, text: `message ${name} {\n${nested.join('\n')}\n${lines.join('\n')}\n}` }
  }

  #leaf(field: number): string {
    const random = this.#random
    if (random.chance(0.05)) return this.#pick(['bytes', 'bool', 'float', 'google.protobuf.BytesValue'])
    if (field === 0) return this.#pick(['string', 'string', 'Kind', 'Kind', 'bool', 'int32', 'google.protobuf.StringValue'])
    if (field === 1)
      return this.#pick(['string', 'string', 'string', ...SCALARS, 'Kind', 'google.protobuf.StringValue', 'google.protobuf.Int64Value'])
    if (field === 3)
      return this.#pick([
        'google.protobuf.Timestamp',
        'google.protobuf.Timestamp',
        'int64',
        'int64',
        'uint64',
        'double',
        'string',
        'sint64',
        'uint32',
        'fixed64',
      ])
    return 'string'
  }

  /** The bytes of a value. */
  value({ fields }: MadeMessage): Uint8Array {
    const random = this.#random
    const own = random.chance(0.1) ? fields.toReversed() : fields
    const parts = own.flatMap((field): number[] => {
      if (random.chance(0.05)) return []
      const times = field.isRepeated ? random.below(3) : field.isMap ? random.below(4) : random.chance(0.02) && !isMessage(field) ? 2 : 1
      return Array.from({ length: times }, () => (field.isMap ? this.#entry(field) : this.#field(field.id, field))).flat()
    })
    return Uint8Array.from(parts)
  }

  #entry(field: MadeField): number[] {
    const key = Buffer.from(this.#random.chance(0.8) && field.keys.length > 0 ? this.#pick(field.keys) : this.#pick(['x', 'other', '']))
    const hint = Math.max(0, ['kind', 'product_id', '', 'ts'].indexOf(key.toString()))
    const value = this.#field(2, { ...field, hint })
    return bytesField(field.id, [...bytesField(1, [...key]), ...(this.#random.chance(0.95) ? value : [])])
  }

  #field(id: number, { type, hint, inside }: MadeField): number[] {
    const random = this.#random
    if (inside !== undefined) return bytesField(id, [...this.value(inside)])
    switch (type) {
      case 'google.protobuf.Timestamp': {
        const seconds = [8, ...varint(BigInt(TIME / 1000 + random.below(1e6)))]
        const nanos = random.chance(0.8) ? [16, ...varint(BigInt(random.below(1e9)))] : []
        return bytesField(id, random.chance(0.05) ? [...nanos, ...seconds] : [...seconds, ...nanos])
      }
      case 'string':
      case 'bytes':
        return bytesField(id, [...Buffer.from(this.#pick(TEXTS[hint] ?? ['some text', 'x'.repeat(200), '']))])
      case 'google.protobuf.StringValue':
        return bytesField(id, random.chance(0.9) ? bytesField(1, [...Buffer.from(this.#pick(TEXTS[hint] ?? ['a']))]) : [])
      case 'google.protobuf.BytesValue':
        return bytesField(id, [])
      case 'google.protobuf.Int64Value':
        return bytesField(id, [8, ...varint(BigInt(random.below(1e9)))])
      case 'bool':
      case 'Kind':
        return [...tag(id, 0), ...varint(BigInt(random.chance(0.05) ? random.below(300) : random.below(3)))]
      case 'double':
      case 'float': {
        const view = new DataView(new ArrayBuffer(type === 'float' ? 4 : 8))
        if (type === 'float') view.setFloat32(0, random.below(1000) / 3, true)
        else view.setFloat64(0, this.#pick([TIME, TIME / 1000 + 0.25, TIME + 0.5, Number.NaN, -1, 0]), true)
        return [...tag(id, type === 'float' ? 5 : 1), ...new Uint8Array(view.buffer)]
      }
      default:
        return this.#integer(id, type, hint)
    }
  }

  #integer(id: number, type: string, hint: number): number[] {
    const random = this.#random
    const isTime = hint === 3
    const wide = isTime
      ? BigInt(TIME)
      : this.#pick([0n, 1n, -1n, 127n, 128n, -129n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)])
    const narrow = isTime ? BigInt(TIME / 1000) : BigInt(random.chance(0.5) ? random.below(1e6) : random.next() | 0)
    const value = type.endsWith('64') ? wide + BigInt(random.below(1e6)) : narrow
    const bits = BigInt.asUintN(64, type.startsWith('sint') ? (value < 0n ? -value * 2n - 1n : value * 2n) : value)
    if (!type.includes('fixed')) return [...tag(id, 0), ...varint(type === 'uint32' || type === 'sint32' ? BigInt.asUintN(32, bits) : bits)]
    const size = type.endsWith('64') ? 8 : 4
    return [...tag(id, size === 8 ? 1 : 5), ...Array.from({ length: size }, (_, i) => Number((bits >> BigInt(8 * i)) & 255n))]
  }

  /** A damaged copy. */
  damaged(bytes: Uint8Array): Uint8Array {
    return this.#damage.damaged(bytes)
  }
}

/** Of which protobufjs takes the last one, where they are to be put together. */
function isMessage({ type, inside }: MadeField): boolean {
  return inside !== undefined || type.startsWith('google.')
}

function tag(id: number, wire: number): number[] {
  return varint(BigInt(id * 8 + wire))
}

function bytesField(id: number, bytes: readonly number[]): number[] {
  return [...tag(id, 2), ...varint(BigInt(bytes.length)), ...bytes]
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

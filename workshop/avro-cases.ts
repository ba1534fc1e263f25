/** Makes up Avro schemas that hold events, and values of them, for the tests that all parsers mean the same. */
import type { TreeNode } from '../src/format/field-tree.ts'
import { Random } from '../src/load/random.ts'

/** A schema as its JSON, and a value as avsc has them with wrapped unions and longs as BigInt. */
export type RawSchema = string | readonly RawSchema[] | { readonly [key: string]: unknown }

const TIME_FROM = 1_700_000_000_000
const WORDS = ['impression', 'click', 'Click', 'VIEW', 'purchase', '', 'ünïcode', 'impression\\', 'Clicks', 'a', '1', '0', 'true']
const PRODUCTS = [
  'p-0001',
  'x',
  '',
  'ein sehr langes Produkt mit Umlauten äöü',
  'p-0123456789',
  'sixteen-bytes-16',
  'seventeen-bytes-7',
  '日本語',
]
const TIMES = [
  '2024-11-28T13:20:00.123+02:00',
  '2024-11-28 13:20:00',
  '1700000000',
  '1700000000123',
  '1700000000.5',
  'never',
  '',
  '0',
  '-5',
]
const LONGS = [
  0n,
  1n,
  -1n,
  63n,
  64n,
  -64n,
  -65n,
  9_007_199_254_740_993n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  99_999_999n,
  100_000_000n,
  10n ** 16n,
]

export class AvroCases {
  readonly #random: Random
  #named = 0
  /** Named types of the schema at hand. */
  #types = new Map<string, RawSchema>()

  constructor(seed: number) {
    this.#random = new Random(seed)
  }

  /** A record in which most of what the tree names is there. */
  schema(root: TreeNode): RawSchema {
    this.#types = new Map()
    return this.#record(root, 0)
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)]!
  }

  #name(kind: string): string {
    return `${kind}${this.#named++}`
  }

  #record(node: TreeNode | undefined, depth: number): RawSchema {
    const name = this.#name('R')
    const fields: { name: string; type: RawSchema; aliases?: string[] }[] = []
    const junk = () => {
      while (this.#random.chance(depth > 2 ? 0.1 : 0.35)) fields.push({ name: this.#name('f'), type: this.#junk(depth + 1, name) })
    }
    junk()
    for (const key of node?.keys ?? []) {
      if (this.#random.chance(0.04)) continue
      const type = key.inside === undefined ? this.#leaf(key.field) : this.#inside(key.inside, depth + 1)
      if (this.#random.chance(0.1)) fields.push({ name: this.#name('was'), aliases: [key.text], type })
      else fields.push({ name: key.text, type })
      junk()
    }
    if (this.#random.chance(0.3)) fields.reverse()
    const schema = { type: 'record', name, fields }
    this.#types.set(name, schema)
    return schema
  }

  #inside(node: TreeNode, depth: number): RawSchema {
    const random = this.#random
    if (random.chance(0.2)) return { type: 'map', values: this.#pick<RawSchema>(['string', ['null', 'string', 'long'], 'long']) }
    const record = this.#record(node, depth)
    if (random.chance(0.3)) return ['null', record]
    return random.chance(0.1) ? [record, 'string', this.#record(node, depth), 'null'] : record
  }

  #leaf(field: number): RawSchema {
    const random = this.#random
    const text: RawSchema = 'string'
    const plain: RawSchema[] =
      field === 0
        ? [text, text, this.#enum(['impression', 'click', 'other', 'VIEWS']), 'boolean', 'int', 'long']
        : field === 1
          ? [text, text, 'long', 'int', this.#enum(['A', 'LONG_SYMBOL_OF_MORE_THAN_24_BYTES', 'SYMBOL_OF_17_BYTES']), this.#decimal(0)]
          : field === 3
            ? [this.#timestamp(), this.#timestamp(), this.#timestamp(), 'long', 'double', text]
            : [text]
    const type = random.chance(0.04) ? this.#junk(3, '') : this.#pick(plain)
    if (Array.isArray(type) || type === 'null' || random.chance(0.5)) return type
    const nullable: RawSchema[] = random.chance(0.7) ? ['null', type] : [type, 'null']
    if (random.chance(0.15) && type !== 'double') nullable.push('double')
    return nullable
  }

  #timestamp(): RawSchema {
    const unit = this.#pick(['millis', 'millis', 'micros', 'nanos'])
    return { type: 'long', logicalType: `${this.#random.chance(0.2) ? 'local-' : ''}timestamp-${unit}` }
  }

  #decimal(scale: number): RawSchema {
    return { type: 'bytes', logicalType: 'decimal', precision: 20, scale }
  }

  #enum(symbols: readonly string[]): RawSchema {
    const name = this.#name('E')
    const schema = { type: 'enum', name, symbols }
    this.#types.set(name, schema)
    return schema
  }

  #junk(depth: number, within: string): RawSchema {
    const kind = this.#random.below(depth > 3 ? 10 : 16)
    switch (kind) {
      case 8:
        return { type: 'fixed', name: this.#name('F'), size: this.#random.below(20) }
      case 9:
        return this.#enum(['a', 'b', 'c'])
      case 10:
        return { type: 'array', items: this.#junk(depth + 1, within) === 'null' ? 'int' : this.#solid(depth + 1) }
      case 11:
        return { type: 'map', values: this.#solid(depth + 1) }
      case 12:
        return ['null', this.#solid(depth + 1)]
      case 13:
        return this.#record(undefined, depth + 1)
      case 14:
        return within === '' ? 'int' : ['null', within]
      case 15:
        return this.#random.chance(0.5) ? { type: 'int', logicalType: 'date' } : this.#decimal(2)
      default:
        return this.#pick<RawSchema>(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])
    }
  }

  /** Neither a union nor without bytes. */
  #solid(depth: number): RawSchema {
    if (depth < 3 && this.#random.chance(0.3))
      return { type: 'record', name: this.#name('S'), fields: [{ name: 'x', type: this.#solid(depth + 1) }] }
    return this.#pick<RawSchema>(['boolean', 'int', 'long', 'float', 'double', 'string', { type: 'array', items: 'string' }])
  }

  /** A value for avsc; `hint` is the name that it stands under. */
  value(schema: RawSchema, hint = '', depth = 0): unknown {
    const random = this.#random
    if (Array.isArray(schema)) {
      const branches = schema as readonly RawSchema[]
      const index = depth > 12 ? branches.indexOf('null') : random.below(branches.length)
      const branch = branches[Math.max(0, index)]!
      return branch === 'null' ? null : { [branchName(branch)]: this.value(branch, hint, depth + 1) }
    }
    const type = typeof schema === 'string' ? schema : ((schema as { type: RawSchema }).type as string)
    const known = this.#types.get(type)
    if (known !== undefined) return this.value(known, hint, depth + 1)
    const parts = schema as unknown as Parts
    switch (type) {
      case 'record': {
        return Object.fromEntries(
          parts.fields.map((field) => [field.name, this.value(field.type, field.aliases?.[0] ?? field.name, depth + 1)]),
        )
      }
      case 'array':
        return Array.from({ length: random.below(4) }, () => this.value(parts.items, '', depth + 1))
      case 'map': {
        const keys = ['product_id', 'sku', 'kind', 'ts', 'timestamp', 'event_type', 'x', 'after'].filter(() => random.chance(0.5))
        return Object.fromEntries(keys.map((key) => [key, this.value(parts.values, key, depth + 1)]))
      }
      case 'enum':
        return this.#pick(parts.symbols)
      case 'fixed':
        return Buffer.from(Array.from({ length: parts.size }, () => random.below(256)))
      default:
        return this.#plain(type, hint, parts.logicalType)
    }
  }

  #plain(type: string, hint: string, logical: string | undefined): unknown {
    const random = this.#random
    switch (type) {
      case 'null':
        return null
      case 'boolean':
        return random.chance(0.5)
      case 'int':
        return random.chance(0.5) ? random.below(200) - 100 : random.next() | 0
      case 'long': {
        if (random.chance(0.2)) return this.#pick(LONGS)
        const ms = BigInt(TIME_FROM + random.below(1e9))
        const sub = BigInt(random.below(1e6))
        if (logical?.endsWith('micros')) return ms * 1000n + (sub % 1000n)
        if (logical?.endsWith('nanos')) return ms * 1_000_000n + sub
        if (logical !== undefined) return ms
        return this.#pick([ms, ms / 1000n, ms * 1000n, ms * 1_000_000n, sub, BigInt(random.next()) * BigInt(random.next())])
      }
      case 'float':
        return Math.fround(random.below(1000) / 7)
      case 'double': {
        const ms = TIME_FROM + random.below(1e9)
        return this.#pick([ms, ms / 1000, ms + 0.7, ms * 1000, random.below(1000) / 7, -1, Number.NaN, ms / 1000 + 0.0004])
      }
      case 'bytes':
        return Buffer.from(Array.from({ length: random.chance(0.9) ? random.below(9) : random.below(40) }, () => random.below(256)))
      default:
        return this.#text(hint)
    }
  }

  #text(hint: string): string {
    if (this.#random.chance(0.05)) return this.#pick([...WORDS, ...PRODUCTS, ...TIMES, 'x'.repeat(300), 'y'.repeat(70)])
    if (/type|kind/.test(hint)) return this.#pick(this.#random.chance(0.7) ? ['impression', 'click'] : WORDS)
    if (/product|sku/.test(hint)) return this.#pick(this.#random.chance(0.8) ? ['p-0001', 'p-000123', '0123456789abcdef'] : PRODUCTS)
    if (/time|ts/.test(hint)) return this.#pick(this.#random.chance(0.8) ? TIMES.slice(0, 5) : TIMES)
    return this.#pick(['u-1', 'some text', 'a'.repeat(63), 'b'.repeat(64), 'c'.repeat(200), ''])
  }

  /** Damages bytes in place of which a copy is returned. */
  damaged(bytes: Uint8Array): Uint8Array {
    const random = this.#random
    let out = [...bytes]
    for (let injuries = 1 + random.below(3); injuries > 0 && out.length > 0; injuries--) {
      const at = random.below(out.length)
      const kind = random.below(6)
      if (kind === 0) out[at] = out[at]! ^ (1 << random.below(8))
      else if (kind === 1) out[at] = this.#pick([0, 1, 2, 4, 127, 128, 255])
      else if (kind === 2) out.splice(at, 1)
      else if (kind === 3) out.splice(at, 0, this.#pick([0, 1, 2, 128, 129, 255]))
      else if (kind === 4) out = out.slice(0, at)
      else out.splice(at, 0, ...Array.from({ length: 1 + random.below(10) }, () => 0x80))
    }
    return Uint8Array.from(out)
  }
}

/** What types are made of. */
interface Parts {
  readonly fields: readonly { readonly name: string; readonly type: RawSchema; readonly aliases?: readonly string[] }[]
  readonly items: RawSchema
  readonly values: RawSchema
  readonly symbols: readonly string[]
  readonly size: number
  readonly logicalType: string | undefined
}

/** What avsc wraps a union's value with. */
export function branchName(schema: RawSchema): string {
  if (typeof schema === 'string') return schema
  const { type, name } = schema as { type: string; name?: string }
  return name ?? type
}

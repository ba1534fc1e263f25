/**
 * The source text of a reader of Avro values of one schema (reader-code.ts says what a reader is). Where the schema says how long something
 * is, it is stepped over without being looked at, and what adjoins it in the same step.
 *
 * Positions only grow, so that there is no need to look at the end before it is reached: what was read of bytes behind the value is thrown
 * away with it when `at` turns out not to be at its end. Only lengths of more than a byte, and what repeats, are held against it at once.
 */
import { RECURSION_MAX } from './avro-exact.ts'
import { canBe, keysOf, sitesOf, timestampUnit } from './avro-fields.ts'
import { type AvroBlocks, type AvroRecord, type AvroType, fixedSizeOf } from './avro-schema.ts'
import { type EventRules, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER } from './event-rules.ts'
import { fieldTree, type TreeKey, type TreeNode } from './field-tree.ts'
import { JsonTimes } from './json-time.ts'
import { NO_TYPE, type ReaderSource, spellsCode, timeTextCode, typeTextCode, varintTimeCode } from './reader-code.ts'
import { EventSlot, PRODUCT_MAX_BYTES } from './slot.ts'
import { INTEGERS, putDoubleTime, putText, putVarintDigits, putVarintTime, putWord, UNITS } from './typed-columns.ts'
import { intEnd, longEnd, shortVarint, shortVarintSize } from './varints.ts'

/** Longer sources are left to the exact parser, and unions and enums of more than so many. */
const SOURCE_MAX = 400_000
const CHOICES_MAX = 64

/** The source for a schema that avroFault finds no fault with; undefined for one that is too large. */
export function avroSource(type: AvroType, rules: EventRules): ReaderSource | undefined {
  const code = new AvroCode(type, rules)
  return code.isTooLarge ? undefined : code.source
}

class AvroCode {
  isTooLarge = false
  readonly source: ReaderSource
  readonly #rules: EventRules
  readonly #sites: readonly number[]
  readonly #functions = new Map<AvroRecord, { readonly name: string; text: string }>()
  readonly #constants: { [name: string]: unknown } = {}
  #out = ''
  /** Bytes that are to be stepped over before anything else is looked at. */
  #pending = 0
  #variables = 0
  /** Leaves what is being written. */
  #fail = 'break records'
  /** Within a function, how many records that are a part of themselves are open. */
  #depth = '0'
  #total = 0

  constructor(type: AvroType, rules: EventRules) {
    const { root } = fieldTree(rules.places, rules.emptyAt)
    this.#rules = rules
    this.#sites = sitesOf(type, root)
    this.#walk(type, root)
    this.#flush()
    const names = {
      ...{ intEnd, longEnd, putDoubleTime, putText, putVarintDigits, putVarintTime, putWord, shortVarint, shortVarintSize },
      types: rules.types,
      zone: rules.time.zone,
      jsonTimes: new JsonTimes(rules.time),
      slot: new EventSlot(),
      out: new Float64Array(1),
      ...this.#constants,
    }
    const functions = [...this.#functions.values()].map(({ text }) => text).join('\n')
    this.source = { functions, value: this.#out, sites: this.#sites, names }
  }

  #put(text: string): void {
    this.#out += text
    this.#total += text.length
    if (this.#total > SOURCE_MAX) this.isTooLarge = true
  }

  #flush(): void {
    if (this.#pending > 0) this.#put(`at = (at + ${this.#pending}) | 0\n`)
    this.#pending = 0
  }

  /** What `write` writes, apart, from a place that is `pending` bytes ahead. */
  #apart(write: () => void, pending = 0): string {
    const outer = this.#out
    this.#out = ''
    this.#pending = pending
    write()
    this.#flush()
    const text = this.#out
    this.#out = outer
    return text
  }

  #variable(letter: string): string {
    return `${letter}${this.#variables++}`
  }

  #constant(value: unknown): string {
    const name = this.#variable('k')
    this.#constants[name] = value
    return name
  }

  /** Over a value; `node` says what to look for in it. */
  #walk(type: AvroType, node: TreeNode | undefined): void {
    if (this.isTooLarge) return
    const isOnWay = node !== undefined && (type.kind === 'union' || type.kind === 'record' || type.kind === 'map')
    const size = isOnWay ? -1 : fixedSizeOf(type)
    if (size >= 0) this.#pending += size
    else if (type.kind === 'union') this.#union(type.branches, (branch) => this.#walk(branch, node))
    else if (type.kind === 'record') this.#record(type, node)
    else if (type.kind === 'array' || type.kind === 'map') this.#blocks(type, node)
    else this.#skip(type)
  }

  #record(type: AvroRecord, node: TreeNode | undefined): void {
    if (node === undefined && (type.uses > 1 || type.isRecursive)) {
      this.#flush()
      this.#put(`at = ${this.#functionOf(type)}(bytes, at, valueEnd, ${this.#depth})
        if (at < 0) ${this.#fail}\n`)
      return
    }
    const depth = this.#depth
    if (type.isRecursive) this.#depth = String(Number(depth) + 1)
    const keys = node === undefined ? [] : keysOf(type, node)
    type.fields.forEach((field, i) => {
      const key = keys[i]
      if (key === undefined) this.#walk(field.type, undefined)
      else this.#member(key, field.type)
    })
    this.#depth = depth
  }

  /** The name of the function that steps over values of a record: it returns where they end, or -1. */
  #functionOf(type: AvroRecord): string {
    const known = this.#functions.get(type)
    if (known !== undefined) return known.name
    const made = { name: this.#variable('skip'), text: '' }
    this.#functions.set(type, made)
    const [fail, depth, pending] = [this.#fail, this.#depth, this.#pending]
    this.#fail = 'return -1'
    this.#depth = type.isRecursive ? 'depth + 1' : 'depth'
    const body = this.#apart(() => {
      for (const field of type.fields) this.#walk(field.type, undefined)
    })
    this.#fail = fail
    this.#depth = depth
    this.#pending = pending
    const check = type.isRecursive ? `if (depth >= ${RECURSION_MAX}) return -1\n` : ''
    made.text = `function ${made.name}(bytes, at, valueEnd, depth) {
      ${check}${body}return at > valueEnd ? -1 : at
    }`
    return made.name
  }

  /** Branches for which the same is to be done are done together. */
  #union(branches: readonly AvroType[], write: (branch: AvroType) => void): void {
    if (branches.length > CHOICES_MAX) {
      this.isTooLarge = true
      return
    }
    this.#flush()
    const tags = new Map<string, string[]>()
    branches.forEach((branch, i) => {
      const text = this.#apart(() => write(branch), 1)
      tags.set(text, [...(tags.get(text) ?? []), `tag === ${i * 2}`])
    })
    const tag = this.#variable('tag')
    // Null comes last: its branch has the least to do.
    const cases = [...tags]
      .toSorted(([a], [b]) => b.length - a.length)
      .map(([text, is]) => `if (${is.join(' || ').replaceAll('tag', tag)}) {\n${text}}`)
    this.#put(`const ${tag} = bytes[at]\n${cases.join(' else ')} else ${this.#fail}\n`)
  }

  /** Reads a length, which must not be negative, into a variable, and steps over it; the text is there if `isWhole`. */
  #length(isWhole: boolean): string {
    this.#flush()
    const length = this.#variable('n')
    // Of one byte, and not negative.
    this.#put(`let ${length} = bytes[at]
      if ((${length} & 0x81) === 0) at = (at + 1) | 0
      else {
        ${length} = shortVarint(bytes, at)
        if (${length} < 0 || (${length} & 1) !== 0) ${this.#fail}
        at = (at + shortVarintSize(bytes, at)) | 0
        if ((${length} >>> 1) > valueEnd - at) ${this.#fail}
      }
      ${length} >>>= 1\n`)
    if (isWhole) this.#put(`if (${length} > valueEnd - at) ${this.#fail}\n`)
    return length
  }

  /** Over a value that holds no others and whose size differs. */
  #skip(type: AvroType): void {
    if (type.kind === 'string' || type.kind === 'bytes') {
      const length = this.#length(false)
      this.#put(`at = (at + ${length}) | 0\n`)
    } else if (type.kind === 'enum') this.#symbol(type.symbols.length)
    else {
      this.#flush()
      const end = type.kind === 'int' ? 'intEnd' : 'longEnd'
      this.#put(`if (bytes[at] < 128) at = (at + 1) | 0
        else {
          at = ${end}(bytes, at)
          if (at < 0) ${this.#fail}
        }\n`)
    }
  }

  /** The variable that holds which of `count` symbols it is. */
  #symbol(count: number): string {
    if (count > CHOICES_MAX) this.isTooLarge = true
    this.#flush()
    const symbol = this.#variable('s')
    this.#put(`let ${symbol} = bytes[at]
      if (${symbol} > ${count * 2 - 2} || (${symbol} & 1) !== 0) ${this.#fail}
      ${symbol} >>>= 1\n`)
    this.#pending = 1
    return symbol
  }

  #blocks(type: AvroBlocks, node: TreeNode | undefined): void {
    this.#flush()
    const count = this.#variable('c')
    const size = type.kind === 'array' ? fixedSizeOf(type.items) : -1
    const met = type.kind === 'map' && node !== undefined ? node.keys.map(() => this.#variable('met')) : []
    const over = `for (; ${count} > 0; ${count}--) {
        ${this.#apart(() => this.#item(type, node, met))}if (at > valueEnd) ${this.#fail}
      }`
    const fixed = `if (${count} * ${size} > valueEnd - at) ${this.#fail}
      at = (at + ${count} * ${size}) | 0`
    this.#put(`${met.map((name) => `let ${name} = 0\n`).join('')}for (;;) {
      let ${count} = shortVarint(bytes, at)
      if (${count} < 0) ${this.#fail}
      at = (at + shortVarintSize(bytes, at)) | 0
      if (${count} === 0) break
      if ((${count} & 1) !== 0) {
        at = longEnd(bytes, at)
        if (at < 0) ${this.#fail}
        ${count}++
      }
      ${count} >>>= 1
      ${size === 0 ? `if (at > valueEnd) ${this.#fail}` : `if (${count} > valueEnd - at) ${this.#fail}\n${size > 0 ? fixed : over}`}
    }\n`)
  }

  #item({ kind, items }: AvroBlocks, node: TreeNode | undefined, met: readonly string[]): void {
    if (kind === 'array') {
      this.#walk(items, undefined)
      return
    }
    const length = this.#length(node !== undefined)
    if (node === undefined) {
      this.#put(`at = (at + ${length}) | 0\n`)
      this.#walk(items, undefined)
      return
    }
    const known = node.keys.map((key, i) => {
      const value = this.#apart(() => this.#member(key, items), key.bytes.length)
      // Of keys that come twice the last one counts.
      return `if (${length} === ${key.bytes.length} && ${spellsCode(key.bytes)}) {
        if (${met[i]}++ > 0) ${this.#fail}
        ${value}} else `
    })
    const other = this.#apart(() => this.#walk(items, undefined))
    this.#put(`${known.join('')}{
        at = (at + ${length}) | 0
        ${other}}\n`)
  }

  /** The value of a key on the way. */
  #member(key: TreeKey, type: AvroType): void {
    if (this.isTooLarge) return
    if (type.kind === 'union') this.#union(type.branches, (branch) => this.#member(key, branch))
    else if (type.kind === 'null') {
      if (key.isEmpty) this.#put('empty = 1\n')
    } else if (key.field < 0) this.#walk(type, key.inside)
    else if (this.#sites[key.field]! < 2) this.#value(key.field, type, key.inside)
    else {
      this.#flush()
      const value = this.#apart(() => this.#value(key.field, type, key.inside))
      const other = this.#apart(() => this.#walk(type, key.inside))
      const rank = `rank${key.field}`
      this.#put(`if (${rank} >= ${key.rank}) {
        ${rank} = ${key.rank}
        ${value}} else {
        ${other}}\n`)
    }
  }

  /** The value of a field, which may hold others, too. */
  #value(field: number, type: AvroType, node: TreeNode | undefined): void {
    if (canBe(field, type, this.#rules)) {
      if (field === FIELD_TYPE) this.#type(type)
      else if (field === FIELD_PRODUCT) this.#product(type)
      else if (field === FIELD_TIME) this.#time(type)
      else if (field === FIELD_USER) this.#user(type)
      return
    }
    this.#put(`${NOTHING[field]}\n`)
    this.#walk(type, node)
  }

  #type(type: AvroType): void {
    const { types } = this.#rules
    const clickOf = (text: string) => (text === '' ? NO_TYPE : types.clickOf(text))
    if (type.kind === 'string') {
      const length = this.#length(true)
      this.#put(`${typeTextCode(this.#rules, length)}at = (at + ${length}) | 0\n`)
    } else if (type.kind === 'enum') {
      const clicks = this.#constant(Int8Array.from(type.symbols, clickOf))
      this.#put(`click = ${clicks}[${this.#symbol(type.symbols.length)}]\n`)
    } else if (type.kind === 'boolean') {
      this.#flush()
      this.#put(`click = bytes[at] === 0 ? ${clickOf('false')} : ${clickOf('true')}\n`)
      this.#pending = 1
    } else {
      this.#flush()
      const isInteger = type.kind === 'int' || type.kind === 'long'
      const clicks = this.#constant(Int8Array.from({ length: 128 }, (_, raw) => clickOf(String((raw >> 1) ^ -(raw & 1)))))
      this.#put(isInteger ? `click = bytes[at] < 128 ? ${clicks}[bytes[at]] : ${NO_TYPE}\n` : `click = ${NO_TYPE}\n`)
      this.#walk(type, undefined)
    }
  }

  #product(type: AvroType): void {
    if (type.kind === 'string') {
      const length = this.#length(true)
      this.#put(`productLength = ${length} > ${PRODUCT_MAX_BYTES} ? 0 : putText(rows, row, bytes, view, at, ${length})
        at = (at + ${length}) | 0\n`)
    } else if (type.kind === 'enum') {
      const words = this.#constant(type.symbols.map((symbol) => new TextEncoder().encode(symbol)))
      const symbol = this.#symbol(type.symbols.length)
      this.#put(`productLength = putWord(parsed, count, row, ${words}[${symbol}])\n`)
    } else {
      this.#flush()
      const isInteger = type.kind === 'int' || type.kind === 'long'
      this.#put(`productLength = ${isInteger ? `putVarintDigits(parsed, count, row, bytes, at, ${INTEGERS.zigzag})` : '0'}\n`)
      this.#walk(type, undefined)
    }
  }

  #user(type: AvroType): void {
    if (type.kind === 'string') {
      const length = this.#length(true)
      this.#put(`user = ${length} > 0 ? 1 : 0\nat = (at + ${length}) | 0\n`)
    } else if (type.kind === 'enum') {
      const filled = this.#constant(Int8Array.from(type.symbols, (symbol) => (symbol === '' ? 0 : 1)))
      this.#put(`user = ${filled}[${this.#symbol(type.symbols.length)}]\n`)
    }
  }

  #time(type: AvroType): void {
    const { unit, formats } = this.#rules.time
    if (type.kind === 'string') {
      const length = this.#length(true)
      this.#put(`${timeTextCode(length)}at = (at + ${length}) | 0\n`)
      return
    }
    this.#flush()
    const isTimestamp = 'logical' in type && timestampUnit(type.logical) !== undefined
    if (formats !== undefined && !isTimestamp) {
      // Patterns are tried on numbers as they are written.
      this.#put('time = 0\n')
      this.#walk(type, undefined)
      return
    }
    if (type.kind === 'double') {
      this.#put(`putDoubleTime(view, at, ${UNITS[unit]}, out)\ntime = out[0]\n`)
      this.#pending = 8
    } else if (type.kind === 'int' || type.kind === 'long') {
      const counts = UNITS[timestampUnit(type.logical) ?? unit]
      const slow = `putVarintTime(bytes, at, ${INTEGERS.zigzag}, ${counts}, out)
          time = out[0]
          at = ${type.kind}End(bytes, at)
          if (at < 0) ${this.#fail}`
      this.#put(type.kind === 'long' && counts <= UNITS.ms && counts !== UNITS.s ? varintTimeCode(counts, slow, true) : `${slow}\n`)
      const isLocal = type.logical.startsWith('local-')
      if (isLocal) this.#put('time = time > 0 ? time - zone.eastAt(time) : 0\n')
    } else {
      this.#put('time = 0\n')
      this.#walk(type, undefined)
    }
  }
}

/** What a value that can't be the field's leaves of it; by field. */
const NOTHING: { readonly [field: number]: string } = {
  [FIELD_TYPE]: `click = ${NO_TYPE}`,
  [FIELD_PRODUCT]: 'productLength = 0',
  [FIELD_USER]: 'user = 0',
  [FIELD_TIME]: 'time = 0',
}

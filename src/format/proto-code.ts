/**
 * The source text of a reader of Protobuf values of one message (reader-code.ts says what a reader is): a loop over fields with a case for
 * each that is on the way; others are stepped over by how they are written. What must be put together of several places is left to the
 * exact parser: messages and members of a oneof that come twice, keys of a map that do, and groups.
 */
import { type EventRules, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER } from './event-rules.ts'
import { fieldTree, type TreeKey, type TreeNode } from './field-tree.ts'
import { JsonTimes } from './json-time.ts'
import { keyOfField, type ProtoValue, protoCanBe, protoSites, valueInMap, valueOfField, WIRE, wireOf, wrappedIn } from './proto-fields.ts'
import type { ProtoField, ProtoMessage } from './proto-schema.ts'
import { NO_TYPE, type ReaderSource, spellsCode, timeTextCode, typeTextCode, varintTimeCode } from './reader-code.ts'
import { EventSlot, PRODUCT_MAX_BYTES } from './slot.ts'
import { INTEGERS, putDigits, putDoubleTime, putText, putVarintDigits, putVarintTime, putWord, UNITS } from './typed-columns.ts'
import { fieldEnd, intEnd, shortVarint, shortVarintSize, varintEnd } from './varints.ts'

const SOURCE_MAX = 400_000
const FAIL = 'break records'

/** The source for a message that protoFault finds no fault with; undefined for one that is too large. */
export function protoSource(message: ProtoMessage, rules: EventRules): ReaderSource | undefined {
  const { source } = new ProtoCode(message, rules)
  return source.value.length > SOURCE_MAX ? undefined : source
}

class ProtoCode {
  readonly source: ReaderSource
  readonly #rules: EventRules
  readonly #sites: readonly number[]
  readonly #constants: { [name: string]: unknown } = {}
  #variables = 0

  constructor(message: ProtoMessage, rules: EventRules) {
    const { root } = fieldTree(rules.places, rules.emptyAt)
    this.#rules = rules
    this.#sites = protoSites(message, root)
    const value = this.#fields(message, root, 'valueEnd')
    const names = {
      ...{
        fieldEnd,
        intEnd,
        putDigits,
        putDoubleTime,
        putText,
        putVarintDigits,
        putVarintTime,
        putWord,
        shortVarint,
        shortVarintSize,
        varintEnd,
      },
      types: rules.types,
      jsonTimes: new JsonTimes(rules.time),
      slot: new EventSlot(),
      out: new Float64Array(1),
      ...this.#constants,
    }
    this.source = { functions: '', value, sites: this.#sites, names }
  }

  #variable(letter: string): string {
    return `${letter}${this.#variables++}`
  }

  #constant(value: unknown): string {
    const name = this.#variable('k')
    this.#constants[name] = value
    return name
  }

  /** The loop over fields, where a case of `cases` has a tag and what is to be done behind it. */
  #loop(cases: readonly (readonly [number, string])[], end: string): string {
    const tag = this.#variable('tag')
    return `while (at < ${end}) {
      let ${tag} = bytes[at]
      if (${tag} < 128) at = (at + 1) | 0
      else {
        ${tag} = shortVarint(bytes, at)
        if (${tag} < 0) ${FAIL}
        at = (at + shortVarintSize(bytes, at)) | 0
      }
      switch (${tag}) {
        ${cases.map(([value, code]) => `case ${value}: {\n${code}break\n}`).join('\n')}
        default:
          at = fieldEnd(bytes, at, ${tag}, ${end})
          if (at < 0) ${FAIL}
      }
    }
    if (at !== ${end}) ${FAIL}\n`
  }

  /** The fields of a message, up to the position `end`. */
  #fields(message: ProtoMessage, node: TreeNode, end: string): string {
    let before = ''
    let behind = ''
    const oneofs = new Map<string, string>()
    for (const field of message.fields) {
      if (field.oneof === '' || oneofs.has(field.oneof) || keyOfField(field, node) === undefined) continue
      oneofs.set(field.oneof, this.#variable('one'))
      before += `let ${oneofs.get(field.oneof)} = 0\n`
    }
    const cases = message.fields.flatMap((field): (readonly [number, string])[] => {
      const key = keyOfField(field, node)
      const oneof = oneofs.get(field.oneof)
      let first = oneof === undefined ? '' : `if (${oneof}++ > 0) ${FAIL}\n`
      if (key === undefined) return first === '' ? [] : [[tagOf(field), `${first}${overCode(tagOf(field), end)}`]]
      const missing = field.isRepeated ? '' : this.#missing(field, key)
      const isOnce = field.message !== undefined || field.isMap
      if (missing !== '' || isOnce) {
        const met = this.#variable('met')
        before += `let ${met} = 0\n`
        if (missing !== '') behind += `if (${met} === 0) {\n${missing}}\n`
        first += isOnce && !field.isMap ? `if (${met}++ > 0) ${FAIL}\n` : `${met} = 1\n`
      }
      if (field.isRepeated) {
        return [0, 1, 2, 5].map((wire) => {
          const tag = (field.id << 3) | wire
          return [tag, `${this.#ranked(key, NOTHING[key.field] ?? '')}${overCode(tag, end)}`]
        })
      }
      // A map that is met again goes on where it was.
      const [outside, code] =
        field.isMap && key.inside !== undefined ? this.#map(field, key, key.inside, end) : ['', this.#member(field, key, end)]
      before += outside
      return [[tagOf(field), first + code]]
    })
    return `${before}${inOrderCode(message, new Map(cases), end)}${this.#loop(cases, end)}${behind}`
  }

  /** What follows of a field that is not written. */
  #missing(field: ProtoField, key: TreeKey): string {
    if (field.hasPresence) return key.isEmpty ? 'empty = 1\n' : ''
    if (field.isMap || (field.type !== 'enum' && field.type !== 'bool') || key.field < 0) return ''
    const symbol = field.type === 'enum' ? field.symbols.get(0) : undefined
    return this.#ranked(key, this.#known(key.field, symbol, field.type === 'bool' ? 'false' : '0'))
  }

  /** What a value that is known beforehand makes of a field: a symbol, or `otherwise`, which is no text. */
  #known(field: number, symbol: string | undefined, otherwise: string): string {
    if (field === FIELD_TYPE) return `click = ${this.#clickOf(symbol ?? otherwise)}\n`
    if (symbol === undefined || symbol === '' || field === FIELD_TIME) return `${NOTHING[field]}`
    if (field === FIELD_USER) return 'user = 1\n'
    return `productLength = putWord(parsed, count, row, ${this.#constant(new TextEncoder().encode(symbol))})\n`
  }

  /** What is to be done when the key's place comes before those that were met. */
  #ranked(key: TreeKey, code: string, otherwise = ''): string {
    if (key.field < 0 || this.#sites[key.field]! < 2) return code
    const rank = `rank${key.field}`
    return `if (${rank} >= ${key.rank}) {\n${rank} = ${key.rank}\n${code}}${otherwise === '' ? '' : ` else {\n${otherwise}}`}\n`
  }

  #member(field: ProtoField, key: TreeKey, end: string): string {
    const { inside } = key
    const nothing = this.#ranked(key, NOTHING[key.field] ?? '')
    if (inside !== undefined && field.message !== undefined) {
      const [length, own] = [this.#variable('n'), this.#variable('end')]
      const message = this.#fields(field.message, inside, own)
      return `${nothing}${lengthCode(length, end)}const ${own} = (at + ${length}) | 0\n${message}`
    }
    const value = valueOfField(field)
    const over = overCode(tagOf(field), end)
    const wrapped = wrappedIn(field.message)
    if (key.field < 0 || !protoCanBe(key.field, value, this.#rules)) return nothing + (wrapped === undefined ? over : this.#overFields(end))
    const code = wrapped === undefined ? this.#value(key.field, field, value, end) : this.#wrapped(key.field, wrapped, end)
    // What is in a message has to be looked at, too.
    return this.#ranked(key, code, field.message === undefined ? over : `${FAIL}\n`)
  }

  /** Over a message whose fields must be some, though nobody reads them. */
  #overFields(end: string): string {
    const [length, own] = [this.#variable('n'), this.#variable('end')]
    return `${lengthCode(length, end)}const ${own} = (at + ${length}) | 0\n${this.#loop([], own)}`
  }

  #wrapped(field: number, wrapped: ProtoField, end: string): string {
    const [length, own] = [this.#variable('n'), this.#variable('end')]
    const tag = (wrapped.id << 3) | wireOf(wrapped)
    const value = this.#value(field, wrapped, valueOfField(wrapped), own)
    // Without its field it is the default, on which the exact parser decides.
    return `${NOTHING[field]}${lengthCode(length, end)}const ${own} = (at + ${length}) | 0\n${this.#loop([[tag, value]], own)}`
  }

  /** A map of texts; first what stands before the loop. */
  #map(field: ProtoField, key: TreeKey, inside: TreeNode, end: string): readonly [string, string] {
    const [length, own, name] = [this.#variable('n'), this.#variable('end'), this.#variable('n')]
    const met = inside.keys.map(() => this.#variable('met'))
    const value = valueInMap(field)
    const tag = (2 << 3) | wireOf({ ...field, isMap: false })
    const known = inside.keys.map((one, i) => {
      const can = one.field >= 0 && protoCanBe(one.field, value, this.#rules)
      const over = overCode(tag, own)
      const code = can
        ? this.#ranked(one, this.#value(one.field, field, value, own), over)
        : this.#ranked(one, NOTHING[one.field] ?? '') + over
      return `if (${name} === ${one.bytes.length} && ${spellsCode(one.bytes)}) {
        if (${met[i]}++ > 0) ${FAIL}
        at = (at + ${name}) | 0
        if (bytes[at] !== ${tag} || at >= ${own}) ${FAIL}
        at = (at + 1) | 0
        ${code}if (at !== ${own}) ${FAIL}
      } else `
    })
    // An entry is its key and its value, in this order; otherwise the exact parser decides, as it does of what only looks like one.
    const code = `${this.#ranked(key, NOTHING[key.field] ?? '')}${lengthCode(length, end)}const ${own} = (at + ${length}) | 0
      if (bytes[at] !== 10 || at >= ${own}) ${FAIL}
      at = (at + 1) | 0
      ${lengthCode(name, own)}${known.join('')}{
        at = (at + ${name}) | 0
        if (bytes[at] !== ${tag} || at >= ${own}) ${FAIL}
        at = fieldEnd(bytes, (at + 1) | 0, ${tag}, ${own})
        if (at !== ${own}) ${FAIL}
      }\n`
    return [met.map((one) => `let ${one} = 0\n`).join(''), code]
  }

  /** A value that protoCanBe lets be the field's. */
  #value(field: number, { symbols }: ProtoField, value: ProtoValue, end: string): string {
    if (value === 'timestamp') return this.#timestamp(end)
    if (value === 'string') return this.#text(field, end)
    if (value === 'enum') return this.#enum(field, symbols)
    // The exact parser tries the formats.
    const { unit, formats } = this.#rules.time
    const unitCode = UNITS[unit]
    const isFixed = value === 'float' || value === 'double' || value.includes('fixed')
    if (isFixed) {
      const size = value.endsWith('64') || value === 'double' ? 8 : 4
      if (field === FIELD_PRODUCT && size === 8) return `${fixedProductCode(value)}at = (at + 8) | 0\n`
      const isTime = field === FIELD_TIME && value === 'double' && formats === undefined
      const read = isTime ? `putDoubleTime(view, at, ${unitCode}, out)\ntime = out[0]\n` : `${NOTHING[field]}`
      return `${read}at = (at + ${size}) | 0\n`
    }
    const over = `at = varintEnd(bytes, at)\nif (at < 0) ${FAIL}\n`
    if (field === FIELD_TYPE) {
      const clicks = this.#constant(Int8Array.from({ length: 128 }, (_, raw) => this.#clickOf(numberText(value, raw))))
      return `click = bytes[at] < 128 ? ${clicks}[bytes[at]] : ${NO_TYPE}\n${over}`
    }
    const kind = value.startsWith('s') ? INTEGERS.zigzag : value.startsWith('u') ? INTEGERS.unsigned : INTEGERS.signed
    // Of 32 bits more may be written than count.
    const fits = value.endsWith('64') ? '' : `if (intEnd(bytes, at) < 0${value === 'int32' ? SIGNED_32 : ''}) ${FAIL}\n`
    if (field === FIELD_PRODUCT) return `${fits}productLength = putVarintDigits(parsed, count, row, bytes, at, ${kind})\n${over}`
    if (formats !== undefined) return `${NOTHING[field]}${over}`
    const slow = `${fits}putVarintTime(bytes, at, ${kind}, ${unitCode}, out)\ntime = out[0]\n${over}`
    const isFast = fits === '' && unitCode <= UNITS.ms && unitCode !== UNITS.s
    return isFast ? varintTimeCode(unitCode, slow, kind === INTEGERS.zigzag) : slow
  }

  #clickOf(text: string): number {
    return text === '' ? NO_TYPE : this.#rules.types.clickOf(text)
  }

  #text(field: number, end: string): string {
    const length = this.#variable('n')
    const over = `at = (at + ${length}) | 0\n`
    const head = lengthCode(length, end)
    if (field === FIELD_TYPE) return `${head}${typeTextCode(this.#rules, length)}${over}`
    if (field === FIELD_TIME) return `${head}${timeTextCode(length)}${over}`
    if (field === FIELD_USER) return `${head}user = ${length} > 0 ? 1 : 0\n${over}`
    return `${head}productLength = ${length} > ${PRODUCT_MAX_BYTES} ? 0 : putText(rows, row, bytes, view, at, ${length})\n${over}`
  }

  /** Numbers of more than a byte are left to the exact parser. */
  #enum(field: number, symbols: ReadonlyMap<number, string>): string {
    const values = Array.from({ length: 128 }, (_, value) => symbols.get(value))
    const over = `if (bytes[at] > 127) ${FAIL}\nat = (at + 1) | 0\n`
    if (field === FIELD_TYPE) {
      const clicks = this.#constant(Int8Array.from(values, (text, value) => this.#clickOf(text ?? String(value))))
      return `click = ${clicks}[bytes[at] & 127]\n${over}`
    }
    if (field === FIELD_USER) {
      const users = this.#constant(Int8Array.from(values, (text) => (text === undefined || text === '' ? 0 : 1)))
      return `user = ${users}[bytes[at] & 127]\n${over}`
    }
    const words = this.#constant(values.map((text) => new TextEncoder().encode(text ?? '')))
    return `productLength = putWord(parsed, count, row, ${words}[bytes[at] & 127])\n${over}`
  }

  /** Seconds and nanoseconds, each once and in this order. */
  #timestamp(end: string): string {
    const [length, own] = [this.#variable('n'), this.#variable('end')]
    return `${lengthCode(length, end)}const ${own} = (at + ${length}) | 0
      if (bytes[at] !== 8 || at >= ${own}) ${FAIL}
      at = (at + 1) | 0
      putVarintTime(bytes, at, ${INTEGERS.signed}, ${UNITS.s}, out)
      time = out[0]
      at = varintEnd(bytes, at)
      if (at < 0 || at > ${own}) ${FAIL}
      if (at < ${own}) {
        if (bytes[at] !== 16) ${FAIL}
        at = (at + 1) | 0
        putVarintTime(bytes, at, ${INTEGERS.signed}, ${UNITS.ms}, out)
        at = varintEnd(bytes, at)
        // Below zero it has ten bytes, which is 0 here.
        if (at !== ${own} || !(out[0] > 0 && out[0] < 1e9)) ${FAIL}
        if (time > 0) time += Math.floor(out[0] / 1e6)
      }\n`
  }
}

/** A negative number takes ten bytes; with the sign in five it is one as well, but not in 64 bits. */
const SIGNED_32 = ' || (bytes[(at + 4) | 0] > 7 && intEnd(bytes, at) - at > 4)'

const fixedProductCode = (value: string) => `if (((at + 8) | 0) > size) ${FAIL}
    productLength = putDigits(parsed, count, row, view.getInt32(at + 4, true), view.getInt32(at, true), ${value === 'sfixed64'})\n`

function numberText(value: ProtoValue, raw: number): string {
  if (value === 'bool') return String(raw !== 0)
  return String(value.startsWith('sint') ? (raw >> 1) ^ -(raw & 1) : raw)
}

/** What a value that can't be the field's leaves of it; by field. */
const NOTHING: { readonly [field: number]: string } = {
  [FIELD_TYPE]: `click = ${NO_TYPE}\n`,
  [FIELD_PRODUCT]: 'productLength = 0\n',
  [FIELD_USER]: 'user = 0\n',
  [FIELD_TIME]: 'time = 0\n',
}

/** What is written of more is left to the loop. */
const IN_ORDER_FIELDS_MAX = 64
const IN_ORDER_SOURCE_MAX = 20_000

/** Ahead of the loop, which takes whatever comes: fields in the order of their numbers, in which they are mostly written, each once. */
function inOrderCode({ fields }: ProtoMessage, cases: ReadonlyMap<number, string>, end: string): string {
  const inOrder = fields.filter(({ isRepeated }) => !isRepeated).toSorted((a, b) => a.id - b.id)
  const steps = inOrder.slice(0, IN_ORDER_FIELDS_MAX).map((field) => {
    const tag = tagOf(field)
    const bytes = tag < 128 ? [tag] : [(tag & 127) | 128, tag >>> 7]
    if (bytes.some((byte) => byte > 255) || (bytes.length > 1 && bytes[1]! > 127)) return ''
    const isNext = bytes.map((byte, i) => `bytes[${i === 0 ? 'at' : '(at + 1) | 0'}] === ${byte}`).join(' && ')
    return `if (at < ${end} && ${isNext}) {\nat = (at + ${bytes.length}) | 0\n${cases.get(tag) ?? skipCode(wireOf(field), end)}}\n`
  })
  const text = steps.join('')
  return text.length > IN_ORDER_SOURCE_MAX ? '' : text
}

/** Over a value that nobody reads. */
function skipCode(wire: number, end: string): string {
  if (wire === WIRE.bytes) return `${lengthCode('n', end)}at = (at + n) | 0\n`
  if (wire === WIRE.varint) return `at = varintEnd(bytes, at)\nif (at < 0) ${FAIL}\n`
  return `at = (at + ${wire === WIRE.fixed64 ? 8 : 4}) | 0\n`
}

function tagOf(field: ProtoField): number {
  return ((field.id << 3) | wireOf(field)) >>> 0
}

/** Over the value of a field, of which the tag has been read. */
const overCode = (tag: number, end: string) => `at = fieldEnd(bytes, at, ${tag}, ${end})\nif (at < 0) ${FAIL}\n`

/** Reads the length of what follows, which ends before the position `end`, and steps over the length. */
function lengthCode(length: string, end: string): string {
  return `let ${length} = bytes[at]
    if (${length} < 128) at = (at + 1) | 0
    else {
      ${length} = shortVarint(bytes, at)
      if (${length} < 0) ${FAIL}
      at = (at + shortVarintSize(bytes, at)) | 0
    }
    if (${length} > ${end} - at) ${FAIL}\n`
}

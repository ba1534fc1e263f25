/**
 * Reads an event's JSON to the end and keeps the values of its fields: the plain way, at any depth. It takes all that JSON.parse takes,
 * and what producers write besides where nobody reads it: a byte order mark in front, NaN and Infinity, text that is not UTF-8,
 * control characters as they are.
 */
import { isUtf8 } from 'node:buffer'
import { FIELD_COUNT } from './event-rules.ts'
import { type FieldTree, NO_RANK, type TreeKey, type TreeNode } from './field-tree.ts'
import { REASON } from './reasons.ts'
import { TOLERATED } from './tolerated.ts'

/** A field's value. Of a number `text` is how it is written; of others than texts, numbers and truth values it is empty. */
export interface FieldValue {
  readonly kind: 'text' | 'number' | 'boolean' | 'object' | 'array' | 'not finite'
  readonly text: string
  /** NOT_UTF8 or NOT_JSON for a text that is tolerated where nobody reads it, VALID for others. */
  readonly fault: number
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null|NaN|-?Infinity/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const SPACE = /[ \t\n\r]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f]/g

export class JsonValues {
  /** By field: its value, which of its places that is, and where it begins, in bytes from the value's start on. */
  readonly values: (FieldValue | undefined)[] = Array.from({ length: FIELD_COUNT }, () => undefined)
  readonly ranks: number[] = Array.from({ length: FIELD_COUNT }, () => NO_RANK)
  readonly starts: number[] = Array.from({ length: FIELD_COUNT }, () => 0)
  /** The value is an object. */
  isObject = false
  /** A null stands where it says that the record is empty. */
  isEmpty = false
  /** Bits of TOLERATED. */
  tolerated = 0
  readonly #root: TreeNode
  readonly #wholes: readonly number[]
  readonly #byKey: (FieldValue | undefined)[]
  readonly #startOf: number[]
  readonly #nulls: boolean[]
  readonly #keys: readonly TreeKey[]
  #text = ''
  #at = 0

  constructor({ root, wholes }: FieldTree) {
    this.#root = root
    this.#wholes = wholes
    this.#keys = root.keys.flatMap((key) => [key, ...key.below])
    this.#byKey = this.#keys.map(() => undefined)
    this.#nulls = this.#keys.map(() => false)
    this.#startOf = this.#keys.map(() => 0)
  }

  /** Reads the JSON value that bytes[start, end) is; false when it is none. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
    this.#at = 0
    this.tolerated = 0
    this.isEmpty = false
    this.#byKey.fill(undefined)
    this.#nulls.fill(false)
    if (this.#text.startsWith('\xef\xbb\xbf')) {
      this.#at = 3
      this.tolerated |= TOLERATED.bom
    }
    this.#skip(SPACE)
    this.isObject = this.#text[this.#at] === '{'
    const whole = this.isObject ? undefined : this.#value()
    const isJson = this.isObject ? this.#object(this.#root) : whole !== undefined
    this.#skip(SPACE)
    if (!isJson || this.#at !== this.#text.length) return false
    this.#choose(whole === NULL ? undefined : (whole ?? OBJECT))
    return true
  }

  /** Where the elements of the array begin and end that begins at `start` of what was read last: start, end, start, end. */
  elements(start: number): number[] {
    const places: number[] = []
    this.#at = start + 1
    this.#skip(SPACE)
    while (!this.#take(']')) {
      places.push(this.#at)
      this.#value()
      places.push(this.#at)
      this.#skip(SPACE)
      this.#take(',')
      this.#skip(SPACE)
    }
    return places
  }

  /** Of each field's places the first that is there and not null. */
  #choose(whole: FieldValue | undefined): void {
    const { ranks, starts } = this
    this.values.fill(undefined)
    ranks.fill(NO_RANK)
    this.#wholes.forEach((rank, field) => {
      if (rank === NO_RANK || whole === undefined) return
      this.values[field] = whole
      ranks[field] = rank
    })
    for (const { id, field, rank, isEmpty } of this.#keys) {
      if (isEmpty && this.#nulls[id] === true) this.isEmpty = true
      const value = this.#byKey[id]
      if (field < 0 || value === undefined || rank >= ranks[field]!) continue
      ranks[field] = rank
      starts[field] = this.#startOf[id]!
      this.values[field] = value
    }
  }

  /** An object on the way to fields. Of keys that come twice the last one counts. */
  #object(node: TreeNode): boolean {
    return this.#members((text) => {
      const key = node.keys.find((known) => known.text === text)
      if (key === undefined) return this.#value() !== undefined
      for (const { id } of [key, ...key.below]) {
        this.#byKey[id] = undefined
        this.#nulls[id] = false
      }
      this.#startOf[key.id] = this.#at
      const isNull = this.#text.startsWith('null', this.#at)
      const isInside = key.inside !== undefined && this.#text[this.#at] === '{'
      const value = isInside ? OBJECT : this.#value()
      if (isInside && !this.#object(key.inside!)) return false
      if (value === undefined) return false
      this.#nulls[key.id] = isNull
      if (!isNull) this.#byKey[key.id] = value
      return true
    })
  }

  /** Over an object; `member` reads what belongs to a key. */
  #members(member: (key: string | undefined) => boolean): boolean {
    this.#at++
    this.#skip(SPACE)
    if (this.#take('}')) return true
    for (;;) {
      const key = this.#string()
      if (key === undefined) return false
      this.#skip(SPACE)
      if (!this.#take(':')) return false
      this.#skip(SPACE)
      if (!member(key.fault === REASON.VALID ? key.text : undefined)) return false
      this.#skip(SPACE)
      if (this.#take('}')) return true
      if (!this.#take(',')) return false
      this.#skip(SPACE)
    }
  }

  /** Any value; undefined when there is none. */
  #value(): FieldValue | undefined {
    const first = this.#text[this.#at]
    if (first === '"') return this.#string()
    if (first === '{' || first === '[') return this.#nested() ? (first === '{' ? OBJECT : ARRAY) : undefined
    const number = this.#match(NUMBER)
    if (number !== undefined) return { kind: 'number', text: number, fault: REASON.VALID }
    const word = this.#match(WORD)
    if (word === undefined) return undefined
    if (word === 'true' || word === 'false') return { kind: 'boolean', text: word, fault: REASON.VALID }
    if (word === 'null') return NULL
    this.tolerated |= TOLERATED.not_finite
    return NOT_FINITE
  }

  /** Over an object or array of any depth, without recursion. */
  #nested(): boolean {
    const closing: string[] = []
    for (;;) {
      const first = this.#text[this.#at]
      let isValue = true
      if (first === '{' || first === '[') {
        const last = first === '{' ? '}' : ']'
        this.#at++
        this.#skip(SPACE)
        if (!this.#take(last)) {
          closing.push(last)
          isValue = false
        }
      } else if (this.#value() === undefined) return false
      if (isValue && !this.#close(closing)) return false
      if (closing.length === 0) return true
      if (closing.at(-1) === '}' && !this.#key()) return false
    }
  }

  /** Behind a value: out of what ends here, up to a comma. */
  #close(closing: string[]): boolean {
    while (closing.length > 0) {
      this.#skip(SPACE)
      if (this.#take(closing.at(-1)!)) closing.pop()
      else {
        if (!this.#take(',')) return false
        this.#skip(SPACE)
        return true
      }
    }
    return true
  }

  #key(): boolean {
    if (this.#string() === undefined) return false
    this.#skip(SPACE)
    if (!this.#take(':')) return false
    this.#skip(SPACE)
    return true
  }

  #string(): FieldValue | undefined {
    const literal = this.#literal()
    if (literal === undefined) return undefined
    const escaped = literal.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    const fault = escaped === literal ? REASON.VALID : REASON.NOT_JSON
    if (fault !== REASON.VALID) this.tolerated |= TOLERATED.control
    if (!/[\x80-\xff]/.test(literal)) return { kind: 'text', text: JSON.parse(escaped) as string, fault }
    // An exception for what is not UTF-8 would cost as much as all else here.
    const bytes = Buffer.from(escaped, 'latin1')
    if (isUtf8(bytes)) return { kind: 'text', text: JSON.parse(bytes.toString()) as string, fault }
    this.tolerated |= TOLERATED.not_utf8
    return { kind: 'text', text: JSON.parse(escaped) as string, fault: REASON.NOT_UTF8 }
  }

  /** A string as it is written: its bytes as Latin-1, of which those from 0x80 on may be UTF-8. */
  #literal(): string | undefined {
    const start = this.#at
    if (!this.#take('"')) return undefined
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === 0x5c) {
        if (this.#match(ESCAPE) === undefined) return undefined
        continue
      }
      if (Number.isNaN(code)) return undefined // behind the end of the text
      this.#at++
      if (code === 0x22) return this.#text.slice(start, this.#at)
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at += match[0].length
    return match[0]
  }

  #skip(pattern: RegExp): void {
    this.#match(pattern)
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }
}

const OBJECT: FieldValue = { kind: 'object', text: '', fault: REASON.VALID }
const ARRAY: FieldValue = { kind: 'array', text: '', fault: REASON.VALID }
const NULL: FieldValue = { kind: 'object', text: '', fault: REASON.VALID }
const NOT_FINITE: FieldValue = { kind: 'not finite', text: '', fault: REASON.VALID }

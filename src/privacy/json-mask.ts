/**
 * JSON with its values masked: braces, brackets and the names and values of known places stay, white space goes. It reads as far as the
 * bytes are JSON; from the value or name on in which they stop to be, the rest is one mask. So nothing is told of what was not told apart.
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../config/limits.ts'
import type { MaskKey } from '../config/mask-keys.ts'
import { type KnownPlace, UNKNOWN_PLACE } from './known-places.ts'
import { type MaskedKind, maskOf } from './mask.ts'

/** A masked value. */
export interface MaskedValue {
  readonly text: string
  /** The first byte of the value that does not fit, its length where something is missing at the end; undefined where all fits. */
  readonly faultAt: number | undefined
  /** Where in `text` that byte's place is, or that of the byte asked for; -1 for none. */
  readonly markAt: number
}

const SPACE = /[ \t\n\r]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /null|true|false|NaN|-?Infinity/y
const DEPTH_MAX = 100
const BOM = '\xef\xbb\xbf'

/** The value of a record, or an element of one, of which `known` is known. `mark` is a byte whose place is wanted. */
export function maskJson(bytes: Uint8Array, known: KnownPlace, key: MaskKey | undefined, mark = -1): MaskedValue {
  return new Masking(bytes, key, mark).whole(known)
}

class Masking {
  readonly #bytes: Buffer
  /** As Latin-1, so that places are those of bytes. */
  readonly #latin1: string
  readonly #key: MaskKey | undefined
  readonly #mark: number
  #out = ''
  #at = 0
  /** Where the token begins that is being read. */
  #token = 0
  #masks = 0
  #markAt = -1
  #ill: number | undefined
  /** It ended where too much is in it. */
  #isCut = false

  constructor(bytes: Uint8Array, key: MaskKey | undefined, mark: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#latin1 = this.#bytes.toString('latin1')
    this.#key = key
    this.#mark = mark
  }

  whole(known: KnownPlace): MaskedValue {
    if (this.#latin1.startsWith(BOM)) this.#at = BOM.length
    this.#skip()
    const isWhole = this.#value(known, 0) && this.#isAtEnd()
    if (isWhole) return { text: this.#out, faultAt: this.#ill, markAt: this.#markAt }
    const place = this.#out.length
    const faultAt = this.#ill ?? (this.#isCut ? undefined : this.#at)
    const rest = this.#bytes.subarray(this.#token)
    if (rest.length > 0) this.#out += maskOf('rest', rest, this.#key)
    return { text: this.#out, faultAt, markAt: this.#markAt < 0 ? place : this.#markAt }
  }

  #isAtEnd(): boolean {
    this.#skip()
    this.#token = this.#at
    return this.#at === this.#bytes.length
  }

  #value(place: KnownPlace, depth: number): boolean {
    this.#token = this.#at
    const first = this.#latin1[this.#at]
    if (first === '{' || first === '[') {
      if (depth >= DEPTH_MAX) return this.#cut()
      return first === '{' ? this.#members(place, depth) : this.#elements(place, depth)
    }
    const kind = first === '"' ? 'text' : this.#match(NUMBER) ? 'number' : this.#match(WORD) ? 'boolean' : undefined
    if (kind === undefined || (kind === 'text' && !this.#string())) return false
    return this.#put(kind, place.keeps)
  }

  #members(place: KnownPlace, depth: number): boolean {
    this.#sign()
    this.#skip()
    for (let isFirst = true; !(isFirst && this.#takes('}')); isFirst = false) {
      this.#token = this.#at
      if (!this.#string()) return false
      const inside = place.inside.get(this.#decoded() ?? '')
      if (!this.#put('name', inside !== undefined)) return false
      this.#skip()
      if (!this.#takes(':')) return false
      this.#skip()
      if (!this.#value(inside ?? UNKNOWN_PLACE, depth + 1)) return false
      this.#skip()
      if (this.#takes('}')) break
      if (!this.#takes(',')) return false
      this.#skip()
    }
    return true
  }

  #elements(place: KnownPlace, depth: number): boolean {
    this.#sign()
    this.#skip()
    for (let isFirst = true; !(isFirst && this.#takes(']')); isFirst = false) {
      if (!this.#value(place, depth + 1)) return false
      this.#skip()
      if (this.#takes(']')) break
      if (!this.#takes(',')) return false
      this.#skip()
    }
    return true
  }

  /** The token that was read, or its mask. A null says that there is nothing. */
  #put(kind: MaskedKind, stays: boolean): boolean {
    const token = this.#bytes.subarray(this.#token, this.#at)
    if (this.#mark >= this.#token && this.#mark < this.#at) this.#markAt = this.#out.length
    const isText = kind === 'text' || kind === 'name'
    const text = isText ? this.#decoded() : undefined
    if (isText && text === undefined) {
      this.#ill ??= this.#token
      if (this.#mark < 0 && this.#markAt < 0) this.#markAt = this.#out.length
    } else if (stays || (!isText && this.#latin1.startsWith('null', this.#token))) {
      this.#out += token.toString()
      return true
    }
    if (++this.#masks > LIMITS.masksMax) return this.#cut()
    this.#out += JSON.stringify(maskOf(kind, text ?? token, this.#key))
    return true
  }

  #cut(): false {
    this.#isCut = true
    return false
  }

  /** The text of the token; undefined of one that is not UTF-8. */
  #decoded(): string | undefined {
    const token = this.#bytes.subarray(this.#token, this.#at)
    return isUtf8(token) ? (JSON.parse(token.toString()) as string) : undefined
  }

  /** Over a string; where it is none, up to the byte that does not fit. */
  #string(): boolean {
    if (this.#latin1[this.#at] !== '"') return false
    this.#at++
    for (;;) {
      const code = this.#latin1.charCodeAt(this.#at)
      if (code === 0x5c) {
        if (!this.#match(ESCAPE)) return false
        continue
      }
      // Behind the end it is NaN.
      if (!(code >= 0x20)) return false
      this.#at++
      if (code === 0x22) return true
    }
  }

  /** The sign that is here. */
  #sign(): void {
    this.#out += this.#latin1[this.#at]
    this.#at++
  }

  #takes(sign: string): boolean {
    this.#token = this.#at
    if (this.#latin1[this.#at] !== sign) return false
    this.#sign()
    return true
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#latin1)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #skip(): void {
    this.#match(SPACE)
  }
}

/**
 * Where in the bytes of a JSON value its leaves lie, and where it stops being JSON. For showing a record to people: what names a person is
 * masked, what is at fault is marked. It reads what it can of a value that is broken.
 */
import { isPersonal } from './words.ts'

/** A text, number or word within the value: bytes [start, end), quotes included. */
export interface Leaf {
  /** Keys from the outside in; elements of an array are under its key with [] behind it. */
  readonly steps: readonly string[]
  readonly start: number
  readonly end: number
}

/** What there is of a value. */
export interface Spans {
  readonly leaves: readonly Leaf[]
  /** The first byte that does not fit, the length where something is missing at the end; -1 for a whole value. */
  readonly fault: number
  /** Where reading has stopped: in which keys. */
  readonly inside: readonly string[]
}

const SPACE = /[ \t\n\r]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity/y
const DEPTH_MAX = 1000
const BOM = '\xef\xbb\xbf'

/** Looks at bytes as Latin-1, so that places are byte offsets. */
export function jsonSpans(bytes: Uint8Array): Spans {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const reading = new Reading(text)
  const isWhole = reading.whole()
  return { leaves: reading.leaves, fault: isWhole ? -1 : reading.at, inside: isWhole ? [] : reading.inside }
}

class Reading {
  readonly leaves: Leaf[] = []
  at = 0
  inside: string[] = []
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  whole(): boolean {
    if (this.#text.startsWith(BOM)) this.at = BOM.length
    this.#skip()
    if (!this.#value([], 0)) return false
    this.#skip()
    return this.at === this.#text.length
  }

  #value(steps: readonly string[], depth: number): boolean {
    const first = this.#text[this.at]
    this.inside = [...steps]
    if (first === '{') return depth < DEPTH_MAX && this.#members(steps, depth)
    if (first === '[') return depth < DEPTH_MAX && this.#elements(steps, depth)
    const start = this.at
    if (!(first === '"' ? this.#string() : this.#match(WORD))) return false
    this.leaves.push({ steps, start, end: this.at })
    return true
  }

  #members(steps: readonly string[], depth: number): boolean {
    this.at++
    this.#skip()
    if (this.#take('}')) return true
    for (;;) {
      const start = this.at
      if (!this.#string()) return false
      const key = keyOf(this.#text.slice(start, this.at))
      this.#skip()
      if (!this.#take(':')) return false
      this.#skip()
      if (!this.#value([...steps, key], depth + 1)) return false
      this.inside = [...steps]
      this.#skip()
      if (this.#take('}')) return true
      if (!this.#take(',')) return false
      this.#skip()
    }
  }

  #elements(steps: readonly string[], depth: number): boolean {
    const own = [...steps.slice(0, -1), `${steps.at(-1) ?? ''}[]`]
    this.at++
    this.#skip()
    if (this.#take(']')) return true
    for (;;) {
      if (!this.#value(own, depth + 1)) return false
      this.#skip()
      if (this.#take(']')) return true
      if (!this.#take(',')) return false
      this.#skip()
    }
  }

  /** Over a string; where it is none, up to the byte that does not fit. */
  #string(): boolean {
    if (!this.#take('"')) return false
    for (;;) {
      const code = this.#text.charCodeAt(this.at)
      if (code === 0x5c) {
        if (!this.#match(ESCAPE)) return false
        continue
      }
      // Behind the end of the text it is NaN.
      if (!(code >= 0x20)) return false
      this.at++
      if (code === 0x22) return true
    }
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    if (!pattern.test(this.#text)) return false
    this.at = pattern.lastIndex
    return true
  }

  #skip(): void {
    this.#match(SPACE)
  }

  #take(sign: string): boolean {
    if (this.#text[this.at] !== sign) return false
    this.at++
    return true
  }
}

function keyOf(literal: string): string {
  try {
    return JSON.parse(Buffer.from(literal, 'latin1').toString()) as string
  } catch {
    return literal.slice(1, -1)
  }
}

/** What stands for what is masked. */
export const MASK = '***'
const REST_MAX = 4096
/** Behind a fault nothing is sure but what looks like a key and its value. */
const LOOSE_PAIR = /"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*"?|[^\s,{}[\]"]+)/g

/** A value as text for people, and where its byte `at` has come to in it; -1 stays -1. */
export interface ShownSpan {
  readonly text: string
  readonly at: number
}

/** Masks what may tell a person, by the names of the keys and by `masked`, which says it of more; with `open` nothing. */
export function shownValue(bytes: Uint8Array, at: number, masked: (steps: readonly string[]) => boolean, open: boolean): ShownSpan {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (open) return { text: whole.toString(), at: at < 0 ? -1 : whole.subarray(0, at).toString().length }
  const { leaves, fault, inside } = jsonSpans(bytes)
  const hides = (steps: readonly string[]) => isPersonal(steps) || masked(steps)
  let text = ''
  let place = -1
  let from = 0
  const upTo = (end: number) => {
    if (at >= from && at < end) place = text.length + whole.subarray(from, at).toString().length
    text += whole.subarray(from, end).toString()
    from = end
  }
  for (const { steps, start, end } of leaves) {
    if (!hides(steps)) continue
    upTo(start)
    if (at >= start && at < end) place = text.length
    text += MASK
    from = end
  }
  const known = fault < 0 ? whole.length : Math.max(from, fault)
  if (fault >= 0 && hides(inside)) {
    const begin = Math.max(from, lastColon(whole, fault))
    upTo(begin)
    return { text: text.endsWith(MASK) ? text : text + MASK, at: at < 0 ? -1 : place < 0 ? text.length : place }
  }
  upTo(known)
  if (at >= known) place = text.length + whole.subarray(known, at).toString().length
  // As much as anybody is shown.
  const rest = whole.subarray(known, known + REST_MAX).toString()
  text += rest.replaceAll(LOOSE_PAIR, (pair, key: string, value: string) => (hides([key]) ? pair.slice(0, -value.length) + MASK : pair))
  return { text, at: at < 0 ? -1 : place }
}

/** Where the value begins in which the fault lies. */
function lastColon(bytes: Buffer, before: number): number {
  return bytes.lastIndexOf(0x3a, before - 1) + 1
}

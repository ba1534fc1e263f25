/**
 * Where values of Avro end that stand one behind the other, as those of a file do. Only as much is looked at as that takes; whether a value
 * is an event, and right to the last, is for the parsers to say. One function per type, made once for a schema.
 */
import { type AvroBlocks, type AvroRecord, type AvroType, fixedSizeOf } from './avro-schema.ts'

/** Where the value that begins at `at` ends, at `end` at most; -1 for one that doesn't, or that is none. */
export type ValueEnd = (bytes: Uint8Array, at: number, end: number) => number

/** Deeper than any parser goes, and no danger to the stack. */
const DEPTH_MAX = 500
/** Bytes of the longest number. */
const LONG_BYTES = 10

/** The ends of values of a type. */
export function avroEnds(type: AvroType): ValueEnd {
  return new Ends().of(type)
}

class Ends {
  readonly #records = new Map<AvroRecord, ValueEnd>()
  #depth = 0

  of(type: AvroType): ValueEnd {
    const size = fixedSizeOf(type)
    if (size >= 0) return (_, at, end) => (at + size <= end ? at + size : -1)
    switch (type.kind) {
      case 'record':
        return this.#record(type)
      case 'array':
      case 'map':
        return this.#blocks(type)
      case 'union':
        return union(type.branches.map((branch) => this.of(branch)))
      case 'bytes':
      case 'string':
        return endOfText
      default:
        return endOfLong
    }
  }

  #record(type: AvroRecord): ValueEnd {
    const known = this.#records.get(type)
    if (known !== undefined) return known
    const fields: ValueEnd[] = []
    const plain: ValueEnd = (bytes, start, end) => {
      let at = start
      for (let i = 0; i < fields.length && at >= 0; i++) at = fields[i]!(bytes, at, end)
      return at
    }
    const bounded: ValueEnd = (bytes, start, end) => {
      if (this.#depth === DEPTH_MAX) return -1
      this.#depth++
      const at = plain(bytes, start, end)
      this.#depth--
      return at
    }
    const made = type.isRecursive ? bounded : plain
    this.#records.set(type, made)
    for (const field of type.fields) fields.push(this.of(field.type))
    return made
  }

  #blocks({ kind, items }: AvroBlocks): ValueEnd {
    const item = this.of(items)
    // Items without bytes may be any number.
    const isEmpty = kind === 'array' && fixedSizeOf(items) === 0
    return (bytes, start, end) => {
      let at = start
      for (;;) {
        const count = longAt(bytes, at, end)
        at = endOfLong(bytes, at, end)
        if (at < 0 || count === 0) return at
        // Of a negative count the items' size follows.
        if (count < 0) at = endOfLong(bytes, at, end)
        if (at < 0) return -1
        if (isEmpty) continue
        for (let left = Math.abs(count); left > 0 && at >= 0; left--) {
          if (kind === 'map') at = endOfText(bytes, at, end)
          if (at >= 0) at = item(bytes, at, end)
        }
        if (at < 0) return -1
      }
    }
  }
}

function union(branches: readonly ValueEnd[]): ValueEnd {
  return (bytes, start, end) => {
    const branch = branches[longAt(bytes, start, end)]
    const at = endOfLong(bytes, start, end)
    return at < 0 || branch === undefined ? -1 : branch(bytes, at, end)
  }
}

const endOfLong: ValueEnd = (bytes, start, end) => {
  const stop = Math.min(end, start + LONG_BYTES)
  for (let at = start; at < stop; at++) if (bytes[at]! < 128) return at + 1
  return -1
}

const endOfText: ValueEnd = (bytes, start, end) => {
  const length = longAt(bytes, start, end)
  const at = endOfLong(bytes, start, end)
  return at >= 0 && length >= 0 && length <= end - at ? at + length : -1
}

/** The number at `at`, exact up to 2^53; NaN for none. */
function longAt(bytes: Uint8Array, start: number, end: number): number {
  let zigzag = 0
  let worth = 1
  for (let at = start; at < end; at++, worth *= 128) {
    const byte = bytes[at]!
    zigzag += (byte & 127) * worth
    if (byte < 128) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }
  return Number.NaN
}

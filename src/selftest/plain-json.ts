/**
 * JSON as producers write it, the plain way: by JSON.parse, over the bytes taken as Latin-1, so that text need not be UTF-8 where nobody
 * reads it. A byte order mark in front, NaN and Infinity for numbers, and control characters in text are no fault.
 */

/** A value: an object as it is; an array as null is of no use to anybody. */
export type PlainValue = PlainObject | PlainScalar | readonly unknown[] | null

/** By key; keys that are not ASCII are not to be looked for. */
export interface PlainObject {
  readonly [key: string]: PlainValue
}

/** What is neither object nor array nor null. */
export class PlainScalar {
  readonly kind: 'text' | 'number' | 'boolean' | 'not finite'
  /** Of a number as it is written. Of a text that is not UTF-8 it says nothing. */
  readonly text: string
  readonly isUtf8: boolean
  /** It is a text in which control characters stand as they are. */
  readonly hasControls: boolean

  constructor(kind: PlainScalar['kind'], text: string, isUtf8 = true, hasControls = false) {
    this.kind = kind
    this.text = text
    this.isUtf8 = isUtf8
    this.hasControls = hasControls
  }
}

const MARK = '\xef\xbb\xbf'
/** Stands for NaN and Infinity: a number, so that it is right where a number is. */
const STAND_IN = '-1e8888888'
const CONTROLS_FROM = 0xe000
const TEXT_OR_WORD = /"(?:[^"\\]|\\.)*"|\bNaN\b|-?\bInfinity\b/gs

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
/** TypeScript does not know of the third argument yet. */
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The value that the bytes are; undefined when they are none. */
export function parsePlain(bytes: Uint8Array): PlainValue | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const own = (text.startsWith(MARK) ? text.slice(MARK.length) : text).replace(TEXT_OR_WORD, (found) =>
    found.startsWith('"') ? markControls(found) : STAND_IN,
  )
  try {
    return parse(own, (_, value, { source }) => (source === undefined ? value : scalarOf(source, value))) as PlainValue
  } catch {
    return undefined
  }
}

/** Control characters, but for those that a backslash makes wrong, stand for themselves further up, where no byte of Latin-1 is. */
function markControls(text: string): string {
  return text.replace(/\\.|[^\x20-\xff]/gs, (one) => (one.length > 1 ? one : String.fromCharCode(CONTROLS_FROM + one.charCodeAt(0))))
}

function scalarOf(source: string, value: unknown): PlainScalar | null {
  if (value === null) return null
  if (typeof value === 'boolean') return new PlainScalar('boolean', source)
  if (typeof value === 'number') return source === STAND_IN ? new PlainScalar('not finite', '') : new PlainScalar('number', source)
  const plain = source.replace(/[\ue000-\ue01f]/g, '?')
  const hasControls = plain !== source
  try {
    return new PlainScalar('text', JSON.parse(UTF8.decode(Buffer.from(plain, 'latin1'))) as string, true, hasControls)
  } catch {
    return new PlainScalar('text', String(value), false, hasControls)
  }
}

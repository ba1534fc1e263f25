/**
 * Formats whose records name the schema that they were written with (format.ts says what a format is). For each schema that comes a reader
 * is compiled, which takes record after record of that schema; at a record of another one the reader is changed. Nothing is passed over
 * while a schema is not here: the record waits, and all behind it.
 */

import { locateRecord, RecordPlace } from '../batch/record-batch.ts'
import { copyOf } from '../bytes.ts'
import { LIMITS } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import type { EventFormat } from './event-format.ts'
import type { EventRules } from './event-rules.ts'
import { bareCode, FRAME, type Framing, frameCode, inflateValue, isInHeader, schemaHeaderEnd, ValueFrame } from './frames.ts'
import type { ParsedEvents, RecordsAt } from './parsed-events.ts'
import { type CompiledReader, compileReader } from './reader-code.ts'
import { REASON, WAITING_SCHEMA } from './reasons.ts'
import { SchemaFault, whyUnfit } from './schema-fault.ts'
import type { OpenSchema, SchemaFormat, SchemaTypes } from './schema-format.ts'
import type { SchemaKey, Schemas, WriterSchema } from './schemas.ts'
import type { EventSlot } from './slot.ts'

/** Where a topic's schemas come from: from its frames' keys, or all of one file. */
export interface SchemaSource {
  readonly schemas: Schemas | undefined
  readonly file: WriterSchema | undefined
  /** The type within the file. */
  readonly message: string
}

/** What is known of records that begin alike. */
interface Beginning {
  readonly kind: number
  /** What names the schema, and what of its types. */
  readonly id: Uint8Array
  readonly preamble: Uint8Array
  readonly opened: OpenSchema
  readonly fast: CompiledReader | undefined
}

/** Bytes of what names a schema, by kind of frame. */
const ID_BYTES: readonly number[] = [0, 4, 8, 16, 16, 4, 16]
/** Of more the one met longest ago is forgotten, and made again. */
const KNOWN_MAX = 256
/** Of a larger value no text is made: a few kilobytes may be packed megabytes. */
const TEXT_MAX_BYTES = 1024 * 1024
const NO_READER: CompiledReader = () => {}

export class FramedFormat implements EventFormat {
  readonly several = false
  readonly timeOfRecord: boolean
  detail: string | undefined
  waitsFor: SchemaKey | undefined
  readonly #format: SchemaFormat
  readonly #rules: EventRules
  readonly #source: SchemaSource
  readonly #frame: ValueFrame
  readonly #place = new RecordPlace()
  /** The one met last comes first. */
  readonly #known: Beginning[] = []
  /** By what names it: what was read of a schema, or a fault's words. The one met last comes last. */
  readonly #read = new Map<SchemaKey, SchemaTypes | string>()
  readonly #unfit = new Set<string>()
  #fast: CompiledReader = NO_READER
  /** Of the record that was looked at last. */
  #preambleBytes = 0

  constructor(format: SchemaFormat, rules: EventRules, framing: Framing, source: SchemaSource) {
    this.#format = format
    this.#rules = rules
    this.timeOfRecord = rules.timeOfRecord
    this.#source = source
    this.#frame = new ValueFrame(framing, source.file !== undefined)
    if (source.file !== undefined) checkFile(format, rules, source.file, source.message)
  }

  parse({ records: bytes, view, recordAt, recordsEnd: end }: RecordsAt, parsed: ParsedEvents, limit: number): boolean {
    parsed.begin(recordAt)
    for (;;) {
      this.#fast(bytes, view, end, parsed, limit)
      if (parsed.count + parsed.ignored >= limit) return true
      const record = parsed.next
      const fast = this.#readerAt(bytes, record, end)
      if (fast === undefined || fast === this.#fast) return false
      this.#fast = fast
      fast(bytes, view, end, parsed, limit)
      if (parsed.next === record) return false
    }
  }

  exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot, recordEnd = end): number {
    this.detail = undefined
    if (end <= start) return this.#rules.empty
    if (end - start > LIMITS.eventMaxBytes) return REASON.TOO_LARGE
    const beginning = this.#beginningAt(bytes, start, end, recordEnd)
    if (typeof beginning === 'number') return beginning
    const { opened, kind } = beginning
    const { exact } = opened
    const reason =
      kind === FRAME.glueZlib
        ? this.#inflated(opened, bytes.subarray(this.#frame.start, end), slot)
        : exact.parse(bytes, this.#frame.start + (isInHeader(kind) ? 0 : this.#preambleBytes), end, slot)
    this.detail ??= exact.detail
    return reason
  }

  /** A value that was written by a schema which is here, as JSON; undefined where that can't be told. */
  textOf(bytes: Uint8Array, start: number, end: number, recordEnd: number): string | undefined {
    if (end <= start) return undefined
    const beginning = this.#beginningAt(bytes, start, end, recordEnd)
    if (typeof beginning === 'number') return undefined
    const { opened, kind } = beginning
    const at = this.#frame.start
    const value =
      kind === FRAME.glueZlib
        ? inflateValue(bytes.subarray(at, end))
        : bytes.subarray(at + (isInHeader(kind) ? 0 : this.#preambleBytes), end)
    return value && value.length <= TEXT_MAX_BYTES ? opened.text(value) : undefined
  }

  #readerAt(bytes: Uint8Array, record: number, end: number): CompiledReader | undefined {
    const place = this.#place
    if (!locateRecord(bytes, record, end, place) || place.valueEnd <= place.value) return undefined
    const beginning = this.#beginningAt(bytes, place.value, place.valueEnd, place.next)
    return typeof beginning === 'number' ? undefined : beginning.fast
  }

  /** What is known of a record that begins so; a reason, or WAITING_SCHEMA. `#frame` is the record's then. */
  #beginningAt(bytes: Uint8Array, start: number, end: number, recordEnd: number): Beginning | number {
    const frame = this.#frame
    frame.read(bytes, start, end, recordEnd)
    if (frame.kind === FRAME.notFramed) {
      this.detail = `it begins with the bytes ${Buffer.from(bytes.subarray(start, Math.min(end, start + 5))).toString('hex')}`
      return REASON.FRAME
    }
    const inHeader = isInHeader(frame.kind)
    const at = inHeader ? frame.idAt + ID_BYTES[frame.kind]! : frame.start
    // What is compressed can't be looked into yet.
    const hasPreamble = frame.kind !== FRAME.bare && frame.kind !== FRAME.glueZlib
    const preamble = hasPreamble ? this.#format.preambleBytes(bytes, at, inHeader ? schemaHeaderEnd[0]! : end, frame.kind) : 0
    if (preamble < 0) {
      this.detail = 'what says which message it is can not be read'
      return REASON.FRAME
    }
    this.#preambleBytes = preamble
    return this.#find(bytes, bytes, at, preamble) ?? this.#meet(bytes, copyOf(bytes, at, at + preamble))
  }

  /** `from` has the preamble. */
  #find(bytes: Uint8Array, from: Uint8Array, preambleAt: number, preamble: number): Beginning | undefined {
    const known = this.#known
    const { kind, idAt } = this.#frame
    for (let i = 0; i < known.length; i++) {
      const one = known[i]!
      if (one.kind !== kind || one.preamble.length !== preamble) continue
      if (!isAt(bytes, idAt, one.id) || !isAt(from, preambleAt, one.preamble)) continue
      if (i > 0) {
        known.copyWithin(1, 0, i)
        known[0] = one
      }
      return one
    }
    return undefined
  }

  #meet(bytes: Uint8Array, written: Uint8Array): Beginning | number {
    // One message of Protobuf may be said in as many ways as a producer likes; all are one beginning.
    const preamble = this.#format.shortest(written)
    const known = preamble.length < written.length ? this.#find(bytes, preamble, 0, preamble.length) : undefined
    if (known !== undefined) return known
    const frame = this.#frame
    const { file } = this.#source
    const key = file === undefined ? frame.keyOf(bytes) : ''
    const types = this.#typesOf(key)
    if (typeof types === 'number') return types
    const opened = typeof types === 'string' ? types : this.#orWords(key, () => types.open(preamble, this.#source.message))
    if (typeof opened === 'string') {
      // Not kept: what does not exist is without end, and must not push out what does.
      this.detail = opened
      return REASON.SCHEMA_MISMATCH
    }
    const source = frame.kind === FRAME.glueZlib ? undefined : opened.source
    const lead = frame.kind === FRAME.bare ? bareCode(frame) : frameCode(frame, bytes, file !== undefined)
    const beginning: Beginning = {
      kind: frame.kind,
      id: file === undefined ? copyOf(bytes, frame.idAt, frame.idAt + ID_BYTES[frame.kind]!) : new Uint8Array(0),
      preamble,
      opened,
      fast: source && compileReader(source, lead + preambleCode(preamble, frame.kind), this.#rules),
    }
    if (this.#known.unshift(beginning) > KNOWN_MAX) this.#known.pop()
    return beginning
  }

  /** What was read of a schema, or why it can't be used, in words; a reason, or WAITING_SCHEMA. Read once, whatever names it. */
  #typesOf(key: SchemaKey): SchemaTypes | string | number {
    const known = this.#read.get(key)
    if (known !== undefined) {
      this.#read.delete(key)
      this.#read.set(key, known)
      return known
    }
    const { file, schemas } = this.#source
    const schema = file ?? (schemas === undefined ? 'unknown' : schemas.find(key))
    if (schema === undefined) {
      this.waitsFor = key
      return WAITING_SCHEMA
    }
    if (schema === 'unknown') {
      this.detail = key
      return REASON.SCHEMA_UNKNOWN
    }
    const { type } = this.#format
    const types = this.#orWords(key, () => {
      if (schema.type !== type) throw new SchemaFault(`it is of ${schema.type}, and kafka.topics[].format is ${type}`)
      return this.#format.read(schema, this.#rules)
    })
    this.#read.set(key, types)
    for (const [oldest] of this.#read) {
      if (this.#read.size <= KNOWN_MAX) break
      this.#read.delete(oldest)
    }
    return types
  }

  /** What can't be used is told once for a key. */
  #orWords<T>(key: SchemaKey, make: () => T): T | string {
    try {
      return make()
    } catch (error) {
      const words = whyUnfit(error)
      if (words === undefined) throw error
      if (!this.#unfit.has(key)) this.#source.schemas?.unfit(key, words)
      this.#unfit.add(key)
      return key === '' ? words : `schema ${key}: ${words}`
    }
  }

  #inflated({ exact }: OpenSchema, packed: Uint8Array, slot: EventSlot): number {
    const bytes = inflateValue(packed)
    if (bytes !== undefined) return exact.parse(bytes, 0, bytes.length, slot)
    this.detail = 'it can not be decompressed'
    return REASON.FRAME
  }
}

function checkFile(format: SchemaFormat, rules: EventRules, file: WriterSchema, message: string): void {
  try {
    format.read(file, rules).open(new Uint8Array(0), message)
  } catch (error) {
    const words = whyUnfit(error)
    if (words === undefined) throw error
    throw new CtrError('CTR_CONFIG', `the schema in kafka.topics[].schemaFile can't be used: ${words}`, { cause: error })
  }
}

function isAt(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}

/** Source text: leaves the loop over records at another preamble, else steps over it. */
function preambleCode(preamble: Uint8Array, kind: number): string {
  const differsAt = (at: string) => Array.from(preamble, (byte, i) => `bytes[(${at} + ${i}) | 0] !== ${byte}`).join(' || ')
  if (isInHeader(kind)) {
    const ends = `schemaHeaderEnd[0] !== ((header + ${1 + ID_BYTES[kind]! + preamble.length}) | 0)`
    return `if (${[ends, ...(preamble.length > 0 ? [differsAt(`header + ${1 + ID_BYTES[kind]!}`)] : [])].join(' || ')}) break\n`
  }
  if (preamble.length === 0) return ''
  const differs = differsAt('at')
  return `if (((at + ${preamble.length}) | 0) > valueEnd || ${differs}) break\nat = (at + ${preamble.length}) | 0\n`
}

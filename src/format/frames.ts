/**
 * What stands before a value and names the schema that it was written with:
 *
 *   confluent   | 0 | id, 4 bytes |            or the record's header __value_schema_id with | 0 | id | or | 1 | GUID, 16 bytes |,
 *                                              and then nothing stands before the value
 *   apicurio    | 0 | id, 8 bytes |
 *   glue        | 3 | 0, or 5 for a value compressed by zlib | UUID, 16 bytes |
 *
 * Numbers are big-endian. Of an id of eight bytes the first four are zero, and no registry gives the id 0; so `auto` can tell all of them
 * apart. A value of JSON begins with none of these bytes. One of Avro without a frame may, and `auto` takes it for a framed one.
 */
import { inflateSync } from 'node:zlib'
import { varint, varintSize } from '../batch/record-batch.ts'
import { LIMITS } from '../config/limits.ts'
import type { SchemaKey } from './schemas.ts'

/** How the values of a topic are framed, as the configuration has it. */
export type Framing = 'auto' | 'confluent' | 'glue' | 'apicurio' | 'none'

/** Kinds of frames. BARE is none; NOT_FRAMED is not as the configuration says. */
export const FRAME = { notFramed: -1, bare: 0, confluent: 1, apicurio: 2, glue: 3, glueZlib: 4, headerId: 5, headerGuid: 6 } as const

/** The schema is named in a header. */
export function isInHeader(kind: number): boolean {
  return kind === FRAME.headerId || kind === FRAME.headerGuid
}

/** Bytes before the value, by kind. */
const LEADS: readonly number[] = [0, 5, 9, 18, 18, 0, 0]
const GUID_BYTES = 16
const HEADER = Uint8Array.from(Buffer.from('__value_schema_id'))

/** The frame of one record; reused for every record. */
export class ValueFrame {
  kind: number = FRAME.bare
  /** Where the value begins. */
  start = 0
  /** Where the id, GUID or UUID begins. */
  idAt = 0
  /** What a value begins with says whether it has a frame. */
  readonly isAuto: boolean
  readonly #framing: Framing
  /** Values without a frame are among those that `auto` takes. */
  readonly #mayBeBare: boolean

  constructor(framing: Framing, mayBeBare: boolean) {
    this.isAuto = framing === 'auto'
    this.#framing = framing
    this.#mayBeBare = mayBeBare
  }

  /** Looks at the value bytes[start, end), behind which the record's headers lie, up to recordEnd. */
  read(bytes: Uint8Array, start: number, end: number, recordEnd: number): void {
    this.kind = this.#kindOf(bytes, start, end, recordEnd)
    this.start = this.kind < 0 ? start : start + LEADS[this.kind]!
    if (this.kind === FRAME.confluent || this.kind === FRAME.apicurio) this.idAt = start + 1
    else if (this.kind === FRAME.glue || this.kind === FRAME.glueZlib) this.idAt = start + 2
  }

  #kindOf(bytes: Uint8Array, start: number, end: number, recordEnd: number): number {
    const framing = this.#framing
    if (framing === 'none') return FRAME.bare
    if (framing === 'auto' || framing === 'confluent') {
      const header = schemaHeader(bytes, end, recordEnd)
      if (header >= 0) {
        this.idAt = header + 1
        return bytes[header] === 1 ? FRAME.headerGuid : FRAME.headerId
      }
    }
    const length = end - start
    const [first, second] = [bytes[start], bytes[start + 1]]
    if (first === 0 && framing !== 'glue') {
      const isLong = framing === 'apicurio' || (framing === 'auto' && length >= 9 && isZero(bytes, start + 1))
      if (isLong ? length >= 9 : length >= 5) return isLong ? FRAME.apicurio : FRAME.confluent
    }
    if (first === 3 && length >= 18 && (framing === 'glue' || framing === 'auto')) {
      if (second === 0) return FRAME.glue
      if (second === 5) return FRAME.glueZlib
    }
    return this.#mayBeBare && framing === 'auto' ? FRAME.bare : FRAME.notFramed
  }

  /** What the frame names. */
  keyOf(bytes: Uint8Array): SchemaKey {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    switch (this.kind) {
      case FRAME.confluent:
      case FRAME.headerId:
        return `id:${view.getUint32(this.idAt)}`
      case FRAME.apicurio:
        return `apicurio:${view.getBigUint64(this.idAt)}`
      default:
        return `${this.kind === FRAME.headerGuid ? 'guid' : 'glue'}:${uuidAt(bytes, this.idAt)}`
    }
  }
}

/** The 16 bytes at `at` as a UUID is written. */
export function uuidAt(bytes: Uint8Array, at: number): string {
  const hex = Buffer.from(bytes.subarray(at, at + GUID_BYTES)).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function isZero(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) === 0
}

/** Where the header's value ends that schemaHeader has found. */
export const schemaHeaderEnd = new Int32Array(1)

/** Where the value of a header begins that names the schema, among a record's headers in bytes[at, end); -1 when there is none. */
export function schemaHeader(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] === 0) return -1
  let from = at + varintSize(bytes, at)
  for (let left = varint(bytes, at); left > 0 && from < end; left--) {
    const keyLength = varint(bytes, from)
    const key = from + varintSize(bytes, from)
    const lengthAt = key + keyLength
    if (keyLength < 0 || lengthAt >= end) return -1
    const length = varint(bytes, lengthAt)
    const value = lengthAt + varintSize(bytes, lengthAt)
    from = value + Math.max(0, length)
    if (from > end) return -1
    if (keyLength !== HEADER.length || !isHeader(bytes, key)) continue
    if (!((bytes[value] === 1 && length > GUID_BYTES) || (bytes[value] === 0 && length >= 5))) continue
    schemaHeaderEnd[0] = from
    return value
  }
  return -1
}

/** The headers of a record whose schema has this GUID, as a record has them behind its value. */
export function guidHeaders(guid: Uint8Array): Uint8Array {
  const zigzag = (length: number) => 2 * length
  return Uint8Array.from([zigzag(1), zigzag(HEADER.length), ...HEADER, zigzag(1 + GUID_BYTES), 1, ...guid.subarray(0, GUID_BYTES)])
}

function isHeader(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < HEADER.length; i++) if (bytes[at + i] !== HEADER[i]) return false
  return true
}

const NO_HEADER = 'if (valueEnd < recordEnd && bytes[valueEnd] !== 0 && schemaHeader(bytes, valueEnd, recordEnd) >= 0) break\n'

/** Source text of a reader of values without frames: leaves the loop over records at what may be framed. Not needed for JSON. */
export function bareCode({ isAuto }: ValueFrame): string {
  return isAuto ? `if (bytes[at] === 0 || bytes[at] === 3) break\n${NO_HEADER}` : ''
}

/** Source text of a compiled reader: leaves the loop over records at another frame than that of `bytes`, else steps over it. */
export function frameCode({ kind, idAt }: ValueFrame, bytes: Uint8Array, isOneSchema: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = kind === FRAME.confluent || kind === FRAME.headerId ? 1 : kind === FRAME.apicurio ? 2 : 4
  const same = (at: string) => {
    // Of an id of eight bytes the first four are zero, of others they are not.
    if (isOneSchema && words < 4) return ` || view.getInt32((${at}) | 0) ${words === 1 ? '=' : '!'}== 0`
    if (isOneSchema) return ''
    const checks = Array.from({ length: words }, (_, i) => `view.getInt32((${at} + ${i * 4}) | 0) !== ${view.getInt32(idAt + i * 4)}`)
    return ` || ${checks.join(' || ')}`
  }
  const lead = LEADS[kind]!
  const fits = `if (((at + ${lead}) | 0) > valueEnd || bytes[at] !== `
  const over = `at = (at + ${lead}) | 0\n`
  switch (kind) {
    case FRAME.confluent:
      return `${fits}0${same('at + 1')}) break\n${NO_HEADER}${over}`
    case FRAME.apicurio:
      return `${fits}0${same('at + 1')}) break\n${NO_HEADER}${over}`
    case FRAME.glue:
      return `${fits}3 || bytes[(at + 1) | 0] !== 0${same('at + 2')}) break\n${NO_HEADER}${over}`
    case FRAME.headerId:
    case FRAME.headerGuid:
      return `const header = schemaHeader(bytes, valueEnd, recordEnd)
        if (header < 0 || bytes[header] !== ${kind === FRAME.headerGuid ? 1 : 0}${same('header + 1')}) break\n`
    default:
      return ''
  }
}

/** A value that was compressed; undefined for one that can't be read, or is too large. */
export function inflateValue(packed: Uint8Array): Uint8Array | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: LIMITS.eventMaxBytes })
  } catch {
    return undefined
  }
}

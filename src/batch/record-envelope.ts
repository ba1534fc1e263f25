/**
 * What a Kafka record carries around its value: key, headers and timestamp. Only records that leave the engine are asked for it; see
 * record-batch.ts for the layout. Headers are
 *
 *   | count | key length | key | value length | value | key length ...
 *
 * where lengths and the count are zigzag varints; a length of -1 means null.
 */
import { LIMITS } from '../config/limits.ts'
import { type BatchHeader, varint, varintSize, varlong } from './record-batch.ts'

/** Bytes are views of the record. */
export interface RecordEnvelope {
  readonly key: Uint8Array | null
  /** In their order; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[]
  /** ms: the broker's when the batch has its append time. */
  readonly timestamp: number
}

/** Stands for the headers beyond LIMITS.headersMax; its value says how many the record counts, in digits. */
export const HEADERS_LEFT_OUT = 'ctr-headers-left-out'

/** Of the record at `at`, whose lengths locateRecord has found to be true. Headers that run past the record end where they do. */
export function readEnvelope(bytes: Uint8Array, at: number, header: BatchHeader): RecordEnvelope {
  let p = at
  const int = () => {
    const value = varint(bytes, p)
    p += varintSize(bytes, p)
    return value
  }
  const end = int() + p
  p++ // attributes
  const timestamp = header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + varlong(bytes, p)
  p += varintSize(bytes, p)
  int() // offset
  const span = (length: number) => {
    if (length < 0) return null
    p += length
    return bytes.subarray(p - length, p)
  }
  const key = span(int())
  span(int())
  const headers: [string, Uint8Array | null][] = []
  for (let left = p < end ? int() : 0; left > 0 && p < end; left--) {
    if (headers.length === LIMITS.headersMax) {
      headers.push([HEADERS_LEFT_OUT, Buffer.from(String(left))])
      break
    }
    const name = span(int())
    if (name === null || p >= end) break
    const value = span(int())
    if (p > end) break
    headers.push([Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString(), value])
  }
  return { key, headers, timestamp }
}

/**
 * What is counted for itself: its key, as bytes, and the columns of a row that follow from it.
 *
 *   key       a product id in UTF-8, 1 to KEY_MAX_BYTES bytes; so dictionary, rings, workers and task objects hold it
 *   columns   | tenant | product_id |, each a text as RowBinary has it: | length, varint | bytes |
 *
 * The tenant is one for the whole process, so its column is made once. A row begins with these columns, in the table's order. What else
 * may tell counted things apart is more bytes in the key and more columns here; nobody else looks into either.
 */
import { assert } from '../assert.ts'
import { LIMITS } from '../config/limits.ts'

/** The columns of the table of results that a key fills. */
export const KEY_COLUMNS: readonly string[] = ['tenant', 'product_id']

/** Bytes of the longest key. */
export const KEY_MAX_BYTES = LIMITS.productIdMaxBytes

/** A varint of a length below 2^14. */
const LENGTH_MAX_BYTES = 2
assert(Math.max(KEY_MAX_BYTES, LIMITS.tenantMaxBytes) < 2 ** 14, 'lengths fit their varint')

/** The tenant's column. */
export function encodeTenant(tenant: string): Uint8Array {
  const bytes = Buffer.from(tenant, 'utf8')
  assert(bytes.length <= LIMITS.tenantMaxBytes, 'a tenant is within its limit', { bytes: bytes.length })
  const column = new Uint8Array(LENGTH_MAX_BYTES + bytes.length)
  const at = writeLength(column, 0, bytes.length)
  column.set(bytes, at)
  return column.slice(0, at + bytes.length)
}

/** The most bytes that the columns of one key take, given the result of encodeTenant. */
export function keyColumnsMaxBytes(tenant: Uint8Array): number {
  return tenant.length + LENGTH_MAX_BYTES + KEY_MAX_BYTES
}

/** Writes the columns of the key keys[start, start + length) to out[at] and returns the position behind them. */
export function writeKeyColumns(out: Uint8Array, at: number, tenant: Uint8Array, keys: Uint8Array, start: number, length: number): number {
  for (let i = 0; i < tenant.length; i++) out[at + i] = tenant[i]!
  at = writeLength(out, at + tenant.length, length)
  for (let i = 0; i < length; i++) out[at + i] = keys[start + i]!
  return at + length
}

/** The position behind the key's columns that begin at `at`. */
export function keyColumnsEnd(bytes: Uint8Array, at: number): number {
  return textEnd(bytes, textEnd(bytes, at))
}

/** What the key's columns that begin at `at` say. */
export function readKeyColumns(bytes: Buffer, at: number): { readonly tenant: string; readonly productId: string } {
  return { tenant: textAt(bytes, at), productId: textAt(bytes, textEnd(bytes, at)) }
}

/** A length as LEB128; at most LENGTH_MAX_BYTES. */
function writeLength(out: Uint8Array, at: number, length: number): number {
  while (length >= 0x80) {
    out[at++] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  out[at] = length
  return at + 1
}

/** Behind a text of less than 2^14 bytes and its length. */
function textEnd(bytes: Uint8Array, at: number): number {
  const low = bytes[at]!
  return low < 0x80 ? at + 1 + low : at + 2 + (low & 0x7f) + (bytes[at + 1]! << 7)
}

function textAt(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + (bytes[at]! < 0x80 ? 1 : 2), textEnd(bytes, at))
}

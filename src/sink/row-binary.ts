/**
 * One row of ctr_results as RowBinary bytes, in the column order of RESULTS (schema.ts).
 *
 *   tenant      product_id   window_start  window_end  task    impressions  clicks  ctr      version  emitted_at
 *   varint+n    varint+n     i64 ms        i64 ms      u32     u64          u64     f64      u64      i64 ms        all little-endian
 *
 * Nothing is allocated per row and no BigInt is made: 64-bit numbers are doubles below 2^53, written as two 32-bit halves.
 * A wrong length would desync every row after it, so what a caller could get wrong is asserted.
 */
import { assert } from '../assert.ts'
import { LIMITS } from '../config/limits.ts'
import { eventsOf } from '../window/measures.ts'

/** Bytes of the columns of fixed width: three times, two counts, version and ctr of 8 bytes, task of 4. */
export const FIXED_BYTES = 7 * 8 + 4
/** A varint of a length below 2^14. */
const LENGTH_MAX_BYTES = 2
const PRODUCT_MAX_BYTES = LIMITS.productIdMaxBytes
assert(Math.max(PRODUCT_MAX_BYTES, LIMITS.tenantMaxBytes) < 2 ** 14, 'lengths fit their varint')

/** version = revision * VERSION_UNIT + impressions + clicks; a window's counts stay below it. */
export const VERSION_UNIT = 2 ** LIMITS.countBits
const REVISION_MAX = LIMITS.revisionMax

const WORD = 2 ** 32

/** The tenant as it stands at the start of every row: its length and its bytes. Made once per task. */
export function encodeTenant(tenant: string): Uint8Array {
  const bytes = Buffer.from(tenant, 'utf8')
  assert(bytes.length <= LIMITS.tenantMaxBytes, 'a tenant is within its limit', { bytes: bytes.length })
  const prefix = new Uint8Array(LENGTH_MAX_BYTES + bytes.length)
  const at = writeLength(prefix, 0, bytes.length)
  prefix.set(bytes, at)
  return prefix.slice(0, at + bytes.length)
}

/** The most bytes one row can take, given the result of encodeTenant. */
export function rowMaxBytes(tenant: Uint8Array): number {
  return tenant.length + LENGTH_MAX_BYTES + PRODUCT_MAX_BYTES + FIXED_BYTES
}

/** What the rows of one emission have in common. Made once for all of them: a double that is passed for each row is a heap object a row. */
export interface RowFrame {
  /** window_start, window_end and task, as bytes. */
  readonly window: Uint8Array
  /** emitted_at. */
  readonly emittedAt: Uint8Array
  readonly revision: number
}

/** Times in ms since the epoch. */
export function rowFrame(windowStart: number, windowEnd: number, task: number, revision: number, emittedAt: number): RowFrame {
  assert(revision >= 0 && revision <= REVISION_MAX, 'a revision is within its limits', { revision })
  const window = new Uint8Array(20)
  const view = new DataView(window.buffer)
  writeUint64(view, 0, windowStart)
  writeUint64(view, 8, windowEnd)
  view.setUint32(16, task, true)
  const emitted = new Uint8Array(8)
  writeUint64(new DataView(emitted.buffer), 0, emittedAt)
  return { window, emittedAt: emitted, revision }
}

/**
 * Writes one row at byte `at` of `out` and returns the position behind it. `view` spans the same memory as `out`; `tenant` is
 * encodeTenant's; the product id is `products[productStart .. productStart + productBytes)` in UTF-8.
 */
export function writeRow(
  out: Uint8Array,
  view: DataView,
  at: number,
  tenant: Uint8Array,
  products: Uint8Array,
  productStart: number,
  productBytes: number,
  { window, emittedAt, revision }: RowFrame,
  impressions: number,
  clicks: number,
): number {
  const events = eventsOf(impressions, clicks)
  if (!(productBytes > 0 && productBytes <= PRODUCT_MAX_BYTES && events < VERSION_UNIT)) {
    assert(false, 'a row is within its limits', { productBytes, impressions, clicks })
  }
  for (let i = 0; i < tenant.length; i++) out[at + i] = tenant[i]!
  at = writeLength(out, at + tenant.length, productBytes)
  for (let i = 0; i < productBytes; i++) out[at + i] = products[productStart + i]!
  at += productBytes
  for (let i = 0; i < 20; i++) out[at + i] = window[i]!
  writeUint64(view, at + 20, impressions)
  writeUint64(view, at + 28, clicks)
  view.setFloat64(at + 36, impressions === 0 ? 0 : clicks / impressions, true)
  writeUint64(view, at + 44, revision * VERSION_UNIT + events)
  for (let i = 0; i < 8; i++) out[at + 52 + i] = emittedAt[i]!
  return at + FIXED_BYTES
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

/** A whole number from 0 below 2^53 as u64; the same bytes as i64, for none is negative. */
function writeUint64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / WORD)
  view.setUint32(at, value - high * WORD, true)
  view.setUint32(at + 4, high, true)
}

/**
 * One row of ctr_results as RowBinary bytes: the columns of its key (products/key.ts), then those of fixed width, all little-endian, each
 * where the list of the table's columns puts it (RESULTS in schema.ts).
 *
 *   tenant      product_id   window_start  window_end  task    impressions  clicks  ctr      version  emitted_at
 *   varint+n    varint+n     i64 ms        i64 ms      u32     u64          u64     f64      u64      i64 ms
 *
 * Of windows that have a name it follows, as varint+n (WINDOW_NAME in columns.ts).
 *
 * Nothing is allocated per row and no BigInt is made: 64-bit numbers are doubles below 2^53, written as two 32-bit halves.
 * A wrong length would desync every row after it, so what a caller could get wrong is asserted.
 */
import { assert } from '../assert.ts'
import { LIMITS } from '../config/limits.ts'
import { KEY_COLUMNS, KEY_MAX_BYTES, keyColumnsMaxBytes, writeKeyColumns } from '../products/key.ts'
import { fixedPart, RESULTS } from '../tables/columns.ts'
import { eventsOf } from '../window/measures.ts'

const FIXED = fixedPart(RESULTS)
/** Bytes of the columns of fixed width. */
export const FIXED_BYTES = FIXED.bytes

/** Where a column of fixed width lies, counted from the first one, bytes. */
export const COLUMN_AT = {
  windowStart: FIXED.offsetOf('window_start'),
  windowEnd: FIXED.offsetOf('window_end'),
  task: FIXED.offsetOf('task'),
  impressions: FIXED.offsetOf('impressions'),
  clicks: FIXED.offsetOf('clicks'),
  ctr: FIXED.offsetOf('ctr'),
  version: FIXED.offsetOf('version'),
  emittedAt: FIXED.offsetOf('emitted_at'),
} as const

// Constants of this module, not exported: what is imported or exported is a load at every use, and these are used for every row.
const KEY_BYTES_MAX = KEY_MAX_BYTES
const FIXED_END = FIXED_BYTES
const IMPRESSIONS_AT = COLUMN_AT.impressions
const CLICKS_AT = COLUMN_AT.clicks
const CTR_AT = COLUMN_AT.ctr
const VERSION_AT = COLUMN_AT.version
const EMITTED_AT_AT = COLUMN_AT.emittedAt
/** What rows of one emission have in common lies before the counts. */
const WINDOW_BYTES = IMPRESSIONS_AT
const EMITTED_AT_BYTES = 8

assert(
  FIXED.texts.join() === KEY_COLUMNS.join() && FIXED.columns === Object.keys(COLUMN_AT).length,
  'a row is its key and the columns that are written here',
)
assert(
  Math.max(COLUMN_AT.windowStart, COLUMN_AT.windowEnd, COLUMN_AT.task) < WINDOW_BYTES && WINDOW_BYTES === 8 + 8 + 4,
  'window_start, window_end and task lie together, before all others',
)

/** version = revision * VERSION_UNIT + events; a window's counts stay below it. */
export const VERSION_UNIT = 2 ** LIMITS.countBits

const WORD = 2 ** 32
const NO_NAME = new Uint8Array(0)

/** The most bytes one row can take, given the result of encodeTenant. */
export function rowMaxBytes(tenant: Uint8Array, name = NO_NAME): number {
  return keyColumnsMaxBytes(tenant) + FIXED_BYTES + name.length
}

/** The name of windows as rows carry it: nothing for windows without one. */
export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  if (name === '') return NO_NAME
  const bytes = Buffer.from(name)
  assert(bytes.length < 128, 'the length of a name is one byte', { name })
  return Uint8Array.of(bytes.length, ...bytes)
}

/** The version of a row: of two of one key that with more events is newer, whoever wrote it; one of a higher revision is newer than any. */
export function versionOf(revision: number, events: number): number {
  return revision * VERSION_UNIT + events
}

/** What the rows of one emission have in common. Made once for all of them: a double that is passed for each row is a heap object a row. */
export interface RowFrame {
  /** window_start, window_end and task, as bytes. */
  readonly window: Uint8Array
  /** emitted_at. */
  readonly emittedAt: Uint8Array
  readonly revision: number
  /** encodeName's. */
  readonly name: Uint8Array
}

/** Times in ms since the epoch. */
export function rowFrame(
  windowStart: number,
  windowEnd: number,
  task: number,
  revision: number,
  emittedAt: number,
  name = NO_NAME,
): RowFrame {
  assert(revision >= 0 && revision <= LIMITS.revisionMax, 'a revision is within its limits', { revision })
  const window = new Uint8Array(WINDOW_BYTES)
  const view = new DataView(window.buffer)
  writeUint64(view, COLUMN_AT.windowStart, windowStart)
  writeUint64(view, COLUMN_AT.windowEnd, windowEnd)
  view.setUint32(COLUMN_AT.task, task, true)
  const emitted = new Uint8Array(EMITTED_AT_BYTES)
  writeUint64(new DataView(emitted.buffer), 0, emittedAt)
  return { window, emittedAt: emitted, revision, name }
}

/**
 * Writes one row at byte `at` of `out` and returns the position behind it. `view` spans the same memory as `out`; `tenant` is
 * encodeTenant's; the key is `keys[keyStart .. keyStart + keyBytes)`.
 */
export function writeRow(
  out: Uint8Array,
  view: DataView,
  at: number,
  tenant: Uint8Array,
  keys: Uint8Array,
  keyStart: number,
  keyBytes: number,
  { window, emittedAt, revision, name }: RowFrame,
  impressions: number,
  clicks: number,
): number {
  const events = eventsOf(impressions, clicks)
  if (!(keyBytes > 0 && keyBytes <= KEY_BYTES_MAX && events < VERSION_UNIT)) {
    assert(false, 'a row is within its limits', { productBytes: keyBytes, impressions, clicks })
  }
  at = writeKeyColumns(out, at, tenant, keys, keyStart, keyBytes)
  for (let i = 0; i < WINDOW_BYTES; i++) out[at + i] = window[i]!
  writeUint64(view, at + IMPRESSIONS_AT, impressions)
  writeUint64(view, at + CLICKS_AT, clicks)
  view.setFloat64(at + CTR_AT, impressions === 0 ? 0 : clicks / impressions, true)
  writeUint64(view, at + VERSION_AT, versionOf(revision, events))
  for (let i = 0; i < EMITTED_AT_BYTES; i++) out[at + EMITTED_AT_AT + i] = emittedAt[i]!
  if (name.length > 0) out.set(name, at + FIXED_END)
  return at + FIXED_END + name.length
}

/** A whole number from 0 below 2^53 as u64; the same bytes as i64, for none is negative. */
function writeUint64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / WORD)
  view.setUint32(at, value - high * WORD, true)
  view.setUint32(at + 4, high, true)
}

/**
 * What compiled readers of binary formats call to put a product into its row and a time into a slot. Nothing is allocated. A length of
 * 0, or a time of 0, says that the exact parser decides.
 */
import { HASH_SEED, hashProduct, mixHash } from './hash.ts'
import { skipUtf8 } from './json-skip.ts'
import { KEY_BYTES, MADE_BYTES, type ParsedEvents, putKey, ROW_HASH, ROW_KEY, ROW_START } from './parsed-events.ts'
import { PRODUCT_MAX_BYTES } from './slot.ts'

const HIGH_BITS = 0x80808080 | 0

/** The text bytes[start, start + length) as the product of the row of rows that begins at `row`; its length, or 0. */
export function putText(rows: Int32Array, row: number, bytes: Uint8Array, view: DataView, start: number, length: number): number {
  rows[row + ROW_START] = start
  if (length > KEY_BYTES || start + KEY_BYTES > view.byteLength) return putLongText(rows, row, bytes, start, length)
  let a = view.getInt32(start, true)
  let b = 0
  let c = 0
  let d = 0
  if (length < 4) a &= maskOf(length)
  else if (length > 4) {
    b = view.getInt32(start + 4, true)
    if (length < 8) b &= maskOf(length - 4)
    else if (length > 8) {
      c = view.getInt32(start + 8, true)
      if (length < 12) c &= maskOf(length - 8)
      else if (length > 12) d = view.getInt32(start + 12, true) & (length < 16 ? maskOf(length - 12) : -1)
    }
  }
  if (length === 0 || (((a | b | c | d) & HIGH_BITS) !== 0 && !isUtf8Text(bytes, start, start + length))) return 0
  let hash = mixHash(HASH_SEED, a)
  if (length > 4) hash = mixHash(hash, b)
  if (length > 8) hash = mixHash(hash, c)
  if (length > 12) hash = mixHash(hash, d)
  rows[row + ROW_HASH] = hash
  rows[row + ROW_KEY] = a
  rows[row + ROW_KEY + 1] = b
  rows[row + ROW_KEY + 2] = c
  rows[row + ROW_KEY + 3] = d
  return length
}

/** Of the first bytes of a word, fewer than four. */
function maskOf(count: number): number {
  return (1 << (count * 8)) - 1
}

function putLongText(rows: Int32Array, row: number, bytes: Uint8Array, start: number, length: number): number {
  if (length > PRODUCT_MAX_BYTES || !isUtf8Text(bytes, start, start + length)) return 0
  rows[row + ROW_HASH] = hashProduct(bytes, start, start + length)
  putKey(rows, row + ROW_KEY, bytes, start, Math.min(length, KEY_BYTES))
  return length
}

/** Whether bytes[start, end) are UTF-8 to the last. */
function isUtf8Text(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end && at >= 0) at = bytes[at]! < 0x80 ? at + 1 : skipUtf8(bytes, at, end)
  return at === end
}

/** A word that is not in the record, as the product of event `index`. */
export function putWord(parsed: ParsedEvents, index: number, row: number, word: Uint8Array): number {
  if (word.length > MADE_BYTES) return 0
  const at = index * MADE_BYTES
  parsed.made.set(word, at)
  return putMade(parsed, row, at, word.length)
}

/** How the bits of an integer stand for its value. */
export const INTEGERS = { unsigned: 0, zigzag: 1, signed: 2 } as const

/** The decimal digits of the varint at `at`, of at most ten bytes, as the product of event `index`. */
export function putVarintDigits(parsed: ParsedEvents, index: number, row: number, bytes: Uint8Array, at: number, kind: number): number {
  let low = 0
  let high = 0
  let from = at
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[from++]!
    const bits = byte & 127
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high = bits >>> 4
    } else high |= bits << (shift - 32)
    if (byte < 128) break
  }
  if (kind !== INTEGERS.zigzag) return putDigits(parsed, index, row, high, low, kind === INTEGERS.signed)
  const isNegative = (low & 1) === 1
  low = (low >>> 1) | (high << 31)
  high >>>= 1
  // The bits of -n - 1 are those of n turned.
  return isNegative ? putDigits(parsed, index, row, ~high, ~low, true) : putDigits(parsed, index, row, high, low, false)
}

/** The decimal digits of 64 bits as the product of event `index`. */
export function putDigits(parsed: ParsedEvents, index: number, row: number, high: number, low: number, isSigned: boolean): number {
  const { made } = parsed
  const start = index * MADE_BYTES
  let at = start
  let upper = high >>> 0
  let lower = low >>> 0
  if (isSigned && high < 0) {
    made[at++] = 0x2d
    lower = -low >>> 0
    upper = (~high + (lower === 0 ? 1 : 0)) >>> 0
  }
  if (upper === 0) return putMade(parsed, row, start, digitsAt(made, at, lower) - start)
  // By 10^8, in steps of sixteen bits: no step has more than 53.
  let rest = 0
  let quotient = 0
  for (let i = 0; i < 4; i++) {
    const half = i < 2 ? upper : lower
    const step = rest * 65_536 + ((i & 1) === 0 ? half >>> 16 : half & 0xffff)
    const whole = Math.floor(step / 1e8)
    quotient = quotient * 65_536 + whole
    rest = step - whole * 1e8
  }
  const above = Math.floor(quotient / 1e8)
  if (above > 0) {
    at = digitsAt(made, at, above)
    eightDigits(made, at, quotient - above * 1e8)
    at += 8
  } else at = digitsAt(made, at, quotient)
  eightDigits(made, at, rest)
  return putMade(parsed, row, start, at + 8 - start)
}

function putMade(parsed: ParsedEvents, row: number, at: number, length: number): number {
  const { rows, made, madeView } = parsed
  const put = putText(rows, row, made, madeView, at, length)
  rows[row + ROW_START] = ~at
  return put
}

/** Digits of a number below 2^32 from `at` on; where they end. */
function digitsAt(out: Uint8Array, at: number, value: number): number {
  let places = 1
  for (let bound = 10; bound <= value; bound *= 10) places++
  let rest = value
  for (let i = at + places - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10)
    out[i] = 0x30 + rest - tenth * 10
    rest = tenth
  }
  return at + places
}

function eightDigits(out: Uint8Array, at: number, value: number): void {
  let rest = value | 0
  for (let i = at + 7; i >= at; i--) {
    const tenth = (rest / 10) | 0
    out[i] = 0x30 + rest - tenth * 10
    rest = tenth
  }
}

/** What a number counts, as numbers for compiled code. */
export const UNITS = { auto: 0, s: 1, ms: 2, us: 3, ns: 4 } as const

/** ms of the varint at `at`, of at most ten bytes, into out[0]; 0 for what the exact parser must look at. */
export function putVarintTime(bytes: Uint8Array, at: number, kind: number, unit: number, out: Float64Array): void {
  let low = 0
  let high = 0
  let from = at
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[from++]!
    low |= (byte & 127) << shift
    if (byte < 128) break
  }
  if (bytes[from - 1]! > 127) {
    for (let worth = 1; worth < 2 ** 42; worth *= 128) {
      const byte = bytes[from++]!
      high += (byte & 127) * worth
      if (byte < 128) break
    }
  }
  if (kind === INTEGERS.zigzag) {
    out[0] = 0
    if ((low & 1) === 0) putTime(high, low >>> 1, unit, out)
  } else putTime(high * 2 + (low >>> 27), low & 0x7ff_ffff, unit, out)
}

/** ms of high * 2^27 + low, of which low has 27 bits, into out[0]; 0 for what the exact parser must look at. */
function putTime(high: number, low: number, unit: number, out: Float64Array): void {
  out[0] = 0
  if (high < 1 << 25) {
    const value = high * 134_217_728 + low
    const counts = unit === UNITS.auto ? (value < 1e11 ? UNITS.s : value < 1e14 ? UNITS.ms : UNITS.us) : unit
    if (counts === UNITS.ms) out[0] = value
    else if (counts === UNITS.us) out[0] = Math.floor(value / 1e3)
    else if (counts === UNITS.ns) out[0] = Math.floor(value / 1e6)
    else if (value < 1e12) out[0] = value * 1e3
  } else if (high < 2 ** 36 && (unit === UNITS.ns || (unit === UNITS.auto && high * 134_217_728 > 1.001e17))) {
    const millions = Math.floor(high / 1e6)
    out[0] = millions * 134_217_728 + Math.floor(((high - millions * 1e6) * 134_217_728 + low) / 1e6)
  }
}

/** ms of the double at `at`, as its shortest decimal digits have them, into out[0]; 0 for what the exact parser must look at. */
export function putDoubleTime(view: DataView, at: number, unit: number, out: Float64Array): void {
  out[0] = 0
  if (at + 8 > view.byteLength) return
  const value = view.getFloat64(at, true)
  if (!(value > 0 && value < 4e15)) return
  const counts = unit === UNITS.auto ? (value < 1e11 ? UNITS.s : value < 1e14 ? UNITS.ms : UNITS.us) : unit
  if (counts === UNITS.ms) out[0] = Math.floor(value)
  else if (counts === UNITS.us) out[0] = Math.floor(Math.floor(value) / 1e3)
  else if (counts === UNITS.s && value < 1e11) {
    const near = Math.round(value * 1e3)
    if (near / 1e3 === value) out[0] = near
    else {
      const below = Math.floor(value * 1e3)
      const beyond = value * 1e3 - below
      // Nearer to a whole millisecond the digits decide.
      if (beyond > 0.1 && beyond < 0.9) out[0] = below
    }
  }
}

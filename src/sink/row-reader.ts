/**
 * Rows as row-binary.ts writes them, read back: where each begins, and what it holds. Only for rows that ClickHouse refuses; nothing here
 * runs while all is well.
 */
import { assert } from '../assert.ts'
import { FIXED_BYTES } from './row-binary.ts'

/** A row of ctr_results. Times in ms. */
export interface ResultRow {
  readonly tenant: string
  readonly productId: string
  readonly windowStart: number
  readonly windowEnd: number
  readonly task: number
  readonly impressions: number
  readonly clicks: number
  readonly ctr: number
  readonly version: number
  readonly emittedAt: number
}

/** From row `from` up to, and without, row `to`. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

/** Whole rows back to back. The memory belongs to whoever made them. */
export class EncodedRows {
  readonly bytes: Uint8Array
  readonly count: number
  /** Where each row ends. */
  #ends: Float64Array | undefined

  constructor(bytes: Uint8Array, count: number) {
    this.bytes = bytes
    this.count = count
  }

  slice({ from, to }: RowRange): Uint8Array {
    if (from === 0 && to === this.count) return this.bytes
    return this.bytes.subarray(this.#start(from), this.#start(to))
  }

  /** A copy of some of the rows, in the order given. */
  gather(ranges: readonly RowRange[]): EncodedRows {
    const count = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    return new EncodedRows(new Uint8Array(Buffer.concat(ranges.map((range) => this.slice(range)))), count)
  }

  read(row: number): ResultRow {
    const bytes = Buffer.from(this.slice({ from: row, to: row + 1 }))
    const tenant = textAt(bytes, 0)
    const product = textAt(bytes, tenant.end)
    const at = product.end
    const whole = (offset: number) => Number(bytes.readBigUInt64LE(at + offset))
    return {
      tenant: tenant.text,
      productId: product.text,
      windowStart: whole(0),
      windowEnd: whole(8),
      task: bytes.readUInt32LE(at + 16),
      impressions: whole(20),
      clicks: whole(28),
      ctr: bytes.readDoubleLE(at + 36),
      version: whole(44),
      emittedAt: whole(52),
    }
  }

  #start(row: number): number {
    this.#ends ??= rowEnds(this.bytes, this.count)
    return row === 0 ? 0 : this.#ends[row - 1]!
  }
}

function rowEnds(bytes: Uint8Array, count: number): Float64Array {
  const ends = new Float64Array(count)
  let at = 0
  for (let row = 0; row < count; row++) {
    at = textEnd(bytes, textEnd(bytes, at)) + FIXED_BYTES
    ends[row] = at
  }
  assert(at === bytes.length, 'rows end where their bytes do', { at, bytes: bytes.length, count })
  return ends
}

/** Behind a text of at most 2^14 bytes and its length. */
function textEnd(bytes: Uint8Array, at: number): number {
  const low = bytes[at]!
  return low < 0x80 ? at + 1 + low : at + 2 + (low & 0x7f) + (bytes[at + 1]! << 7)
}

function textAt(bytes: Buffer, at: number): { text: string; end: number } {
  const end = textEnd(bytes, at)
  return { text: bytes.toString('utf8', at + (bytes[at]! < 0x80 ? 1 : 2), end), end }
}

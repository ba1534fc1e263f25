/**
 * Rows as row-binary.ts writes them, read back: where each begins, and what it holds. Only for rows that ClickHouse refuses; nothing here
 * runs while all is well.
 */
import { assert } from '../assert.ts'
import { keyColumnsEnd, readKeyColumns } from '../products/key.ts'
import { COLUMN_AT, FIXED_BYTES } from './row-binary.ts'

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
  readonly #nameBytes: number
  /** Where each row ends. */
  #ends: Float64Array | undefined

  /** `nameBytes`: what the name of the windows takes in each of them (encodeName). */
  constructor(bytes: Uint8Array, count: number, nameBytes = 0) {
    this.bytes = bytes
    this.count = count
    this.#nameBytes = nameBytes
  }

  slice({ from, to }: RowRange): Uint8Array {
    if (from === 0 && to === this.count) return this.bytes
    return this.bytes.subarray(this.#start(from), this.#start(to))
  }

  /** A copy of some of the rows, in the order given. */
  gather(ranges: readonly RowRange[]): EncodedRows {
    const count = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    return new EncodedRows(new Uint8Array(Buffer.concat(ranges.map((range) => this.slice(range)))), count, this.#nameBytes)
  }

  read(row: number): ResultRow {
    const bytes = Buffer.from(this.slice({ from: row, to: row + 1 }))
    const at = keyColumnsEnd(bytes, 0)
    const whole = (offset: number) => Number(bytes.readBigUInt64LE(at + offset))
    return {
      ...readKeyColumns(bytes, 0),
      windowStart: whole(COLUMN_AT.windowStart),
      windowEnd: whole(COLUMN_AT.windowEnd),
      task: bytes.readUInt32LE(at + COLUMN_AT.task),
      impressions: whole(COLUMN_AT.impressions),
      clicks: whole(COLUMN_AT.clicks),
      ctr: bytes.readDoubleLE(at + COLUMN_AT.ctr),
      version: whole(COLUMN_AT.version),
      emittedAt: whole(COLUMN_AT.emittedAt),
    }
  }

  #start(row: number): number {
    this.#ends ??= rowEnds(this.bytes, this.count, this.#nameBytes)
    return row === 0 ? 0 : this.#ends[row - 1]!
  }
}

function rowEnds(bytes: Uint8Array, count: number, nameBytes: number): Float64Array {
  const ends = new Float64Array(count)
  let at = 0
  for (let row = 0; row < count; row++) {
    at = keyColumnsEnd(bytes, at) + FIXED_BYTES + nameBytes
    ends[row] = at
  }
  assert(at === bytes.length, 'rows end where their bytes do', { at, bytes: bytes.length, count })
  return ends
}

/** What an insert has brought of the windows that were closed with it, for the log at `debug`; nothing of this runs at other levels. */
import type { Batch } from './batch.ts'
import { EncodedRows } from './row-reader.ts'

/** Times in ms. Of a window with very many products several inserts each have a part. */
export interface ToldWindow {
  readonly start: number
  readonly end: number
  readonly products: number
  readonly impressions: number
  readonly clicks: number
  readonly ctr: number
  /** From the end of the window, by the wall clock. */
  readonly delayMs: number
}

interface Sums {
  readonly start: number
  readonly products: Set<string>
  impressions: number
  clicks: number
}

/** In the order of time; `now` is wall time, ms. */
export function toldWindows(batch: Batch, now: number): ToldWindow[] {
  const rows = new EncodedRows(batch.bytes.subarray(0, batch.size), batch.rows)
  const windows = new Map<number, Sums>()
  const closed = new Set(batch.firstEnds)
  for (let row = 0; row < rows.count; row++) {
    const { productId, windowStart, windowEnd, impressions, clicks } = rows.read(row)
    if (!closed.has(windowEnd)) continue
    const sums = windows.get(windowEnd) ?? { start: windowStart, products: new Set(), impressions: 0, clicks: 0 }
    windows.set(windowEnd, sums)
    sums.products.add(productId)
    sums.impressions += impressions
    sums.clicks += clicks
  }
  return [...windows]
    .toSorted(([a], [b]) => a - b)
    .map(([end, { start, products, impressions, clicks }]) => {
      const ctr = impressions === 0 ? 0 : clicks / impressions
      return { start, end, products: products.size, impressions, clicks, ctr, delayMs: now - end }
    })
}

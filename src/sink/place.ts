/**
 * Brings the rows of a batch to their places one insert after another: accepted, refused for what they hold, or left. An insert that is
 * refused is cut in two, until the rows that are to blame stand alone. Each row is accepted by one insert at most.
 */
import type { RowRange } from './row-reader.ts'

/** What ClickHouse said of content it doesn't take. */
export interface Refusal {
  readonly code: number
  readonly reason: string
}

/** What came of one insert: done; to be tried again (whatever had to be waited for has been); no more; refused for its content. */
export type Outcome = 'accepted' | 'again' | 'stopped' | Refusal

/** A row that is refused alone. */
export interface RefusedRow {
  readonly row: number
  readonly refusal: Refusal
}

/** accepted + refused + rows of left = all rows. */
export interface Placement {
  /** Rows that ClickHouse has acknowledged. */
  readonly accepted: number
  readonly refused: readonly RefusedRow[]
  /** Not tried alone, or at all, because too many had been refused or the end came. */
  readonly left: readonly RowRange[]
}

/**
 * Places rows 0 to `count`, at most `size()` of them in an insert, in order. Gives up when more than `refusedMax` are refused, which takes
 * about 2 · refusedMax · log2(count) inserts.
 */
export async function place(
  count: number,
  refusedMax: number,
  size: () => number,
  attempt: (range: RowRange) => Promise<Outcome>,
): Promise<Placement> {
  const work: RowRange[] = [{ from: 0, to: count }]
  const refused: RefusedRow[] = []
  let accepted = 0
  while (refused.length <= refusedMax) {
    const next = work.pop()
    if (next === undefined) break
    const { from } = next
    const to = Math.min(next.to, from + size())
    if (to < next.to) work.push({ from: to, to: next.to })
    const outcome = await attempt({ from, to })
    if (outcome === 'accepted') accepted += to - from
    else if (outcome === 'again') work.push({ from, to })
    else if (outcome === 'stopped') {
      work.push({ from, to })
      break
    } else if (to - from === 1) refused.push({ row: from, refusal: outcome })
    else {
      const middle = from + ((to - from) >> 1)
      work.push({ from: middle, to }, { from, to: middle })
    }
  }
  return { accepted, refused, left: work }
}

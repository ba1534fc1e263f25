/** Rows of a table in the order that a column asks for, and those that a text finds. */

/** What rows are sorted by; null is not known, and comes last whichever way it goes. */
export type SortValue = number | string | null

/** Rows by `keyOf`; equal ones stay in their order. The rows themselves are not touched. */
export function sortRows<Row>(rows: readonly Row[], keyOf: (row: Row) => SortValue, down: boolean): Row[] {
  const sign = down ? -1 : 1
  return rows.toSorted((a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)]
    if (x === null || y === null) return Number(x === null) - Number(y === null)
    if (typeof x === 'number' && typeof y === 'number') return sign * (x - y)
    return sign * String(x).localeCompare(String(y), 'en', { numeric: true })
  })
}

/** Rows whose text holds all words of `wanted`, whatever their case. */
export function filterRows<Row>(rows: readonly Row[], wanted: string, textOf: (row: Row) => string): readonly Row[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return rows
  return rows.filter((row) => {
    const text = textOf(row).toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

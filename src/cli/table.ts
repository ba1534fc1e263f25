/** Columns of text for the terminal. */

/** A column's head; numbers stand at its right. */
export interface Column {
  readonly name: string
  readonly right?: boolean
}

/** Head and rows with two spaces between columns, each column as wide as what is in it. No rows: no lines. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return []
  const all = [columns.map(({ name }) => name), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  const cell = (text: string, i: number) => (columns[i]?.right === true ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0))
  return all.map((row) =>
    columns
      .map((_, i) => cell(row[i] ?? '', i))
      .join('  ')
      .trimEnd(),
  )
}

/** Columns of text for the terminal. */
import stringWidth from 'string-width'

/** A column's head; numbers stand at its right. */
export interface Column {
  readonly name: string
  readonly right?: boolean
}

/** Head and rows with two spaces between columns, each column as wide as what is in it. No rows: no lines. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return []
  const all = [columns.map(({ name }) => name), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => stringWidth(row[i] ?? ''))))
  const cell = (text: string, i: number) => {
    const padding = ' '.repeat((widths[i] ?? 0) - stringWidth(text))
    return columns[i]?.right === true ? padding + text : text + padding
  }
  return all.map((row) =>
    columns
      .map((_, i) => cell(row[i] ?? '', i))
      .join('  ')
      .trimEnd(),
  )
}

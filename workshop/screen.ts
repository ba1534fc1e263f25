/** A terminal's screen, as far as what ctr writes to it goes: text, colours, moves, clearing, wrapping, scrolling, resizing. */
import stringWidth from 'string-width'

const CHARACTERS = new Intl.Segmenter()
/** Escape sequences, line ends, and what stands between them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys them
const PARTS = /\x1b\[([?>]?)([\d;]*)([A-Za-z])|[\r\n\b\x07]|[^\x1b\r\n\b\x07]+|\x1b/g
/** A sequence that is whole only with what comes next. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CUT = /\x1b(?:\[[?>\d;]*)?$/

/** Written to as a terminal is; looked at line by line. */
export class Screen {
  columns: number
  rows: number
  /** What has gone up, oldest first. */
  readonly above: string[] = []
  /** Modes that are set now, such as ?25. */
  readonly modes = new Map<string, boolean>()
  #lines: string[][]
  #row = 0
  #column = 0
  #rest = ''

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
    this.#lines = Array.from({ length: rows }, () => [])
  }

  /** Everything, from the oldest line on, as one would copy it. */
  get text(): string {
    return [...this.above, ...this.lines].join('\n')
  }

  /** What is seen, line by line. */
  get lines(): string[] {
    return this.#lines.map((cells) =>
      Array.from(cells, (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    )
  }

  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column }
  }

  write(text: string): void {
    const all = this.#rest + text
    const cut = CUT.exec(all)?.index ?? all.length
    this.#rest = all.slice(cut)
    for (const [part, mark = '', numbers = '', letter] of all.slice(0, cut).matchAll(PARTS)) {
      if (letter !== undefined) this.#obey(letter, mark, numbers)
      else if (part === '\r') this.#column = 0
      else if (part === '\n') this.#down()
      else if (part === '\b') this.#column = Math.max(0, this.#column - 1)
      else if (part !== '\x07' && part !== '\x1b') for (const { segment } of CHARACTERS.segment(part)) this.#put(segment)
    }
  }

  /** Lines that are too long for fewer columns go on in the next, as terminals do it; the cursor stays with its text. */
  resize(columns: number, rows: number): void {
    const lines: string[][] = []
    let row = 0
    this.#lines.forEach((cells, i) => {
      if (i === this.#row) row = lines.length
      const used = cells.length
      for (let from = 0; from === 0 || from < used; from += columns) lines.push(cells.slice(from, from + columns))
    })
    this.columns = columns
    this.rows = rows
    // What is below the cursor goes first, then what is above.
    while (lines.length > rows && lines.length - 1 > row) lines.pop()
    while (lines.length > rows) {
      this.above.push((lines.shift() ?? []).join('').trimEnd())
      row--
    }
    while (lines.length < rows) lines.push([])
    this.#lines = lines
    this.#row = row
    this.#column = Math.min(this.#column, columns - 1)
  }

  #put(character: string): void {
    const width = Math.max(1, stringWidth(character))
    const wraps = this.modes.get('?7') !== false
    if (this.#column + width > this.columns) {
      if (wraps) {
        this.#column = 0
        this.#down()
      } else this.#column = Math.max(0, this.columns - width)
    }
    const line = this.#lines[this.#row] ?? []
    while (line.length < this.#column) line.push(' ')
    line[this.#column] = character
    for (let i = 1; i < width; i++) line[this.#column + i] = ''
    this.#column += width
  }

  #down(): void {
    if (this.#row < this.rows - 1) this.#row++
    else {
      const [first = []] = this.#lines.splice(0, 1)
      this.above.push(first.join('').trimEnd())
      this.#lines.push([])
    }
  }

  #obey(letter: string, mark: string, numbers: string): void {
    const [first = 0, second = 0] = numbers.split(';').map(Number)
    const count = Math.max(1, first)
    switch (letter) {
      case 'A':
        this.#row = Math.max(0, this.#row - count)
        return
      case 'B':
        this.#row = Math.min(this.rows - 1, this.#row + count)
        return
      case 'H':
        this.#row = Math.min(this.rows, count) - 1
        this.#column = Math.min(this.columns, Math.max(1, second)) - 1
        return
      case 'J':
        if (first !== 0) throw new Error(`ESC [ ${numbers} J`)
        this.#lines[this.#row]?.splice(this.#column)
        for (let row = this.#row + 1; row < this.rows; row++) this.#lines[row] = []
        return
      case 'K':
        this.#lines[this.#row]?.splice(this.#column)
        return
      case 'h':
      case 'l':
        this.modes.set(mark + numbers, letter === 'h')
        return
      case 'm':
        return
      default:
        throw new Error(`ESC [ ${mark}${numbers}${letter} is not known`)
    }
  }
}

/**
 * Lines that stay below whatever a process prints, on a terminal's own screen, so that what was printed can be scrolled back to.
 *
 *   printed lines …             go up as ever
 *   ▮                           the cursor rests here, at the beginning of the first line drawn
 *   lines drawn                 taken away before something is printed, and drawn anew below it, in one write
 *
 * Because the cursor rests above what is drawn, nothing need be remembered of where it is: what another thread prints, or the terminal
 * makes of lines when it is resized, is above the cursor, and what is below it goes with the next drawing. A process that is killed leaves
 * a terminal that works. The terminal is written to at most once in REDRAW_MIN_MS, unless more than HELD_MAX_LENGTH waits.
 */

const REDRAW_MIN_MS = 250
const HELD_MAX_LENGTH = 1 << 18

const CLEAR = '\r\x1b[J'
/** Terminals that know it show all that stands between the two at once. */
const TOGETHER = ['\x1b[?2026h', '\x1b[?2026l'] as const
/** A line that is wider than it was reckoned is cut, and not wrapped. */
const UNWRAPPED = ['\x1b[?7l', '\x1b[?7h'] as const

/** Where it draws; a WriteStream of node:tty fits. */
export interface RegionStream {
  readonly rows?: number | undefined
  write(text: string): unknown
}

/** Lines below what is printed. */
export class Region {
  readonly #stream: RegionStream
  readonly #now: () => number
  #lines: readonly string[] = []
  #drawn = ''
  #held = ''
  #writtenAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #open = true

  constructor(stream: RegionStream, now: () => number = performance.now.bind(performance)) {
    this.#stream = stream
    this.#now = now
  }

  /** Whole lines, to stand above. Once it is closed they are written as they come. */
  print(text: string): void {
    if (text === '') return
    this.#held += text.endsWith('\n') ? text : `${text}\n`
    if (this.#held.length > HELD_MAX_LENGTH || !this.#open) this.flush()
    else this.#soon()
  }

  /** What is to be seen from now on, none wider than the terminal. */
  show(lines: readonly string[]): void {
    this.#lines = lines
    this.#soon()
  }

  /** Takes away what is drawn at once, as when its width is right no more. */
  clear(): void {
    this.#lines = []
    this.flush()
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // Above what is drawn there is room for the cursor's line at least.
    const lines = this.#lines.slice(0, Math.max(0, (this.#stream.rows || ROWS_DEFAULT) - 1))
    const drawing = lines.length === 0 ? '' : `${UNWRAPPED[0]}${lines.join('\r\n')}${UNWRAPPED[1]}\r${up(lines.length - 1)}`
    if (this.#held === '' && drawing === this.#drawn) return
    const clear = this.#drawn === '' && drawing === '' ? '' : CLEAR
    const text = clear + this.#held + drawing
    this.#held = ''
    this.#drawn = drawing
    this.#writtenAt = this.#now()
    this.#stream.write(clear === '' ? text : TOGETHER[0] + text + TOGETHER[1])
  }

  /** Leaves only what was printed. May be called again. */
  close(): void {
    this.#open = false
    this.clear()
  }

  #soon(): void {
    if (this.#timer !== undefined || !this.#open) return
    const waitMs = this.#writtenAt + REDRAW_MIN_MS - this.#now()
    if (waitMs <= 0) this.flush()
    else this.#timer = setTimeout(() => this.flush(), waitMs)
  }
}

const ROWS_DEFAULT = 24

function up(rows: number): string {
  return rows === 0 ? '' : `\x1b[${rows}A`
}

/**
 * The view of a run on its own terminal: what `ctr top` shows, below the lines of the log. It is there when stdout and stderr are a
 * terminal whose lines are for people (`log.pretty`), and nobody has asked for lines only (`--no-view`, CI, TERM=dumb).
 */
import { mayRedraw } from '../config/terminal.ts'
import { createLogger, isPretty, type Logger, type LogOptions, prettyLines } from '../log.ts'
import type { DrawRequest } from '../run/attached-screen.ts'
import { Region } from '../top/region.ts'
import { FIRST_CHOICE, pressed, type TopChoice, type TopKey } from '../top/top-keys.ts'
import { COLOURS } from './colours.ts'
import { Keyboard } from './keyboard.ts'

/** Whether the terminal takes more than lines. */
function canDraw(options: ViewWish, log: Pick<LogOptions, 'pretty'>): boolean {
  return process.stdout.isTTY === true && process.stderr.isTTY === true && options.view !== false && isPretty(log) && mayRedraw()
}

/** Of the command line. */
export interface ViewWish {
  /** false: lines only. */
  readonly view?: boolean
}

/** What draws the lines of the view. */
export interface Drawer {
  draw(request: DrawRequest): Promise<readonly string[]>
}

/** The log of a run, and the view below it where there is one. */
export interface RunView {
  readonly log: Logger
  /** Whether there is a view, or would be had nobody closed it. */
  readonly attached: boolean
  /** Begins to show; `stop` aborts when the run is asked to end, and `stopping` says what that means. */
  follow(drawer: Drawer, stop: AbortSignal, stopping: string): void
  /** Takes the view away, and gives the terminal back. May be called again. */
  close(): void
}

/** The log goes to stderr as it is configured, or above the view. */
export function openView(options: ViewWish, log: LogOptions): RunView {
  if (!canDraw(options, log)) return { log: createLogger(log), attached: false, follow() {}, close() {} }
  return new AttachedView(log)
}

const TICK_MS = 500
/** A write that took longer is answered by a pause of so many times as long. */
const SLOW_WRITE_MS = 100
const SLOW_WRITE_RESTS = 50
const CLOSED = 'the view is closed, the run goes on: Ctrl-C stops it, `ctr top` shows it again'

class AttachedView implements RunView {
  readonly log: Logger
  readonly attached = true
  readonly #region = new Region(process.stderr)
  #choice: TopChoice = FIRST_CHOICE
  #note = ''
  #drawer: Drawer | undefined
  #keyboard: Keyboard | undefined
  #timer: NodeJS.Timeout | undefined
  #drawing = false
  #again = false
  /** No picture before then, by performance.now. */
  #restUntil = 0

  constructor(log: LogOptions) {
    this.log = createLogger(
      log,
      prettyLines((text) => this.#region.print(text), true),
    )
  }

  follow(drawer: Drawer, stop: AbortSignal, stopping: string): void {
    this.#drawer = drawer
    process.on('exit', this.#end)
    process.stderr.on('resize', this.#resized).on('error', this.#end)
    const onStop = () => {
      this.#note = stopping
      void this.#draw()
    }
    if (stop.aborted) this.#note = stopping
    else stop.addEventListener('abort', onStop, { once: true })
    this.#keyboard = new Keyboard({
      onKey: (key) => this.#pressed(key),
      onLost: () => this.#region.clear(),
      onTaken: () => void this.#draw(),
    })
    this.#keyboard.look()
    this.#timer = setInterval(() => {
      this.#keyboard?.look()
      void this.#draw()
    }, TICK_MS)
    this.#timer.unref()
  }

  close(): void {
    this.#end()
    process.off('exit', this.#end)
    process.stderr.off('resize', this.#resized).off('error', this.#end)
  }

  readonly #end = () => {
    this.#drawer = undefined
    clearInterval(this.#timer)
    this.#keyboard?.close()
    this.#region.close()
  }

  /** What is drawn has another width, and the terminal has wrapped it. */
  readonly #resized = () => {
    this.#region.clear()
    void this.#draw()
  }

  #pressed(key: TopKey): void {
    const next = pressed(this.#choice, key)
    if (next === 'quit') {
      this.#end()
      this.#region.print(CLOSED)
      return
    }
    this.#choice = next
    void this.#draw()
  }

  /** One drawing at a time; whatever happens meanwhile is in the next one. */
  async #draw(): Promise<void> {
    this.#again = this.#drawing
    if (this.#drawing || this.#drawer === undefined || this.#keyboard?.taken !== true || performance.now() < this.#restUntil) return
    this.#drawing = true
    const { columns, rows } = process.stderr
    const size = { columns: columns || COLUMNS_DEFAULT, rows: rows || ROWS_DEFAULT }
    const lines = await this.#drawer.draw({ choice: this.#choice, note: this.#note, size, colours: COLOURS })
    this.#drawing = false
    if (this.#drawer === undefined || this.#keyboard?.taken !== true) return
    const begun = performance.now()
    this.#region.show(lines)
    const tookMs = performance.now() - begun
    // A terminal that takes its time holds whoever writes to it, and that is the thread that counts.
    this.#restUntil = tookMs > SLOW_WRITE_MS ? performance.now() + tookMs * SLOW_WRITE_RESTS : 0
    if (this.#again) void this.#draw()
  }
}

const COLUMNS_DEFAULT = 80
const ROWS_DEFAULT = 24

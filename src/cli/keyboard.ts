/**
 * Keys one by one, while the process is in front of its terminal. The terminal then makes no signals of keys, so they are made here: as it
 * would, for the whole group of processes. Stopped by Ctrl-Z, or anybody's SIGTSTP, the terminal is first given back, and taken again when
 * the process is in front again.
 */
import { emitKeypressEvents, type Key } from 'node:readline'
import type { TopKey } from '../top/top-keys.ts'
import { inForeground } from './foreground.ts'

export interface KeyboardOptions {
  readonly onKey: (key: TopKey) => void
  /** The terminal is another's from now on. */
  readonly onLost: () => void
  /** It is this process's again. */
  readonly onTaken: () => void
}

/** A process that was stopped goes on only when these are over, for the time stood still. */
const STOPPED_BY_MS = 50
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = { '\x03': 'SIGINT', '\x1a': 'SIGTSTP', '\x1c': 'SIGQUIT' }

/** Stdin as a keyboard; nothing at all when stdin is no terminal. */
export class Keyboard {
  /** Whether the terminal is this process's. */
  taken = false
  readonly #options: KeyboardOptions
  #closed = false

  constructor(options: KeyboardOptions) {
    this.#options = options
    process.on('SIGTSTP', this.#suspend)
  }

  /** Takes the terminal when the process has come in front, and gives it back when it is no more. */
  look(): void {
    if (this.#closed) return
    // Elsewhere the look is dear, and the shell tells by SIGCONT.
    if (this.taken && process.platform !== 'linux') return
    if (isInFront(this.taken) === this.taken) return
    if (this.taken) this.#lose()
    else this.#take()
  }

  /** Gives the terminal back as it was. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    process.off('SIGTSTP', this.#suspend)
    if (this.taken) this.#release()
  }

  #take(): void {
    this.taken = true
    const { stdin } = process
    if (stdin.isTTY) {
      emitKeypressEvents(stdin)
      // What it was set to before is not as it is, when another process had it meanwhile.
      if (stdin.isRaw) stdin.setRawMode(false)
      stdin.on('error', ignored)
      stdin.setRawMode(true)
      stdin.on('keypress', this.#pressed).resume()
    }
    this.#options.onTaken()
  }

  /** From behind, the terminal may not be changed any more, and whoever is in front has it as he wants it. */
  #lose(): void {
    this.taken = false
    process.stdin.off('keypress', this.#pressed).pause()
    this.#options.onLost()
  }

  #release(): void {
    this.taken = false
    const { stdin } = process
    if (!stdin.isTTY) return
    stdin.off('keypress', this.#pressed).pause()
    stdin.setRawMode(false)
  }

  readonly #pressed = (text: string | undefined, { name, ctrl, sequence = '' }: Key) => {
    const signal = SIGNALS[sequence]
    if (signal !== undefined) process.kill(0, signal)
    else this.#options.onKey({ name, text: /^\P{C}$/u.test(text ?? '') ? text : undefined, ctrl })
  }

  readonly #suspend = () => {
    if (this.taken) this.#release()
    this.#options.onLost()
    process.off('SIGTSTP', this.#suspend)
    process.kill(process.pid, 'SIGTSTP')
    setTimeout(() => {
      if (this.#closed) return
      process.on('SIGTSTP', this.#suspend)
      this.look()
    }, STOPPED_BY_MS)
  }
}

/** Of a terminal that has gone. */
function ignored(): void {}

/** As before where it can't be told now. */
function isInFront(before: boolean): boolean {
  try {
    return inForeground()
  } catch {
    return before
  }
}

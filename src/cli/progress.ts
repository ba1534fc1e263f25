/** How far a verb of short work is: a line below what it says, on a terminal only. */
import type { DestinationStream } from 'pino'
import { loadConfig } from '../config/load.ts'
import { mayRedraw } from '../config/terminal.ts'
import { isPretty, prettyLines } from '../log.ts'
import { progressLine, type WorkStep } from '../top/progress-line.ts'
import { Region } from '../top/region.ts'
import type { ViewWish } from './attached.ts'
import type { ConfigOptions } from './options.ts'

const TICK_MS = 500

/** A line on stderr. Without a terminal it says lines, and shows nothing. */
export class WorkProgress {
  /** Where a log goes that must not run into it; undefined: to stderr, as it is configured. */
  readonly log: DestinationStream | undefined
  readonly #region: Region | undefined
  readonly #columns = () => process.stderr.columns || COLUMNS_DEFAULT
  #timer: NodeJS.Timeout | undefined
  #counted = { at: 0, done: 0 }
  #perSecond: number | undefined

  constructor(region: Region | undefined) {
    this.#region = region
    this.log = region && prettyLines((text) => region.print(text), true)
  }

  /** Whether a line is shown. */
  get shown(): boolean {
    return this.#region !== undefined
  }

  say(line: string): void {
    if (this.#region === undefined) process.stderr.write(`${line}\n`)
    else this.#region.print(line)
  }

  /** Shows what `stepNow` gives, until the end or until something else is followed. */
  follow(stepNow: () => WorkStep): void {
    const region = this.#region
    if (region === undefined) return
    if (this.#timer === undefined) process.on('exit', this.end)
    clearInterval(this.#timer)
    const began = performance.now()
    this.#counted = { at: began, done: 0 }
    this.#perSecond = undefined
    const draw = () => {
      const step = stepNow()
      const now = performance.now()
      this.#count(step.done ?? 0, now)
      region.show([progressLine(step, now - began, this.#perSecond, this.#columns())])
    }
    this.#timer = setInterval(draw, TICK_MS)
    draw()
  }

  /** Takes it away. May be called again. */
  readonly end = (): void => {
    clearInterval(this.#timer)
    this.#region?.close()
    process.off('exit', this.end)
  }

  /** The rate is that between the last two counts, however often somebody looks. */
  #count(done: number, now: number): void {
    const { at, done: before } = this.#counted
    if (done === before) return
    this.#perSecond = ((done - before) * 1000) / Math.max(1, now - at)
    this.#counted = { at: now, done }
  }
}

const COLUMNS_DEFAULT = 80

/** Of a verb with a configuration; throws what reading that throws. */
export function openProgress(options: ConfigOptions & ViewWish): WorkProgress {
  const { log } = loadConfig({ file: options.config, sets: options.set })
  const drawn = process.stderr.isTTY === true && options.view !== false && isPretty(log) && mayRedraw()
  return new WorkProgress(drawn ? new Region(process.stderr) : undefined)
}

/** Shows what `stepNow` gives while the work lasts. */
export async function withProgress<T>(options: ConfigOptions & ViewWish, stepNow: () => WorkStep, work: () => Promise<T>): Promise<T> {
  const progress = openProgress(options)
  progress.follow(stepNow)
  try {
    return await work()
  } finally {
    progress.end()
  }
}

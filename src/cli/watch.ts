/** Draws the live view of a running pipeline: redrawn in place on a terminal, a line now and then elsewhere. */
import { createLogUpdate } from 'log-update'
import type { PipelineStats } from '../metrics/stats.ts'
import { renderLine, renderView, type TopProduct, type ViewSample } from './view.ts'

export interface WatchOptions {
  /** Whether a terminal may be drawn upon; lines otherwise, as without one. */
  readonly redraw: boolean
  /** Without a terminal, a line is printed this often, ms. */
  readonly plainEveryMs: number
  /** Asks for the products of the table; undefined leaves the table out. */
  readonly top: (() => Promise<readonly TopProduct[]>) | undefined
}

const REDRAW_MS = 500
const ASK_TOP_MS = 1000
const COLUMNS_DEFAULT = 100

/** Begins to draw on stdout; `close` leaves the last picture standing. */
export function watch(pipeline: { stats(): PipelineStats }, { redraw, plainEveryMs, top }: WatchOptions): { close(): Promise<void> } {
  const terminal = redraw && process.stdout.isTTY === true
  const update = terminal ? createLogUpdate(process.stdout) : undefined
  let products: readonly TopProduct[] = []
  let asking = Promise.resolve()
  let askedAt = 0
  let previous: ViewSample | undefined
  const draw = () => {
    const sample: ViewSample = { stats: pipeline.stats(), at: Date.now() }
    if (update === undefined) process.stdout.write(`${renderLine(sample, previous)}\n`)
    else {
      update(renderView(sample, previous, products, process.stdout.columns || COLUMNS_DEFAULT).join('\n'))
      if (top !== undefined && sample.stats.state === 'running' && sample.at - askedAt >= ASK_TOP_MS) {
        askedAt = sample.at
        asking = top().then(
          (answer) => {
            products = answer
          },
          () => {}, // the table keeps what it showed; trouble with ClickHouse shows in the view's warnings
        )
      }
    }
    previous = sample
  }
  const timer = setInterval(draw, terminal ? REDRAW_MS : plainEveryMs)
  return {
    close: async () => {
      clearInterval(timer)
      await asking
      if (update !== undefined) draw()
      update?.done()
    },
  }
}

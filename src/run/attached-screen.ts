/** The view of a run as lines, drawn on the thread of the HTTP server out of what it knows. */
import { type Clock, sleep } from '../clock.ts'
import type { Api } from '../server/api.ts'
import type { TopChoice } from '../top/top-keys.ts'
import { renderAttached, type ScreenSize } from '../top/top-screen.ts'
import { type TopPart, TopSource } from '../top/top-source.ts'

/** What is to be drawn. */
export interface DrawRequest {
  readonly choice: TopChoice
  readonly note: string
  /** Of the whole terminal. */
  readonly size: ScreenSize
  readonly colours: boolean
}

const PATIENCE_MS = 200

/** What draws it. */
export function attachedScreen(api: Api, monotonic: Clock): (request: DrawRequest) => Promise<string[]> {
  const source = new TopSource(async (part) => await ASK[part](api))
  return async ({ choice, note, size, colours }) => {
    // What takes longer, such as ClickHouse, is in one of the next.
    if (!choice.paused) await Promise.race([source.look(choice.list, size.columns, monotonic()), sleep(PATIENCE_MS)])
    return renderAttached(source.answers, { choice, note, error: source.error }, size, colours)
  }
}

const ASK: Readonly<Record<TopPart, (api: Api) => unknown>> = {
  state: (api) => api.state({}),
  history: (api) => api.history({ span: '15m' }),
  partitions: (api) => api.partitions({}),
  products: (api) => api.products({ by: 'impressions', span: '1h', limit: 100, search: '', minImpressions: 0 }),
  letters: (api) => api.deadLetters({}),
}

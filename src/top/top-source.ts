/** The answers that a screen shows: asked as often as each is worth, and only those that are seen. */
import type { TopList } from './top-keys.ts'
import type { TopAnswers } from './top-lists.ts'
import { besideList, TWO_LISTS_MIN_COLUMNS } from './top-screen.ts'

/** One of the answers. */
export type TopPart = keyof TopAnswers

/** How often, ms, and for which list only. */
const QUESTIONS: readonly { readonly part: TopPart; readonly everyMs: number; readonly list?: TopList }[] = [
  { part: 'state', everyMs: 400 },
  { part: 'history', everyMs: 5000 },
  { part: 'partitions', everyMs: 2000, list: 'partitions' },
  { part: 'products', everyMs: 5000, list: 'products' },
  { part: 'letters', everyMs: 5000, list: 'letters' },
]

/** Nothing was answered yet. */
export const NO_ANSWERS: TopAnswers = {
  state: undefined,
  history: undefined,
  partitions: undefined,
  products: undefined,
  letters: undefined,
}

/** Keeps the newest answers of a pipeline. */
export class TopSource {
  /** The newest of each. */
  answers: TopAnswers = NO_ANSWERS
  /** Why the state was not answered; '' when it was. */
  error = ''
  readonly #ask: (part: TopPart) => Promise<unknown>
  readonly #askedAt = new Map<TopPart, number>()

  constructor(ask: (part: TopPart) => Promise<unknown>) {
    this.#ask = ask
  }

  /** Asks what is due at `now`, ms, for a list on a screen of so many columns. */
  async look(list: TopList, columns: number, now: number): Promise<void> {
    const lists = columns < TWO_LISTS_MIN_COLUMNS ? [list] : [list, besideList(list)]
    const due = QUESTIONS.filter(
      ({ part, everyMs, list: only }) =>
        (only === undefined || lists.includes(only)) && now - (this.#askedAt.get(part) ?? Number.NEGATIVE_INFINITY) >= everyMs,
    )
    await Promise.all(
      due.map(async ({ part }) => {
        this.#askedAt.set(part, now)
        try {
          const answer = await this.#ask(part)
          // Others have come meanwhile.
          this.answers = { ...this.answers, [part]: answer }
          if (part === 'state') this.error = ''
        } catch (reason) {
          if (part === 'state') this.error = reason instanceof Error ? reason.message : String(reason)
        }
      }),
    )
  }
}

/**
 * Products that come and go: newcomers follow each other evenly, and each takes the place of the oldest, its popularity included.
 *
 * A newcomer has its number and its moment whoever looks on. Of a share (the products of one partition) those newcomers count that belong
 * to it, each for the oldest of the share: as many as at first are alive at any time, and no share depends on who makes the others.
 */
export interface TurnoverOptions {
  /** Alive at any time, numbered from 0; newcomers have the numbers from there on. */
  readonly products: number
  readonly productsPerMinute: number
}

/** Products have numbers below this; when they have run out, nobody comes any more. */
export const PRODUCTS_END = 2 ** 31 - 1

const MINUTE_MS = 60_000

export class Turnover {
  /** The numbers of those that are alive, by place. */
  readonly alive: Int32Array
  /** When the next one comes; the first call of `moveOn` sets the clock. */
  dueAt = Number.NEGATIVE_INFINITY
  readonly #options: TurnoverOptions
  readonly #owns: (product: number) => boolean
  #from: number | undefined
  #next: number
  #oldest = 0

  /** `first` are the products of the share to begin with, `owns` says which newcomers belong to it. */
  constructor(options: TurnoverOptions, first: Int32Array, owns: (product: number) => boolean) {
    this.#options = options
    this.alive = first.slice()
    this.#owns = owns
    this.#next = options.products
  }

  /** Lets in all who have come by `now`, ms. */
  moveOn(now: number): void {
    const { products, productsPerMinute } = this.#options
    this.#from ??= now
    for (;;) {
      const newcomers = this.#next + 1 - products
      this.dueAt = this.#next < PRODUCTS_END ? this.#from + (newcomers * MINUTE_MS) / productsPerMinute : Number.POSITIVE_INFINITY
      if (now < this.dueAt) return
      if (this.#owns(this.#next)) {
        this.alive[this.#oldest] = this.#next
        this.#oldest = (this.#oldest + 1) % this.alive.length
      }
      this.#next++
    }
  }
}

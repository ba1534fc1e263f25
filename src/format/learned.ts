/** How many shapes are kept, and when another one is learned. */

/** Topics are often written by several producers, each in its own way. */
const SHAPES_MAX = 4
/** Learning compiles code, so it doubles its price each time: events whose keys come in random order must not be learned one by one. */
const STRANGERS_MAX = 1 << 20

/** Shapes that were learned of events that fitted none, newest first. */
export class Learned<S> {
  readonly known: S[] = []
  readonly #max: number
  /** Such events since the last one was learned, and how many it takes to learn another. */
  #strangers = 0
  #wanted = 1

  /** Keeps so many. */
  constructor(max = SHAPES_MAX) {
    this.#max = max
  }

  /** One more has come; `learn` makes its shape, if there is one. Returns a shape that is now known. */
  meet(learn: () => S | undefined): S | undefined {
    if (++this.#strangers < this.#wanted) return undefined
    this.#strangers = 0
    this.#wanted = Math.min(this.#wanted * 2, STRANGERS_MAX)
    const shape = learn()
    if (shape === undefined) return undefined
    this.known.unshift(shape)
    if (this.known.length > this.#max) this.known.pop()
    return shape
  }
}

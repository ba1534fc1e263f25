/**
 * Numbers over time in memory that is taken once: a slot for each step, the oldest overwritten, a column for each thing that is measured. A
 * slot holds the mean of what came in its step; NaN is nothing. Slots know which step they are of, so a gap reads as nothing.
 */

/** Columns from a first step on; all of one length. */
export interface HistorySpan {
  readonly stepMs: number
  /** Begin of the first step, ms. */
  readonly from: number
  readonly columns: readonly Float64Array[]
}

const NEVER = -1
/** Of values that a mean is of; more of them weigh as so many. */
const COUNT_MAX = 0xffff

export class ColumnRing {
  readonly stepMs: number
  readonly slots: number
  readonly #columns: number
  readonly #steps: Float64Array
  /** Column by column. */
  readonly #values: Float64Array
  readonly #counts: Uint16Array

  constructor(columns: number, stepMs: number, slots: number) {
    this.stepMs = stepMs
    this.slots = slots
    this.#columns = columns
    this.#steps = new Float64Array(slots).fill(NEVER)
    this.#values = new Float64Array(columns * slots).fill(Number.NaN)
    this.#counts = new Uint16Array(columns * slots)
  }

  /** What a ring takes, bytes. */
  static bytesOf(columns: number, slots: number): number {
    return slots * (Float64Array.BYTES_PER_ELEMENT + columns * (Float64Array.BYTES_PER_ELEMENT + Uint16Array.BYTES_PER_ELEMENT))
  }

  /** One value for each column, of the time `at`, ms. What is older than the slot it would go into is left out. */
  put(at: number, sample: ArrayLike<number>): void {
    const step = Math.floor(at / this.stepMs)
    const slot = step % this.slots
    const before = this.#steps[slot] ?? NEVER
    if (before > step) return
    if (before !== step) this.#clear(slot, step)
    for (let column = 0, i = slot; column < this.#columns; column++, i += this.slots) {
      const value = sample[column] ?? Number.NaN
      if (Number.isNaN(value)) continue
      const count = Math.min((this.#counts[i] ?? 0) + 1, COUNT_MAX)
      const mean = count === 1 ? 0 : (this.#values[i] ?? 0)
      this.#counts[i] = count
      this.#values[i] = mean + (value - mean) / count
    }
  }

  /** The steps up to the one that holds `now`. */
  read(now: number): HistorySpan {
    const first = Math.floor(now / this.stepMs) - this.slots + 1
    const columns = Array.from({ length: this.#columns }, (_, column) => {
      return Float64Array.from({ length: this.slots }, (_, i) => this.at(column, first + i))
    })
    return { stepMs: this.stepMs, from: first * this.stepMs, columns }
  }

  /** The value of a column in a step, which is counted from the epoch. */
  at(column: number, step: number): number {
    const slot = step % this.slots
    return this.#steps[slot] === step ? (this.#values[column * this.slots + slot] ?? Number.NaN) : Number.NaN
  }

  /** Forgets the steps that begin after `now`. */
  forgetAfter(now: number): void {
    const last = Math.floor(now / this.stepMs)
    for (let slot = 0; slot < this.slots; slot++) if ((this.#steps[slot] ?? NEVER) > last) this.#clear(slot, NEVER)
  }

  /** Puts back what `read` gave, of a ring of the same step, up to `now`; columns that there are no more are left out. */
  restore({ stepMs, from, columns }: HistorySpan, now: number): void {
    if (stepMs !== this.stepMs) return
    const length = columns[0]?.length ?? 0
    for (let i = 0; i < length && from + i * stepMs <= now; i++) {
      const sample = Float64Array.from({ length: this.#columns }, (_, column) => columns[column]?.[i] ?? Number.NaN)
      if (sample.some((value) => !Number.isNaN(value))) this.put(from + i * stepMs, sample)
    }
  }

  #clear(slot: number, step: number): void {
    this.#steps[slot] = step
    for (let column = 0, i = slot; column < this.#columns; column++, i += this.slots) {
      this.#values[i] = Number.NaN
      this.#counts[i] = 0
    }
  }
}

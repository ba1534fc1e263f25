/** How many events a rate asks for by now. Who was held back for longer than DEBT_MAX_MS doesn't try to catch up on all of it. */
import type { Clock } from '../clock.ts'

const DEBT_MAX_MS = 1000

export class Pace {
  readonly #rate: number
  readonly #clock: Clock
  #from: number
  #already = 0

  /** `rate` in events per second. */
  constructor(rate: number, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
    this.#from = clock()
  }

  /** The number of events due now, given how many there have been in all. */
  due(made: number): number {
    const now = this.#clock()
    const due = Math.floor(((now - this.#from) * this.#rate) / 1000) - (made - this.#already)
    const most = Math.ceil((this.#rate * DEBT_MAX_MS) / 1000)
    if (due <= most) return Math.max(due, 0)
    this.#from = now
    this.#already = made + most
    return most
  }
}

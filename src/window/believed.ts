/**
 * How far a partition's event time is believed to have come, when clocks of producers may be wrong.
 *
 *   near    an event at most `maxJump` ahead of the believed time: if it is later, it is the believed time from then on
 *   far     one further ahead: counted into its window, and a candidate. It moves nothing
 *   agree   AGREEING_MIN of the last RECENT_EVENTS events are far: the earliest of these becomes the believed time
 *
 * A partition begins without a believed time; then every event is a candidate, and FIRST_AGREEING_MIN of them are enough. So neither the
 * first event of a partition nor a tenth of all can move the time out of reach of the others, and a real gap in the traffic costs
 * RECENT_EVENTS events. It is the earliest of those that agree, never a middle one: a time that is too early holds the others up for some
 * events, one that is too late loses them.
 *
 * All of it depends on the events of the partition before, in their order, and on nothing else: neither on clocks of this machine nor on
 * deliveries. A near event costs nothing here, for candidates know their age by the number of events.
 *
 * Example, maxJump 10 m: the time is 12:00, an event of 12:40 comes, then events of 12:00. It is a candidate for 32 events, and forgotten.
 * Had the traffic stopped and gone on at 12:40, the 25th event would have made it 12:40.
 */
import { CANDIDATES_MAX } from './facts.ts'

/** Among so many last events candidates must be in the majority. */
export const RECENT_EVENTS = CANDIDATES_MAX
/** So many of them: more than three quarters. */
export const AGREEING_MIN = 25
/** So many are enough for the first time that is believed. */
export const FIRST_AGREEING_MIN = 8
/** Windows far ahead of the believed time that a partition may have open at once; events of further ones are refused. */
export const FAR_WINDOWS_MAX = 400

/** Stands for an event that is no candidate. */
const NEAR = '0'

/** The candidates of one partition. Events are numbered in their order; times are ms. */
export class Candidates {
  readonly #maxJump: number
  readonly #times: number[] = []
  readonly #numbers: number[] = []
  /** Of the far events since this process has the partition: how many, and the offset and time of the last one. */
  far = 0
  lastOffset = -1
  lastTime = 0

  /** `text` is what `textAt` gave, before an event of number 1. */
  constructor(maxJump: number, text: string | undefined) {
    this.#maxJump = maxJump
    const entries = text === undefined || text === '' ? [] : text.split(' ')
    entries.forEach((entry, i) => {
      if (entry === NEAR) return
      this.#times.push(Number.parseInt(entry, 36))
      this.#numbers.push(i + 1 - entries.length)
    })
  }

  /** An event further than maxJump ahead of `believed`, the `number`th of its partition. Returns the time that is believed from then on. */
  consider(time: number, number: number, offset: number, believed: number): number {
    this.#prune(number, believed)
    this.#times.push(time)
    this.#numbers.push(number)
    const first = believed === Number.NEGATIVE_INFINITY
    if (!first) {
      this.far++
      this.lastOffset = offset
      this.lastTime = time
    }
    if (this.#times.length < (first ? FIRST_AGREEING_MIN : AGREEING_MIN)) return believed
    const agreed = Math.min(...this.#times)
    this.#prune(number, agreed)
    return agreed
  }

  /** How many there are when `number` events have come, and the earliest of their times. */
  at(number: number, believed: number): { readonly count: number; readonly earliest: number } {
    this.#prune(number, believed)
    return { count: this.#times.length, earliest: Math.min(...this.#times) }
  }

  /**
   * The state after `number` events, as it is stored: an entry for each event from the oldest candidate on, its time in base 36, or 0 when
   * it is none. undefined without candidates.
   */
  textAt(number: number, believed: number): string | undefined {
    if (this.#times.length === 0) return undefined
    this.#prune(number, believed)
    const [oldest] = this.#numbers
    if (oldest === undefined) return undefined
    const entries = new Array<string>(number - oldest + 1).fill(NEAR)
    this.#times.forEach((time, i) => {
      entries[(this.#numbers[i] ?? 0) - oldest] = time.toString(36)
    })
    return entries.join(' ')
  }

  /** Only what is recent, and still far ahead, is a candidate. */
  #prune(number: number, believed: number): void {
    const times = this.#times
    const numbers = this.#numbers
    const farFrom = believed + this.#maxJump
    let kept = 0
    for (let i = 0; i < times.length; i++) {
      const recent = (numbers[i] ?? 0) > number - RECENT_EVENTS
      if (!recent || (times[i] ?? 0) <= farFrom) continue
      times[kept] = times[i] ?? 0
      numbers[kept] = numbers[i] ?? 0
      kept++
    }
    times.length = kept
    numbers.length = kept
  }
}

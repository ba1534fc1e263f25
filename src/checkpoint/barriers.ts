/**
 * Barriers: how main learns that everything before a point is safe, and what may be committed then.
 *
 *   cut       main puts barrier n into every ring and notes, in the same synchronous step, each partition's low-water mark
 *   workers   pass the barrier on, behind the rows they emitted before it
 *   sink      acknowledges n when ClickHouse has acknowledged every row before it
 *   letters   put before the cut are acknowledged too
 *   commit    the marks of n go to the group
 *
 * One barrier is under way at a time. A failed commit loses nothing: the next one covers it.
 */
import { assert } from '../assert.ts'
import type { LowWaterMark } from '../source/source.ts'

interface Pending {
  readonly number: number
  readonly marks: readonly LowWaterMark[]
  readonly lettersSettled: Promise<void>
  resolve(): void
}

export class Barriers {
  #number = 0
  #pending: Pending | undefined

  /** The number the next barrier will carry. */
  get next(): number {
    return this.#number + 1
  }

  /** The barrier is in every ring. Resolves with the marks to commit when all before it is safe. */
  async cut(marks: readonly LowWaterMark[], lettersSettled: Promise<void>): Promise<readonly LowWaterMark[]> {
    assert(this.#pending === undefined, 'one barrier is under way at a time', { number: this.#number })
    const number = ++this.#number
    lettersSettled.catch(() => {}) // awaited below, when the sink has answered; until then its failure is not unhandled
    const acknowledged = new Promise<void>((resolve) => {
      this.#pending = { number, marks, lettersSettled, resolve }
    })
    await acknowledged
    await lettersSettled
    this.#pending = undefined
    return marks
  }

  /** The sink has seen barrier `number` through. */
  acknowledge(number: number): void {
    if (this.#pending?.number === number) this.#pending.resolve()
  }
}

/** Whether two sets of marks say the same. */
export function sameMarks(a: readonly LowWaterMark[], b: readonly LowWaterMark[]): boolean {
  return (
    a.length === b.length &&
    a.every((mark, i) => {
      const other = b[i]
      return (
        other !== undefined &&
        mark.topicIndex === other.topicIndex &&
        mark.partition === other.partition &&
        mark.offset === other.offset &&
        mark.maxEventTime === other.maxEventTime
      )
    })
  )
}

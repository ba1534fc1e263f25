/**
 * Barriers: how main learns that everything before a point is safe.
 *
 *   cut       main puts barrier n into every ring; what it notes in the same synchronous step belongs to it
 *   workers   pass the barrier on, behind the rows they emitted before it
 *   sink      acknowledges n when ClickHouse has acknowledged every row before it
 *   outputs   have acknowledged what was put into them before then, rows that ClickHouse refused among it
 *
 * One barrier is under way at a time.
 */
import { assert } from '../assert.ts'
import type { LowWaterMark } from '../source/source.ts'
import type { MarkFacts } from '../window/facts.ts'
import type { Partition } from '../window/partition.ts'
import type { Task } from '../window/task.ts'

interface Pending {
  readonly number: number
  resolve(): void
}

export class Barriers {
  #number = 0
  #pending: Pending | undefined

  /** The number the next barrier will carry. */
  get next(): number {
    return this.#number + 1
  }

  /** The barrier is in every ring. Resolves when all before it is safe. */
  async cut(delivered: () => Promise<void>): Promise<void> {
    assert(this.#pending === undefined, 'one barrier is under way at a time', { number: this.#number })
    const number = ++this.#number
    await new Promise<void>((resolve) => {
      this.#pending = { number, resolve }
    })
    await delivered()
    this.#pending = undefined
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
        mark.maxEventTime === other.maxEventTime &&
        sameFacts(mark.facts, other.facts)
      )
    })
  )
}

function sameFacts(a: MarkFacts = {}, b: MarkFacts = {}): boolean {
  const keys = [
    'topicId',
    'remade',
    'orphansUntil',
    'idleSince',
    'candidates',
    'windowsFrom',
  ] as const satisfies readonly (keyof MarkFacts)[]
  return keys.every((key) => a[key] === b[key])
}

/**
 * A mark lies in what was read and never goes back while this process has its partition; `last` keeps the marks seen. A partition that
 * leaves and comes again, or is begun anew on purpose, is another object and begins where it does.
 */
export function assertMarks(marks: readonly LowWaterMark[], tasks: readonly Task[], last: WeakMap<Partition, number>): void {
  const byNumber = new Map(tasks.map((task) => [task.task, task]))
  for (const { topicIndex, partition: number, offset } of marks) {
    const partition = byNumber.get(number)?.partitions.find((one) => one.topicIndex === topicIndex)
    assert(partition !== undefined, 'a mark is of a partition that this process has', { topicIndex, partition: number })
    const values = { topicIndex, partition: number, offset, last: last.get(partition), position: partition.position }
    assert(offset >= (values.last ?? 0) && offset <= values.position, 'a low-water mark lies in what was read and never goes back', values)
    last.set(partition, offset)
  }
}

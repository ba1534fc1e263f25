/**
 * When a task's watermark passed the end of each window, by the broker's clock. A partition's watermark is its largest event time less the
 * out-of-orderness, a task's the smallest of its partitions'; so a window is closed by the record that lifts the last partition over it.
 */

export interface ClosingsOptions {
  /** Partition i of all of them is task i. */
  readonly topics: readonly string[]
  readonly windowSize: number
  readonly outOfOrderness: number
}

/** One partition's prefix, as far as it was read. */
class Prefix {
  readonly #options: ClosingsOptions
  #maxEventTime = Number.NEGATIVE_INFINITY
  #firstEnd = Number.POSITIVE_INFINITY
  #lastEnd = Number.NEGATIVE_INFINITY
  /** By window end: append time of the record that passed it. */
  readonly #passed = new Map<number, number>()

  constructor(options: ClosingsOptions) {
    this.#options = options
  }

  add(eventTime: number, appendTime: number): void {
    if (eventTime <= this.#maxEventTime) return
    this.#maxEventTime = eventTime
    const { windowSize, outOfOrderness } = this.#options
    const end = Math.floor((eventTime - outOfOrderness) / windowSize) * windowSize
    if (end <= this.#lastEnd) return
    if (this.#firstEnd === Number.POSITIVE_INFINITY) this.#firstEnd = end
    for (let next = Math.max(this.#lastEnd + windowSize, this.#firstEnd); next <= end; next += windowSize)
      this.#passed.set(next, appendTime)
    this.#lastEnd = end
  }

  /** Windows that ended before the first record's watermark were passed by that record. */
  passedAt(end: number): number | undefined {
    return this.#passed.get(Math.max(end, this.#firstEnd))
  }
}

export class Closings {
  readonly #options: ClosingsOptions
  readonly #prefixes = new Map<string, Prefix>()

  constructor(options: ClosingsOptions) {
    this.#options = options
  }

  /** Records of a partition in offset order; times in ms. */
  add(topic: string, partition: number, eventTime: number, appendTime: number): void {
    const name = `${topic}/${partition}`
    let prefix = this.#prefixes.get(name)
    if (prefix === undefined) {
      prefix = new Prefix(this.#options)
      this.#prefixes.set(name, prefix)
    }
    prefix.add(eventTime, appendTime)
  }

  /** Append time of the record that closed the window; undefined when none has. */
  closedAt(task: number, windowEnd: number): number | undefined {
    let last = Number.NEGATIVE_INFINITY
    for (const topic of this.#options.topics) {
      const passed = this.#prefixes.get(`${topic}/${task}`)?.passedAt(windowEnd)
      if (passed === undefined) return undefined
      if (passed > last) last = passed
    }
    return last
  }
}

/**
 * A lane is one partition as this process reads it. It knows which offset comes next, whatever kafkajs fetches: what lies below is left
 * out, and a response that begins above it is not taken. So no record is handed over twice or left out, across rebalances, restarts of
 * the consumer, seeks and answers that come too late.
 */
import { assert } from '../assert.ts'
import { cutAt, type Span, skipBelow } from '../batch/record-batches.ts'
import type { SourceHandler } from '../source/source.ts'
import type { FetchedRecords } from './fetch-response.ts'

/** The position of one partition, and what holds it up. */
export class Lane {
  readonly topic: string
  readonly topicIndex: number
  readonly partition: number
  /** Next offset to hand over; meaningless until `announced`. */
  position = -1
  /** Bounded runs: the first offset not to read. */
  endOffset: number | undefined
  /** Which topic of that name its records are of, and how often that was made again; see MarkFacts. */
  topicId: string | undefined
  remade = 0
  /** Fetches of it say which topic they are of. */
  readById = false
  /** The handler knows this lane. */
  announced = false
  /** The pipeline wants no more for now. */
  paused = false
  /** The position is being looked up again. */
  recovering = false
  /** The lane has left this process. */
  gone = false
  /** Settles when what was handed over last is done with. */
  delivering: Promise<void> | undefined
  /** What is at the handler is to be handed over again, from the position on. */
  rewound = false
  /** The handler took so long that kafkajs was let go. */
  detached = false
  /** What kafkajs was told last about fetching this lane; undefined after it has forgotten. */
  held: boolean | undefined

  constructor(topic: string, topicIndex: number, partition: number) {
    this.topic = topic
    this.topicIndex = topicIndex
    this.partition = partition
  }

  get ended(): boolean {
    return this.announced && this.endOffset !== undefined && this.position >= this.endOffset
  }

  /** Nothing is to be fetched for this lane now. */
  get idle(): boolean {
    return !this.announced || this.paused || this.recovering || this.detached || this.ended
  }

  /** Hands a partition's records over, span by span; a promise when the handler makes us wait. `goOn` is asked before each span. */
  deliver(records: FetchedRecords, handler: SourceHandler, goOn: () => boolean): Promise<void> | undefined {
    assert(this.announced && this.delivering === undefined, 'a lane hands over one response at a time', { topic: this.topic })
    const { spans } = records.walk
    for (let at = 0; at < spans.length; at++) {
      const span = spans[at]
      const pending = span === undefined ? undefined : this.#deliverSpan(records.bytes, span, handler)
      if (pending !== undefined) return this.#deliverRest(pending, at + 1, records, handler, goOn)
    }
    this.#passOver(records, handler)
    return undefined
  }

  async #deliverRest(
    pending: Promise<void>,
    from: number,
    records: FetchedRecords,
    handler: SourceHandler,
    goOn: () => boolean,
  ): Promise<void> {
    await pending
    for (const span of records.walk.spans.slice(from)) {
      if (!goOn()) return
      await this.#deliverSpan(records.bytes, span, handler)
    }
    if (goOn()) this.#passOver(records, handler)
  }

  #deliverSpan(bytes: Buffer, span: Span, handler: SourceHandler): Promise<void> | undefined {
    if (span.nextOffset <= this.position || this.ended) return undefined
    const start = span.baseOffset < this.position ? skipBelow(bytes, span.start, span.end, this.position) : span.start
    const cut = this.endOffset !== undefined && span.nextOffset > this.endOffset
    const end = cut ? cutAt(bytes, start, span.end, this.endOffset ?? 0) : span.end
    this.position = span.nextOffset
    if (start === end) return undefined
    return handler.batch({ topicIndex: this.topicIndex, partition: this.partition, bytes, start, end })
  }

  /** What follows the last span holds nothing to read. */
  #passOver(records: FetchedRecords, handler: SourceHandler): void {
    const { nextOffset } = records.walk
    if (nextOffset <= this.position) return
    this.position = nextOffset
    handler.skipped(this.topicIndex, this.partition, this.position)
  }
}

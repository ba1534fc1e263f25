/**
 * Generated events in record batches: one lane per topic and partition, each with its open batch. An event goes to the partition of its
 * key as Kafka's default partitioner would send it, so a product lives in one partition number of every topic.
 *
 * Two clocks: with `startTime` event i is made at startTime + i / eventRate seconds, whatever the wall says, and the sequence of events
 * in every lane is a pure function of the options; without it an event is made at the `now` given to `generate`.
 * Record timestamps are the moment an event was made; event times lie before it by disorder and lateness.
 */

import { EventGenerator, type GenerateOptions } from './generate.ts'
import { murmur2 } from './murmur2.ts'
import { RecordBatchWriter } from './record-batch-writer.ts'

export interface LanesOptions extends GenerateOptions {
  /** 1: all events in one topic; 2: impressions in the first, clicks in the second. */
  readonly topics: 1 | 2
  readonly partitions: number
  /** A lane is full when its batch has about so many bytes, before compression. */
  readonly batchBytes: number
  /** Virtual clock, ms since the epoch; undefined for the wall clock. */
  readonly startTime?: number | undefined
  /** Events per second of the virtual clock. */
  readonly eventRate?: number | undefined
}

export interface Lane {
  readonly topicIndex: number
  readonly partition: number
  /** Holds the open batch; `writer.count` events are in it. */
  readonly writer: RecordBatchWriter
  /** The next batch's base offset. */
  offset: number
}

export class Lanes {
  readonly generator: EventGenerator
  /** Indexed by topicIndex * partitions + partition. */
  readonly lanes: readonly Lane[]
  /** Events put into lanes. */
  generated = 0
  /** The lane that stopped `generate`; undefined when none did. */
  full: Lane | undefined

  readonly #options: LanesOptions
  readonly #partitionOf: Int32Array
  #pending = false
  #now = 0

  constructor(options: LanesOptions) {
    this.#options = options
    this.generator = new EventGenerator(options)
    const lanes: Lane[] = []
    for (let topicIndex = 0; topicIndex < options.topics; topicIndex++) {
      for (let partition = 0; partition < options.partitions; partition++) {
        const writer = new RecordBatchWriter(options.batchBytes)
        writer.begin(0)
        lanes.push({ topicIndex, partition, writer, offset: 0 })
      }
    }
    this.lanes = lanes
    this.#partitionOf = new Int32Array(options.products)
    for (let product = 0; product < options.products; product++) {
      this.#partitionOf[product] = partitionOf(Buffer.from(this.generator.productId(product)), options.partitions)
    }
  }

  /** Lanes that no event can ever come to. */
  get barren(): readonly Lane[] {
    const used = new Set(this.#partitionOf)
    return this.lanes.filter((lane) => {
      const { topics, clickShare } = this.#options
      const wanted = topics === 1 || (lane.topicIndex === 0 ? clickShare < 1 : clickShare > 0)
      return !wanted || !used.has(lane.partition)
    })
  }

  /** Puts up to `count` events, made at `now`, into their lanes; stops early at a full lane (`full`). Returns how many it put. */
  generate(count: number, now: number): number {
    const { topics, partitions, startTime } = this.#options
    const msPerEvent = 1000 / (this.#options.eventRate ?? 100_000)
    const generator = this.generator
    const lanes = this.lanes
    this.full = undefined
    for (let done = 0; done < count; done++) {
      if (!this.#pending) {
        this.#now = startTime === undefined ? now : startTime + Math.floor((this.generated + done) * msPerEvent)
        generator.next(this.#now)
      }
      const partition = this.#partitionOf[generator.product] ?? 0
      const lane = lanes[topics === 2 && generator.click ? partitions + partition : partition] as Lane
      const writer = lane.writer
      if (!writer.reserve(this.#now, generator.keyBytes, generator.valueBytes)) {
        this.#pending = true
        this.full = lane
        this.generated += done
        return done
      }
      this.#pending = false
      generator.writeKey(writer.bytes, writer.keyAt)
      generator.writeValue(writer.bytes, writer.valueAt)
    }
    this.generated += count
    return count
  }
}

/** Closes a lane's batch; it is lane.writer.bytes[0, returned end). `reopen` must follow before the lane gets more. */
export function seal(lane: Lane, attributes = 0): number {
  const end = lane.writer.finish(attributes)
  lane.offset += lane.writer.count
  return end
}

/** Begins the lane's next batch over the bytes of the last one. */
export function reopen(lane: Lane): void {
  lane.writer.begin(lane.offset)
}

/** The partition that Kafka's default partitioner gives a key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/**
 * A source without a broker: generated events, paced by a rate or as fast as they are taken.
 *
 * Paced, every partition with events is delivered each TICK_MS; unpaced, a partition is delivered when its batch is full. With `count` the
 * run is bounded: after the last batch each partition's end offset is told, once. Partitions that can get no event are told to end at 0
 * from the start.
 * A paused partition whose batch is full stops the generation, after all others have got what there is for them.
 */
import { setImmediate as yieldToTimers } from 'node:timers/promises'
import { type Clock, sleep } from '../clock.ts'
import { Gate } from '../source/gate.ts'
import type { Source, SourceHandler } from '../source/source.ts'
import type { GenerateOptions } from './generate.ts'
import { reopen, type Shard, Shards, seal } from './generated-partitions.ts'
import { Pace } from './pace.ts'

export interface GeneratorSourceOptions extends GenerateOptions {
  /** 1: all events in one topic; 2: impressions in topic 0, clicks in topic 1. */
  readonly topics: 1 | 2
  readonly partitions: number
  /** Events per second; 0 is as fast as they are taken. */
  readonly rate: number
  /** Bounded: the number of events; undefined goes on until stopped. */
  readonly count?: number | undefined
  readonly batchBytes?: number | undefined
  /** Codec of the record batches as in Kafka: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec?: number | undefined
  /** Events are made at startTime + i / eventRate seconds instead of the clock's time: the same options give the same events. */
  readonly startTime?: number | undefined
  readonly eventRate?: number | undefined
  readonly clock: Clock
}

const TICK_MS = 20
/** The event loop gets a turn at least so often, or metrics, signals and heartbeats would starve. */
const TURN_MS = 10
const CHUNK_EVENTS = 8192
const BATCH_BYTES = 256 * 1024

/** Generated events as a source; a stopped one can't be started again. */
export function generatorSource(options: GeneratorSourceOptions): Source {
  return new GeneratorSource(options)
}

class GeneratorSource implements Source {
  readonly #options: GeneratorSourceOptions
  readonly #shards: Shards
  readonly #gate = new Gate()
  #handler: SourceHandler | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: GeneratorSourceOptions) {
    this.#options = options
    this.#shards = new Shards({ ...options, batchBytes: options.batchBytes ?? BATCH_BYTES })
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
    handler.assigned(
      this.#shards.shards.map(({ topicIndex, partition }) => {
        return { topicIndex, partition, position: 0, maxEventTime: undefined, endOffset: undefined }
      }),
    )
    for (const { topicIndex, partition } of this.#shards.barren) handler.endOffset(topicIndex, partition, 0)
    this.#running = this.#run(handler).catch((error) => handler.failed(error))
  }

  pause(topicIndex: number, partition: number): void {
    this.#gate.pause(this.#index(topicIndex, partition))
  }

  resume(topicIndex: number, partition: number): void {
    this.#gate.resume(this.#index(topicIndex, partition))
  }

  async refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void> {
    if (this.#options.count !== undefined) return
    for (const { topicIndex, partition } of partitions) {
      const shard = this.#shards.shards[this.#index(topicIndex, partition)]
      if (shard !== undefined) this.#handler?.endOffset(topicIndex, partition, shard.offset)
    }
  }

  async commit(): Promise<boolean> {
    return true
  }

  async stop(): Promise<void> {
    this.#gate.stop()
    await this.#running
  }

  async close(): Promise<void> {
    await this.stop()
  }

  #index(topicIndex: number, partition: number): number {
    return topicIndex * this.#options.partitions + partition
  }

  async #run(handler: SourceHandler): Promise<void> {
    const { count = Number.POSITIVE_INFINITY, rate, clock } = this.#options
    const shards = this.#shards
    const pace = new Pace(rate, clock)
    let turnFrom = performance.now()
    while (!this.#gate.stopped && shards.generated < count) {
      const due = Math.min(rate === 0 ? CHUNK_EVENTS : pace.due(shards.generated), CHUNK_EVENTS, count - shards.generated)
      const made = shards.generate(due, clock())
      if (shards.full !== undefined) await this.#deliverFull(handler, shards.full)
      else if (rate !== 0 && made < CHUNK_EVENTS) {
        await this.#deliverOpen(handler)
        await sleep(TICK_MS)
      }
      if (performance.now() - turnFrom < TURN_MS) continue
      await yieldToTimers()
      turnFrom = performance.now()
    }
    if (this.#gate.stopped) return
    while (!(await this.#deliverOpen(handler))) await this.#gate.changed()
    if (this.#gate.stopped) return
    const barren = new Set(shards.barren)
    for (const shard of shards.shards) if (!barren.has(shard)) handler.endOffset(shard.topicIndex, shard.partition, shard.offset)
  }

  /** Delivers a full shard. While it is paused, the others get what there is, so that whatever it waits for can come. */
  async #deliverFull(handler: SourceHandler, shard: Shard): Promise<void> {
    const index = this.#index(shard.topicIndex, shard.partition)
    while (!this.#gate.open(index)) {
      await this.#deliverOpen(handler)
      if (this.#gate.open(index)) break
      await this.#gate.changed()
      if (this.#gate.stopped) return
    }
    await this.#deliver(handler, shard)
  }

  /** Delivers every shard with events that isn't paused; true when none is left over. */
  async #deliverOpen(handler: SourceHandler): Promise<boolean> {
    let all = true
    for (const shard of this.#shards.shards) {
      if (this.#gate.stopped) return true
      if (shard.writer.count === 0) continue
      if (this.#gate.open(this.#index(shard.topicIndex, shard.partition))) await this.#deliver(handler, shard)
      else all = false
    }
    return all
  }

  async #deliver(handler: SourceHandler, shard: Shard): Promise<void> {
    const { topicIndex, partition } = shard
    const end = seal(shard, this.#options.codec ?? 0)
    if (this.#options.count === undefined) handler.endOffset(topicIndex, partition, shard.offset)
    const taken = handler.batch({ topicIndex, partition, bytes: shard.writer.bytes, start: 0, end })
    if (taken !== undefined) await taken
    reopen(shard)
  }
}

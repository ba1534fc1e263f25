/**
 * One thread's part of a load: makes the events of some partitions and produces them as ready-made record batches. Idempotent, so that a
 * retry writes nothing twice, one batch in flight per partition while others wait behind it (QUEUE_MAX in all): products are of uneven
 * popularity, and so are the partitions.
 */
import { setImmediate as yieldToSockets } from 'node:timers/promises'
import { sleep, systemClock } from '../clock.ts'
import type { BatchProducer, ProducerIdentity } from '../kafka/batch-producer.ts'
import { type Shard, Shards, type ShardsOptions, seal } from './generated-partitions.ts'
import { Latencies } from './latencies.ts'
import { Pace } from './pace.ts'

export interface PartOptions {
  readonly topics: readonly string[]
  readonly shards: ShardsOptions
  /** Events per second over all parts; 0 is as fast as it goes. */
  readonly rate: number
  readonly durationMs?: number | undefined
  /** Kafka's number. */
  readonly codec: number
  readonly requestTimeoutMs: number
}

/** What a part has done, as it is sent from its thread. */
export interface PartOutcome {
  readonly acknowledged: number
  readonly drawn: Shards['drawn']
  /** Records by topic index and partition; partitions of other parts are left out. */
  readonly sent: readonly { readonly topicIndex: number; readonly partition: number; readonly records: number }[]
  readonly latencies: Pick<Latencies, 'histogram' | 'maxMs'>
}

const CHUNK_EVENTS = 4096
/** Batches of a partition that are sealed and not yet acknowledged. */
const QUEUE_MAX = 4
const TICK_MS = 20

export class LoadPart {
  /** Events, so far. */
  acknowledged = 0
  readonly #options: PartOptions
  readonly #producer: BatchProducer
  readonly #identity: ProducerIdentity
  readonly #shards: Shards
  readonly #latencies = new Latencies()
  /** Bytes of batches that are acknowledged, for the next ones. */
  readonly #spare: Buffer[] = []
  /** By shard: what ends when its batches, one after the other, are acknowledged. */
  readonly #queues = new Map<Shard, Promise<void>[]>()
  #failure: unknown

  constructor(options: PartOptions, producer: BatchProducer, identity: ProducerIdentity) {
    this.#options = options
    this.#producer = producer
    this.#identity = identity
    this.#shards = new Shards(options.shards)
  }

  /** Produces until the count, the duration or the signal ends it; resolves when all is acknowledged. */
  async run(signal: AbortSignal): Promise<PartOutcome> {
    const { rate, durationMs = Number.POSITIVE_INFINITY } = this.#options
    const shards = this.#shards
    const pace = new Pace(rate * shards.share, systemClock)
    const began = performance.now()
    let turnFrom = began
    while (shards.generated < shards.total && !signal.aborted && performance.now() - began < durationMs) {
      const due = Math.min(rate === 0 ? CHUNK_EVENTS : pace.due(shards.generated), CHUNK_EVENTS)
      const made = shards.generate(due, systemClock())
      if (shards.full !== undefined) await this.#send(shards.full)
      else if (rate !== 0 && made < CHUNK_EVENTS) {
        for (const shard of shards.shards) if (shard.writer.count > 0 && !this.#queues.has(shard)) await this.#send(shard)
        await sleep(TICK_MS, signal)
      }
      if (this.#failure !== undefined) throw this.#failure
      if (performance.now() - turnFrom >= TICK_MS) {
        await yieldToSockets()
        turnFrom = performance.now()
      }
    }
    for (const shard of shards.shards) if (shard.writer.count > 0) await this.#send(shard)
    await Promise.all([...this.#queues.values()].flat())
    if (this.#failure !== undefined) throw this.#failure
    const own = new Set(this.#options.shards.only)
    const sent = shards.shards
      .filter(({ partition }) => own.has(partition))
      .map(({ topicIndex, partition, offset }) => ({ topicIndex, partition, records: offset }))
    const { histogram, maxMs } = this.#latencies
    return { acknowledged: this.acknowledged, drawn: shards.drawn, sent, latencies: { histogram, maxMs } }
  }

  /** Seals the shard's batch and queues it; waits while the queue is full. */
  async #send(shard: Shard): Promise<void> {
    const queue = this.#queues.get(shard) ?? []
    while (queue.length >= QUEUE_MAX) await queue[0]
    const { writer, topicIndex, partition } = shard
    writer.producerId = this.#identity.id
    writer.producerEpoch = this.#identity.epoch
    // Sequences count a partition's records and wrap as int32 do in Kafka: after 2^31 - 1 comes 0.
    writer.baseSequence = shard.offset % 2 ** 31
    const events = writer.count
    const end = seal(shard, this.#options.codec)
    const bytes = writer.swap(this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#options.shards.batchBytes))
    // The broker gives the offsets and refuses a batch that claims one.
    writer.begin(0)
    const topic = this.#options.topics[topicIndex] ?? ''
    const delivered = this.#deliver(queue.at(-1), topic, partition, bytes, end, events).finally(() => {
      queue.shift()
      if (queue.length === 0) this.#queues.delete(shard)
    })
    queue.push(delivered)
    this.#queues.set(shard, queue)
  }

  async #deliver(
    before: Promise<void> | undefined,
    topic: string,
    partition: number,
    bytes: Buffer,
    end: number,
    events: number,
  ): Promise<void> {
    await before
    if (this.#failure !== undefined) return
    try {
      const sentAt = performance.now()
      await this.#producer.send(topic, partition, bytes.subarray(0, end))
      const ms = performance.now() - sentAt
      this.#latencies.add(ms)
      this.acknowledged += events
      // A request that was given up may still be on its way out of a socket.
      if (ms < this.#options.requestTimeoutMs) this.#spare.push(bytes)
    } catch (error) {
      this.#failure ??= error
    }
  }
}

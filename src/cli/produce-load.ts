/**
 * Produces generated events to Kafka as ready-made record batches: idempotent, so that a retry writes nothing twice, one batch in flight
 * per partition while others wait behind it (QUEUE_MAX in all): products are of uneven popularity, and so are the partitions.
 */
import { setImmediate as yieldToSockets } from 'node:timers/promises'
import { type Clock, sleep, systemClock } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { BatchProducer, type ProducerIdentity } from '../kafka/batch-producer.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { GENERATE_DEFAULTS, GENERATED_TIME_MAX_MS, GENERATED_TIME_MIN_MS, type GenerateOptions } from '../source/generate.ts'
import { type Lane, Lanes, seal } from '../source/lanes.ts'
import { Pace } from '../source/pace.ts'

export interface ProduceLoadOptions {
  readonly kafka: KafkaClientOptions
  /** One topic for all events, or two: impressions, clicks. Missing ones are created. */
  readonly topics: readonly string[]
  /** Of a topic that is created. */
  readonly partitions: number
  /** Configuration of a topic that is created. */
  readonly topicConfig?: Readonly<Record<string, string>> | undefined
  /** What is not given is as in GENERATE_DEFAULTS. */
  readonly generate?: Partial<GenerateOptions> | undefined
  /** Events per second; 0 is as fast as it goes. */
  readonly rate: number
  /** The end: whichever comes first; with neither, when `signal` aborts. */
  readonly count?: number | undefined
  readonly durationMs?: number | undefined
  /** Kafka's number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec?: number | undefined
  readonly batchBytes?: number | undefined
  /** Events are made at startTime (ms) + i / eventRate seconds instead of now: the same options give the same events. */
  readonly startTime?: number | undefined
  readonly eventRate?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called about once a second. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
  readonly clock?: Clock | undefined
}

export interface LoadProgress {
  /** Acknowledged by the brokers. */
  readonly events: number
  readonly seconds: number
}

export interface LoadedPartition {
  readonly topic: string
  readonly partition: number
  /** End offsets before and after, and the records sent in between. */
  readonly startOffset: number
  readonly endOffset: number
  readonly sent: number
}

export interface LoadResult extends LoadProgress {
  /** By type, of the events that were valid; and the others. */
  readonly impressions: number
  readonly clicks: number
  readonly invalid: number
  readonly partitions: readonly LoadedPartition[]
  /** True when every end offset grew by exactly what was sent; false when somebody else wrote too, or records were lost. */
  readonly complete: boolean
}

const CHUNK_EVENTS = 4096
/** Batches of a partition that are sealed and not yet acknowledged. */
const QUEUE_MAX = 4
const TICK_MS = 20
const PROGRESS_MS = 1000
const BATCH_BYTES = 256 * 1024
const EVENT_RATE = 100_000
const CENTURY_MS = 100 * 365 * 86_400_000

/** Produces until the count, the duration or the signal ends it; resolves when all is acknowledged and checked. Rejects with CtrError. */
export async function produceLoad(options: ProduceLoadOptions): Promise<LoadResult> {
  const { topics } = options
  const [first, second, third] = topics
  if (first === undefined || third !== undefined || first === second) {
    throw new CtrError('CTR_USAGE', `load writes to one topic, or to two (impressions, clicks), not to ${topics.join(', ') || 'none'}`)
  }
  checkStartTime(options)
  const producer = new BatchProducer(options.kafka)
  try {
    const identity = await producer.connect()
    const partitions = await copartitions(producer, options)
    const before = await Promise.all(topics.map((topic) => producer.endOffsets(topic)))
    const load = new Load(options, producer, identity, topics.length === 2 ? 2 : 1, partitions)
    await load.run()
    const after = await Promise.all(topics.map((topic) => producer.endOffsets(topic)))
    return load.result(before, after)
  } finally {
    await producer.close()
  }
}

/** A century of events must fit behind the start, and the latest late event before it. */
function checkStartTime({ startTime, generate }: ProduceLoadOptions): void {
  if (startTime === undefined) return
  const { disorderMs, lateByMs } = { ...GENERATE_DEFAULTS, ...generate }
  const first = GENERATED_TIME_MIN_MS + disorderMs + 2 * lateByMs
  const last = GENERATED_TIME_MAX_MS - CENTURY_MS
  if (startTime >= first && startTime <= last) return
  const range = `${new Date(first).toISOString()} to ${new Date(last).toISOString()}`
  throw new CtrError('CTR_USAGE', `--start-time ${startTime} ms is out of range; events are made from ${range}`)
}

async function copartitions(producer: BatchProducer, options: ProduceLoadOptions): Promise<number> {
  const prepared = await producer.prepareTopics(options.topics, options.partitions, options.topicConfig ?? {})
  const counts = new Set(prepared.map(({ partitions }) => partitions))
  const [partitions = 0] = counts
  if (counts.size === 1) return partitions
  const found = prepared.map(({ topic, partitions: count }) => `${topic} has ${count}`).join(', ')
  throw new CtrError('CTR_USAGE', `${found} partitions; topics of one input must have the same number: create them anew, or name others`)
}

class Load {
  readonly #options: ProduceLoadOptions
  readonly #producer: BatchProducer
  readonly #identity: ProducerIdentity
  readonly #lanes: Lanes
  /** By lane: what ends when its batches, one after the other, are acknowledged. */
  readonly #queues = new Map<Lane, Promise<void>[]>()
  #acknowledged = 0
  #failure: unknown
  #began = 0
  #ended = 0

  constructor(options: ProduceLoadOptions, producer: BatchProducer, identity: ProducerIdentity, topics: 1 | 2, partitions: number) {
    this.#options = options
    this.#producer = producer
    this.#identity = identity
    this.#lanes = new Lanes({
      ...GENERATE_DEFAULTS,
      ...options.generate,
      topics,
      partitions,
      batchBytes: options.batchBytes ?? BATCH_BYTES,
      startTime: options.startTime,
      eventRate: options.eventRate ?? (options.rate || EVENT_RATE),
    })
  }

  async run(): Promise<void> {
    const { rate, count = Number.POSITIVE_INFINITY, durationMs = Number.POSITIVE_INFINITY, signal, clock = systemClock } = this.#options
    const lanes = this.#lanes
    const pace = new Pace(rate, clock)
    this.#began = performance.now()
    let turnFrom = this.#began
    let progressFrom = this.#began
    while (lanes.generated < count && !signal?.aborted && performance.now() - this.#began < durationMs) {
      const due = Math.min(rate === 0 ? CHUNK_EVENTS : pace.due(lanes.generated), CHUNK_EVENTS, count - lanes.generated)
      const made = lanes.generate(due, clock())
      if (lanes.full !== undefined) await this.#send(lanes.full)
      else if (rate !== 0 && made < CHUNK_EVENTS) {
        for (const lane of lanes.lanes) if (lane.writer.count > 0 && !this.#queues.has(lane)) await this.#send(lane)
        await sleep(TICK_MS, signal)
      }
      if (this.#failure !== undefined) throw this.#failure
      const now = performance.now()
      if (now - progressFrom >= PROGRESS_MS) {
        progressFrom = now
        this.#options.onProgress?.({ events: this.#acknowledged, seconds: (now - this.#began) / 1000 })
      }
      if (now - turnFrom >= TICK_MS) {
        await yieldToSockets()
        turnFrom = performance.now()
      }
    }
    for (const lane of lanes.lanes) if (lane.writer.count > 0) await this.#send(lane)
    await Promise.all([...this.#queues.values()].flat())
    if (this.#failure !== undefined) throw this.#failure
    this.#ended = performance.now()
  }

  result(before: readonly number[][], after: readonly number[][]): LoadResult {
    const partitions = this.#lanes.lanes.map(({ topicIndex, partition, offset }) => {
      const startOffset = before[topicIndex]?.[partition] ?? 0
      const endOffset = after[topicIndex]?.[partition] ?? 0
      return { topic: this.#options.topics[topicIndex] ?? '', partition, startOffset, endOffset, sent: offset }
    })
    const { impressions, clicks, invalid } = this.#lanes.generator.drawn
    const complete = partitions.every(({ startOffset, endOffset, sent }) => endOffset - startOffset === sent)
    const seconds = (this.#ended - this.#began) / 1000
    return { events: this.#acknowledged, seconds, impressions, clicks, invalid, partitions, complete }
  }

  /** Seals the lane's batch and queues it; waits while the queue is full. */
  async #send(lane: Lane): Promise<void> {
    const queue = this.#queues.get(lane) ?? []
    while (queue.length >= QUEUE_MAX) await queue[0]
    const { writer, topicIndex, partition } = lane
    writer.producerId = this.#identity.id
    writer.producerEpoch = this.#identity.epoch
    // Sequences count a partition's records and wrap as int32 do in Kafka: after 2^31 - 1 comes 0.
    writer.baseSequence = lane.offset % 2 ** 31
    const events = writer.count
    const batch = Buffer.from(writer.bytes.subarray(0, seal(lane, this.#options.codec ?? 0)))
    // The broker gives the offsets and refuses a batch that claims one.
    writer.begin(0)
    const topic = this.#options.topics[topicIndex] ?? ''
    const delivered = this.#deliver(queue.at(-1), topic, partition, batch, events).finally(() => {
      queue.shift()
      if (queue.length === 0) this.#queues.delete(lane)
    })
    queue.push(delivered)
    this.#queues.set(lane, queue)
  }

  async #deliver(before: Promise<void> | undefined, topic: string, partition: number, batch: Buffer, events: number): Promise<void> {
    await before
    if (this.#failure !== undefined) return
    try {
      await this.#producer.send(topic, partition, batch)
      this.#acknowledged += events
    } catch (error) {
      this.#failure ??= error
    }
  }
}

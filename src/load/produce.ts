/**
 * Produces generated events to Kafka by threads that each make the events of some partitions (part.ts). The same options give the
 * same events in every partition, whatever the number of threads. Afterwards the end offsets are compared with what was sent.
 */
import { availableParallelism } from 'node:os'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { BatchProducer } from '../kafka/batch-producer.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import type { EventEncoding } from './event-formats.ts'
import { foreignTopics } from './foreign.ts'
import { GENERATE_DEFAULTS, GENERATED_TIME_MAX_MS, GENERATED_TIME_MIN_MS, type GenerateOptions } from './generate.ts'
import { partitionShares, type ShardsOptions } from './generated-partitions.ts'
import { Latencies, type LatencyFigures } from './latencies.ts'
import type { PartOptions, PartOutcome } from './part.ts'
import { type LoadThread, startLoadThread } from './threads.ts'

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
  /** Of values that are not written as JSON. */
  readonly encoding?: EventEncoding | undefined
  /** Events are made at startTime (ms) + i / eventRate seconds instead of now: the same options give the same events. */
  readonly startTime?: number | undefined
  readonly eventRate?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called about once a second. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
  /** Told before anything is made that stands among records of others. */
  readonly onForeign?: ((line: string) => void) | undefined
  /** Without it one, or as many as there are cores when one would not do. */
  readonly threads?: number | undefined
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
  /** Of all of them, those that only repeat the one before. */
  readonly duplicates: number
  /** From sending a batch to its acknowledgement, ms. */
  readonly latencyMs: LatencyFigures
  /** User and system time of this process meanwhile. */
  readonly cpuSeconds: number
  readonly threads: number
  readonly partitions: readonly LoadedPartition[]
  /** True when every end offset grew by exactly what was sent; false when somebody else wrote too, or records were lost. */
  readonly complete: boolean
}

/** More than one thread surely makes. */
const RATE_PER_THREAD = 200_000
const PROGRESS_MS = 1000
const BATCH_BYTES = 256 * 1024
const EVENT_RATE = 100_000
const CENTURY_MS = 100 * 365 * 86_400_000

/** Produces until the count, the duration or the signal ends it; resolves when all is acknowledged and checked. Rejects with CtrError. */
export async function produceLoad(options: ProduceLoadOptions): Promise<LoadResult> {
  const { topics } = options
  const [first, second, third] = topics
  if (first === undefined || third !== undefined || first === second) {
    throw new CtrError(
      'CTR_USAGE',
      `load writes to one topic, or to two (impressions, clicks), not to ${topics.join(', ') || 'none'}; name them with --topics`,
    )
  }
  checkStartTime(options)
  const producer = new BatchProducer(options.kafka)
  try {
    await producer.connect()
    const partitions = await copartitions(producer, options)
    const before = await Promise.all(topics.map((topic) => producer.endOffsets(topic)))
    if (options.onForeign !== undefined) for (const line of await foreignTopics(producer, topics)) options.onForeign(line)
    const shards: ShardsOptions = {
      ...GENERATE_DEFAULTS,
      ...options.generate,
      topics: topics.length === 2 ? 2 : 1,
      partitions,
      batchBytes: options.batchBytes ?? BATCH_BYTES,
      count: options.count,
      startTime: options.startTime,
      encoding: options.encoding,
      eventRate: options.eventRate ?? (options.rate || EVENT_RATE),
    }
    const parts = await runParts(options, shards)
    const after = await Promise.all(topics.map((topic) => producer.endOffsets(topic)))
    return resultOf(topics, parts, before, after)
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

interface Parts extends LoadProgress {
  readonly outcomes: readonly PartOutcome[]
  readonly cpuSeconds: number
}

/** Starts the threads, lets them begin together, and ends them all when one fails. */
async function runParts(options: ProduceLoadOptions, shards: ShardsOptions): Promise<Parts> {
  const { topics, rate, durationMs, codec = 0, signal } = options
  const { logger, ...kafka } = options.kafka
  const shared: Omit<PartOptions, 'shards'> = { topics, rate, durationMs, codec, requestTimeoutMs: kafka.requestTimeoutMs }
  const threads = dealPartitions(shards, threadsFor(options)).map((only): LoadThread => {
    return startLoadThread({ kafka, part: { ...shared, shards: { ...shards, only } } }, logger)
  })
  const acknowledged = () => threads.reduce((sum, thread) => sum + thread.acknowledged, 0)
  const ended = new AbortController()
  try {
    await Promise.all(threads.map(({ ready }) => ready))
    const began = performance.now()
    const cpuFrom = process.cpuUsage()
    for (const thread of threads) thread.start()
    const stop = () => {
      for (const thread of threads) thread.stop()
    }
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    void reportProgress(options, () => ({ events: acknowledged(), seconds: (performance.now() - began) / 1000 }), ended.signal)
    const outcomes = await Promise.all(threads.map(({ done }) => done)).finally(() => signal?.removeEventListener('abort', stop))
    const { user, system } = process.cpuUsage(cpuFrom)
    const events = outcomes.reduce((sum, outcome) => sum + outcome.acknowledged, 0)
    return { outcomes, events, seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 }
  } finally {
    ended.abort()
    await Promise.all(threads.map((thread) => thread.close()))
  }
}

async function reportProgress({ onProgress }: ProduceLoadOptions, progress: () => LoadProgress, ended: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(PROGRESS_MS, ended)
    if (ended.aborted) return
    onProgress?.(progress())
  }
}

function threadsFor({ threads, rate }: ProduceLoadOptions): number {
  if (threads !== undefined) return threads
  return rate === 0 ? availableParallelism() : Math.min(Math.ceil(rate / RATE_PER_THREAD), availableParallelism())
}

/** Partitions with events, spread over at most so many threads: the largest first, each to the thread that has least. */
function dealPartitions(shards: ShardsOptions, threads: number): number[][] {
  const shares = partitionShares(shards)
  const bySize = [...shares.keys()].filter((partition) => (shares[partition] ?? 0) > 0)
  bySize.sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0))
  const dealt = Array.from({ length: Math.min(threads, bySize.length) }, () => ({ partitions: [] as number[], share: 0 }))
  for (const partition of bySize) {
    const least = dealt.reduce((a, b) => (b.share < a.share ? b : a))
    least.partitions.push(partition)
    least.share += shares[partition] ?? 0
  }
  return dealt.map(({ partitions }) => partitions.sort((a, b) => a - b))
}

function resultOf(topics: readonly string[], parts: Parts, before: readonly number[][], after: readonly number[][]): LoadResult {
  const { outcomes, events, seconds, cpuSeconds } = parts
  const sent = new Map(
    outcomes.flatMap((part) => part.sent.map((shard) => [`${shard.topicIndex}/${shard.partition}`, shard.records] as const)),
  )
  const partitions = topics.flatMap((topic, topicIndex) =>
    [...(before[topicIndex] ?? []).keys()].map((partition) => {
      const startOffset = before[topicIndex]?.[partition] ?? 0
      const endOffset = after[topicIndex]?.[partition] ?? 0
      return { topic, partition, startOffset, endOffset, sent: sent.get(`${topicIndex}/${partition}`) ?? 0 }
    }),
  )
  const total = { impressions: 0, clicks: 0, invalid: 0, duplicates: 0 }
  const latencies = new Latencies()
  for (const { drawn, latencies: own } of outcomes) {
    for (const kind of ['impressions', 'clicks', 'invalid', 'duplicates'] as const) total[kind] += drawn[kind]
    latencies.merge(new Latencies(own.histogram, own.maxMs))
  }
  const complete = partitions.every((one) => one.endOffset - one.startOffset === one.sent)
  return { events, seconds, ...total, latencyMs: latencies.figures(), cpuSeconds, threads: outcomes.length, partitions, complete }
}

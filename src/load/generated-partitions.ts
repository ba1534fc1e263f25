/**
 * Generated events in record batches: one shard per topic and partition, each with its open batch. An event goes to the partition of its
 * key as Kafka's default partitioner would send it, so a product lives in one partition number of every topic.
 *
 * Each partition number has its own strand of events, with its own random numbers, and a share of all events by the popularity of its
 * products. So a shard's events do not depend on who makes the others: a thread may make those of some partitions only (`only`).
 *
 * Two clocks: with `startTime` event i of a strand is made at startTime + i / (its share of eventRate) seconds, whatever the wall says,
 * and the sequence of events in every shard is a pure function of the options; without it an event is made at the `now` given to
 * `generate`. Record timestamps are the moment an event was made; event times lie before it by disorder and lateness.
 */

import { RecordBatchWriter } from '../batch/record-batch-writer.ts'
import { EventEncoder, type EventEncoding } from './event-formats.ts'
import { EventGenerator, type GenerateOptions, type ProductIds, productId } from './generate.ts'
import { murmur2 } from './murmur2.ts'
import { weightOf } from './popularity.ts'

export interface ShardsOptions extends GenerateOptions {
  /** 1: all events in one topic; 2: impressions in the first, clicks in the second. */
  readonly topics: 1 | 2
  readonly partitions: number
  /** A shard is full when its batch has about so many bytes, before compression. */
  readonly batchBytes: number
  /** Bounded: the number of events over all partitions. */
  readonly count?: number | undefined
  /** Partition numbers whose events are made; all when absent. */
  readonly only?: readonly number[] | undefined
  /** Virtual clock, ms since the epoch; undefined for the wall clock. */
  readonly startTime?: number | undefined
  /** Of values that are not written as they are generated, which is JSON. */
  readonly encoding?: EventEncoding | undefined
  /** Events per second of the virtual clock, over all partitions. */
  readonly eventRate?: number | undefined
}

export interface Shard {
  readonly topicIndex: number
  readonly partition: number
  /** Holds the open batch; `writer.count` events are in it. */
  readonly writer: RecordBatchWriter
  /** The next batch's base offset. */
  offset: number
}

/** The events of one partition number. */
interface Strand {
  readonly generator: EventGenerator
  readonly impressions: Shard
  readonly clicks: Shard
  /** Of the events made here, and where in its turn it stands: not all are due at the same moment. */
  readonly share: number
  readonly phase: number
  readonly msPerEvent: number
  /** It ends after so many. */
  readonly quota: number
  made: number
  /** The generator has drawn an event that didn't fit. */
  pending: boolean
  /** When it was made. */
  now: number
}

const SLICE_EVENTS = 256

/** How often each partition is drawn, of 1 in all: indexed by its number. */
export function partitionShares(options: ProductIds & Pick<ShardsOptions, 'skew' | 'partitions'>): Float64Array {
  return sharesOf(placeProducts(options), options)
}

export class Shards {
  /** Indexed by topicIndex * partitions + partition; those that are not in `only` stay empty. */
  readonly shards: readonly Shard[]
  /** Shards that no event can ever come to. */
  readonly barren: readonly Shard[]
  /** Events put into shards, and how many there will be. */
  generated = 0
  readonly total: number
  /** Of all events, the share that is made here. */
  readonly share: number
  /** The shard that stopped `generate`; undefined when none did. */
  full: Shard | undefined

  readonly #options: ShardsOptions
  readonly #strands: readonly Strand[]
  readonly #encoder: EventEncoder | undefined

  constructor(options: ShardsOptions) {
    this.#options = options
    const { topics, partitions, clickShare, encoding } = options
    this.#encoder = encoding && new EventEncoder(encoding)
    const shards: Shard[] = []
    for (let topicIndex = 0; topicIndex < topics; topicIndex++) {
      for (let partition = 0; partition < partitions; partition++) {
        const writer = new RecordBatchWriter(options.only === undefined || options.only.includes(partition) ? options.batchBytes : 0)
        writer.begin(0)
        shards.push({ topicIndex, partition, writer, offset: 0 })
      }
    }
    this.shards = shards
    const placed = placeProducts(options)
    const shares = sharesOf(placed, options)
    const own = (options.only ?? [...shares.keys()]).filter((partition) => (shares[partition] ?? 0) > 0)
    this.share = own.reduce((sum, partition) => sum + (shares[partition] ?? 0), 0)
    const quotas = quotasOf(shares, options.count)
    const msPerEvent = 1000 / (options.eventRate ?? 100_000)
    this.#strands = own.map((partition): Strand => {
      const share = shares[partition] ?? 0
      const products = placed[partition] ?? new Int32Array(0)
      return {
        generator: new EventGenerator(options, {
          products,
          owns: (product) => placeOf(product, options) === partition,
          stream: partition,
          streams: partitions,
        }),
        impressions: shards[partition] as Shard,
        clicks: shards[topics === 2 ? partitions + partition : partition] as Shard,
        share: share / this.share,
        phase: (partition + 0.5) / partitions,
        msPerEvent: msPerEvent / share,
        quota: quotas[partition] ?? 0,
        made: 0,
        pending: false,
        now: 0,
      }
    })
    this.total = this.#strands.reduce((sum, { quota }) => sum + quota, 0)
    const used = new Set(own)
    this.barren = shards.filter(({ topicIndex, partition }) => {
      const wanted = topics === 1 || (topicIndex === 0 ? clickShare < 1 : clickShare > 0)
      return !wanted || !used.has(partition)
    })
  }

  /** What the events put into shards are. */
  get drawn(): EventGenerator['drawn'] {
    const sum = { events: 0, impressions: 0, clicks: 0, invalid: 0, duplicates: 0 }
    for (const { generator, pending } of this.#strands) {
      const { drawn } = generator
      sum.events += drawn.events - (pending ? 1 : 0)
      sum.impressions += drawn.impressions - (pending && generator.valid && !generator.click ? 1 : 0)
      sum.clicks += drawn.clicks - (pending && generator.valid && generator.click ? 1 : 0)
      sum.invalid += drawn.invalid - (pending && !generator.valid ? 1 : 0)
      sum.duplicates += drawn.duplicates - (pending && generator.repeated ? 1 : 0)
    }
    return sum
  }

  /**
   * Puts about `count` events, made at `now`, into their shards, at most as many as there will be; stops early at a full shard (`full`).
   * Returns how many it put.
   */
  generate(count: number, now: number): number {
    const before = this.generated
    const end = before + count
    this.full = undefined
    // In slices, so that no strand is far ahead of another, and one that is held back leaves little undone in the others.
    for (let wanted = Math.min(before + SLICE_EVENTS, end); ; wanted = Math.min(wanted + SLICE_EVENTS, end)) {
      for (const strand of this.#strands) {
        const target = wanted >= this.total ? strand.quota : Math.min(Math.floor(wanted * strand.share + strand.phase), strand.quota)
        this.#make(strand, target, now)
        if (this.full !== undefined) return this.generated - before
      }
      if (wanted === end) break
    }
    if (count > 0 && this.generated === before) this.#makeNext(now)
    return this.generated - before
  }

  /** With more strands than events none of them may be due; the one whose turn is nearest goes ahead then. */
  #makeNext(now: number): void {
    let next: Strand | undefined
    let soonest = Number.POSITIVE_INFINITY
    for (const strand of this.#strands) {
      const turn = (strand.made + 1 - strand.phase) / strand.share
      if (strand.made >= strand.quota || turn >= soonest) continue
      soonest = turn
      next = strand
    }
    if (next !== undefined) this.#make(next, next.made + 1, now)
  }

  /** Makes events of a strand until it has `target`, or a shard is full. */
  #make(strand: Strand, target: number, now: number): void {
    const { startTime } = this.#options
    const encoder = this.#encoder
    const { generator, impressions, clicks, msPerEvent, phase } = strand
    const from = strand.made
    let made = from
    while (made < target) {
      if (!strand.pending) {
        strand.now = startTime === undefined ? now : startTime + Math.floor((made + phase) * msPerEvent)
        generator.next(strand.now)
      }
      const shard = generator.click ? clicks : impressions
      const writer = shard.writer
      const value = encoder?.encode(generator, shard.topicIndex)
      if (!writer.reserve(strand.now, generator.keyBytes, value === undefined ? generator.valueBytes : value.length)) {
        strand.pending = true
        this.full = shard
        break
      }
      strand.pending = false
      generator.writeKey(writer.bytes, writer.keyAt)
      if (value === undefined) generator.writeValue(writer.bytes, writer.valueAt)
      else writer.bytes.set(value, writer.valueAt)
      made++
    }
    strand.made = made
    this.generated += made - from
  }
}

/** Closes a shard's batch; it is shard.writer.bytes[0, returned end). `reopen` must follow before the shard gets more. */
export function seal(shard: Shard, attributes = 0): number {
  const end = shard.writer.finish(attributes)
  shard.offset += shard.writer.count
  return end
}

/** Begins the shard's next batch over the bytes of the last one. */
export function reopen(shard: Shard): void {
  shard.writer.begin(shard.offset)
}

/** The partition that Kafka's default partitioner gives a key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** The partition of a product, by its index. */
function placeOf(product: number, options: ProductIds & Pick<ShardsOptions, 'partitions'>): number {
  return partitionOf(Buffer.from(productId(product, options)), options.partitions)
}

/** By partition: the indices of its products, ascending. */
function placeProducts(options: ProductIds & Pick<ShardsOptions, 'partitions'>): Int32Array[] {
  const { products, partitions } = options
  const where = new Int32Array(products)
  const counts = new Int32Array(partitions)
  for (let product = 0; product < products; product++) {
    const partition = placeOf(product, options)
    where[product] = partition
    counts[partition] = (counts[partition] ?? 0) + 1
  }
  const placed = Array.from(counts, (count) => new Int32Array(count))
  counts.fill(0)
  for (let product = 0; product < products; product++) {
    const partition = where[product] ?? 0
    const at = counts[partition] ?? 0
    const list = placed[partition] as Int32Array
    list[at] = product
    counts[partition] = at + 1
  }
  return placed
}

function sharesOf(placed: readonly Int32Array[], { skew }: Pick<ShardsOptions, 'skew'>): Float64Array {
  const weights = Float64Array.from(placed, (products) => {
    let sum = 0
    for (const product of products) sum += weightOf(product, skew)
    return sum
  })
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/** By partition: its part of `count`, those with the largest remainders rounded up; without a count no bound. */
function quotasOf(shares: Float64Array, count: number | undefined): Float64Array {
  if (count === undefined) return shares.map(() => Number.POSITIVE_INFINITY)
  const quotas = shares.map((share) => Math.floor(share * count))
  const missing = count - quotas.reduce((sum, quota) => sum + quota, 0)
  const remainder = (partition: number) => (shares[partition] ?? 0) * count - (quotas[partition] ?? 0)
  const byRemainder = [...shares.keys()].filter((partition) => (shares[partition] ?? 0) > 0).sort((a, b) => remainder(b) - remainder(a))
  for (let i = 0; i < missing; i++) {
    const partition = byRemainder[i % byRemainder.length] ?? 0
    quotas[partition] = (quotas[partition] ?? 0) + 1
  }
  return quotas
}

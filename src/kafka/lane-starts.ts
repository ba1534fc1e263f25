/**
 * Where lanes begin: what the brokers say of them, asked until it is answered, and what `startFrom` makes of it.
 *
 * Remembers over rebalances where partitions without a committed offset have begun in this process, for until the first commit the end is
 * another one at each look; that a reset is done with; and up to where a bounded run reads.
 */
import type { Cluster } from 'kafkajs'
import type { Logger } from 'pino'
import { backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import type { OfferedPartition } from '../source/source.ts'
import { CLIENT_BACKOFF } from './kafka-client.ts'
import type { Lane } from './lane.ts'
import {
  type BrokerOffsets,
  decideStart,
  highestCommitted,
  keyOf,
  listOffsets,
  type Reset,
  readFacts,
  type StartFrom,
  type StartPosition,
} from './start-position.ts'

/** Ids of topics by name, those that are not there left out; undefined when the brokers give topics none. */
export type TopicIds = (topics: readonly string[]) => Promise<ReadonlyMap<string, string> | undefined>

/** How positions are chosen; see KafkaSourceOptions. */
export interface LaneStartsOptions {
  readonly groupId: string
  readonly startFrom: StartFrom
  readonly startTimestamp?: number | undefined
  /** Where the partitions begin that this process gets first, whatever is committed or kept; later ones go on as usual. */
  readonly reset?: Reset | undefined
  readonly bounded: boolean
  /** Told of each look for positions: why it failed, undefined when it did not. */
  readonly onLook?: ((failure: unknown) => void) | undefined
  readonly logger: Logger
}

export class LaneStarts {
  readonly #options: LaneStartsOptions
  /** How many partitions each topic had when the source started; later ones are read from their beginning. */
  readonly #partitionsAtStart: ReadonlyMap<string, number>
  readonly #boundedEnds = new Map<string, number>()
  /** Where partitions without a committed offset were to begin. */
  readonly #firsts = new Map<string, number>()
  /** The highest partition of each topic that the group has an offset of, where that matters. */
  #highest: ReadonlyMap<string, number> = new Map()
  /** Until the first lanes have begun. */
  #reset: Reset | undefined
  #toldUnused = false
  #saidNoIds = false

  constructor(options: LaneStartsOptions, partitionsAtStart: ReadonlyMap<string, number>) {
    this.#options = options
    this.#reset = options.reset
    this.#partitionsAtStart = partitionsAtStart
  }

  /** By `keyOf`; nothing when all the lanes have gone or `signal` ends it first. `topicIds` as in LaneControl. */
  async lookUp(
    lanes: readonly Lane[],
    cluster: () => Cluster,
    topicIds: TopicIds,
    signal: AbortSignal,
  ): Promise<Map<string, BrokerOffsets>> {
    const { groupId, startFrom, startTimestamp, logger } = this.#options
    const timestamp = typeof this.#reset === 'number' ? this.#reset : startFrom === 'timestamp' ? startTimestamp : undefined
    let told = ''
    for (let attempt = 0; ; attempt++) {
      const live = lanes.filter((lane) => !lane.gone)
      if (live.length === 0 || signal.aborted) return new Map()
      try {
        const ids = await this.#idsOf(live, topicIds)
        const facts = await readFacts(cluster(), groupId, live, timestamp)
        this.#options.onLook?.(undefined)
        const unknown = [...facts.values()].some(({ committed }) => committed === undefined)
        if (startFrom === 'latest' && unknown) this.#highest = await highestCommitted(cluster(), groupId, this.#partitionsAtStart)
        const after = await this.#idsOf(live, topicIds)
        for (const [topic, id] of after ?? []) if (ids?.get(topic) !== id) throw new Error(`topic ${topic} is just being made again`)
        for (const lane of live) {
          const known = facts.get(keyOf(lane))
          if (known !== undefined) facts.set(keyOf(lane), { ...known, topicId: ids?.get(lane.topic) || undefined })
        }
        return facts
      } catch (error) {
        this.#options.onLook?.(error)
        const reason = error instanceof Error ? error.message : String(error)
        logger[reason === told ? 'debug' : 'warn'](
          { partitions: live.length, reason, attempt },
          'offsets could not be looked up; trying again',
        )
        told = reason
        await sleep(backoffMs(attempt + 1, CLIENT_BACKOFF), signal)
        await cluster()
          .refreshMetadata()
          .catch(() => {})
      }
    }
  }

  /** undefined when the brokers give topics no ids; throws when one of the topics is not there. */
  async #idsOf(lanes: readonly Lane[], topicIds: TopicIds): Promise<ReadonlyMap<string, string> | undefined> {
    const topics = [...new Set(lanes.map(({ topic }) => topic))]
    const ids = await topicIds(topics)
    const missing = topics.find((topic) => ids !== undefined && !ids.has(topic))
    if (missing !== undefined) throw new Error(`topic ${missing} is not there`)
    if (ids === undefined && !this.#saidNoIds) {
      this.#saidNoIds = true
      const limit = 'one that is deleted and made again is noticed only when it has fewer records than the old one had'
      this.#options.logger.info(`the brokers give topics no ids, as Kafka does from 2.8 on: ${limit}`)
    }
    return ids
  }

  /** End offsets by `keyOf`; nothing when they can't be had now. */
  async ends(lanes: readonly Lane[], cluster: Cluster): Promise<ReadonlyMap<string, number>> {
    if (lanes.length === 0) return new Map()
    try {
      return await listOffsets(cluster, lanes, 'latest')
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'end offsets could not be read')
      return new Map()
    }
  }

  /** The start that is offered to the handler. */
  offer(lane: Lane, offsets: BrokerOffsets): OfferedPartition {
    const key = keyOf(lane)
    const { topicIndex, partition } = lane
    const { warning, ...start } = this.#begin(lane, offsets)
    if (warning !== undefined) this.#options.logger.warn({ topic: lane.topic, partition }, warning)
    if (this.#options.bounded && !this.#boundedEnds.has(key)) this.#boundedEnds.set(key, offsets.latest)
    const { earliest, latest, topicId } = offsets
    return { topicIndex, partition, ...start, endOffset: this.#boundedEnds.get(key), earliest, latest, topicId }
  }

  /** The lane's topic was made again. Gives where a bounded run ends it. */
  begunAgain(lane: Lane, { earliest, latest }: BrokerOffsets): number | undefined {
    this.#firsts.set(keyOf(lane), earliest)
    if (this.#options.bounded) this.#boundedEnds.set(keyOf(lane), latest)
    return this.begun(lane)
  }

  /** The lane has begun. Gives where a bounded run ends it. */
  begun(lane: Lane): number | undefined {
    this.#reset = undefined
    return this.#boundedEnds.get(keyOf(lane))
  }

  #begin(lane: Lane, offsets: BrokerOffsets): StartPosition {
    const start = decideStart(this.#startFrom(lane, offsets), offsets, this.#reset)
    if (this.#reset !== undefined) return start
    if (offsets.committed !== undefined) {
      this.#tellUnused()
      return start
    }
    const first = this.#firsts.get(keyOf(lane)) ?? start.position
    this.#firsts.set(keyOf(lane), first)
    return { ...start, position: Math.max(first, offsets.earliest) }
  }

  /** What `startFrom` means for this lane: a partition that has come since the group began with its topic is read whole. */
  #startFrom(lane: Lane, { committed }: BrokerOffsets): StartFrom {
    const { startFrom, logger } = this.#options
    if (lane.partition >= (this.#partitionsAtStart.get(lane.topic) ?? 0)) return 'earliest'
    const highest = this.#highest.get(lane.topic) ?? -1
    if (startFrom !== 'latest' || committed !== undefined || highest < 0 || lane.partition < highest) return startFrom
    const why = `the group has offsets of ${lane.topic} up to partition ${highest}: this one has come since, and is read from its beginning`
    logger.warn({ topic: lane.topic, partition: lane.partition }, why)
    return 'earliest'
  }

  #tellUnused(): void {
    const { startFrom, logger } = this.#options
    if (startFrom === 'committed' || this.#toldUnused) return
    this.#toldUnused = true
    const remedy = 'ctr run --reset begins elsewhere on purpose'
    logger.info({ startFrom }, `the group has offsets and goes on from them: kafka.startFrom is not used; ${remedy}`)
  }
}

/**
 * Where lanes begin: what the brokers say of them, asked until it is answered, and what `startFrom` makes of it. Remembers over rebalances
 * which partitions this process has had, since only their first assignment goes by `startFrom`, and up to where a bounded run reads them.
 */
import type { Cluster } from 'kafkajs'
import type { Logger } from 'pino'
import { backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import type { OfferedPartition } from '../source/source.ts'
import { CLIENT_BACKOFF } from './kafka-client.ts'
import type { Lane } from './lane.ts'
import { type BrokerOffsets, decideStart, keyOf, listOffsets, readFacts, type StartFrom } from './start-position.ts'

/** How positions are chosen; see KafkaSourceOptions. */
export interface LaneStartsOptions {
  readonly groupId: string
  readonly startFrom: StartFrom
  readonly startTimestamp?: number | undefined
  readonly bounded: boolean
  readonly logger: Logger
}

export class LaneStarts {
  readonly #options: LaneStartsOptions
  /** How many partitions each topic had when the source started; later ones are read from their beginning. */
  readonly #partitionsAtStart: ReadonlyMap<string, number>
  readonly #boundedEnds = new Map<string, number>()
  readonly #seen = new Set<string>()

  constructor(options: LaneStartsOptions, partitionsAtStart: ReadonlyMap<string, number>) {
    this.#options = options
    this.#partitionsAtStart = partitionsAtStart
  }

  /** By `keyOf`; nothing when all the lanes have gone or `signal` ends it first. */
  async lookUp(lanes: readonly Lane[], cluster: () => Cluster, signal: AbortSignal): Promise<Map<string, BrokerOffsets>> {
    const { groupId, startFrom, startTimestamp, logger } = this.#options
    const timestamp = startFrom === 'timestamp' ? startTimestamp : undefined
    for (let attempt = 0; ; attempt++) {
      const live = lanes.filter((lane) => !lane.gone)
      if (live.length === 0 || signal.aborted) return new Map()
      try {
        return await readFacts(cluster(), groupId, live, timestamp)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        logger.warn({ partitions: live.length, reason, attempt }, 'offsets could not be looked up; trying again')
        await sleep(backoffMs(attempt + 1, CLIENT_BACKOFF), signal)
        await cluster()
          .refreshMetadata()
          .catch(() => {})
      }
    }
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
    const { warning, ...start } = decideStart(this.#startFrom(lane), offsets)
    if (warning !== undefined) this.#options.logger.warn({ topic: lane.topic, partition }, warning)
    if (this.#options.bounded && !this.#boundedEnds.has(key)) this.#boundedEnds.set(key, offsets.latest)
    return { topicIndex, partition, ...start, endOffset: this.#boundedEnds.get(key), earliest: offsets.earliest, latest: offsets.latest }
  }

  /** The lane has begun. Gives where a bounded run ends it. */
  begun(lane: Lane): number | undefined {
    const key = keyOf(lane)
    this.#seen.add(key)
    return this.#boundedEnds.get(key)
  }

  /** What `startFrom` means for this lane: only its first assignment goes by it, and a partition that came later is read whole. */
  #startFrom(lane: Lane): StartFrom {
    const { startFrom } = this.#options
    if (startFrom === 'committed' || this.#seen.has(keyOf(lane))) return 'committed'
    return lane.partition >= (this.#partitionsAtStart.get(lane.topic) ?? 0) ? 'earliest' : startFrom
  }
}

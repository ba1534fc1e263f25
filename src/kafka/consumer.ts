/** kafkajs' consumer, with what this engine asks of groups and fetches. */
import type { Cluster, Consumer } from 'kafkajs'
import { CtrError } from '../errors.ts'
import { type AssignerHooks, coPartitionAssigner } from './co-partition-assigner.ts'
import type { FramePool } from './frame-pool.ts'
import { CLIENT_RETRY, type KafkaClientOptions, kafkaClient } from './kafka-client.ts'

/** Sizes in bytes. */
export interface ConsumerOptions extends KafkaClientOptions {
  readonly groupId: string
  readonly fetchBytesPerPartition: number
  readonly maxWaitMs: number
  readonly sessionTimeoutMs: number
  readonly metadataMaxAgeMs: number
}

/** A member hears of a rebalance at its next heartbeat, and everybody waits for the last one: this is what a rebalance takes. */
const HEARTBEAT_MS = 500
export const REBALANCE_MIN_MS = 60_000
/** A fetch is answered at once when this much is there, else after `maxWaitMs`. */
const FETCH_MIN_BYTES = 64 * 1024
/** The most that one response may bring, from however many partitions; which of them it brings, see fetch-turns.ts. */
const FETCH_MAX_BYTES = 16 * 1024 * 1024
/** With pauses of up to 2 s: a broker that restarts finds the member it knows, instead of waiting its session out. */
const CONSUMER_RETRIES = 30

/** With its cluster, which it hands to its assigner. Throws CTR_KAFKA_VERSION when it does not. */
export function createConsumer(
  options: ConsumerOptions,
  pool: FramePool,
  member: Pick<AssignerHooks, 'describe' | 'dead'>,
): { consumer: Consumer; cluster: Cluster } {
  let cluster: Cluster | undefined
  const adopt = (adopted: Cluster) => {
    cluster = adopted
  }
  const dealt: AssignerHooks['dealt'] = (deal) => options.logger.info(deal, 'dealt the tasks out to the members of the consumer group')
  const consumer = kafkaClient(options, pool).consumer({
    groupId: options.groupId,
    partitionAssigners: [coPartitionAssigner({ adopt, dealt, ...member })],
    sessionTimeout: options.sessionTimeoutMs,
    rebalanceTimeout: Math.max(REBALANCE_MIN_MS, options.sessionTimeoutMs),
    heartbeatInterval: HEARTBEAT_MS,
    metadataMaxAge: options.metadataMaxAgeMs,
    allowAutoTopicCreation: false,
    maxBytesPerPartition: options.fetchBytesPerPartition,
    minBytes: Math.min(FETCH_MIN_BYTES, options.fetchBytesPerPartition),
    maxBytes: Math.max(FETCH_MAX_BYTES, options.fetchBytesPerPartition),
    maxWaitTimeInMs: options.maxWaitMs,
    retry: { ...CLIENT_RETRY, retries: CONSUMER_RETRIES, restartOnFailure: async () => false },
  })
  if (cluster === undefined) throw new CtrError('CTR_KAFKA_VERSION', 'kafkajs no longer makes its partition assigners with the consumer')
  return { consumer, cluster }
}

/** From the configuration to the options of whatever talks to Kafka. */
import type { Config } from '../config/schema.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import type { KafkaSourceOptions } from '../kafka/kafka-source.ts'
import type { Logger } from '../log.ts'

/** What a run decides about reading; see KafkaSourceOptions. */
export type Reading = Pick<KafkaSourceOptions, 'bounded' | 'reset' | 'access'>

/** How Kafka is read as this configuration says. */
export function sourceOptions(config: Config, { bounded, reset, access }: Reading, logger: Logger): KafkaSourceOptions {
  const { kafka, sink } = config
  return {
    ...clientOptions(config, logger),
    groupId: kafka.groupId,
    topics: kafka.topics.map(({ name }) => name),
    startFrom: kafka.startFrom,
    startTimestamp: kafka.startTimestamp && readFrom(kafka.startTimestamp, config),
    reset: typeof reset === 'number' ? readFrom(reset, config) : reset,
    fetchBytesPerPartition: kafka.fetchBytesPerPartition,
    maxBatchBytes: kafka.maxBatchBytes,
    maxWaitMs: kafka.maxWait,
    sessionTimeoutMs: kafka.sessionTimeout,
    metadataMaxAgeMs: kafka.metadataMaxAge,
    onCorruptBatch: kafka.onCorruptBatch,
    onUnequalPartitions: kafka.onUnequalPartitions,
    revision: { revision: sink.revision, revisionFrom: sink.revisionFrom },
    access,
    bounded,
  }
}

/**
 * First record time to read, ms, when it is to be `asked` or earlier. Windows that carry a new revision must be read whole: an event is at
 * most `time.futureTolerance` ahead of its record, so no event of them lies in a record before this.
 */
function readFrom(asked: number, { sink, time }: Config): number {
  if (sink.revision === 0 || sink.revisionFrom === undefined) return asked
  return Math.max(0, Math.min(asked, sink.revisionFrom - time.futureTolerance))
}

/** What every Kafka client of this configuration needs. */
export function clientOptions({ kafka }: Config, logger: Logger): KafkaClientOptions {
  return {
    brokers: kafka.brokers,
    clientId: kafka.clientId,
    connectionTimeoutMs: kafka.connectionTimeout,
    requestTimeoutMs: kafka.requestTimeout,
    security: kafka.security,
    logger,
  }
}

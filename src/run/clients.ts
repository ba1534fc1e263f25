/** From the configuration to the options of whatever talks to Kafka. */
import type { Config } from '../config/schema.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import type { KafkaSourceOptions } from '../kafka/kafka-source.ts'
import type { Logger } from '../log.ts'

/** How Kafka is read as this configuration says; `bounded` up to the ends found at the start. */
export function sourceOptions(config: Config, bounded: boolean, logger: Logger): KafkaSourceOptions {
  const { kafka } = config
  return {
    ...clientOptions(config, logger),
    groupId: kafka.groupId,
    topics: kafka.topics.map(({ name }) => name),
    startFrom: kafka.startFrom,
    startTimestamp: kafka.startTimestamp,
    fetchBytesPerPartition: kafka.fetchBytesPerPartition,
    maxWaitMs: kafka.maxWait,
    sessionTimeoutMs: kafka.sessionTimeout,
    metadataMaxAgeMs: kafka.metadataMaxAge,
    onCorruptBatch: kafka.onCorruptBatch,
    bounded,
  }
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

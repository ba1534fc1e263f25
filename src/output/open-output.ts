/** From the configuration's `{topic} | {file}` to an output. */
import type { Logger } from 'pino'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { fileOutput } from './file-output.ts'
import type { Output, OutputLabel, OutputTarget } from './output.ts'
import { topicOutput } from './topic-output.ts'

/** `client` tells how to get to Kafka; it is asked only when the target is a topic. Throws CTR_DEAD_LETTER when a file can't be opened. */
export function openOutput(target: OutputTarget, label: OutputLabel, logger: Logger, client: () => KafkaClientOptions): Output {
  return 'file' in target ? fileOutput(target.file, label, logger) : topicOutput({ ...client(), topic: target.topic }, label)
}

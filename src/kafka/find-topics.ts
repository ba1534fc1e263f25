/** The input topics as a start finds them: all there, or which are missing and what they may be called; and the partitions of each. */
import type { Cluster, Consumer } from 'kafkajs'
import { CtrError } from '../errors.ts'
import { toCtrError } from './kafka-errors.ts'
import { missingTopics, partitionsDiffer } from './topic-faults.ts'

/** What to do at topics with different numbers of partitions. */
export type Unequal = 'stop' | 'read'

interface Wanted {
  readonly topics: readonly string[]
  readonly brokers: readonly string[]
}

/** Subscribes to all of them. Throws CTR_KAFKA_TOPIC_MISSING, which may pass, with the names that are nearest; else as kafkajs does. */
export async function subscribeTo(consumer: Consumer, cluster: Cluster, { topics, brokers }: Wanted): Promise<void> {
  const missing: string[] = []
  for (const topic of topics) {
    try {
      await consumer.subscribe({ topic, fromBeginning: true })
    } catch (error) {
      if (toCtrError(error, brokers).code !== 'CTR_KAFKA_TOPIC_MISSING') throw error
      missing.push(topic)
    }
  }
  if (missing.length > 0) throw missingTopics(missing, brokers, await topicNames(cluster))
}

/** All topics that the user may know of; none where that can't be asked: it is for a proposal only. */
export async function topicNames(cluster: Cluster): Promise<string[]> {
  const asked = cluster as unknown as { metadata(): Promise<{ topicMetadata: { topic: string }[] }> }
  return asked.metadata().then(
    ({ topicMetadata }) => topicMetadata.map(({ topic }) => topic),
    () => [],
  )
}

/** Throws CTR_CONFIG when topics have different numbers of partitions and `unequal` does not let that pass. */
export function checkPartitions(counts: ReadonlyMap<string, number>, unequal: Unequal): void {
  const differ = unequal === 'read' ? undefined : partitionsDiffer(counts)
  if (differ !== undefined) throw new CtrError('CTR_CONFIG', `${differ.found}; ${differ.remedy}`)
}

/** What a topic is set to, and whether one may be made: questions that write nothing. */
import type { Cluster } from 'kafkajs'

/** Kafka's number of topics among what has settings. */
const TOPIC = 2

interface ControllerBroker {
  describeConfigs(request: {
    resources: readonly { type: number; name: string; configNames: readonly string[] }[]
    includeSynonyms: boolean
  }): Promise<{ resources: readonly { configEntries: readonly { configName: string; configValue: string }[] }[] }>
  createTopics(request: {
    topics: readonly { topic: string; numPartitions: number; replicationFactor: number }[]
    validateOnly: boolean
    timeout: number
  }): Promise<unknown>
}

/** Settings in force, by name; those that the broker doesn't know are left out. Rejects as kafkajs does: it takes DESCRIBE_CONFIGS. */
export async function readTopicSettings(cluster: Cluster, topic: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const broker = await controllerOf(cluster)
  const { resources } = await broker.describeConfigs({
    resources: [{ type: TOPIC, name: topic, configNames: names }],
    includeSynonyms: false,
  })
  return new Map(resources.flatMap(({ configEntries }) => configEntries.map(({ configName, configValue }) => [configName, configValue])))
}

/** Resolves when the topic could be created, with as many partitions as the broker says; it is not. Rejects as kafkajs does. */
export async function tryTopic(cluster: Cluster, topic: string, timeoutMs: number): Promise<void> {
  const broker = await controllerOf(cluster)
  const topics = [{ topic, numPartitions: -1, replicationFactor: -1 }]
  await broker.createTopics({ topics, validateOnly: true, timeout: timeoutMs })
}

async function controllerOf(cluster: Cluster): Promise<ControllerBroker> {
  return (await cluster.findControllerBroker()) as unknown as ControllerBroker
}

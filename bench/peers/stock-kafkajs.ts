/**
 * A peer: what a TypeScript developer writes with kafkajs as it comes, eachBatch and MapWindows; values are JSON, or what
 * @kafkajs/confluent-schema-registry makes of them (Avro by avsc), when there is a registry.
 *
 *   --brokers a,b  --topics a,b  --group g  [--registry URL]  [--rows FILE]  [--count-only]
 *
 * Reads the topics up to their present ends. Prints one JSON line; with --rows writes its rows there, one JSON line each.
 */
import { parseArgs } from 'node:util'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import kafkajs, { type EachBatchPayload, type KafkaMessage } from 'kafkajs'
import { type Decoded, decodeJson, MapWindows } from './map-windows.ts'

const { values } = parseArgs({
  options: {
    brokers: { type: 'string', default: '' },
    topics: { type: 'string', default: '' },
    group: { type: 'string', default: '' },
    registry: { type: 'string' },
    rows: { type: 'string' },
    'count-only': { type: 'boolean', default: false },
  },
})
const topics = values.topics.split(',')
const kafka = new kafkajs.Kafka({ clientId: 'stock', brokers: values.brokers.split(','), logLevel: kafkajs.logLevel.ERROR })
const registry = values.registry === undefined ? undefined : new SchemaRegistry({ host: values.registry })
const ends = await endOffsets()
const windows = new MapWindows(topics)
let joinedAt = 0

const consumer = kafka.consumer({ groupId: values.group })
consumer.on('consumer.group_join', () => {
  joinedAt ||= performance.now()
})
await consumer.connect()
await consumer.subscribe({ topics, fromBeginning: true })
await new Promise<void>((resolve, reject) => {
  const eachBatch = async ({ batch, heartbeat }: EachBatchPayload) => {
    const { topic, partition, messages } = batch
    if (values['count-only']) windows.events += messages.length
    else {
      if (registry === undefined) for (const { value } of messages) windows.count(topic, partition, decodeJson(value))
      else for (const message of messages) windows.count(topic, partition, await decoded(registry, message))
      windows.closeWindows(partition)
    }
    const name = `${topic}/${partition}`
    if (Number(batch.lastOffset()) + 1 >= (ends.get(name) ?? 0)) ends.delete(name)
    if (ends.size === 0) resolve()
    await heartbeat()
  }
  consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
  consumer.run({ eachBatch, partitionsConsumedConcurrently: ends.size }).catch(reject)
})
const seconds = (performance.now() - joinedAt) / 1000
const rows = windows.finish(values.rows)
const { events, late, invalid } = windows
console.log(JSON.stringify({ events, late, invalid, rows, seconds }))
await consumer.disconnect()

async function decoded(by: SchemaRegistry, { value }: KafkaMessage): Promise<Decoded | undefined> {
  return value === null ? undefined : by.decode(value).catch(() => undefined)
}

/** Of the partitions that hold anything. */
async function endOffsets(): Promise<Map<string, number>> {
  const admin = kafka.admin()
  await admin.connect()
  const found = new Map<string, number>()
  for (const topic of topics) {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic))
      if (Number(high) > 0) found.set(`${topic}/${partition}`, Number(high))
  }
  await admin.disconnect()
  return found
}

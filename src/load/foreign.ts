/** Whether a topic holds records that no load has made: what a load adds stands among them, and whoever reads the topic counts it. */
import type { BatchProducer } from '../kafka/batch-producer.ts'
import { formatCount } from '../text.ts'

/** As event-template.ts makes them, wherever they stand. */
const EVENT_ID = /"[0-9a-f]{8}-\d{12,}"/
const PRODUCT_ID = /"p-\d+"/

/** A line for each of the topics that has such records, with how to end the load; by the last record of each partition. */
export async function foreignTopics(producer: BatchProducer, topics: readonly string[]): Promise<string[]> {
  const remedy = 'what is made now stands among them for good, and is counted by whoever reads the topic; --topics names others'
  const lines = topics.map(async (topic) => {
    const { records, values } = await producer.lastValues(topic)
    if (records === 0 || values.some(isLoads)) return []
    return [`topic ${topic} holds ${formatCount(records)} records, and the last ones are none of ctr load's: ${remedy}`]
  })
  return (await Promise.all(lines)).flat()
}

/** Whether a record's value is one of a load's. */
export function isLoads(value: Buffer): boolean {
  const text = value.toString()
  return text.startsWith('{') && EVENT_ID.test(text) && PRODUCT_ID.test(text)
}

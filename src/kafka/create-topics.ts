/**
 * Creates topics and waits until every partition has a leader. kafkajs' own waiting gives up when the broker that is asked has not yet
 * heard of a topic that another one has just made.
 */
import type { Admin, ITopicConfig } from 'kafkajs'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'

const LEADERS_MAX_MS = 30_000
const POLL_MS = 100

/** Topics that are there already stay as they are. Rejects as kafkajs does, and with CTR_KAFKA_UNREACHABLE when there are no leaders. */
export async function createTopics(admin: Admin, topics: readonly ITopicConfig[]): Promise<void> {
  const names = topics.map(({ topic }) => topic)
  await admin.createTopics({ topics: [...topics], waitForLeaders: false })
  for (const giveUpAt = performance.now() + LEADERS_MAX_MS; !(await haveLeaders(admin, names)); await sleep(POLL_MS)) {
    if (performance.now() < giveUpAt) continue
    const seconds = LEADERS_MAX_MS / 1000
    throw new CtrError('CTR_KAFKA_UNREACHABLE', `new topics without leaders for ${seconds} s: ${names.join(', ')}`, { retriable: true })
  }
}

async function haveLeaders(admin: Admin, names: string[]): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: names })
    const led = topics.filter(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0))
    return led.length === names.length
  } catch (error) {
    const { type } = error as { type?: unknown }
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'LEADER_NOT_AVAILABLE') return false
    throw error
  }
}

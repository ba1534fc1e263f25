/**
 * What `ctr selftest` does with the brokers itself: topics and groups of its own, made and taken away, and topics read back. Records come
 * through kafkajs' own decoder, one by one: none of the engine's reading is trusted.
 */
import type { Admin, ITopicConfig, Kafka } from 'kafkajs'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { createTopics } from '../kafka/create-topics.ts'
import { FramePool } from '../kafka/frame-pool.ts'
import { CLIENT_RETRY, type KafkaClientOptions, kafkaClient } from '../kafka/kafka-client.ts'
import { isDenied, toCtrError } from '../kafka/kafka-errors.ts'
import type { PlainRecord } from './oracle.ts'

const POLL_MS = 200
/** Nothing was read for so long: it never will be. */
const SILENCE_MAX_MS = 60_000
/** For a deletion, beyond the sessions of members that were killed. */
const DELETE_SLACK_MS = 15_000

export interface SelftestBroker {
  /** Which of the names are taken. */
  taken(topics: readonly string[], groups: readonly string[]): Promise<string[]>
  /** Resolves when every partition has a leader. */
  createTopics(topics: readonly { readonly topic: string; readonly partitions: number }[]): Promise<void>
  /** Those that there are. What passes is tried again for a while. */
  deleteTopics(topics: readonly string[]): Promise<void>
  /** Waits for members that were killed, and for coordinators. */
  deleteGroup(group: string, sessionTimeoutMs: number): Promise<void>
  /** Gives every record up to the present ends to `take`, those of a partition in offset order; how many there were. */
  readBack(group: string, topics: readonly string[], take: (record: PlainRecord) => void, signal: AbortSignal): Promise<number>
  close(): Promise<void>
}

/** Connects as an administrator. Throws CtrError; missing rights are told with what to grant. */
export async function connectBroker(options: KafkaClientOptions, prefix: string): Promise<SelftestBroker> {
  const client = kafkaClient(options, new FramePool())
  const admin = client.admin({ retry: CLIENT_RETRY })
  const explained = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act()
    } catch (error) {
      throw explain(error, options.brokers, prefix)
    }
  }
  await explained(() => admin.connect())
  return {
    taken: (topics, groups) => explained(() => takenOf(admin, topics, groups)),
    createTopics: (topics) => explained(() => createTopics(admin, topics.map(described))),
    deleteTopics: (topics) => explained(() => deleteTopics(admin, topics)),
    deleteGroup: (group, sessionTimeoutMs) => explained(() => deleteGroup(admin, group, sessionTimeoutMs)),
    readBack: (group, topics, take, signal) => explained(() => readBack(client, admin, { group, topics, take, signal })),
    close: () => admin.disconnect().catch(() => {}),
  }
}

/** The failure for a user; refused rights name what a self-test needs. */
function explain(error: unknown, brokers: readonly string[], prefix: string): CtrError {
  const first = (error as { errors?: readonly unknown[] } | null)?.errors?.[0] ?? error
  if (!isDenied(first)) return toCtrError(first, brokers)
  const type = String((first as { type?: unknown } | null)?.type)
  const topics = `CREATE, DELETE, DESCRIBE, READ and WRITE on topics ${prefix}*`
  const remedy = `grant the user ${topics}, and READ, DESCRIBE and DELETE on groups ${prefix}*`
  const message = `ctr selftest makes topics and groups of its own, and the brokers refuse (${type}); ${remedy}`
  return new CtrError('CTR_KAFKA_AUTH', message, { cause: error })
}

async function takenOf(admin: Admin, topics: readonly string[], groups: readonly string[]): Promise<string[]> {
  const [existing, listed] = await Promise.all([admin.listTopics(), admin.listGroups()])
  const known = new Set(listed.groups.map(({ groupId }) => groupId))
  return [...topics.filter((topic) => existing.includes(topic)), ...groups.filter((group) => known.has(group))]
}

function described({ topic, partitions }: { readonly topic: string; readonly partitions: number }): ITopicConfig {
  // Times are compared with what the producer said.
  const configEntries = [{ name: 'message.timestamp.type', value: 'CreateTime' }]
  return { topic, numPartitions: partitions, replicationFactor: -1, configEntries }
}

async function deleteTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  await patiently(DELETE_SLACK_MS, async () => {
    const existing = new Set(await admin.listTopics())
    const own = topics.filter((topic) => existing.has(topic))
    if (own.length > 0) await admin.deleteTopics({ topics: own })
  })
}

/** Members that were killed have until their session ends. One that is gone already is deleted. */
export async function deleteGroup(admin: Pick<Admin, 'deleteGroups'>, group: string, sessionTimeoutMs: number): Promise<void> {
  await patiently(sessionTimeoutMs + DELETE_SLACK_MS, async () => {
    try {
      await admin.deleteGroups([group])
    } catch (error) {
      const [failure] = (error as { groups?: readonly { readonly error?: { readonly type?: string } }[] }).groups ?? []
      if (failure?.error?.type !== 'GROUP_ID_NOT_FOUND') throw failure?.error ?? error
    }
  })
}

/** Tries again whatever brokers under load or with a new coordinator answer; rights that are refused are refused at once. */
async function patiently(maxMs: number, act: () => Promise<void>): Promise<void> {
  for (const giveUpAt = performance.now() + maxMs; ; await sleep(POLL_MS)) {
    try {
      return await act()
    } catch (error) {
      if (isDenied(error) || performance.now() > giveUpAt) throw error
    }
  }
}

interface ReadOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly take: (record: PlainRecord) => void
  readonly signal: AbortSignal
}

async function readBack(client: Kafka, admin: Admin, { group, topics, take, signal }: ReadOptions): Promise<number> {
  const left = new Map<string, number>()
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (Number(high) > Number(low)) left.set(`${topic}/${partition}`, Number(high))
    }
  }
  if (left.size === 0) return 0
  const consumer = client.consumer({ groupId: group })
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  const interrupted = () => reject(signal.reason)
  signal.addEventListener('abort', interrupted)
  if (signal.aborted) interrupted()
  const patience = setTimeout(() => reject(new CtrError('CTR_KAFKA_UNREACHABLE', 'the topics can not be read back')), SILENCE_MAX_MS)
  let count = 0
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
    const running = consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, heartbeat }) => {
        patience.refresh()
        const { topic, partition } = batch
        const end = left.get(`${topic}/${partition}`)
        if (end === undefined) return
        for (const { offset, timestamp, value } of batch.messages) {
          if (Number(offset) >= end) break
          take({ topic, partition, offset: Number(offset), time: Number(timestamp), value })
          count++
        }
        if (Number(batch.lastOffset()) + 1 >= end) left.delete(`${topic}/${partition}`)
        if (left.size === 0) resolve()
        await heartbeat()
      },
    })
    running.catch(reject)
    await done
    return count
  } finally {
    clearTimeout(patience)
    signal.removeEventListener('abort', interrupted)
    await consumer.disconnect().catch(() => {})
  }
}

/**
 * Records of an output to a Kafka topic: acknowledged by all replicas in sync, tried again for ever. The topic is created when it is
 * missing. A record may arrive twice (an acknowledgement that got lost); topic, partition and offset in it tell.
 */

import type { Producer } from 'kafkajs'
import kafkajs from 'kafkajs'
import { createTopics } from '../kafka/create-topics.ts'
import { FramePool } from '../kafka/frame-pool.ts'
import { CLIENT_RETRY, type KafkaClientOptions, kafkaClient } from '../kafka/kafka-client.ts'
import { toCtrError } from '../kafka/kafka-errors.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { Output, OutputLabel } from './output.ts'
import { outputQueue } from './output-queue.ts'

/** Where records go, and how to get there. */
export interface TopicOutputOptions extends KafkaClientOptions {
  readonly topic: string
}

const ALL_IN_SYNC = -1
/** Below this a record isn't cut any more. */
const RAW_MIN_LENGTH = 64

/** An output that connects with the first record. */
export function topicOutput(options: TopicOutputOptions, label: OutputLabel): Output {
  const { topic } = options
  const client = kafkaClient(options, new FramePool())
  const producer = client.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    retry: CLIENT_RETRY,
  })
  let ready = false

  const createTopic = async () => {
    const admin = client.admin({ retry: CLIENT_RETRY })
    await admin.connect()
    try {
      const topics = await admin.listTopics()
      if (topics.includes(topic)) return
      await createTopics(admin, [{ topic }])
      options.logger.info({ topic }, `created the topic for ${label.records}`)
    } finally {
      await admin.disconnect()
    }
  }
  const deliver = async (lines: readonly Buffer[]) => {
    try {
      if (!ready) {
        await producer.connect()
        await createTopic()
        ready = true
      }
      await sendAll(producer, topic, lines)
    } catch (error) {
      ready = false
      throw toCtrError(error, options.brokers)
    }
  }
  return outputQueue({ place: `topic ${topic}`, deliver, close: () => producer.disconnect() }, label, options.logger)
}

/** A topic may allow less per message than a batch, or even a single record, has: then they go one by one, and shortened. */
async function sendAll(producer: Producer, topic: string, lines: readonly Buffer[]): Promise<void> {
  try {
    await producer.send({ topic, acks: ALL_IN_SYNC, messages: lines.map((value) => ({ value })) })
  } catch (error) {
    if (!isTooLarge(error)) throw error
    const [only] = lines
    if (lines.length > 1) {
      for (const line of lines) await sendAll(producer, topic, [line])
    } else if (only !== undefined) {
      const shorter = shorten(only)
      if (shorter === undefined) throw error
      await sendAll(producer, topic, [shorter])
    }
  }
}

function shorten(line: Buffer): Buffer | undefined {
  const letter = JSON.parse(line.toString()) as DeadLetter
  if (letter.rawData.length <= RAW_MIN_LENGTH) return undefined
  const rawData = letter.rawData.slice(0, letter.rawData.length >> 1)
  return Buffer.from(JSON.stringify({ ...letter, rawData, rawTruncated: true }))
}

function isTooLarge(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as Error & { type?: unknown }).type === 'MESSAGE_TOO_LARGE') return true
  }
  return false
}

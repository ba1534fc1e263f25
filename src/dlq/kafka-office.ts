/**
 * Dead letters to a Kafka topic: acknowledged by all replicas in sync, tried again for ever. The topic is created when it is missing. A
 * letter may arrive twice (an acknowledgement that got lost); topic, partition and offset in it tell.
 */

import type { Producer } from 'kafkajs'
import kafkajs from 'kafkajs'
import { createTopics } from '../kafka/create-topics.ts'
import { FramePool } from '../kafka/frame-pool.ts'
import { CLIENT_RETRY, type KafkaClientOptions, kafkaClient } from '../kafka/kafka-client.ts'
import { toCtrError } from '../kafka/kafka-errors.ts'
import type { DeadLetter, DeadLetterOffice } from './dead-letter.ts'
import { letterQueue } from './letter-queue.ts'

/** Where dead letters go, and how to get there. */
export interface KafkaOfficeOptions extends KafkaClientOptions {
  readonly topic: string
  /** Bound of what waits; 8 MiB when not given. */
  readonly queueMaxBytes?: number | undefined
}

const ALL_IN_SYNC = -1
/** Below this a letter isn't cut any more. */
const RAW_MIN_LENGTH = 64

/** An office that connects with the first letter. */
export function kafkaOffice(options: KafkaOfficeOptions): DeadLetterOffice {
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
      options.logger.info({ topic }, 'created the topic for dead letters')
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
  return letterQueue({ place: `topic ${topic}`, deliver, close: () => producer.disconnect() }, options.logger, options.queueMaxBytes)
}

/** A topic may allow less per message than a batch, or even a letter, has: then letters go one by one, and shortened. */
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

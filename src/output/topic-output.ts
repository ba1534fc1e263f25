/**
 * Records of an output to a Kafka topic: acknowledged by all replicas in sync, tried again for ever. The topic is created when it is
 * missing. A record may arrive twice (an acknowledgement that got lost); topic, partition and offset in it tell.
 *
 * Lines become record batches here, not messages of kafkajs, whose encoder takes ten times as long as everything else about them. They go
 * to the topic's partitions in turn.
 */
import { RecordBatchWriter } from '../batch/record-batch-writer.ts'
import { CtrError } from '../errors.ts'
import { BatchProducer, isTooLarge } from '../kafka/batch-producer.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { isDenied } from '../kafka/kafka-errors.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { Lines } from './lines.ts'
import type { Output, OutputLabel } from './output.ts'
import { outputQueue } from './output-queue.ts'

/** Where records go, and how to get there. */
export interface TopicOutputOptions extends KafkaClientOptions {
  readonly topic: string
  /** Of one that is created; Infinity, or not given: as the broker says. */
  readonly retentionMs?: number
}

const IN_FLIGHT_MAX = 4
/** What a new leader or connection takes is waited out here; what lasts longer is told by the queue. */
const PATIENCE_MS = 2_000
/** Records are a little longer than their lines. */
const WRITER_BYTES = 640 * 1024
const NEWLINE_BYTES = 1
/** Below this a record isn't cut any more. */
const RAW_MIN_LENGTH = 64
/** As the broker says: as many as for other topics. */
const PARTITIONS_DEFAULT = -1

/** An output that connects with the first record. */
export function topicOutput(options: TopicOutputOptions, label: OutputLabel): Output {
  const { topic, retentionMs = Number.POSITIVE_INFINITY, logger } = options
  const config: Record<string, string> = Number.isFinite(retentionMs) ? { 'retention.ms': String(retentionMs) } : {}
  const producer = new BatchProducer(options, PATIENCE_MS)
  const writers: RecordBatchWriter[] = []
  let ready: Promise<number> | undefined
  let turn = 0
  /** As many as a batch may have once one was too large for the topic. */
  let linesMax = Number.POSITIVE_INFINITY

  const prepare = async () => {
    await producer.reach()
    const [prepared] = await producer.prepareTopics([topic], PARTITIONS_DEFAULT, config)
    if (prepared?.created) logger.info({ topic }, `created the topic for ${label.records}`)
    return Math.max(1, prepared?.partitions ?? 1)
  }
  /** Sends lines from the one at `from` on, `most` of them at most; returns the first that was not. */
  const send = async ({ bytes, ends }: Lines, from: number, most: number, partitions: number) => {
    const writer = writers.pop() ?? new RecordBatchWriter(WRITER_BYTES)
    writer.begin(0)
    const now = Date.now()
    const end = Math.min(ends.length, from + most)
    let next = from
    while (next < end && writer.append(now, null, bytes, ends[next - 1] ?? 0, (ends[next] ?? 0) - NEWLINE_BYTES)) next++
    const batch = writer.bytes.subarray(0, writer.finish())
    turn = (turn + 1) % partitions
    await producer.send(topic, turn, batch)
    // Only now: a request that was given up may still be on its way out of a socket.
    if (batch.length <= WRITER_BYTES && writers.length < IN_FLIGHT_MAX) writers.push(writer)
    return next
  }
  /** A topic may allow less per batch than ours, or even than a single record, has: then it is made smaller, and at last shortened. */
  const sendAll = async (lines: Lines, partitions: number) => {
    for (let next = 0; next < lines.ends.length; ) {
      const most = Math.min(lines.ends.length - next, linesMax)
      try {
        next = await send(lines, next, most, partitions)
      } catch (error) {
        if (!isTooLarge(error)) throw error
        if (most > 1) linesMax = most >> 1
        else {
          const shorter = shorten(lines, next)
          if (shorter === undefined) throw error
          await sendAll(shorter, partitions)
          next++
        }
      }
    }
  }
  const deliver = async (lines: Lines) => {
    try {
      ready ??= prepare()
      const partitions = await ready
      await sendAll(lines, partitions)
    } catch (error) {
      ready = undefined
      throw isDenied(error) ? denied(topic, label, error) : error
    }
  }
  const destination = { place: `topic ${topic}`, parallel: IN_FLIGHT_MAX, deliver, close: () => producer.close() }
  return outputQueue(destination, label, logger)
}

function denied(topic: string, { key }: OutputLabel, cause: unknown): CtrError {
  const remedy = 'grant the user WRITE on it, and CREATE while it is not there, or name another topic or a file'
  return new CtrError('CTR_DEAD_LETTER', `${key}.topic ${topic}: access denied; ${remedy}`, { retriable: true, cause })
}

/** The line at `index`, with half of its raw data; undefined when there is nothing to cut. */
function shorten({ bytes, ends }: Lines, index: number): Lines | undefined {
  const letter = JSON.parse(bytes.toString('utf8', ends[index - 1] ?? 0, ends[index])) as DeadLetter
  if (letter.rawData.length <= RAW_MIN_LENGTH) return undefined
  const rawData = letter.rawData.slice(0, letter.rawData.length >> 1)
  const shorter = Buffer.from(`${JSON.stringify({ ...letter, rawData, rawTruncated: true })}\n`)
  return { bytes: shorter, ends: [shorter.length] }
}

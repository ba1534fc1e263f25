/**
 * The limit: our Kafka source with nothing behind it. Batches are delivered as to the engine, and only the record counts in their headers
 * are added up.
 *
 *   --brokers a,b  --topics a,b  --group g
 */
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { BatchHeader, readBatchHeader } from '../../src/batch/record-batch.ts'
import { loadConfig } from '../../src/config/load.ts'
import { kafkaSource } from '../../src/kafka/kafka-source.ts'
import type { AssignedPartition, RecordBatches, SourceHandler } from '../../src/source/source.ts'

const { values } = parseArgs({
  options: { brokers: { type: 'string', default: '' }, topics: { type: 'string', default: '' }, group: { type: 'string', default: '' } },
})
const { kafka } = loadConfig({ sets: [] })
const source = kafkaSource({
  brokers: values.brokers.split(','),
  clientId: 'count',
  groupId: values.group,
  topics: values.topics.split(','),
  startFrom: 'earliest',
  maxBatchBytes: 64 * 1024 * 1024,
  revision: { revision: 0 },
  fetchBytesPerPartition: kafka.fetchBytesPerPartition,
  maxWaitMs: kafka.maxWait,
  sessionTimeoutMs: kafka.sessionTimeout,
  metadataMaxAgeMs: kafka.metadataMaxAge,
  connectionTimeoutMs: kafka.connectionTimeout,
  requestTimeoutMs: kafka.requestTimeout,
  security: kafka.security,
  bounded: true,
  logger: pino({ level: 'warn' }, pino.destination(2)),
})

/** By `topicIndex/partition`: what is still to be read. */
const open = new Map<string, AssignedPartition>()
const header = new BatchHeader()
let events = 0
let assigned = false
let end: () => void = () => {}
let fail: (error: unknown) => void = () => {}
const ended = new Promise<void>((resolve, reject) => {
  end = resolve
  fail = reject
})

const handler: SourceHandler = {
  assigned(partitions) {
    for (const one of partitions) if (one.position < (one.endOffset ?? 0)) open.set(`${one.topicIndex}/${one.partition}`, one)
    assigned = true
    reached()
  },
  revoked() {},
  batch({ topicIndex, partition, bytes, start, end: stop }: RecordBatches) {
    let next = 0
    for (let at = start; at < stop; at += header.sizeBytes) {
      if (!readBatchHeader(bytes, at, stop, header)) throw new Error(`no whole batch at ${at} of ${stop}`)
      events += header.count
      next = header.lastOffset + 1
    }
    this.skipped(topicIndex, partition, next)
    return undefined
  },
  skipped(topicIndex, partition, position) {
    const name = `${topicIndex}/${partition}`
    if (position >= (open.get(name)?.endOffset ?? 0)) open.delete(name)
    reached()
  },
  endOffset() {},
  corrupt: ({ topicIndex, partition }) => fail(new Error(`a corrupt batch in ${topicIndex}/${partition}`)),
  failed: (error) => fail(error),
}

function reached(): void {
  if (assigned && open.size === 0) end()
}

await source.start(handler)
const began = performance.now()
await ended
const seconds = (performance.now() - began) / 1000
console.log(JSON.stringify({ events, seconds }))
await source.close()
process.exit(0)

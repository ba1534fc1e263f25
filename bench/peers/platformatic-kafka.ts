/**
 * A peer: @platformatic/kafka, its stream of messages and MapWindows. It fetches as much at once as kafkajs does by default; with its own
 * default of 50 MiB it took about twice the CPU here.
 *
 *   --brokers a,b  --topics a,b  --group g  --rows FILE
 *
 * Reads the topics up to their present ends. Prints one JSON line and writes its rows to FILE, one JSON line each.
 */
import { parseArgs } from 'node:util'
import { Consumer, type Message } from '@platformatic/kafka'
import { decodeJson, MapWindows } from './map-windows.ts'

/** Records after which the windows of their last partition are looked through. */
const CLOSE_EVERY = 8192

const { values } = parseArgs({
  options: {
    brokers: { type: 'string', default: '' },
    topics: { type: 'string', default: '' },
    group: { type: 'string', default: '' },
    rows: { type: 'string' },
  },
})
const topics = values.topics.split(',')
const windows = new MapWindows(topics)
const consumer = new Consumer({ groupId: values.group, clientId: 'platformatic', bootstrapBrokers: values.brokers.split(',') })
/** Nothing was ever deleted from the topics. */
const ends = [...(await consumer.listOffsets({ topics, timestamp: -1n })).values()].flat()
const wanted = ends.reduce((sum, end) => sum + Number(end), 0)
let joinedAt = 0
consumer.on('consumer:group:join', () => {
  joinedAt ||= performance.now()
})
const fetches = { maxWaitTime: 100, maxBytesPerPartition: 1024 * 1024, maxBytes: 10 * 1024 * 1024 }
const stream = await consumer.consume({ topics, mode: 'earliest', autocommit: 1000, ...fetches })
await new Promise<void>((resolve, reject) => {
  stream.on('error', reject)
  stream.on('data', ({ topic, partition, value }: Message<Buffer, Buffer>) => {
    windows.count(topic, partition, decodeJson(value))
    if (windows.events % CLOSE_EVERY === 0) windows.closeWindows(partition)
    if (windows.events === wanted) resolve()
  })
})
const seconds = (performance.now() - joinedAt) / 1000
const rows = windows.finish(values.rows)
const { events, late, invalid } = windows
console.log(JSON.stringify({ events, late, invalid, rows, seconds }))
await consumer.close(true)
process.exit(0)

/**
 * The peer: what a TypeScript developer writes with kafkajs as it comes, eachBatch, JSON.parse and Map. It shares no code with the engine,
 * has no sink, no dead letters and no recovery, and still must come to the same rows: windows of 10 s, late when the window has been
 * closed for the allowed lateness by the clock of the event's own partition.
 *
 *   --brokers a,b  --topics a,b  --group g  [--rows FILE]  [--count-only]
 *
 * Reads both topics up to their present ends. Prints one JSON line; with --rows writes its rows there, one JSON line each.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import kafkajs, { type EachBatchPayload } from 'kafkajs'

const WINDOW_MS = 10_000
const OUT_OF_ORDERNESS_MS = 5_000
const ALLOWED_LATENESS_MS = 5_000

interface Count {
  impressions: number
  clicks: number
}

/** A window's products. */
type Window = Map<string, Count>

interface Row extends Count {
  readonly product: string
  readonly windowStart: number
  readonly windowEnd: number
  readonly task: number
}

/** Partition i of every topic. */
class Task {
  readonly rows: Row[] = []
  readonly #task: number
  readonly #windows = new Map<number, Window>()
  /** Largest event time of each topic's partition; all are there from the start, so that none is closed before every topic was seen. */
  readonly #times: Map<string, number>

  constructor(task: number, topics: readonly string[]) {
    this.#task = task
    this.#times = new Map(topics.map((topic) => [topic, Number.NEGATIVE_INFINITY]))
  }

  /** False when the event is late. */
  count(topic: string, product: string, click: boolean, time: number): boolean {
    const start = Math.floor(time / WINDOW_MS) * WINDOW_MS
    const latest = this.#times.get(topic) ?? Number.NEGATIVE_INFINITY
    const late = start + WINDOW_MS + ALLOWED_LATENESS_MS <= latest - OUT_OF_ORDERNESS_MS
    if (time > latest) this.#times.set(topic, time)
    if (late) return false
    let window = this.#windows.get(start)
    if (window === undefined) {
      window = new Map()
      this.#windows.set(start, window)
    }
    let count = window.get(product)
    if (count === undefined) {
      count = { impressions: 0, clicks: 0 }
      window.set(product, count)
    }
    if (click) count.clicks++
    else count.impressions++
    return true
  }

  closeWindows(watermark = Math.min(...this.#times.values()) - OUT_OF_ORDERNESS_MS): void {
    for (const [windowStart, window] of this.#windows) {
      const windowEnd = windowStart + WINDOW_MS
      if (windowEnd + ALLOWED_LATENESS_MS > watermark) continue
      for (const [product, count] of window) this.rows.push({ product, windowStart, windowEnd, task: this.#task, ...count })
      this.#windows.delete(windowStart)
    }
  }
}

const { values } = parseArgs({
  options: {
    brokers: { type: 'string', default: '' },
    topics: { type: 'string', default: '' },
    group: { type: 'string', default: '' },
    rows: { type: 'string' },
    'count-only': { type: 'boolean', default: false },
  },
})
const topics = values.topics.split(',')
const kafka = new kafkajs.Kafka({ clientId: 'stock', brokers: values.brokers.split(','), logLevel: kafkajs.logLevel.ERROR })
const ends = await endOffsets()
const tasks = new Map<number, Task>()
const totals = { events: 0, late: 0, invalid: 0 }
let joinedAt = 0

const consumer = kafka.consumer({ groupId: values.group })
consumer.on('consumer.group_join', () => {
  joinedAt ||= performance.now()
})
await consumer.connect()
await consumer.subscribe({ topics, fromBeginning: true })
await new Promise<void>((resolve, reject) => {
  const eachBatch = async (payload: EachBatchPayload) => {
    if (values['count-only']) totals.events += payload.batch.messages.length
    else countBatch(payload)
    const name = `${payload.batch.topic}/${payload.batch.partition}`
    if (Number(payload.batch.lastOffset()) + 1 >= (ends.get(name) ?? 0)) ends.delete(name)
    if (ends.size === 0) resolve()
    await payload.heartbeat()
  }
  consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
  consumer.run({ eachBatch, partitionsConsumedConcurrently: ends.size }).catch(reject)
})
const seconds = (performance.now() - joinedAt) / 1000
const rows = [...tasks.values()].flatMap((task) => {
  task.closeWindows(Number.POSITIVE_INFINITY)
  return task.rows
})
if (values.rows !== undefined) writeFileSync(values.rows, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
console.log(JSON.stringify({ ...totals, rows: rows.length, seconds }))
await consumer.disconnect()

function countBatch({ batch: { topic, partition, messages } }: EachBatchPayload): void {
  let task = tasks.get(partition)
  if (task === undefined) {
    task = new Task(partition, topics)
    tasks.set(partition, task)
  }
  for (const { value } of messages) {
    totals.events++
    const event = parse(value)
    if (event === undefined) totals.invalid++
    else if (!task.count(topic, event.product, event.click, event.time)) totals.late++
  }
  task.closeWindows()
}

function parse(value: Buffer | null): { product: string; click: boolean; time: number } | undefined {
  if (value === null) return undefined
  let event: Record<string, unknown>
  try {
    event = JSON.parse(value.toString())
  } catch {
    return undefined
  }
  const product = event.product_id ?? event.productId
  const user = event.user_id ?? event.userId
  const type = event.event_type ?? event.eventType
  const time = event.timestamp
  if (typeof product !== 'string' || product === '' || typeof user !== 'string' || user === '') return undefined
  if (typeof time !== 'number' || !Number.isInteger(time) || time <= 0) return undefined
  if (type !== 'impression' && type !== 'view' && type !== 'click') return undefined
  return { product, click: type === 'click', time }
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

/** What tests of the Kafka source share: topics and records through plain kafkajs, and a handler that takes all apart and keeps it. */
import { randomUUID } from 'node:crypto'
import kafkajs, { type Kafka, type Message } from 'kafkajs'
import { type Logger, pino } from 'pino'
import { decompress } from '../src/batch/decompress.ts'
import { createTopics as createLedTopics } from '../src/kafka/create-topics.ts'
import { type KafkaSourceOptions, kafkaSource } from '../src/kafka/kafka-source.ts'
import { mendKafkajs } from '../src/kafka/kafkajs-adapter.ts'
import type { AssignedPartition, RecordBatches, Source, SourceHandler } from '../src/source/source.ts'

export interface TakenRecord {
  readonly offset: number
  readonly value: string | null
}

/** A name that no other test uses. */
export function fresh(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`
}

export function plainClient(brokers: string[], clientId = 'plain'): Kafka {
  mendKafkajs()
  return new kafkajs.Kafka({ brokers, clientId, logLevel: kafkajs.logLevel.NOTHING })
}

export async function createTopics(brokers: string[], names: readonly string[], partitions: number, config: Record<string, string> = {}) {
  const admin = plainClient(brokers).admin()
  await admin.connect()
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await createLedTopics(
    admin,
    names.map((topic) => ({ topic, numPartitions: partitions, configEntries })),
  )
  await admin.disconnect()
}

/** One record batch per call. */
export async function produce(brokers: string[], topic: string, partition: number, values: readonly (string | null)[], timestamp?: number) {
  const producer = plainClient(brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  const messages: Message[] = values.map((value) => ({ value, partition, ...(timestamp ? { timestamp: String(timestamp) } : {}) }))
  await producer.send({ topic, messages, acks: -1 })
  await producer.disconnect()
}

export function sourceOptions(brokers: string[], topics: readonly string[], more: Partial<KafkaSourceOptions> = {}): KafkaSourceOptions {
  return {
    brokers,
    clientId: 'test',
    groupId: fresh('group'),
    topics,
    startFrom: 'committed',
    maxBatchBytes: 64 * 1024 * 1024,
    revision: { revision: 0 },
    fetchBytesPerPartition: 1024 * 1024,
    maxWaitMs: 50,
    sessionTimeoutMs: 10_000,
    metadataMaxAgeMs: 30_000,
    connectionTimeoutMs: 3_000,
    requestTimeoutMs: 10_000,
    security: { protocol: 'PLAINTEXT' },
    bounded: false,
    logger: pino({ level: 'silent' }),
    ...more,
  }
}

/** A logger and the messages it was given at warn and above. */
export function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) })
  return { logger, lines }
}

/** Keeps all that a source says. `gate`, when set, is awaited by every batch. */
export class Taker implements SourceHandler {
  readonly taken = new Map<string, TakenRecord[]>()
  readonly assignments: AssignedPartition[] = []
  readonly replacements: AssignedPartition[] = []
  readonly assignedNow = new Map<string, AssignedPartition>()
  readonly ends = new Map<string, number>()
  /** High watermarks. */
  readonly written = new Map<string, number>()
  readonly positions = new Map<string, number>()
  readonly failures: unknown[] = []
  calls = 0
  overlaps = 0
  gate: (() => Promise<void>) | undefined
  readonly #busy = new Set<string>()

  assigned(partitions: readonly AssignedPartition[]): void {
    for (const one of partitions) {
      const key = `${one.topicIndex}/${one.partition}`
      this.assignments.push(one)
      this.assignedNow.set(key, one)
      this.positions.set(key, one.position)
      if (!this.taken.has(key)) this.taken.set(key, [])
    }
  }

  /** What came of the old topic is at its key, with `before` behind it. */
  replaced(made: AssignedPartition): void {
    const key = `${made.topicIndex}/${made.partition}`
    this.replacements.push(made)
    this.taken.set(`${key} before`, this.taken.get(key) ?? [])
    this.taken.set(key, [])
    this.positions.set(key, made.position)
  }

  revoked(partitions: readonly { topicIndex: number; partition: number }[]): void {
    for (const { topicIndex, partition } of partitions) this.assignedNow.delete(`${topicIndex}/${partition}`)
  }

  batch(batches: RecordBatches): Promise<void> | undefined {
    const key = `${batches.topicIndex}/${batches.partition}`
    this.calls++
    if (this.#busy.has(key)) this.overlaps++
    if (this.gate === undefined) {
      this.#keep(key, batches)
      return undefined
    }
    this.#busy.add(key)
    return this.gate().then(() => {
      this.#busy.delete(key)
      this.#keep(key, batches)
    })
  }

  corrupt(batches: RecordBatches, nextPosition: number): void {
    this.skipped(batches.topicIndex, batches.partition, nextPosition)
  }

  skipped(topicIndex: number, partition: number, position: number): void {
    this.positions.set(`${topicIndex}/${partition}`, position)
  }

  endOffset(topicIndex: number, partition: number, endOffset: number, highWatermark?: number): void {
    this.ends.set(`${topicIndex}/${partition}`, endOffset)
    if (highWatermark !== undefined) this.written.set(`${topicIndex}/${partition}`, highWatermark)
  }

  failed(error: unknown): void {
    this.failures.push(error)
  }

  /** As the decoder does: records below the position, or at and beyond the end of a bounded run, don't count. */
  #keep(key: string, batches: RecordBatches): void {
    const list = this.taken.get(key)
    if (list === undefined) throw new Error(`batch of ${key} before it was assigned`)
    for (const { records, nextOffset } of readBatches(batches)) {
      const position = this.positions.get(key) ?? 0
      const end = this.assignedNow.get(key)?.endOffset ?? Number.POSITIVE_INFINITY
      for (const record of records) if (record.offset >= position && record.offset < end) list.push(record)
      this.positions.set(key, Math.max(position, nextOffset))
    }
  }

  get count(): number {
    return [...this.taken.values()].reduce((sum, list) => sum + list.length, 0)
  }

  values(key: string): (string | null)[] {
    return (this.taken.get(key) ?? []).map(({ value }) => value)
  }

  offsets(key: string): number[] {
    return (this.taken.get(key) ?? []).map(({ offset }) => offset)
  }
}

/** Starts a source, hands it to `body`, and closes it whatever happens. */
export async function withSource<T>(
  options: KafkaSourceOptions,
  body: (taker: Taker, source: Source) => Promise<T>,
  taker = new Taker(),
): Promise<T> {
  const source = kafkaSource(options)
  try {
    await source.start(taker)
    return await body(taker, source)
  } finally {
    await source.close()
  }
}

export async function until(claim: string, holds: () => boolean, maxMs = 20_000): Promise<void> {
  const giveUpAt = performance.now() + maxMs
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${maxMs} ms: ${claim}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Takes record batches apart, record by record, the simple way. */
export function* readBatches({ bytes, start, end }: Pick<RecordBatches, 'bytes' | 'start' | 'end'>) {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = start; at < end; ) {
    const size = 12 + buffer.readInt32BE(at + 8)
    if (at + size > end || buffer[at + 16] !== 2) throw new Error(`no whole batch at ${at} of ${end}`)
    const base = Number(buffer.readBigInt64BE(at))
    const body = Buffer.from(decompress(buffer.readInt16BE(at + 21) & 7, buffer.subarray(at + 61, at + size), 2 ** 26) ?? [])
    const count = buffer.readInt32BE(at + 57)
    yield { records: readRecords(body, count, base), nextOffset: base + buffer.readInt32BE(at + 23) + 1 }
    at += size
  }
}

function readRecords(body: Buffer, count: number, base: number): TakenRecord[] {
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = body[at++]!
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }
  const records: TakenRecord[] = []
  for (let n = 0; n < count; n++) {
    const length = varint()
    const stop = at + length
    at += 1
    varint()
    const offset = base + varint()
    const keyLength = varint()
    at += Math.max(0, keyLength)
    const valueLength = varint()
    records.push({ offset, value: valueLength < 0 ? null : body.toString('utf8', at, at + valueLength) })
    at = stop
  }
  return records
}

/** A SourceHandler that keeps everything a source says, decoded by kafkajs's decoder, and checks the port's protocol on the way. */
import type { AssignedPartition, RecordBatches, SourceHandler } from '../../src/source/source.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'
import { type DecodedRecord, decodeBatches } from './kafkajs-decoder.ts'

export class CollectingHandler implements SourceHandler {
  readonly partitions: AssignedPartition[] = []
  /** Records by `topicIndex/partition`. */
  readonly records = new Map<string, DecodedRecord[]>()
  /** Every end offset told, in order, by `topicIndex/partition`. */
  readonly endOffsets = new Map<string, number[]>()
  readonly failures: unknown[] = []
  batches = 0
  /** Runs before a batch is taken; a pending promise is backpressure. */
  onBatch: (topicIndex: number, partition: number) => Promise<void> | void = () => {}

  readonly #busy = new Set<string>()
  #notify: (() => void)[] = []

  assigned(partitions: readonly AssignedPartition[]): void {
    this.partitions.push(...partitions)
    for (const { topicIndex, partition } of partitions) {
      this.records.set(`${topicIndex}/${partition}`, [])
      this.endOffsets.set(`${topicIndex}/${partition}`, [])
    }
  }

  revoked(): void {}

  skipped(): void {}
  corrupt(): void {}

  async batch(batches: RecordBatches): Promise<void> {
    const name = `${batches.topicIndex}/${batches.partition}`
    if (this.#busy.has(name)) throw new Error(`${name}: a batch before the last one was taken`)
    this.#busy.add(name)
    await this.onBatch(batches.topicIndex, batches.partition)
    const records = this.records.get(name)
    if (records === undefined) throw new Error(`${name} was never assigned`)
    for (const batch of await decodeBatches(batches.bytes, batches.start, batches.end)) {
      for (const record of batch.records) {
        if (record.offset !== records.length) throw new Error(`${name}: offset ${record.offset} where ${records.length} belongs`)
        // The bytes go back to the source: keep copies.
        records.push({ ...record, key: copy(record.key), value: copy(record.value) })
      }
    }
    this.batches++
    this.#busy.delete(name)
    this.#wake()
  }

  endOffset(topicIndex: number, partition: number, endOffset: number): void {
    this.endOffsets.get(`${topicIndex}/${partition}`)?.push(endOffset)
    this.#wake()
  }

  failed(error: unknown): void {
    this.failures.push(error)
    this.#wake()
  }

  /** Resolves as soon as `condition` holds; looked at after each call of the source. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#notify.push(resolve))
  }

  /** A bounded source is done when it failed or when every partition's end offset equals what came of it. */
  async ended(): Promise<void> {
    const done = (name: string) => this.endOffsets.get(name)?.at(-1) === this.records.get(name)?.length
    await this.until(() => this.failures.length > 0 || (this.records.size > 0 && [...this.records.keys()].every(done)))
  }

  /** What came, as the oracle wants it. */
  oraclePartitions(topics: readonly string[]): OracleRecord[][] {
    return [...this.records].map(([name, records]) => {
      const [topicIndex = 0, partition = 0] = name.split('/').map(Number)
      return records.map(({ offset, timestamp, value }) => {
        return { topic: topics[topicIndex] ?? '', partition, offset, recordTimestamp: timestamp, value }
      })
    })
  }

  #wake(): void {
    const notify = this.#notify
    this.#notify = []
    for (const resolve of notify) resolve()
  }
}

function copy(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}

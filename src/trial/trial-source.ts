/** The records of cases as a source: one after the other, in the order in which they are written, each a delivery of its own. */
import { RecordBatchWriter } from '../batch/record-batch-writer.ts'
import type { Source, SourceHandler } from '../source/source.ts'

/** A record with its partition as the run has it. */
export interface TrialRecord {
  readonly topicIndex: number
  readonly partition: number
  /** ms; undefined of a record that has none. */
  readonly time: number | undefined
  readonly value: Buffer | null
  /** What its partition knows of time before its first record, ms. */
  readonly after: number | undefined
}

const NO_TIMESTAMP = -1
const OVERHEAD_BYTES = 1024

/** What becomes of a run whose record is not read for `afterMs`. */
interface Patience {
  readonly afterMs: number
  /** What to fail with; undefined when it may take longer. */
  why(): Error | undefined
}

/** Bounded: each partition ends behind its last record. `onRead` is told of each record when it was read. */
export class TrialSource implements Source {
  readonly #records: readonly TrialRecord[]
  readonly #patience: Patience
  readonly #onRead: (place: number) => void
  #stopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(records: readonly TrialRecord[], patience: Patience, onRead: (place: number) => void) {
    this.#records = records
    this.#patience = patience
    this.#onRead = onRead
  }

  async start(handler: SourceHandler): Promise<void> {
    const ends = new Map<string, { topicIndex: number; partition: number; records: number; after: number | undefined }>()
    for (const { topicIndex, partition, after } of this.#records) {
      const key = `${topicIndex}/${partition}`
      ends.set(key, { topicIndex, partition, after, records: (ends.get(key)?.records ?? 0) + 1 })
    }
    const all = [...ends.values()]
    handler.assigned(
      all.map(({ topicIndex, partition, after }) => ({ topicIndex, partition, position: 0, maxEventTime: after, endOffset: undefined })),
    )
    this.#running = this.#run(handler)
      .then(() => {
        for (const { topicIndex, partition, records } of all) handler.endOffset(topicIndex, partition, records)
      })
      .catch((error) => handler.failed(error))
  }

  async #run(handler: SourceHandler): Promise<void> {
    const offsets = new Map<string, number>()
    for (const [place, { topicIndex, partition, time, value }] of this.#records.entries()) {
      if (this.#stopped) return
      const key = `${topicIndex}/${partition}`
      const offset = offsets.get(key) ?? 0
      offsets.set(key, offset + 1)
      const writer = new RecordBatchWriter((value?.length ?? 0) + OVERHEAD_BYTES)
      writer.begin(offset)
      writer.append(time ?? NO_TIMESTAMP, null, value)
      const end = writer.finish()
      const { afterMs, why } = this.#patience
      const timer = setInterval(() => {
        const error = why()
        if (error !== undefined) handler.failed(error)
      }, afterMs)
      try {
        await handler.batch({ topicIndex, partition, bytes: writer.bytes, start: 0, end })
      } finally {
        clearInterval(timer)
      }
      this.#onRead(place)
    }
  }

  /** Windows are few, so that nothing has to wait for another partition. */
  pause(): void {}

  resume(): void {}

  async refreshEndOffsets(): Promise<void> {}

  async commit(): Promise<boolean> {
    return true
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async close(): Promise<void> {
    await this.stop()
  }
}

/** What the tests of ingest run: real parsers, ring and dictionary; what a worker would count is read off the ring. */
import { type Format, formatsOf, type TopicFormat } from '../../src/format/format.ts'
import { REASONS } from '../../src/format/reasons.ts'
import { Cursor } from '../../src/ingest/cursor.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { Ingest, type IngestRules } from '../../src/ingest/ingest.ts'
import type { LateEvents } from '../../src/ingest/late.ts'
import type { Rejected } from '../../src/ingest/outlets.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import { readEvents, readProduct } from '../../src/ring/blocks.ts'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Partition } from '../../src/window/partition.ts'
import { Task } from '../../src/window/task.ts'
import { encodeBatch, RULES } from '../../workshop/memory-run.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'

/** Times of events lie from here on, ms. */
export const NOW = 1_700_000_000_000

/**
 * An ingest over one partition and one ring; its partition's time follows every event unless `rules` say otherwise. `readBy` puts another
 * format in the place of JSON.
 */
export function ingestBench(
  rules: Partial<IngestRules> = {},
  ringBytes = 64 * 1024,
  events: Parameters<typeof eventsWith>[0] = {},
  readBy = (format: Format) => format,
) {
  const all = { ...RULES, maxJump: Number.POSITIVE_INFINITY, ...rules }
  const ring = createRing(ringBytes)
  const format: TopicFormat = { format: 'json', events: eventsWith(events) }
  const rejected: (Pick<Rejected, 'offset' | 'element' | 'records' | 'detail' | 'time'> & { reason: string; text: string })[] = []
  const letters = {
    full: false,
    reject: ({ reason, offset, element, records, detail, time, bytes, start, end }: Rejected) =>
      void rejected.push({
        reason: REASONS[reason]!,
        offset,
        element,
        records,
        detail,
        time,
        text: Buffer.from(bytes.subarray(start, end)).toString(),
      }),
  }
  const blocks = new EventBlocks([new RingWriter(ring)])
  /** Another one over the same ring, which hands on late events. */
  const withLate = (late: LateEvents | undefined) =>
    new Ingest(all, ['impressions'], formatsOf([format]).map(readBy), blocks, { letters, late }, () => NOW)
  const ingest = withLate(undefined)
  const partition = new Partition(0, 3, { position: 0, maxEventTime: undefined }, REASONS, 0, all.maxJump)
  const task = { time: new Task(3, all), dictionary: new Dictionary(1) }
  task.time.partitions.push(partition)
  const reader = new RingReader(ring)
  /** Events the worker would count, as [product, time, click]. */
  const counted: [string, number, number][] = []
  const names = new Map<number, string>()
  const drain = () => {
    while (reader.next()) {
      if (reader.kind === BLOCK.product) {
        const { id, bytes, start, end } = readProduct(reader)
        names.set(id, Buffer.from(bytes.subarray(start, end)).toString())
      }
      if (reader.kind !== BLOCK.events) continue
      const { words, at, count, base } = readEvents(reader)
      for (let i = 0; i < count; i++) {
        const code = words[at + i * 2]!
        counted.push([names.get(code >> 1)!, base + words[at + i * 2 + 1]!, code & 1])
      }
    }
    reader.release()
  }
  const cursor = (...batches: Uint8Array[]) => {
    const bytes = new Uint8Array(Buffer.concat(batches))
    return new Cursor(task, partition, bytes, 0, bytes.length)
  }
  return { ingest, withLate, partition, task, letters, rejected, counted, drain, cursor }
}

/** A batch of `count` events from offset `base` on. */
export function batchOf(base: number, count: number, codec = 0): Buffer {
  return encodeBatch(
    Array.from({ length: count }, (_, i) => ({
      topic: 'impressions',
      partition: 3,
      offset: base + i,
      recordTimestamp: NOW,
      value: eventOf(base + i),
    })),
    codec,
  )
}

/** The value of event `n`. */
export function eventOf(n: number, time = NOW + n): Buffer {
  return Buffer.from(`{"user_id":"u","product_id":"p-${n}","event_type":"click","timestamp":${time}}`)
}

/** Products in the order of the events. */
export const names = (counted: [string, number, number][]) => counted.map(([name]) => name)

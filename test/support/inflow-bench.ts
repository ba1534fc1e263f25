import { Degradations } from '../../src/degraded.ts'
import { formatsOf, PLAIN_JSON } from '../../src/format/format.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { createInflow, type InflowOptions } from '../../src/ingest/inflow.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import { putTick } from '../../src/ring/blocks.ts'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Rings } from '../../src/ring/rings.ts'
import { encodeBatch, RULES } from '../../workshop/memory-run.ts'
import { takenBack } from '../../workshop/take-back.ts'

/** Times of events lie from here on, ms. */
export const NOW = 1_700_000_000_000

/** What comes in, over one ring of 4 KiB; times are those of a clock that stands. */
export function inflowBench(bounded = false, begin: InflowOptions['begin'] = async () => new Map(), maxJump = Number.POSITIVE_INFINITY) {
  const ring = createRing(4096)
  const writers = [new RingWriter(ring)]
  const rules = { ...RULES, idleTimeout: 100, maxDrift: 10_000, openTransactionHold: 5_000, maxJump }
  const letters = { full: false, reject: () => {} }
  const time = { now: NOW }
  const asked: string[] = []
  const note = (kind: string) => (topicIndex: number) => void asked.push(`${kind} ${topicIndex}`)
  const degradations = new Degradations({ info: () => {}, warn: () => {} }, () => time.now)
  const { owned, broadcasts, deliveries, upkeep } = createInflow({
    rules,
    topics: ['a', 'b'],
    nameOf: ({ topicIndex, partition }) => `${topicIndex === 0 ? 'a' : 'b'}/${partition}`,
    stateTtl: 1000,
    sweepsPerRound: 1,
    bounded,
    writers,
    ingest: new Ingest(rules, ['a', 'b'], formatsOf([PLAIN_JSON, PLAIN_JSON]), new EventBlocks(writers), { letters }),
    lettersRoom: async () => {},
    ringRoom: (ring) => writers[ring]!.waitRoomAsync(1000),
    source: {
      pause: note('pause'),
      resume: note('resume'),
      refreshEndOffsets: async (partitions) => void asked.push(`ends of ${partitions.map(({ topicIndex }) => topicIndex)}`),
    },
    begin,
    degradations,
    clock: () => time.now,
    onFailed: () => {},
  })
  const reader = new RingReader(ring)
  const kinds = () => {
    const seen: string[] = []
    const names = Object.fromEntries(Object.entries(BLOCK).map(([name, number]) => [number, name]))
    while (reader.next()) seen.push(`${names[reader.kind]} ${reader.task}`)
    reader.release()
    return seen
  }
  const rings = new Rings(writers)
  const fill = () => {
    while (putTick(rings)) {}
  }
  const assign = (topicIndex: number, partition: number, endOffset?: number) =>
    deliveries.assigned([{ topicIndex, partition, position: 0, maxEventTime: undefined, endOffset }])
  const feed = (topicIndex: number, offset: number, at: number, partition = 0) => {
    const value = Buffer.from(`{"user_id":"u","product_id":"p","event_type":"click","timestamp":${at}}`)
    const records = encodeBatch([{ topic: 'a', partition, offset, recordTimestamp: at, value }])
    return takenBack(records, (bytes) => deliveries.batch({ topicIndex, partition, bytes, start: 0, end: bytes.length }))
  }
  return { owned, broadcasts, deliveries, upkeep, degradations, time, asked, kinds, fill, assign, feed }
}

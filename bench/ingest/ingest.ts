/** Main's whole hot path over one delivery, into a ring that is emptied unread. */

import { CODEC, CODEC_NAMES } from '../../src/batch/codec.ts'
import { formatsOf, PLAIN_JSON } from '../../src/format/format.ts'
import { REASONS } from '../../src/format/reasons.ts'
import { Cursor } from '../../src/ingest/cursor.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { Ingest, type IngestRules } from '../../src/ingest/ingest.ts'
import { DONE, RING_FULL } from '../../src/ingest/status.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Partition } from '../../src/window/partition.ts'
import { Task } from '../../src/window/task.ts'
import type { Stage, StageMaker } from '../stage.ts'
import { generateBatches } from '../support/batches.ts'

const RULES: IngestRules = {
  windowSize: 10_000,
  outOfOrderness: 5_000,
  allowedLateness: 5_000,
  idleTimeout: 30_000,
  maxDrift: 60_000,
  maxJump: 600_000,
  futureTolerance: 60_000,
  oldest: 946_684_800_000,
  wallClockGuard: Number.POSITIVE_INFINITY,
  checkCrc: false,
  maxBatchBytes: 64 * 1024 * 1024,
}

export const ingestStages: StageMaker = (quick) => {
  const count = quick ? 2_000 : 20_000
  const plain = CODEC_NAMES.map((name, codec) => stageOf(`ingest: ${codec === CODEC.none ? 'uncompressed' : name}`, count, codec, RULES))
  return [
    ...plain,
    stageOf('ingest: uncompressed, CRC checked', count, 0, { ...RULES, checkCrc: true }),
    stageOf('ingest: 30 % invalid, of all kinds', count, 0, RULES, 0.3),
  ]
}

function stageOf(name: string, count: number, codec: number, rules: IngestRules, invalidShare = 0): Stage {
  const { bytes, events, impressions, clicks } = generateBatches(count, codec, undefined, { invalidShare })
  const ring = createRing(4 * 1024 * 1024)
  const reader = new RingReader(ring)
  const letters = {
    full: false,
    // As when `deadLetter.perReason` is reached.
    leavesOut: () => invalidShare > 0,
    reject: () => {
      throw new Error('an event was rejected')
    },
  }
  const ingest = new Ingest(rules, ['events'], formatsOf([PLAIN_JSON]), new EventBlocks([new RingWriter(ring)]), { letters })
  const time = new Task(0, rules)
  const task = { time, dictionary: new Dictionary(1) }
  const run = () => {
    // The same offsets again, as after a restart; products stay known.
    const partition = new Partition(0, 0, { position: 0, maxEventTime: undefined }, REASONS, 0, rules.maxJump)
    const before = ingest.impressions * 2 + ingest.clicks
    const cursor = new Cursor(task, partition, bytes, 0, bytes.length)
    for (;;) {
      const status = ingest.run(cursor)
      while (reader.next());
      reader.release()
      if (status === DONE) break
      if (status !== RING_FULL) return Number.NaN
    }
    return ingest.impressions * 2 + ingest.clicks - before
  }
  return { name, unit: 'event', units: events, expected: impressions * 2 + clicks, run }
}

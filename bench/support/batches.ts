/** Generated events as record batches and as plain values, for benches of single stages. */
import { GENERATE_DEFAULTS, type GenerateOptions } from '../../src/source/generate.ts'
import { Lanes, reopen, seal } from '../../src/source/lanes.ts'
import { BACKLOG_FROM } from './load.ts'

export interface GeneratedBatches {
  /** Record batches of one partition, back to back. */
  readonly bytes: Uint8Array
  readonly batches: number
  readonly events: number
  readonly impressions: number
  readonly clicks: number
}

/** About `count` events, more only to fill the last batch, in batches of about `batchBytes` before compression. */
export function generateBatches(count: number, codec = 0, batchBytes = 64 * 1024, generate: Partial<GenerateOptions> = {}): GeneratedBatches {
  const lanes = new Lanes({ ...GENERATE_DEFAULTS, ...generate, topics: 1, partitions: 1, batchBytes, startTime: BACKLOG_FROM })
  const [lane] = lanes.lanes
  const parts: Buffer[] = []
  let events = 0
  while (lane !== undefined && events < count) {
    while (lanes.full === undefined) lanes.generate(count, BACKLOG_FROM)
    events += lane.writer.count
    parts.push(Buffer.from(lane.writer.bytes.subarray(0, seal(lane, codec))))
    reopen(lane)
    lanes.full = undefined
  }
  // What was drawn and no longer fitted is in no batch.
  const { impressions, clicks } = countTypes(parts, events, lanes)
  return { bytes: new Uint8Array(Buffer.concat(parts)), batches: parts.length, events, impressions, clicks }
}

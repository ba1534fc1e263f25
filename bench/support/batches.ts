/** Generated events as record batches and as plain values, for benches of single stages. */
import { EventGenerator, GENERATE_DEFAULTS, type GenerateOptions } from '../../src/load/generate.ts'
import { reopen, Shards, seal } from '../../src/load/generated-partitions.ts'
import { BACKLOG_FROM } from '../../workshop/load.ts'

export interface GeneratedBatches {
  /** Record batches of one partition, back to back. */
  readonly bytes: Uint8Array
  readonly batches: number
  readonly events: number
  readonly impressions: number
  readonly clicks: number
}

/** About `count` events, more only to fill the last batch, in batches of about `batchBytes` before compression. */
export function generateBatches(
  count: number,
  codec = 0,
  batchBytes = 64 * 1024,
  generate: Partial<GenerateOptions> = {},
): GeneratedBatches {
  const shards = new Shards({ ...GENERATE_DEFAULTS, ...generate, topics: 1, partitions: 1, batchBytes, startTime: BACKLOG_FROM })
  const [shard] = shards.shards
  const parts: Buffer[] = []
  let events = 0
  while (shard !== undefined && events < count) {
    while (shards.full === undefined) shards.generate(count, BACKLOG_FROM)
    events += shard.writer.count
    parts.push(Buffer.from(shard.writer.bytes.subarray(0, seal(shard, codec))))
    reopen(shard)
    shards.full = undefined
  }
  const { impressions, clicks } = shards.drawn
  return { bytes: new Uint8Array(Buffer.concat(parts)), batches: parts.length, events, impressions, clicks }
}

export interface GeneratedValues {
  /** Values back to back: value i is bytes[starts[i], starts[i + 1]). */
  readonly bytes: Uint8Array
  readonly starts: Int32Array
  readonly values: readonly string[]
}

/** Values of `count` events, each as `rewrite` would have it. */
export function generateValues(count: number, rewrite: (value: string) => string = (value) => value): GeneratedValues {
  const generator = new EventGenerator(GENERATE_DEFAULTS)
  const one = Buffer.alloc(1024)
  const values = Array.from({ length: count }, () => {
    generator.next(BACKLOG_FROM)
    generator.writeValue(one, 0)
    return rewrite(one.toString('latin1', 0, generator.valueBytes))
  })
  const starts = new Int32Array(count + 1)
  values.forEach((value, i) => {
    starts[i + 1] = (starts[i] ?? 0) + Buffer.byteLength(value)
  })
  return { bytes: new Uint8Array(Buffer.from(values.join(''))), starts, values }
}

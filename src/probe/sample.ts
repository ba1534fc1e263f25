/** Records of a topic for somebody who looks: the last ones, or all from somewhere on as they come. */
import type { ReadPosition, TopicReader, TopicSpan } from '../kafka/topic-reader.ts'
import { recordsOf, type SampledRecord } from './sampled-record.ts'

const WAIT_MS = 250
/** A sample of very large records ends here. */
const SAMPLE_BYTES = 128 * 1024 * 1024
/** Fetches in a row that may bring nothing before what is there is taken for all. */
const SILENT_MAX = 8

/** What was read of a topic, and what there is of it. */
export interface TopicSample {
  readonly topic: string
  readonly partitions: number
  /** By their offsets; compaction and transactions leave fewer. */
  readonly available: number
  /** Those of a partition in their order. */
  readonly records: readonly SampledRecord[]
}

/** The last records of a topic, `wanted` or about as many, evenly from its partitions as far as they have some. */
export async function lastRecords(reader: TopicReader, topic: string, wanted: number, maxBatchBytes: number): Promise<TopicSample> {
  const spans = await reader.spans(topic)
  const shares = recordShares(spans, wanted)
  const ends = new Map(spans.map(({ partition, latest }) => [partition, latest]))
  let positions: ReadPosition[] = spans.flatMap(({ partition, latest }) => {
    const share = shares.get(partition) ?? 0
    return share === 0 ? [] : [{ topic, partition, offset: latest - share }]
  })
  const records: SampledRecord[] = []
  let bytes = 0
  for (let silent = 0; positions.length > 0 && silent < SILENT_MAX && bytes < SAMPLE_BYTES; ) {
    // A fetch moves the positions; a batch may begin before what was asked for.
    const from = new Map(positions.map(({ partition, offset }) => [partition, offset]))
    const found = await reader.fetch(positions, WAIT_MS, ({ position, bytes: batches, span }) => {
      const { partition } = position
      const end = ends.get(partition) ?? 0
      const read = recordsOf(topic, partition, { bytes: batches, ...span }, from.get(partition) ?? 0, maxBatchBytes)
      const wanted = read.filter(({ offset }) => offset < end)
      bytes += wanted.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
      records.push(...wanted)
    })
    silent = found ? 0 : silent + 1
    positions = positions.filter(({ partition, offset }) => offset < (ends.get(partition) ?? 0))
  }
  const available = spans.reduce((sum, { earliest, latest }) => sum + latest - earliest, 0)
  return {
    topic,
    partitions: spans.length,
    available,
    records: records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset),
  }
}

/** How many records are read of each partition: as many of all, and what the small ones lack of the others. */
function recordShares(spans: readonly TopicSpan[], wanted: number): Map<number, number> {
  const bySize = spans.toSorted((a, b) => a.latest - a.earliest - (b.latest - b.earliest))
  const shares = new Map<number, number>()
  let left = wanted
  for (const [i, { partition, earliest, latest }] of bySize.entries()) {
    const share = Math.min(latest - earliest, Math.ceil(left / (bySize.length - i)))
    shares.set(partition, share)
    left -= share
  }
  return shares
}

/** Where to begin: at the first record, behind the last one, so many before it, or at a time, ms since the epoch. */
export type From = 'earliest' | 'latest' | { readonly last: number } | { readonly time: number }

/** Where to begin in each partition of a topic. */
export async function positionsFrom(reader: TopicReader, topic: string, from: From): Promise<ReadPosition[]> {
  const spans = await reader.spans(topic)
  const at = (offsetOf: (span: TopicSpan) => number) => spans.map((span) => ({ topic, partition: span.partition, offset: offsetOf(span) }))
  if (from === 'earliest') return at(({ earliest }) => earliest)
  if (from === 'latest') return at(({ latest }) => latest)
  if ('time' in from) {
    const offsets = await reader.offsetsAt(topic, spans, from.time)
    return at(({ partition, latest }) => offsets.get(partition) ?? latest)
  }
  const shares = recordShares(spans, from.last)
  return at(({ partition, latest }) => latest - (shares.get(partition) ?? 0))
}

/** What is done with records that are followed. */
export interface Following {
  readonly maxBatchBytes: number
  /** Each record; false when that was the last one wanted. */
  readonly take: (record: SampledRecord) => boolean
  /** Waited for between fetches. */
  readonly settle: () => Promise<unknown>
  readonly signal: AbortSignal
}

/** Gives every record from the positions on, as it comes, until no more is wanted or the signal is given. */
export async function follow(
  reader: TopicReader,
  positions: readonly ReadPosition[],
  { maxBatchBytes, take, settle, signal }: Following,
): Promise<void> {
  let more = true
  while (more && !signal.aborted) {
    const from = new Map(positions.map((one) => [one, one.offset]))
    await reader.fetch(positions, WAIT_MS, ({ position, bytes, span }) => {
      if (!more) return
      const records = recordsOf(position.topic, position.partition, { bytes, ...span }, from.get(position) ?? 0, maxBatchBytes)
      for (const record of records) {
        more = !signal.aborted && take(record)
        if (!more) return
      }
    })
    await settle()
  }
}

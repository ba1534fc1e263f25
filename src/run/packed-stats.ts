/**
 * A snapshot on its way to another thread. Of many partitions most of it is numbers: they travel as one array of doubles, which is handed
 * over without a copy, where as many objects would take main longer than collecting them.
 */
import type { PartitionStats, PipelineStats } from '../metrics/stats.ts'
import { TERM_NAMES } from '../window/ledger.ts'

const NUMBERS = ['partition', 'position', 'remade', 'missing', 'recordsRead', 'read', ...TERM_NAMES] as const
/** NaN is undefined. */
const KNOWN_OR_NOT = ['lag', 'lagWritten', 'heardAt', 'eventTime', 'watermark', 'safeOffset'] as const
const FLAGS = ['paused', 'idle', 'ended'] as const
/** Before them all the topic, by its place among the names. */
const FIELDS = 1 + NUMBERS.length + KNOWN_OR_NOT.length + FLAGS.length

/** Plain data. */
export interface PackedStats {
  readonly stats: Omit<PipelineStats, 'partitions'>
  readonly topics: readonly string[]
  readonly partitions: Float64Array<ArrayBuffer>
}

/** Its array is to be handed over. */
export function packStats({ partitions, ...stats }: PipelineStats): PackedStats {
  const topics: string[] = []
  const packed = new Float64Array(partitions.length * FIELDS)
  let at = 0
  for (const partition of partitions) {
    let topic = topics.indexOf(partition.topic)
    if (topic < 0) topic = topics.push(partition.topic) - 1
    packed[at++] = topic
    for (const name of NUMBERS) packed[at++] = partition[name]
    for (const name of KNOWN_OR_NOT) packed[at++] = partition[name] ?? Number.NaN
    for (const name of FLAGS) packed[at++] = partition[name] ? 1 : 0
  }
  return { stats, topics, partitions: packed }
}

/** What was packed. */
export function unpackStats({ stats, topics, partitions }: PackedStats): PipelineStats {
  const unpacked: PartitionStats[] = []
  for (let at = 0; at < partitions.length; ) {
    const partition: Record<string, unknown> = { topic: topics[partitions[at++] ?? 0] }
    for (const name of NUMBERS) partition[name] = partitions[at++]
    for (const name of KNOWN_OR_NOT) {
      const value = partitions[at++] ?? Number.NaN
      partition[name] = Number.isNaN(value) ? undefined : value
    }
    for (const name of FLAGS) partition[name] = partitions[at++] === 1
    unpacked.push(partition as unknown as PartitionStats)
  }
  return { ...stats, partitions: unpacked }
}

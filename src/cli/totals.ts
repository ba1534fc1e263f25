/** Sums over a snapshot of the pipeline, as the live view and the summary show them. */
import type { PipelineStats } from '../metrics/stats.ts'

/** Records read so far. */
export function recordsRead(stats: PipelineStats): number {
  return stats.topics.reduce((sum, topic) => sum + topic.events, 0)
}

/** Records that wait in the partitions, as far as known. */
export function lagOf(stats: PipelineStats): number {
  return stats.partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0)
}

/** The watermark of the slowest task, ms; undefined before the first one. */
export function watermarkOf(stats: PipelineStats): number | undefined {
  const known = stats.tasks.flatMap(({ watermark }) => (watermark === undefined ? [] : [watermark]))
  return known.length === 0 ? undefined : known.reduce((least, watermark) => Math.min(least, watermark))
}

/**
 * What an assignment changes of the lanes there are. A task of which some partition comes or goes leaves as a whole and comes again, for
 * what the handler holds of it is of all its partitions together. With tasks 0 and 1 of topics a and b, and b/1 taken away: a/1 and b/1 are
 * lost, a/1 is gained, and task 0 stays as it is.
 */
import type { Lane } from './lane.ts'
import { keyOf, type TopicPartition } from './start-position.ts'

export interface LaneChanges {
  /** By key. */
  readonly lost: readonly (readonly [string, Lane])[]
  readonly gained: readonly TopicPartition[]
}

/** `assignment`: partitions by topic. */
export function changesOf(lanes: ReadonlyMap<string, Lane>, assignment: Readonly<Record<string, readonly number[]>>): LaneChanges {
  const wanted = new Map<string, TopicPartition>()
  for (const [topic, partitions] of Object.entries(assignment)) {
    for (const partition of partitions) wanted.set(keyOf({ topic, partition }), { topic, partition })
  }
  const changed = new Set<number>()
  for (const [key, { partition }] of wanted) if (!lanes.has(key)) changed.add(partition)
  for (const [key, { partition }] of lanes) if (!wanted.has(key)) changed.add(partition)
  return {
    lost: [...lanes].filter(([, { partition }]) => changed.has(partition)),
    gained: [...wanted.values()].filter(({ partition }) => changed.has(partition)),
  }
}

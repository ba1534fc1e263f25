/** Tasks as the plain facts of a manifest. */

import type { PartitionFacts, TaskFacts } from '../window/facts.ts'
import type { Partition } from '../window/partition.ts'
import type { Task } from '../window/task.ts'

/** A task as it stands now; `topics` by topic index. */
export function factsOf(time: Task, topics: readonly string[]): TaskFacts {
  return {
    task: time.task,
    lineage: time.incarnation === 0 ? undefined : time.incarnation,
    published: finite(time.published),
    partitions: time.partitions.map((partition) => partitionFacts(partition, topics[partition.topicIndex] ?? '')),
  }
}

function partitionFacts(state: Partition, topic: string): PartitionFacts {
  const windows = [...state.windows].map(([end, { offset, maxEventTime, events, totals }]) => {
    return { end, offset, maxEventTime: finite(maxEventTime), events, totals }
  })
  const { partition, position } = state
  return { topic, partition, position, maxEventTime: finite(state.maxEventTime), totals: state.totals(), windows }
}

function finite(time: number): number | null {
  return Number.isFinite(time) ? time : null
}

/** Tasks as the plain facts of a manifest. */

import type { PartitionFacts, TaskFacts, WindowFacts } from '../window/facts.ts'
import type { OpenWindow, Partition } from '../window/partition.ts'
import type { Task } from '../window/task.ts'

/** A task as it stands now; `topics` by topic index. */
export function factsOf(time: Task, topics: readonly string[]): TaskFacts {
  return {
    task: time.task,
    lineage: time.incarnation === 0 ? undefined : time.incarnation,
    published: finite(time.published),
    partitions: time.partitions.map((partition) => {
      const facts = partitionFacts(partition, topics[partition.topicIndex] ?? '')
      return time.windows.byZone
        ? { ...facts, windows: facts.windows.map((window) => ({ ...window, start: time.windows.startOf(window.end) })) }
        : facts
    }),
    orphans: time.orphans.size === 0 ? undefined : [...time.orphans.values()],
  }
}

function partitionFacts(state: Partition, topic: string): PartitionFacts {
  const { partition, position, maxEventTime, idleSince, topicId, remade } = state
  return {
    topic,
    partition,
    topicId,
    remade: remade === 0 ? undefined : remade,
    position,
    maxEventTime: finite(maxEventTime),
    candidates: state.candidates.textAt(state.events, maxEventTime),
    idleSince,
    totals: state.totals(),
    windows: [...state.windows].map(([end, window]) => windowFacts(state, end, window)),
  }
}

function windowFacts(state: Partition, end: number, window: OpenWindow): WindowFacts {
  const { first, offset, maxEventTime, candidates, events, partly, totals } = window
  const facts = { end, offset, maxEventTime: finite(maxEventTime), candidates, events, partly: partly && [...partly], totals }
  if (offset === Number.POSITIVE_INFINITY) return { ...facts, offset: first, released: true }
  const ageEvents = state.isFar(window.start) ? state.events - window.eventsBefore : undefined
  return { ...facts, first: first < offset ? first : undefined, ageEvents }
}

function finite(time: number): number | null {
  return Number.isFinite(time) ? time : null
}

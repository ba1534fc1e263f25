/**
 * A task as it was kept, fitted to what Kafka still has of it:
 *
 *   topic made again       the partition begins anew, at the first record of the new topic; what was counted of the old one into windows
 *                          that are still open stays with the task (TaskFacts.orphans)
 *   retention has passed   the partition goes on at the first record there is, and the gap is named
 *
 * All else goes on as it is.
 */
import type { OfferedPartition } from '../source/source.ts'
import { isOtherTopic, joinOrphans, type OrphanFacts, type PartitionFacts, type TaskFacts } from '../window/facts.ts'
import { noTotals } from '../window/ledger.ts'

/** A partition as it goes on. */
export interface ContinuedPartition extends PartitionFacts {
  /** Records between where it stood and the first one there is, and what that means, in words. */
  readonly missing?: number | undefined
  readonly loss?: string | undefined
  /** The topic was made again since. */
  readonly isNew?: boolean
}

/** A task as it goes on. */
export interface ContinuedTask extends TaskFacts {
  readonly partitions: readonly ContinuedPartition[]
}

/** `topics` by topic index. */
export function goOnFrom(kept: TaskFacts, offered: readonly OfferedPartition[], topics: readonly string[]): ContinuedTask {
  const orphans: OrphanFacts[] = [...(kept.orphans ?? [])]
  const partitions = kept.partitions.map((facts): ContinuedPartition => {
    const offer = offered.find(({ topicIndex, partition }) => topics[topicIndex] === facts.topic && partition === facts.partition)
    if (offer === undefined) return facts
    const { earliest, topicId = facts.topicId } = offer
    if (isOtherTopic(facts.topicId, topicId)) {
      orphans.push(...facts.windows.map(({ end, events, partly }) => ({ end, events, partly })))
      const { topic, partition } = facts
      const begins = { position: earliest, maxEventTime: null, totals: noTotals(earliest), windows: [] }
      // The group may have seen more of them than what was kept.
      const remade = Math.max((facts.remade ?? 0) + 1, offer.remade ?? 0)
      return { topic, partition, topicId, remade, ...begins, isNew: true }
    }
    if (facts.position >= earliest) return { ...facts, topicId }
    const missing = earliest - facts.position
    const loss = `records ${facts.position} to ${earliest - 1} are gone (retention): their events are missing, all before them is there`
    return { ...facts, topicId, position: earliest, missing, loss }
  })
  const merged = new Map<number, OrphanFacts>()
  for (const one of orphans) merged.set(one.end, joinOrphans(merged.get(one.end), one))
  return {
    ...kept,
    partitions,
    ...(merged.size > 0 && { orphans: [...merged.values()] }),
  }
}

/**
 * Which member of the group gets which tasks. Partition i of every topic goes to the same member: together they are task i.
 *
 * Members say what they own (member-facts.ts), and keep as much of it as balance lets them: numbers of tasks differ by at most one, and no
 * assignment that is balanced moves fewer. A task that two members claim, one of which slept through a rebalance, belongs to the one of
 * the newest generation, else of the lowest id. Members that say nothing own nothing. The result depends on the members and what they
 * say, not on their order, so every leader comes to the same.
 */

import type { Cluster, PartitionAssigner } from 'kafkajs'
import kafkajs from 'kafkajs'
import { decodeFacts, encodeSubscription, type MemberFacts } from './member-facts.ts'

/** The name all members of a group must have in common. */
export const ASSIGNER_NAME = 'ctr-copartition'
const VERSION = 1
const NO_USER_DATA = Buffer.alloc(0)

/** A member as the leader sees it; `owned` is undefined when it said nothing. */
export interface Claimant {
  readonly memberId: string
  readonly owned: Pick<MemberFacts, 'tasks' | 'generation'> | undefined
}

/** The tasks of each member, in ascending order; members without any are listed too. Tasks are numbered from 0 to `taskCount` - 1. */
export function assignTasks(members: readonly Claimant[], taskCount: number): Map<string, number[]> {
  const owners = ownersOf(members, taskCount)
  const owned = new Map<string, number[]>(members.map(({ memberId }) => [memberId, []]))
  for (let task = 0; task < taskCount; task++) owned.get(owners.get(task) ?? '')?.push(task)

  // Who owns the most may have one more than the others: that leaves the most where it is.
  const byOwned = [...owned].sort(([a, own], [b, other]) => other.length - own.length || compare(a, b))
  const base = Math.floor(taskCount / members.length)
  const quotas = new Map(byOwned.map(([id], at) => [id, base + (at < taskCount % members.length ? 1 : 0)]))
  const assigned = new Map(byOwned.map(([id, tasks]) => [id, evenly(tasks, quotas.get(id) ?? 0)]))

  const kept = new Set([...assigned.values()].flat())
  for (let task = 0; task < taskCount; task++) {
    if (kept.has(task)) continue
    let least: string | undefined
    for (const [id, tasks] of assigned) {
      const room = tasks.length < (quotas.get(id) ?? 0)
      if (room && (least === undefined || tasks.length < (assigned.get(least)?.length ?? 0))) least = id
    }
    if (least !== undefined) assigned.get(least)?.push(task)
  }
  for (const tasks of assigned.values()) tasks.sort((one, other) => one - other)
  return assigned
}

/** Which member each claimed task belongs to so far. */
function ownersOf(members: readonly Claimant[], taskCount: number): Map<number, string> {
  const best = new Map<number, { memberId: string; generation: number }>()
  for (const { memberId, owned } of members) {
    for (const task of owned?.tasks ?? []) {
      const generation = owned?.generation ?? -1
      const rival = best.get(task)
      const wins = rival === undefined || generation > rival.generation || (generation === rival.generation && memberId < rival.memberId)
      if (wins && task < taskCount) best.set(task, { memberId, generation })
    }
  }
  return new Map([...best].map(([task, { memberId }]) => [task, memberId]))
}

/** So many of the tasks, spread over all of them: where topics differ in partitions, low tasks hold more of them than high ones. */
function evenly(tasks: readonly number[], count: number): number[] {
  const kept = Math.min(count, tasks.length)
  return tasks.filter((_, at) => Math.floor(((at + 1) * kept) / tasks.length) > Math.floor((at * kept) / tasks.length))
}

function compare(one: string, other: string): number {
  return one < other ? -1 : 1
}

export interface AssignerHooks {
  /** Gets the consumer's cluster, while the consumer is made. */
  adopt(cluster: Cluster): void
  /** Asked at every join. */
  describe(): MemberFacts
  /** Which of these members, by id, are dead: they get nothing. */
  dead?(memberIds: readonly string[]): Promise<ReadonlySet<string>>
  /** Told when this member led and dealt; `moved` tasks go from one member to another. */
  dealt?(deal: { readonly members: number; readonly tasks: number; readonly moved: number }): void
}

/** For kafkajs' `partitionAssigners`. */
export function coPartitionAssigner({ adopt, describe, dead, dealt }: AssignerHooks): PartitionAssigner {
  return ({ cluster }) => {
    adopt(cluster)
    return {
      name: ASSIGNER_NAME,
      version: VERSION,
      async assign({ members, topics }) {
        const counts = topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length] as const)
        const gone = await dead?.(members.map(({ memberId }) => memberId))
        const living = members.filter(({ memberId }) => !gone?.has(memberId))
        const claimants = living.map(({ memberId, memberMetadata }) => ({ memberId, owned: decodeFacts(memberMetadata) }))
        const taskCount = Math.max(...counts.map(([, count]) => count))
        const owners = ownersOf(claimants, taskCount)
        const assigned = assignTasks(claimants, taskCount)
        const kept = [...owners].filter(([task, memberId]) => assigned.get(memberId)?.includes(task))
        dealt?.({ members: living.length, tasks: taskCount, moved: owners.size - kept.length })
        return [...assigned].map(([memberId, tasks]) => {
          const own = counts.map(([topic, count]) => [topic, tasks.filter((task) => task < count)] as const)
          const assignment = Object.fromEntries(own.filter(([, partitions]) => partitions.length > 0))
          const encoded = kafkajs.AssignerProtocol.MemberAssignment.encode({ version: VERSION, assignment, userData: NO_USER_DATA })
          return { memberId, memberAssignment: encoded }
        })
      },
      protocol: ({ topics }) => ({ name: ASSIGNER_NAME, metadata: encodeSubscription(topics, describe()) }),
    }
  }
}

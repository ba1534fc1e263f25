/**
 * Partition i of every topic goes to the same member: together they are task i. Members are taken in the order of their ids, so that every
 * leader comes to the same result.
 */

import type { Cluster, PartitionAssigner } from 'kafkajs'
import kafkajs from 'kafkajs'

/** The name all members of a group must have in common. */
const ASSIGNER_NAME = 'ctr-copartition'
const VERSION = 1
const NO_USER_DATA = Buffer.alloc(0)

/** Which member gets which partitions: `partitionCounts` per topic. Members without any are listed too. */
export function assignTasks(
  memberIds: readonly string[],
  partitionCounts: Readonly<Record<string, number>>,
): Map<string, Record<string, number[]>> {
  const sorted = memberIds.toSorted()
  const assigned = new Map(sorted.map((id) => [id, {} as Record<string, number[]>]))
  for (const [topic, count] of Object.entries(partitionCounts)) {
    sorted.forEach((id, at) => {
      const own = []
      for (let partition = at; partition < count; partition += sorted.length) own.push(partition)
      const topics = assigned.get(id)
      if (topics !== undefined && own.length > 0) topics[topic] = own
    })
  }
  return assigned
}

/** For kafkajs' `partitionAssigners`; `adopt` gets the consumer's cluster. */
export function coPartitionAssigner(adopt: (cluster: Cluster) => void): PartitionAssigner {
  return ({ cluster }) => {
    adopt(cluster)
    return {
      name: ASSIGNER_NAME,
      version: VERSION,
      async assign({ members, topics }) {
        const counts = Object.fromEntries(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]))
        const ids = members.map(({ memberId }) => memberId)
        return [...assignTasks(ids, counts)].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({ version: VERSION, assignment, userData: NO_USER_DATA }),
        }))
      },
      protocol({ topics }) {
        const metadata = kafkajs.AssignerProtocol.MemberMetadata.encode({ version: VERSION, topics, userData: NO_USER_DATA })
        return { name: ASSIGNER_NAME, metadata }
      },
    }
  }
}

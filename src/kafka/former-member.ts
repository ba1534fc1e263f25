/**
 * A process that was killed stays a member of its group until its session times out, and its partitions wait. kafkajs has no static
 * membership, so the next process of the same name looks for its former self before it joins, and makes it leave.
 *
 * Members are told by kafka.clientId, host and pid (member-facts.ts). A wrong guess costs a rebalance, nothing else: a member that was
 * made to leave though it lives is told so at its next heartbeat, and joins again as a new one. Only a start looks, so two processes
 * of one name can't drive each other out again and again. Such guesses are made where processes share a name by mistake, and where
 * containers share a host's name but not its process ids.
 *
 * What can't be found: a member that was killed between the two requests of a first join (the broker has given it an id, and shows it to
 * nobody), and, while a group rebalances, whose process a member is. Those are waited for.
 */
import type { Cluster } from 'kafkajs'
import type { Logger } from 'pino'
import { findCoordinator } from './kafkajs-adapter.ts'
import { decodeFacts, type MemberFacts } from './member-facts.ts'

/** A member as the coordinator describes it; `facts` are undefined when it has none to show. */
export interface GroupMember {
  readonly memberId: string
  readonly clientId: string
  readonly facts: Pick<MemberFacts, 'host' | 'pid'> | undefined
}

/** The process that looks. `named`: its clientId was given to it, and to no other process of the group. */
export interface Self {
  readonly clientId: string
  readonly named: boolean
  readonly host: string
  readonly pid: number
}

/**
 * The ids of those members that `self` was. On the same host a process that runs (`runs`) is somebody else, whatever its name; of other
 * hosts nothing can be known but the name.
 */
export function formerMembers(members: readonly GroupMember[], self: Self, runs: (pid: number) => boolean): string[] {
  const isFormer = (facts: GroupMember['facts']) => (facts?.host === self.host ? facts.pid === self.pid || !runs(facts.pid) : self.named)
  return members.filter(({ clientId, facts }) => clientId === self.clientId && isFormer(facts)).map(({ memberId }) => memberId)
}

/** Makes the former members leave. To be called before `self` joins. Never rejects: without it, their sessions are waited out. */
export async function evictFormerMembers(cluster: Cluster, groupId: string, self: Self, logger: Logger): Promise<void> {
  try {
    const coordinator = await findCoordinator(cluster, groupId)
    const { groups } = await coordinator.describeGroups({ groupIds: [groupId] })
    const members = groups.flatMap((group) => group.members)
    const described = members.map(({ memberId, clientId, memberMetadata }) => ({ memberId, clientId, facts: decodeFacts(memberMetadata) }))
    for (const memberId of formerMembers(described, self, isRunning)) {
      logger.info({ memberId }, 'a former member of this name is made to leave the consumer group')
      await coordinator.leaveGroup({ groupId, memberId })
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    logger.warn({ reason }, 'no former member could be made to leave the consumer group; if there is one, its session is waited out')
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

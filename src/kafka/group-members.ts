/**
 * The other members of a consumer group: which of them live, and what becomes of those that don't.
 *
 * A process that was killed stays a member until its session times out: its tasks wait, and while it joins, everybody waits for it. So
 * whoever joins makes the dead leave first (proof-of-life.ts tells them), again while it waits to have joined, and as the leader deals them
 * nothing. A member that lives is never made to leave; of one of which nothing can be known the session is waited for.
 *
 * A run that must have the group for itself refuses to join one with a live member. Where nothing can be known, time tells: by the end of
 * a session the dead are gone.
 */
import type { Cluster } from 'kafkajs'
import kafkajs from 'kafkajs'
import type { Logger } from 'pino'
import { backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { type Life, readSign, type Sign, type Vital, vitalOf } from '../proof-of-life.ts'
import type { DescribedGroup } from './group-facts.ts'
import { CLIENT_BACKOFF } from './kafka-client.ts'
import { toCtrError } from './kafka-errors.ts'
import { findCoordinator, type GroupCoordinator } from './kafkajs-adapter.ts'

/** A member as the coordinator describes it, and whether it lives. */
export interface GroupMember {
  readonly memberId: string
  readonly clientId: string
  readonly sign: Sign | undefined
  readonly vital: Vital | 'self'
  /** Empty while the group rebalances. */
  readonly tasks: readonly number[]
}

/** Who looks. */
export interface Looker {
  readonly groupId: string
  readonly life: Life
  /** What the coordinator knows it as, '' before that is known. Whatever else is of its life is a join that it knows nothing of. */
  readonly ownId: () => string
  readonly logger: Logger
}

/** How a run gets its group for itself; times in ms. */
export interface ClaimOptions extends Looker {
  readonly brokers: readonly string[]
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** What the group is wanted for, as a user calls it. */
  readonly purpose: string
  readonly signal: AbortSignal
}

const LOOK_MS = 500
/** A coordinator ends sessions a little late. */
const SESSION_SLACK_MS = 3_000

/** Makes the dead members leave; gives the others. Rejects when the coordinator can't be asked. */
export async function dismissDead(coordinator: GroupCoordinator, looker: Looker): Promise<Remaining> {
  const { groupId, logger } = looker
  const { groups } = await coordinator.describeGroups({ groupIds: [groupId] })
  const members = await Promise.all(groups.flatMap((group) => group.members).map((member) => look(member, looker)))
  const others = members.filter(({ vital }) => vital !== 'self')
  await Promise.all(others.filter(({ vital }) => vital === 'dead').map(({ memberId }) => dismiss(coordinator, groupId, memberId, logger)))
  const settled = groups.every(({ state }) => state !== 'PreparingRebalance' && state !== 'CompletingRebalance')
  const left = others.filter(({ vital }) => vital !== 'dead')
  return { others: left, dismissed: others.length - left.length, settled }
}

/** Who is left, how many were made to leave, and whether the group is not rebalancing. */
export interface Remaining {
  readonly others: readonly GroupMember[]
  readonly dismissed: number
  readonly settled: boolean
}

/** The same, as one of several precautions: never rejects. */
export async function tryDismissDead(cluster: Cluster, looker: Looker): Promise<void> {
  try {
    await dismissDead(await findCoordinator(cluster, looker.groupId), looker)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    looker.logger.debug({ reason }, 'the members of the consumer group can not be looked at; if one is dead, its session is waited out')
  }
}

/** The members, by id, that are known to be dead; they are made to leave. For the leader, before it deals. */
export async function deadAmong(
  memberIds: readonly string[],
  coordinator: GroupCoordinator | undefined,
  looker: Looker,
): Promise<Set<string>> {
  const vitals = await Promise.all(memberIds.map(async (id) => [id, await vitalOfMember(id, readSign(id), looker)] as const))
  const dead = vitals.flatMap(([id, vital]) => (vital === 'dead' ? [id] : []))
  for (const id of dead) if (coordinator !== undefined) await dismiss(coordinator, looker.groupId, id, looker.logger)
  return new Set(dead)
}

/** Resolves when nobody else is in the group, or `signal` ends the wait. Throws CTR_GROUP_BUSY; other failures as they come. */
export async function claimGroup(cluster: Cluster, options: ClaimOptions): Promise<void> {
  const { groupId, logger, signal, sessionTimeoutMs, rebalanceTimeoutMs } = options
  let giveUpAt: number | undefined
  let failures = 0
  while (!signal.aborted) {
    try {
      const { others, dismissed, settled } = await dismissDead(await findCoordinator(cluster, groupId), options)
      failures = 0
      if (others.length === 0 && dismissed === 0) return
      const alive = others.filter(({ vital }) => vital === 'alive')
      const waitMs = sessionTimeoutMs + SESSION_SLACK_MS + (settled ? 0 : rebalanceTimeoutMs)
      if (giveUpAt === undefined && others.length > 0 && alive.length === 0) {
        const names = others.map(spellMember)
        logger.warn({ members: names, waitMs }, `${options.purpose} waits to see whether ${others.length} members of its group still live`)
      }
      if (others.length > 0) giveUpAt ??= performance.now() + waitMs
      if (alive.length > 0 || (giveUpAt !== undefined && performance.now() > giveUpAt)) throw busy(options, others)
    } catch (error) {
      const failure = toCtrError(error, options.brokers)
      if (!failure.retriable) throw failure
      logger.warn(
        { code: failure.code, failures },
        `the members of the consumer group can not be looked at: ${failure.message}; trying again`,
      )
      await sleep(backoffMs(++failures, CLIENT_BACKOFF), signal)
    }
    await sleep(LOOK_MS, signal)
  }
}

/** Partitions of the topics, as `topic/partition`, that an assignment leaves to others. */
export function leftToOthers(
  cluster: Cluster,
  topics: readonly string[],
  assignment: Readonly<Record<string, readonly number[]>>,
): string[] {
  return topics.flatMap((topic) => {
    const others = cluster.findTopicPartitionMetadata(topic).filter(({ partitionId }) => !assignment[topic]?.includes(partitionId))
    return others.map(({ partitionId }) => `${topic}/${partitionId}`)
  })
}

/** Why a run that must read everything did not get everything; also when nobody is seen any more. */
export async function lostShare(cluster: Cluster, options: ClaimOptions, missing: readonly string[]): Promise<CtrError> {
  const what = missing.length === 1 ? String(missing[0]) : `${missing.length} partitions, ${missing[0]} among them,`
  const seen = await findCoordinator(cluster, options.groupId)
    .then((coordinator) => dismissDead(coordinator, options))
    .catch(() => ({ others: [] }))
  return busy(options, seen.others, `${what} went to another member that has joined meanwhile`)
}

function busy({ groupId, purpose }: ClaimOptions, others: readonly GroupMember[], what?: string): CtrError {
  const found =
    others.length === 0 ? '' : `${what === undefined ? '' : ': '}${others.length === 1 ? 'a member' : `${others.length} members`} in it: `
  const named = others.map(spellMember).join('; ')
  const remedy = 'stop what runs in this group first, or use another kafka.groupId'
  return new CtrError(
    'CTR_GROUP_BUSY',
    `kafka.groupId ${groupId}: ${what ?? ''}${found}${named}; ${purpose} needs the group for itself: ${remedy}`,
  )
}

/** A member in words. */
export function spellMember({ clientId, sign, tasks, vital }: Omit<GroupMember, 'memberId'>): string {
  const who =
    sign === undefined ? clientId : `${sign.client} (pid ${sign.pid} of ${sign.host}, since ${new Date(sign.since).toISOString()})`
  const doubt = vital === 'unknown' ? ', which may live elsewhere' : ''
  return `${who}${doubt}, ${tasks.length === 0 ? 'no tasks at present' : `tasks ${tasks.join(', ')}`}`
}

async function look(member: DescribedGroup['members'][number], looker: Looker): Promise<GroupMember> {
  const { memberId, clientId } = member
  const sign = readSign(clientId)
  return { memberId, clientId, sign, vital: await vitalOfMember(memberId, sign, looker), tasks: tasksOf(member.memberAssignment) }
}

async function vitalOfMember(memberId: string, sign: Sign | undefined, { life, ownId }: Looker): Promise<GroupMember['vital']> {
  if (sign?.token !== life.sign.token) return vitalOf(sign, life.sign)
  return ownId() === '' || ownId() === memberId ? 'self' : 'dead'
}

/** The tasks that an assignment gives; none while the group rebalances. */
export function tasksOf(assignment: Buffer): number[] {
  try {
    const topics = kafkajs.AssignerProtocol.MemberAssignment.decode(assignment)?.assignment ?? {}
    return [...new Set(Object.values(topics).flat())].toSorted((one, other) => one - other)
  } catch {
    return []
  }
}

async function dismiss(coordinator: GroupCoordinator, groupId: string, memberId: string, logger: Logger): Promise<void> {
  try {
    await coordinator.leaveGroup({ groupId, memberId })
    logger.info({ memberId }, 'a member of the consumer group whose process is gone was made to leave')
  } catch (error) {
    // It has left meanwhile, or the coordinator has moved: the next look tells.
    logger.debug({ memberId, err: error }, 'a dead member did not leave')
  }
}

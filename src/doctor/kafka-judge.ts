/** What answers of Kafka's brokers mean for an engine with this configuration. Nothing here asks anybody. */
import type { Config } from '../config/schema.ts'
import { DAY, formatDuration } from '../config/units.ts'
import { ASSIGNER_NAME } from '../kafka/co-partition-assigner.ts'
import type { Unequal } from '../kafka/find-topics.ts'
import type { GroupFacts } from '../kafka/group-facts.ts'
import { type GroupMember, spellMember } from '../kafka/group-members.ts'
import type { ApiVersions } from '../kafka/own-requests.ts'
import { type BrokerOffsets, decideStart, type StartFrom } from '../kafka/start-position.ts'
import { partitionsDiffer } from '../kafka/topic-faults.ts'
import type { TopicFacts } from '../kafka/topic-ids.ts'
import { formatCount, formatSpan } from '../text.ts'
import { type Finding, fault, ok, together, warning } from './finding.ts'

/** Kafka's numbers of operations, by which rights are told. */
const OPERATIONS = { Read: 3, Write: 4, Create: 5, Describe: 8, DescribeConfigs: 10 } as const

/** One of them, as kafka-acls.sh takes it. */
type Operation = keyof typeof OPERATIONS

/** How long the engine may stand still before Kafka deletes what it has not read; less is worth a warning. */
const OUTAGE_MS = DAY

/** API keys, and the versions of which the broker must answer one. */
const SPOKEN: readonly (readonly [name: string, key: number, min: number, max: number])[] = [
  ['Fetch', 1, 4, 11],
  ['ListOffsets', 2, 1, 3],
  ['Metadata', 3, 1, 6],
  ['OffsetCommit', 8, 2, 5],
  ['OffsetFetch', 9, 1, 4],
  ['FindCoordinator', 10, 0, 2],
  ['JoinGroup', 11, 0, 5],
]
/** Dead letters and late events go to topics by this one (batch-producer.ts). */
const PRODUCED = ['Produce', 0, 7, 7] as const
const FETCH_BY_ID = 13

/** What the broker and the engine have in common; `produces`: something goes to a topic. */
export function judgeVersions(versions: ApiVersions, produces: boolean): Finding {
  const lacking = [...SPOKEN, ...(produces ? [PRODUCED] : [])].flatMap(([name, key, min, max]) => {
    const { minVersion = 1, maxVersion = 0 } = versions[key] ?? {}
    return minVersion <= max && maxVersion >= min ? [] : [`${name} ${min} to ${max} (it has ${minVersion} to ${maxVersion})`]
  })
  if (lacking.length > 0) {
    const remedy = 'run brokers from Kafka 0.11 on, from 2.1 on with deadLetter.topic or late.topic, or a newer version of this engine'
    return fault(`the broker answers no version in common of ${lacking.join(', ')}`, remedy)
  }
  if ((versions[3]?.maxVersion ?? 0) < 10) {
    return warning(
      'the broker gives topics no ids, as Kafka does from 2.8 on: one that is deleted and made again may be counted twice',
      'update the brokers, or use a new kafka.groupId with a topic that is made again',
    )
  }
  const byId = (versions[1]?.maxVersion ?? 0) >= FETCH_BY_ID
  return ok(byId ? 'topics are fetched by their ids' : 'topics are told by their ids, and fetched by their names')
}

/** Whether the user may do what is wanted with each topic. */
export function judgeTopicRights(topics: readonly TopicFacts[], wanted: readonly Operation[], acl: Acl): Finding {
  return together(
    topics.map(({ name, operations }) => {
      const lacking = lackingOf(operations, wanted)
      if (lacking.length === 0) return ok(`${acl.user} may ${words(wanted)} ${name}`)
      return fault(`${acl.user} may not ${words(lacking)} ${name}`, grant(acl, lacking, `--topic ${name}`))
    }),
  )
}

/** Who is to be given rights, and through which broker. */
export interface Acl {
  readonly broker: string
  /** `User:NAME`. */
  readonly user: string
}

/** Of the configuration; of a certificate the brokers know the name. */
export function aclOf({ kafka }: Pick<Config, 'kafka'>): Acl {
  const { protocol, sasl } = kafka.security
  const named = protocol.startsWith('SASL_') ? sasl?.username : undefined
  return { broker: kafka.brokers[0] ?? '', user: `User:${named ?? (protocol === 'SSL' ? 'CN=...' : 'ANONYMOUS')}` }
}

/** The command that grants them. */
export function grant({ broker, user }: Acl, operations: readonly Operation[], on: string): string {
  const each = operations.map((operation) => `--operation ${operation}`).join(' ')
  return `kafka-acls.sh --bootstrap-server ${broker} --add --allow-principal ${user} ${each} ${on}`
}

function lackingOf(operations: number, wanted: readonly Operation[]): Operation[] {
  return wanted.filter((operation) => (operations & (1 << OPERATIONS[operation])) === 0)
}

function words(operations: readonly Operation[]): string {
  return operations.map((operation) => operation.toLowerCase()).join(' and ')
}

/** Whether partition i of each topic can be read together with that of the others; `unequal` is what a start is to do where it can't. */
export function judgePartitions(topics: readonly TopicFacts[], unequal: Unequal): Finding {
  const counts = new Map(topics.map(({ name, partitions }) => [name, partitions]))
  const spelled = [...counts].map(([name, count]) => `${name} ${count}`).join(', ')
  const leaderless = topics.filter((topic) => topic.leaderless.length > 0)
  const dark = leaderless.map(({ name, leaderless: lost }) =>
    fault(`of ${name} nobody leads ${lost.join(', ')}`, 'bring back the brokers that hold these partitions: kafka-topics.sh --describe'),
  )
  const differ = partitionsDiffer(counts)
  if (differ === undefined) return together([ok(`${spelled}, each with a leader`), ...dark])
  const more = `kafka-topics.sh --alter --topic NAME --partitions ${Math.max(...counts.values())}, and key all alike`
  const { found, remedy } = differ
  return together([unequal === 'read' ? warning(found, more) : fault(found, `${remedy}\n${more}`), ...dark])
}

/** How old a record may be that an open window needs, ms: from the window's start until it can no longer be corrected. */
export function neededMs({ window, time }: Pick<Config, 'window' | 'time'>): number {
  return window.size + time.outOfOrderness + time.allowedLateness + time.idleTimeout
}

const NEEDED_BY = 'window.size + time.outOfOrderness + time.allowedLateness + time.idleTimeout'

/** A topic's retention.ms, or what its log reaches back to; undefined: for ever. */
export function judgeRetention(topic: string, keptMs: number | undefined, needed: number, broker: string): Finding {
  if (keptMs === undefined) return ok(`${topic} keeps its records for ever`)
  const kept = `${topic} keeps its records for ${formatSpan(keptMs)}`
  const remedy = setTopic(broker, topic, `retention.ms=${Math.max(needed + OUTAGE_MS, 7 * DAY)}`)
  if (keptMs < needed) return fault(`${kept}, and an open window may need those of ${formatSpan(needed)} (${NEEDED_BY})`, remedy)
  if (keptMs >= needed + OUTAGE_MS) return ok(kept)
  return warning(`${kept}: an engine that stands still for longer than ${formatSpan(keptMs - needed)} loses events`, remedy)
}

/** The partitions of a topic whose log is cut by its size, and begins later than an open window, or an outage of a day, needs. */
export function judgeReach(
  topic: string,
  { bytes, short, shortOfOutage }: { readonly bytes: number; readonly short: readonly number[]; readonly shortOfOutage: readonly number[] },
  needed: number,
  broker: string,
): Finding {
  const cut = (partitions: readonly number[], ms: number) =>
    `retention.bytes ${bytes} cuts partitions ${partitions.join(', ')} of ${topic} to less than ${formatSpan(ms)}`
  const remedy = setTopic(broker, topic, `retention.bytes=${bytes * 10}`)
  if (short.length > 0) return fault(`${cut(short, needed)}, which an open window may need (${NEEDED_BY})`, remedy)
  if (shortOfOutage.length === 0) return ok(`retention.bytes ${bytes} of ${topic} leaves more than a day`)
  return warning(`${cut(shortOfOutage, needed + OUTAGE_MS)}: an engine that stands still for a day loses events`, remedy)
}

/** How far back the log should reach by its size, ms: for open windows, and for an outage too. */
export function reachesOf(needed: number): readonly [number, number] {
  return [needed, needed + OUTAGE_MS]
}

/** A topic's cleanup.policy. */
export function judgeCleanup(topic: string, policy: string, broker: string): Finding {
  if (!policy.split(',').includes('compact')) return ok(`${topic} is not compacted`)
  const what = `${topic} is compacted (cleanup.policy=${policy}): of events with one key all but the last may go before they are counted`
  return fault(what, setTopic(broker, topic, 'cleanup.policy=delete'))
}

/** A topic's message.timestamp.type, and its partitions in which a record is dated further ahead than `aheadMs`. */
export function judgeRecordTimes(topic: string, type: string, ahead: readonly number[], aheadMs: number, broker: string): Finding {
  const whose = type === 'LogAppendTime' ? 'brokers' : 'producers'
  if (ahead.length === 0) return ok(`records of ${topic} have the time of their ${whose} (${type})`)
  const partitions = `partition${ahead.length === 1 ? '' : 's'} ${ahead.join(', ')}`
  const what = `${partitions} of ${topic} have records dated over ${formatDuration(aheadMs)} ahead of this machine's clock`
  if (whose === 'brokers') return warning(`${what}, by their brokers`, 'let NTP keep the clocks of brokers and of this machine')
  return warning(
    `${what}, by their producers`,
    `mend the producers' clocks, or ${setTopic(broker, topic, 'message.timestamp.type=LogAppendTime')}`,
  )
}

/** The command that changes a topic. */
function setTopic(broker: string, topic: string, setting: string): string {
  return `kafka-configs.sh --bootstrap-server ${broker} --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`
}

/** Where a start would begin with each partition; what would be lost by that is said in its words. By `topic/partition`. */
export function judgeOffsets(partitions: ReadonlyMap<string, BrokerOffsets>, startFrom: StartFrom, broker: string): Finding {
  const known = [...partitions.values()].filter(({ committed }) => committed !== undefined)
  const behind = known.reduce((sum, { committed = 0, latest }) => sum + Math.max(0, latest - committed), 0)
  const lag = `${formatCount(behind)} records lie behind them, those of open windows among them`
  const sound = ok(`the group has offsets of ${known.length} of ${partitions.size} partitions; ${lag}`)
  const lost = [...partitions].flatMap(([key, facts]) => {
    const { warning: told } = decideStart(startFrom, facts)
    const topic = key.slice(0, key.lastIndexOf('/'))
    return told === undefined
      ? []
      : [warning(`${key}: ${told}`, `see that retention outlasts an outage: ${setTopic(broker, topic, 'retention.ms=MS')}`)]
  })
  return together([sound, ...lost])
}

/** Who is in the group, and whether this engine may join it. */
export function judgeGroup(groupId: string, group: GroupFacts, members: readonly Omit<GroupMember, 'memberId'>[], acl: Acl): Finding {
  const lacking = lackingOf(group.operations, ['Read'])
  if (lacking.length > 0) return fault(`${acl.user} may not join the group ${groupId}`, grant(acl, lacking, `--group ${groupId}`))
  if (members.length === 0) return ok(`nobody is in the group ${groupId}`)
  const found = `in the group ${groupId}: ${members.map(spellMember).join('; ')}`
  const other = 'use another kafka.groupId, or stop what else runs in this one: all its members must be this engine'
  if (group.protocolType !== 'consumer') return fault(`${found}; they are no consumers but of type ${group.protocolType}`, other)
  if (group.protocol !== '' && group.protocol !== ASSIGNER_NAME) {
    return fault(`${found}; they deal partitions out by ${group.protocol}, which is another program's way`, other)
  }
  const dead = members.filter(({ vital }) => vital === 'dead').length
  const ghosts = dead === 0 ? '' : `; the processes of ${dead} of them are gone, and the next start makes them leave`
  return ok(`${found}${group.state === 'Stable' ? '' : `; it is in state ${group.state}`}${ghosts}`)
}

/** The checks of Kafka. They read only: nobody joins the group, and no topic, record or offset is made. */
import { sleep } from '../clock.ts'
import { MINUTE } from '../config/units.ts'
import { topicNames } from '../kafka/find-topics.ts'
import { tasksOf } from '../kafka/group-members.ts'
import { isDenied, toCtrError } from '../kafka/kafka-errors.ts'
import { askApiVersions, askGroup, askQuorumClock, brokersOf } from '../kafka/own-requests.ts'
import { keyOf, listOffsets, readFacts } from '../kafka/start-position.ts'
import { missingTopics } from '../kafka/topic-faults.ts'
import type { TopicFacts } from '../kafka/topic-ids.ts'
import { readTopicSettings, tryTopic } from '../kafka/topic-settings.ts'
import { readSign, vitalOf, whereWeAre } from '../proof-of-life.ts'
import { formatSpan } from '../text.ts'
import { judgeClock } from './clock-judge.ts'
import { type Check, type Finding, fault, findingOf, NotLooked, ok, skipped, together, warning } from './finding.ts'
import {
  type Acl,
  aclOf,
  grant,
  judgeCleanup,
  judgeGroup,
  judgeOffsets,
  judgePartitions,
  judgeReach,
  judgeRecordTimes,
  judgeRetention,
  judgeTopicRights,
  judgeVersions,
  neededMs,
  reachesOf,
} from './kafka-judge.ts'
import type { KafkaSession } from './kafka-session.ts'

const SETTINGS = ['retention.ms', 'retention.bytes', 'cleanup.policy', 'message.timestamp.type']
const LOOK_AGAIN_MS = 300
const UNKNOWN_TOPIC = 3
const GROUP_AUTHORIZATION_FAILED = 30

/** All of them, in order. */
export function kafkaChecks(session: KafkaSession): Check[] {
  const { config, brokers } = session
  const acl = aclOf(config)
  const settings = settingsOf(session)
  let looked: Promise<Finding> | undefined
  const members = () => {
    looked ??= group(session, acl)
    return looked
  }
  const check = (name: string, look: () => Promise<Finding>): Check => ({ part: 'kafka', name, look: () => session.explained(look) })
  /** Of settings that may not be seen the first check tells. */
  const ofEachInput = (judge: (topic: TopicFacts) => Promise<Finding>, whenDenied: typeof unseen) => async () => {
    const inputs = await session.inputs()
    return together(await Promise.all(inputs.map((topic) => judge(topic).catch((error) => whenDenied(error, topic.name, acl)))))
  }
  const { deadLetter, late } = config
  return [
    ...brokers.map((broker) => check(`broker ${broker}`, () => reach(session, broker))),
    check('cluster', () => reachAll(session)),
    check('versions', async () =>
      judgeVersions(await askApiVersions(await session.cluster()), deadLetter.topic !== undefined || late.topic !== undefined),
    ),
    check('topics', () => lookForTopics(session)),
    check('rights on topics', async () => judgeTopicRights(await session.inputs(), ['Read', 'Describe'], acl)),
    check('partitions', async () => judgePartitions(await session.inputs(), session.config.kafka.onUnequalPartitions)),
    check(
      'retention',
      ofEachInput(async (topic) => retention(session, topic, await settings(topic.name)), unseen),
    ),
    check(
      'compaction',
      ofEachInput(async ({ name }) => judgeCleanup(name, (await settings(name)).get('cleanup.policy') ?? '', acl.broker), unseenToo),
    ),
    check(
      'record times',
      ofEachInput(async (topic) => recordTimes(session, topic, await settings(topic.name)), unseenToo),
    ),
    check('group', members),
    check('offsets', () => offsets(session, members)),
    ...(deadLetter.topic === undefined ? [] : [check('dead letters', () => output(session, deadLetter.topic ?? '', acl))]),
    ...(late.topic === undefined ? [] : [check('late events', () => output(session, late.topic ?? '', acl))]),
    check('clock', () => clock(session)),
  ]
}

/** One address that the configuration names: name, TCP, TLS, the protocol and the login. */
async function reach(session: KafkaSession, broker: string): Promise<Finding> {
  const { protocol, sasl } = session.config.kafka.security
  const began = performance.now()
  await session.connect(broker)
  const login = protocol.startsWith('SASL_') && sasl !== undefined ? `, ${sasl.username} is let in by ${sasl.mechanism}` : ''
  return ok(`answers over ${protocol} within ${formatSpan(performance.now() - began)}${login}`)
}

/** All brokers under the addresses that they give of themselves, which need not be those of the configuration. */
async function reachAll(session: KafkaSession): Promise<Finding> {
  const cluster = await session.cluster()
  const addresses = brokersOf(cluster).map(({ nodeId, host, port }) => ({ nodeId: String(nodeId), address: `${host}:${port}` }))
  const findings = await Promise.all(
    addresses.map(async ({ nodeId, address }) => {
      try {
        await session.explained(() => cluster.findBroker({ nodeId }), [address])
        return ok(address)
      } catch (error) {
        const { found } = findingOf(error)
        const remedy = 'let that address be reached from here, or mend what the broker says of itself (advertised.listeners)'
        return fault(`broker ${nodeId} calls itself ${address}, and: ${found}`, remedy)
      }
    }),
  )
  const all = together(findings)
  return all.verdict === 'ok'
    ? ok(`${addresses.length} of ${addresses.length} brokers answer: ${addresses.map(({ address }) => address).join(', ')}`)
    : all
}

async function lookForTopics(session: KafkaSession): Promise<Finding> {
  const { missing, denied } = await session.facts()
  const findings: Finding[] = []
  if (denied.length > 0) {
    const error = Object.assign(new Error(`access to topic ${denied.join(', ')} is denied`), { type: 'TOPIC_AUTHORIZATION_FAILED' })
    const refused = findingOf(toCtrError(error, session.brokers))
    const on = denied.map((topic) => grant(aclOf(session.config), ['Read', 'Describe'], `--topic ${topic}`))
    const found = `${refused.found} to ${denied.join(', ')}, or there is no such topic`
    findings.push({ ...refused, found, remedy: [refused.remedy, ...on].join('\n') })
  }
  if (missing.length > 0) {
    findings.push(findingOf(missingTopics(missing, session.brokers, await topicNames(await session.cluster()))))
  }
  const inputs = session.config.kafka.topics.map(({ name }) => name)
  return together(findings.length > 0 ? findings : [ok(`${inputs.join(', ')} ${inputs.length === 1 ? 'is' : 'are'} there`)])
}

/** Settings of a topic, asked for once. */
function settingsOf(session: KafkaSession): (topic: string) => Promise<ReadonlyMap<string, string>> {
  const asked = new Map<string, Promise<ReadonlyMap<string, string>>>()
  return (topic) => {
    const settings = asked.get(topic) ?? session.cluster().then((cluster) => readTopicSettings(cluster, topic, SETTINGS))
    asked.set(topic, settings)
    return settings
  }
}

/** The engine itself needs no right to see settings. */
function unseen(error: unknown, topic: string, acl: Acl): Finding {
  if (!isDenied(error)) throw error
  return warning(`the settings of ${topic} can't be seen`, grant(acl, ['DescribeConfigs'], `--topic ${topic}`))
}

function unseenToo(error: unknown, topic: string, acl: Acl): Finding {
  return skipped(unseen(error, topic, acl).found)
}

async function retention(session: KafkaSession, topic: TopicFacts, settings: ReadonlyMap<string, string>): Promise<Finding> {
  const needed = neededMs(session.config)
  const [broker = ''] = session.brokers
  if (!(settings.get('cleanup.policy') ?? '').includes('delete')) return ok(`nothing of ${topic.name} is deleted by age or size`)
  const ms = Number(settings.get('retention.ms') ?? -1)
  const bytes = Number(settings.get('retention.bytes') ?? -1)
  const byTime = judgeRetention(topic.name, ms < 0 ? undefined : ms, needed, broker)
  if (bytes < 0) return byTime
  const [short, shortOfOutage] = await Promise.all(reachesOf(needed).map((backMs) => shorterThan(session, topic, backMs)))
  return together([byTime, judgeReach(topic.name, { bytes, short: short ?? [], shortOfOutage: shortOfOutage ?? [] }, needed, broker)])
}

/** Partitions that have lost records, and whose first one is younger than so. */
async function shorterThan(session: KafkaSession, topic: TopicFacts, backMs: number): Promise<number[]> {
  const [earliest, since] = await Promise.all([offsetsAt(session, topic, 'earliest'), offsetsAt(session, topic, Date.now() - backMs)])
  return partitionsOf(topic).flatMap((one) => {
    const first = earliest.get(keyOf(one)) ?? 0
    return first > 0 && since.get(keyOf(one)) === first ? [one.partition] : []
  })
}

async function recordTimes(session: KafkaSession, topic: TopicFacts, settings: ReadonlyMap<string, string>): Promise<Finding> {
  const aheadMs = Math.max(MINUTE, session.config.time.futureTolerance)
  const offsets = await offsetsAt(session, topic, Date.now() + aheadMs)
  const ahead = partitionsOf(topic).flatMap((one) => ((offsets.get(keyOf(one)) ?? -1) >= 0 ? [one.partition] : []))
  return judgeRecordTimes(topic.name, settings.get('message.timestamp.type') ?? 'CreateTime', ahead, aheadMs, session.brokers[0] ?? '')
}

async function offsetsAt(session: KafkaSession, topic: TopicFacts, at: 'earliest' | number): Promise<Map<string, number>> {
  const cluster = await session.cluster()
  await cluster.addMultipleTargetTopics([topic.name])
  return listOffsets(cluster, partitionsOf(topic), at)
}

function partitionsOf({ name, partitions, leaderless }: TopicFacts): { topic: string; partition: number }[] {
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  return all.filter((partition) => !leaderless.includes(partition)).map((partition) => ({ topic: name, partition }))
}

async function group(session: KafkaSession, acl: Acl): Promise<Finding> {
  const { groupId } = session.config.kafka
  const { hasGroups } = await session.facts()
  if (!hasGroups) return ok(`nobody is in the group ${groupId}, nor was there ever a group in this cluster`)
  const found = await askGroupPatiently(session, groupId).catch((error: unknown) => {
    if (!isDenied(error)) throw error
    return 'denied' as const
  })
  if (found === 'denied') return groupDenied(session, acl)
  if (found === undefined) return skipped('brokers before Kafka 2.3 do not say what a user may do with a group')
  if (found.errorCode === GROUP_AUTHORIZATION_FAILED) return groupDenied(session, acl)
  const here = whereWeAre()
  const members = await Promise.all(
    found.members.map(async ({ clientId, memberAssignment }) => {
      const sign = readSign(clientId)
      return { clientId, sign, vital: await vitalOf(sign, here), tasks: tasksOf(memberAssignment) }
    }),
  )
  return judgeGroup(groupId, found, members, acl)
}

/** The first question about a group in a cluster has its coordinator made, which takes a moment. */
async function askGroupPatiently(session: KafkaSession, groupId: string): ReturnType<typeof askGroup> {
  const cluster = await session.cluster()
  for (const giveUpAt = performance.now() + session.patienceMs / 2; ; await sleep(LOOK_AGAIN_MS)) {
    try {
      return await askGroup(cluster, groupId)
    } catch (error) {
      const { retriable } = toCtrError(error, session.brokers)
      if (!retriable || performance.now() > giveUpAt) throw error
    }
  }
}

function groupDenied(session: KafkaSession, acl: Acl): Finding {
  const { groupId } = session.config.kafka
  const error = Object.assign(new Error('access denied'), { type: 'GROUP_AUTHORIZATION_FAILED' })
  const refused = findingOf(toCtrError(error, session.brokers))
  return { ...refused, remedy: [refused.remedy, grant(acl, ['Read'], `--group ${groupId}`)].join('\n') }
}

/** What a start would begin at, and lose by it. */
async function offsets(session: KafkaSession, members: () => Promise<Finding>): Promise<Finding> {
  const { hasGroups } = await session.facts()
  const inputs = await session.inputs()
  if (!hasGroups) return ok('the group has no offsets yet; the first start begins as kafka.startFrom says')
  const { verdict } = await members().catch(findingOf)
  if (verdict !== 'ok') throw new NotLooked('the group can not be asked')
  const cluster = await session.cluster()
  await cluster.addMultipleTargetTopics(inputs.map(({ name }) => name))
  const { groupId, startFrom } = session.config.kafka
  const facts = await readFacts(cluster, groupId, inputs.flatMap(partitionsOf), undefined)
  const ids = new Map(inputs.flatMap((topic) => partitionsOf(topic).map((one) => [keyOf(one), topic.id])))
  const withIds = new Map([...facts].map(([key, each]) => [key, { ...each, topicId: ids.get(key) }]))
  return judgeOffsets(withIds, startFrom, session.brokers[0] ?? '')
}

/** A topic that records go to; the first one makes it. */
async function output(session: KafkaSession, topic: string, acl: Acl): Promise<Finding> {
  const { topics } = await session.facts()
  const found = topics.find(({ name }) => name === topic)
  if (found?.errorCode === 0) return judgeTopicRights([found], ['Write', 'Describe'], acl)
  if (found?.errorCode !== UNKNOWN_TOPIC) {
    return fault(`${acl.user} may not know of ${topic}`, grant(acl, ['Write', 'Describe', 'Create'], `--topic ${topic}`))
  }
  try {
    await tryTopic(await session.cluster(), topic, session.patienceMs)
    return ok(`${topic} is not there yet; the first record makes it`)
  } catch (error) {
    if (!isDenied(error)) throw error
    return fault(
      `${topic} is not there, and ${acl.user} may not make it`,
      `make it, or ${grant(acl, ['Create', 'Write', 'Describe'], `--topic ${topic}`)}`,
    )
  }
}

async function clock(session: KafkaSession): Promise<Finding> {
  const cluster = await session.cluster()
  const before = Date.now()
  const there = await askQuorumClock(cluster)
  if (typeof there === 'string') return skipped(`the controller's clock is not looked at: ${there}`)
  return judgeClock({ there, before, after: Date.now() }, "the controller's clock", 'what DescribeQuorum says of its leader')
}

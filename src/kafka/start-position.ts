/**
 * Where a partition begins: a pure decision from what the broker says about it, and the requests that ask.
 */
import type { Cluster } from 'kafkajs'
import type { OfferedPartition } from '../source/source.ts'
import { type CarriedFacts, isOtherTopic } from '../window/facts.ts'
import type { LedgerTotals } from '../window/ledger.ts'
import type { RevisionRule } from '../window/revision.ts'
import { decodeOffsetMetadata, type OffsetMetadata } from './offset-metadata.ts'

/** As `kafka.startFrom` of the configuration: for partitions that the group has no offset of. `committed` is as `earliest` there. */
export type StartFrom = 'committed' | 'earliest' | 'latest' | 'timestamp'

/** What `ctr run --reset` asks for; a number is a time, ms since the epoch. */
export type Reset = 'earliest' | 'latest' | number

/** A partition by name. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** What is known of a partition when it is assigned. Offsets are next offsets; `committed` is undefined when the group has none. */
export interface BrokerOffsets {
  readonly earliest: number
  readonly latest: number
  readonly committed: number | undefined
  /** Which topic of that name it is; undefined when the brokers don't say. */
  readonly topicId?: string | undefined
  /** What was committed with it; undefined when somebody else committed it. */
  readonly metadata: OffsetMetadata | undefined
  /** First offset at or after the start timestamp; undefined when it wasn't asked for or there is none. */
  readonly atTimestamp: number | undefined
}

/** Where to begin, and what was known of the prefix. */
export interface StartPosition {
  readonly position: number
  readonly maxEventTime: number | undefined
  readonly totals: LedgerTotals | undefined
  readonly carried?: CarriedFacts | undefined
  readonly origin: OfferedPartition['origin']
  readonly incarnation: number | undefined
  readonly revision?: RevisionRule | undefined
  readonly remade?: number | undefined
  /** Records that open windows need, from the committed offset on, are gone; how many, and in words. */
  readonly lost?: boolean
  readonly missing?: number | undefined
  readonly loss?: string | undefined
  /** Why it isn't the committed offset although there is one to go by. */
  readonly warning: string | undefined
}

/** A committed offset goes before `startFrom`, which is for a group's first start; `reset` goes before both. */
export function decideStart(startFrom: StartFrom, facts: BrokerOffsets, reset?: Reset): StartPosition {
  const { earliest, latest, committed, topicId } = facts
  const mark = facts.metadata?.facts
  const isOther = committed !== undefined && isOtherTopic(mark?.topicId, topicId)
  const remade = (mark?.remade ?? 0) + (isOther ? 1 : 0) || undefined
  const at = (position: number, warning?: string): StartPosition => {
    const origin = reset !== undefined ? 'asked' : committed === undefined ? 'none' : facts.metadata === undefined ? 'foreign' : 'mark'
    const { incarnation, revision } = facts.metadata ?? {}
    return { position, maxEventTime: undefined, totals: undefined, origin, incarnation, revision, remade, warning }
  }
  if (reset !== undefined || committed === undefined) {
    const from = typeof reset === 'number' ? 'timestamp' : (reset ?? startFrom)
    const position = from === 'latest' ? latest : from === 'timestamp' ? (facts.atTimestamp ?? latest) : earliest
    return at(position, reset === undefined ? undefined : resetWarning(reset, committed, position))
  }
  if (isOther) {
    const again = `the topic was deleted and made again (the committed offset ${committed} is of ${mark?.topicId}, now it is ${topicId})`
    const loss = `${again}: reading it from its beginning; windows that were open then are rebuilt in part unless a checkpoint has them`
    return { ...at(earliest, loss), lost: true, loss }
  }
  if (committed < earliest) {
    const loss = `records ${committed} to ${earliest - 1} are gone (retention): events are lost unless a checkpoint has them`
    return { ...at(earliest, loss), lost: true, missing: earliest - committed, loss }
  }
  if (committed > latest) {
    return at(earliest, `the committed offset ${committed} is past the end ${latest} (topic created again?): reading from the earliest`)
  }
  const { maxEventTime, totals, facts: known } = facts.metadata ?? {}
  const start = { ...at(committed), maxEventTime, totals, carried: known && { offset: committed, facts: known } }
  if (mark?.orphansUntil === undefined) return start
  const until = new Date(mark.orphansUntil).toISOString()
  const loss = `a topic was deleted and made again: windows up to ${until} held events of it, which only a checkpoint can bring back`
  return { ...start, lost: true, loss }
}

function resetWarning(reset: Reset, committed: number | undefined, position: number): string {
  const asked = `--reset ${typeof reset === 'number' ? new Date(reset).toISOString() : reset}: reading from ${position}`
  if (committed === undefined) return `${asked}; the group has no offset here`
  const instead = `${asked} instead of the group's offset ${committed}`
  if (position < committed) return `${instead}; records ${position} to ${committed - 1} are read again, open windows are begun anew`
  if (position === committed) return `${instead}; open windows are begun anew`
  return `${instead}; records ${committed} to ${position - 1} are passed over, open windows are begun anew without them`
}

/** The highest partition of each topic that the group has an offset of; `counts` says how many partitions a topic has. */
export async function highestCommitted(
  cluster: Cluster,
  groupId: string,
  counts: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const coordinator = await cluster.findGroupCoordinator({ groupId })
  const topics = [...counts].map(([topic, count]) => ({
    topic,
    partitions: Array.from({ length: count }, (_, partition) => ({ partition, offset: '-1' })),
  }))
  const { responses } = await coordinator.offsetFetch({ groupId, topics })
  return new Map(
    responses.map(({ topic, partitions }) => {
      return [topic, Math.max(-1, ...partitions.flatMap(({ partition, offset }) => (Number(offset) >= 0 ? partition : [])))]
    }),
  )
}

/** `topic/partition`, the key of the maps here. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** Asks the brokers about partitions. Committed offset and metadata come from one response, so they belong together. */
export async function readFacts(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
  timestamp: number | undefined,
): Promise<Map<string, BrokerOffsets>> {
  const coordinator = await cluster.findGroupCoordinator({ groupId })
  const request = byTopic(partitions).map(({ topic, partitions: list }) => ({
    topic,
    partitions: list.map(({ partition }) => ({ partition, offset: '-1' })),
  }))
  const [earliest, latest, atTimestamp, { responses }] = await Promise.all([
    listOffsets(cluster, partitions, 'earliest'),
    listOffsets(cluster, partitions, 'latest'),
    timestamp === undefined ? new Map<string, number>() : listOffsets(cluster, partitions, timestamp),
    coordinator.offsetFetch({ groupId, topics: request }),
  ])
  const committed = new Map<string, { offset: number; metadata: string | undefined }>()
  for (const { topic, partitions: list } of responses) {
    for (const entry of list) {
      const { partition, offset, metadata } = entry as typeof entry & { metadata?: string }
      if (Number(offset) >= 0) committed.set(keyOf({ topic, partition }), { offset: Number(offset), metadata })
    }
  }
  return new Map(
    partitions.map((one) => {
      const key = keyOf(one)
      const own = committed.get(key)
      const first = earliest.get(key) ?? 0
      const found = atTimestamp.get(key)
      const facts: BrokerOffsets = {
        earliest: first,
        latest: Math.max(first, latest.get(key) ?? first),
        committed: own?.offset,
        metadata: decodeOffsetMetadata(own?.metadata),
        atTimestamp: found === undefined || found < 0 ? undefined : found,
      }
      return [key, facts]
    }),
  )
}

/** Offsets by `keyOf`; 'latest' is the last stable offset, timestamps (ms) give the first record at or after, -1 when there is none. */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  at: 'earliest' | 'latest' | number,
): Promise<Map<string, number>> {
  const topics = byTopic(partitions).map(({ topic, partitions: list }) =>
    typeof at === 'number' ? { topic, partitions: list, fromTimestamp: at } : { topic, partitions: list, fromBeginning: at === 'earliest' },
  )
  const answers = await cluster.fetchTopicsOffset(topics)
  const offsets = new Map<string, number>()
  for (const { topic, partitions: list } of answers) {
    for (const { partition, offset } of list) offsets.set(keyOf({ topic, partition }), Number(offset))
  }
  for (const one of partitions) {
    if (!offsets.has(keyOf(one))) throw new Error(`no broker leads partition ${one.partition} of topic ${one.topic} at present`)
  }
  return offsets
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: { partition: number }[] }[] {
  const topics = new Map<string, { partition: number }[]>()
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic)
    if (list === undefined) topics.set(topic, [{ partition }])
    else list.push({ partition })
  }
  return [...topics].map(([topic, list]) => ({ topic, partitions: list }))
}

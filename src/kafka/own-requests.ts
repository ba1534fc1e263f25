/**
 * Requests in versions that kafkajs doesn't speak, sent over its connections: the ids of topics, and fetches by them; what the user may do
 * with topics and groups; the controller's clock. A broker that doesn't know them is asked as kafkajs does, or not at all.
 */
import type { Cluster } from 'kafkajs'
import type { FetchRequest } from './fetch-ahead.ts'
import { fetchById, knowsFetchById, type ReadIds } from './fetch-by-id.ts'
import { type DecodedFetch, FETCH_BY_ID_VERSION } from './fetch-response.ts'
import { decodeGroup, encodeDescribeGroup, GROUP_RIGHTS_VERSION, type GroupFacts } from './group-facts.ts'
import { decodeQuorumClock, encodeDescribeQuorum, QUORUM_CLOCK_VERSION } from './quorum-clock.ts'
import {
  decodeTopicIds,
  decodeTopics,
  encodeMetadataRequest,
  METADATA_IDS_MAX_VERSION,
  METADATA_IDS_MIN_VERSION,
  type TopicFacts,
} from './topic-ids.ts'

const FETCH_API_KEY = 1
const METADATA_API_KEY = 3
const DESCRIBE_GROUPS_API_KEY = 15
const DESCRIBE_QUORUM_API_KEY = 55

/** A request and how its answer is read, as kafkajs' connections take it. */
export interface Protocol {
  /** Another one than the connection's. */
  readonly clientId?: string
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName?: string
    /** What follows the header; kafkajs copies it. */
    readonly encode?: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: { decode(body: Buffer): Promise<unknown>; parse(decoded: never): Promise<unknown> }
}

/** The connections to a broker. */
export interface Connections {
  send(protocol: Protocol): Promise<unknown>
}

/** What a broker answers, by API key. */
export type ApiVersions = Readonly<Record<number, { readonly minVersion: number; maxVersion: number }>>

interface AskedBroker {
  readonly connectionPool: Connections
  /** Asks this broker; what kafkajs keeps is what the first one said, and brokers are upgraded one after the other. */
  apiVersions(): Promise<ApiVersions>
}

interface AskedForCoordinator extends AskedBroker {
  findGroupCoordinator(request: { readonly groupId: string }): Promise<{ readonly coordinator: { readonly nodeId: number } }>
}

interface FetchedBroker extends AskedBroker {
  fetch(request: FetchRequest): Promise<DecodedFetch>
  disconnect(): Promise<void>
}

/** How a response to a fetch of some version is read; `names` of the ids that were asked for. */
export type FetchDecoding = (version: number, names?: ReadonlyMap<string, string>) => Protocol['response']

/**
 * Ids of topics by name, as some broker knows them; a topic that is not there is left out. undefined when the brokers give topics no ids,
 * as before Kafka 2.8.
 */
export async function askTopicIds(cluster: Cluster, topics: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> {
  const ids = await askMetadata(cluster, topics, false, decodeTopicIds)
  return ids !== undefined && ids.size > 0 && [...ids.values()].every((id) => id === '') ? undefined : ids
}

/** What some broker says of topics, those that are not there included; undefined of brokers before Kafka 2.8, which don't say rights. */
export async function askTopicFacts(cluster: Cluster, topics: readonly string[]): Promise<readonly TopicFacts[] | undefined> {
  return askMetadata(cluster, topics, true, decodeTopics)
}

async function askMetadata<T>(
  cluster: Cluster,
  topics: readonly string[],
  withOperations: boolean,
  decode: (body: Buffer) => T,
): Promise<T | undefined> {
  const broker = await someBroker(cluster)
  const { minVersion = 0, maxVersion = 0 } = (await broker.apiVersions())[METADATA_API_KEY] ?? {}
  const version = Math.min(maxVersion, METADATA_IDS_MAX_VERSION)
  if (version < Math.max(minVersion, METADATA_IDS_MIN_VERSION)) return undefined
  const request = requestOf(METADATA_API_KEY, 'Metadata', version, encodeMetadataRequest(version, topics, withOperations))
  return (await broker.connectionPool.send({ request, response: decodedBy(decode) })) as T
}

/** The group as its coordinator knows it, with the user's rights; undefined of brokers before Kafka 2.3, which don't say rights. */
export async function askGroup(cluster: Cluster, groupId: string): Promise<GroupFacts | undefined> {
  const { coordinator: found } = await askCoordinator(cluster, groupId)
  const coordinator = (await cluster.findBroker({ nodeId: String(found.nodeId) })) as unknown as AskedBroker
  if (!speaks(await coordinator.apiVersions(), DESCRIBE_GROUPS_API_KEY, GROUP_RIGHTS_VERSION)) return undefined
  const request = requestOf(DESCRIBE_GROUPS_API_KEY, 'DescribeGroups', GROUP_RIGHTS_VERSION, encodeDescribeGroup(groupId))
  return (await coordinator.connectionPool.send({ request, response: decodedBy(decodeGroup) })) as GroupFacts
}

/** Which broker coordinates the group. kafkajs' own search says of every failure that there is no coordinator; this says what it is. */
export async function askCoordinator(cluster: Cluster, groupId: string): Promise<{ readonly coordinator: { readonly nodeId: number } }> {
  return ((await someBroker(cluster)) as AskedForCoordinator).findGroupCoordinator({ groupId })
}

/** The controller's clock as a broker hands it on, ms since the epoch; a text when it can't be had, which says why. */
export async function askQuorumClock(cluster: Cluster): Promise<number | string> {
  const broker = await someBroker(cluster)
  if (!speaks(await broker.apiVersions(), DESCRIBE_QUORUM_API_KEY, QUORUM_CLOCK_VERSION)) {
    return 'brokers before Kafka 3.3, and those with ZooKeeper, have no answer that says their time'
  }
  const request = requestOf(DESCRIBE_QUORUM_API_KEY, 'DescribeQuorum', QUORUM_CLOCK_VERSION, encodeDescribeQuorum())
  return (await broker.connectionPool.send({ request, response: decodedBy(decodeQuorumClock) })) as number | string
}

/** What a broker that is connected answers to, by API key. */
export async function askApiVersions(cluster: Cluster): Promise<ApiVersions> {
  return (await someBroker(cluster)).apiVersions()
}

/** The brokers of the cluster by number, under the addresses that they give of themselves; as of the last metadata. */
export function brokersOf(cluster: Cluster): readonly { readonly nodeId: number; readonly host: string; readonly port: number }[] {
  const { brokerPool } = cluster as unknown as {
    readonly brokerPool: { readonly metadata?: { readonly brokers: { nodeId: number; host: string; port: number }[] } }
  }
  return brokerPool.metadata?.brokers ?? []
}

function someBroker(cluster: Cluster): Promise<AskedBroker> {
  const { brokerPool } = cluster as unknown as { readonly brokerPool: { findConnectedBroker(): Promise<AskedBroker> } }
  return brokerPool.findConnectedBroker()
}

function speaks(versions: ApiVersions, apiKey: number, version: number): boolean {
  const { minVersion = 1, maxVersion = 0 } = versions[apiKey] ?? {}
  return minVersion <= version && version <= maxVersion
}

function decodedBy<T>(decode: (body: Buffer) => T): Protocol['response'] {
  return { decode: async (body) => decode(body), parse: async (decoded: T) => decoded }
}

/** Fetches by id if the broker can and all ids are known, else as kafkajs does. */
export function fetchOf(broker: FetchedBroker, ids: ReadIds, decoding: FetchDecoding): FetchedBroker['fetch'] {
  const byName = broker.fetch.bind(broker)
  let canById: boolean | undefined
  return async (request) => {
    const byId = canById === false ? undefined : fetchById(request, ids)
    if (byId === undefined) return byName(request)
    canById ??= knowsFetchById((await broker.apiVersions())[FETCH_API_KEY])
    if (!canById) return byName(request)
    const fetch = requestOf(FETCH_API_KEY, 'Fetch', FETCH_BY_ID_VERSION, byId.payload)
    try {
      return (await broker.connectionPool.send({ request: fetch, response: decoding(FETCH_BY_ID_VERSION, byId.names) })) as DecodedFetch
    } catch (error) {
      if ((error as { name?: unknown }).name === 'KafkaJSConnectionClosedError') await broker.disconnect()
      throw error
    }
  }
}

/** Errors of a response, and of each partition in it, are thrown as kafkajs' own; `answered` is told of one without any. */
export function fetchResponse(
  decode: (body: Buffer) => DecodedFetch,
  errorOf: (code: number) => Error,
  answered: () => void,
): Protocol['response'] {
  return {
    decode: async (body) => decode(body),
    parse: async (decoded: DecodedFetch) => {
      if (decoded.errorCode !== 0) throw errorOf(decoded.errorCode)
      for (const { partitions } of decoded.responses) {
        for (const { errorCode } of partitions) if (errorCode !== 0) throw errorOf(errorCode)
      }
      answered()
      return decoded
    },
  }
}

function requestOf(apiKey: number, apiName: string, apiVersion: number, payload: Buffer): Protocol['request'] {
  return { apiKey, apiName, apiVersion, encode: async () => ({ buf: payload, buffer: payload }) }
}

/**
 * The only file that knows kafkajs from within. Pinned to one version, which no longer changes; anything else is refused at start.
 *
 * Three things are mended for every client of the process:
 * - `Connection.processData` keeps an empty remainder after each response, so that the next one is concatenated (copied) with nothing;
 * - `RequestQueue.scheduleCheckPendingRequests` arms a timer with a negative time (TimeoutNegativeWarning) though nothing waits, and that
 *   timer arms the next: every connection that has ever had a response wakes the process up each millisecond;
 * - `Connection.send` lets a request be of another client than its connection is.
 *
 * And for a consumer's cluster, which kafkajs hands to its partition assigners, the decoding of Fetch responses is replaced
 * (fetch-response.ts). Groups, authentication, metadata, retries and the requests themselves stay kafkajs' own; one fetch is kept ahead
 * (fetch-ahead.ts), and how much it waits for follows the stream (fetch-pace.ts).
 *
 * A connection on which a request has timed out is dropped, as the Java client does. Denied access to the group is told as such when its
 * coordinator is looked for.
 *
 * Of a consumer's place in its group kafkajs tells too little, so its joins are listened to. A consumer that is run anew after a crash
 * joins under the id it had: as a stranger it would wait until its old self's session ends. A consumer that is closed while it joins takes
 * the join back, and one whose join was not answered does so before the next one.
 *
 * Consumers join under a name of their own (proof-of-life.ts), beside which all else keeps kafka.clientId, and by JoinGroup version 3: from
 * version 4 on a first join takes two requests, and a member that dies between them is shown to nobody while everybody waits for it.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Broker, Cluster } from 'kafkajs'
import { CtrError } from '../errors.ts'
import { type FetchRequest, fetchAhead } from './fetch-ahead.ts'
import type { ReadIds } from './fetch-by-id.ts'
import { pacedFetch } from './fetch-pace.ts'
import {
  type DecodedFetch,
  decodeFetch,
  FETCH_BY_ID_VERSION,
  FETCH_MAX_VERSION,
  FETCH_MIN_VERSION,
  type FetchListener,
} from './fetch-response.ts'
import { fetchInTurns } from './fetch-turns.ts'
import type { FramePool } from './frame-pool.ts'
import type { DescribedGroup } from './group-facts.ts'
import { isDenied } from './kafka-errors.ts'
import {
  type ApiVersions,
  askCoordinator,
  type Connections,
  type FetchDecoding,
  fetchOf,
  fetchResponse,
  type Protocol,
} from './own-requests.ts'

/** The version whose internals this file fits. */
export const KAFKAJS_VERSION = '2.2.4'
const FETCH_API_KEY = 1
const JOIN_API_KEY = 11
const LEAVE_API_KEY = 13
const DESCRIBE_API_KEY = 15
const JOIN_MAX_VERSION = 3
/** Which of a broker's two connections kafkajs fetches on; the other is for the rest. */
const FETCH_CONNECTION = 1
/** kafkajs' own: how soon a request that waits for a free slot is looked at again. */
const PENDING_CHECK_MS = 10

interface Connection {
  chunks: Buffer[]
  readonly clientId: string
  readonly socket?: Socket | undefined
  processData(data: Buffer): void
  send(protocol: Protocol): Promise<unknown>
}

interface RequestQueue {
  pending: unknown[]
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** Fetch requests have the second connection for themselves. */
interface ConnectionPool extends Connections {
  readonly pool: readonly Connection[]
  getConnection(index: number): Promise<Connections>
}

interface BrokerPool {
  readonly brokers: Readonly<Record<string, { readonly connectionPool: ConnectionPool }>>
  readonly seedBroker: { readonly connectionPool: ConnectionPool } | undefined
}

interface JoinRequest {
  readonly groupId: string
  readonly memberId: string
}

interface AdaptedBroker extends Omit<Broker, 'fetch' | 'describeGroups'>, GroupCoordinator {
  fetch(request: FetchRequest): Promise<DecodedFetch>
  readonly connectionPool: ConnectionPool
  /** All brokers of a cluster share it. */
  readonly versions: ApiVersions | null
  apiVersions(): Promise<ApiVersions>
  disconnect(): Promise<void>
  joinGroup(request: JoinRequest): Promise<{ readonly memberId: string; readonly generationId: number }>
  syncGroup(request: object): Promise<unknown>
}

/** What is told of a consumer's cluster. */
export interface ClusterListener extends FetchListener {
  /** A fetch was answered, and no partition of it had an error. */
  answered(): void
}

/** A consumer's place in its group. */
export interface Membership {
  /** Of its last join that was answered; -1 before that. */
  readonly generation: number
  /** What the coordinator knows it as; '' before the first join. */
  readonly id: string
  /** The coordinator while a join, or the assignment that follows it, is waited for. */
  readonly joining: GroupCoordinator | undefined
  /**
   * Takes back a join that still waits for the other members, so that they don't wait for one that will never come, or leave it its
   * share. The consumer joins no more.
   */
  takeBackJoin(groupId: string): Promise<void>
}

interface Member {
  /** What it joins as. */
  readonly name: () => string
  /** What the coordinator knows it as; '' before the first join. */
  id: string
  generation: number
  /** The coordinator, from the request to join until the assignment has come. */
  joining: GroupCoordinator | undefined
  /** A join that was not answered may have made a member all the same. */
  unanswered: boolean
  /** It joins no more. */
  left: boolean
}

/** The coordinator of a group, as far as members are looked at and made to leave. */
export interface GroupCoordinator {
  describeGroups(request: { readonly groupIds: readonly string[] }): Promise<{ readonly groups: readonly DescribedGroup[] }>
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>
}

interface Internals {
  readonly version: string
  readonly connection: { prototype: Connection }
  readonly requestQueue: { prototype: RequestQueue }
  readonly createErrorFromCode: (code: number) => Error
}

/** Reads kafkajs' internals. Throws CTR_KAFKA_VERSION when they aren't the ones this file was written for. */
export function readInternals(require: (path: string) => unknown = createRequire(import.meta.url)): Internals {
  const { version } = require('kafkajs/package.json') as { version: string }
  const remedy = `install exactly kafkajs ${KAFKAJS_VERSION} (npm ci)`
  if (version !== KAFKAJS_VERSION) throw new CtrError('CTR_KAFKA_VERSION', `kafkajs ${version} is installed: ${remedy}`)
  const connection = require('kafkajs/src/network/connection') as Internals['connection']
  const requestQueue = require('kafkajs/src/network/requestQueue') as Internals['requestQueue']
  const { createErrorFromCode } = require('kafkajs/src/protocol/error') as Pick<Internals, 'createErrorFromCode'>
  const whole =
    typeof connection.prototype?.processData === 'function' &&
    typeof connection.prototype?.send === 'function' &&
    typeof requestQueue.prototype?.scheduleCheckPendingRequests === 'function' &&
    typeof createErrorFromCode === 'function'
  if (!whole) throw new CtrError('CTR_KAFKA_VERSION', `kafkajs ${version} is not the published one inside: ${remedy}`)
  return { version, connection, requestQueue, createErrorFromCode }
}

let mended: Internals | undefined

/** Applies the repairs, once per process. Throws CTR_KAFKA_VERSION. */
export function mendKafkajs(): void {
  internals()
}

function internals(): Internals {
  if (mended !== undefined) return mended
  mended = readInternals()
  const connection = mended.connection.prototype
  const { processData, send } = connection
  connection.send = function (protocol) {
    const { clientId } = protocol
    return send.call(clientId === undefined ? this : namedAs(this, clientId), protocol)
  }
  connection.processData = function (data) {
    if (this.chunks.length === 1 && this.chunks[0]?.length === 0) this.chunks = []
    processData.call(this, data)
  }
  mended.requestQueue.prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return
    const throttledMs = this.throttledUntil - Date.now()
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null
        this.checkPendingRequests()
      },
      throttledMs > 0 ? throttledMs : PENDING_CHECK_MS,
    )
  }
  return mended
}

/** The same connection, whose requests are of another client. */
function namedAs(connection: Connection, clientId: string): Connection {
  return new Proxy(connection, { get: (target, key) => (key === 'clientId' ? clientId : Reflect.get(target, key, target)) })
}

/** Waits until the group has a coordinator that answers, as long as kafkajs tries. */
export async function findCoordinator(cluster: Cluster, groupId: string): Promise<GroupCoordinator> {
  return (await cluster.findGroupCoordinator({ groupId })) as unknown as GroupCoordinator
}

/**
 * From now on the cluster decodes Fetch responses by fetch-response.ts, out of frames of `pool`, and fetches topics of which `ids` has one
 * by it where the broker can; its consumer keeps its member id and joins as `name` says. What is returned follows the consumer's place in
 * its group.
 */
export function adaptCluster(cluster: Cluster, pool: FramePool, listener: ClusterListener, ids: ReadIds, name: () => string): Membership {
  const adapted = new WeakSet<object>()
  const member: Member = { name, id: '', generation: -1, joining: undefined, unanswered: false, left: false }
  const findCoordinatorOf = cluster.findGroupCoordinatorMetadata.bind(cluster)
  cluster.findGroupCoordinatorMetadata = (group) =>
    findCoordinatorOf(group).catch(async (error: unknown) => {
      // It would be waited for, as if it were not there yet.
      throw await askCoordinator(cluster, group.groupId).then(
        () => error,
        (reason: unknown) => (isDenied(reason) ? reason : error),
      )
    })
  const findBroker = cluster.findBroker.bind(cluster)
  cluster.findBroker = async (node) => {
    const found = await findBroker(node)
    const broker = found as unknown as AdaptedBroker
    const { connectionPool } = broker
    const join = broker.versions?.[JOIN_API_KEY]
    if (join !== undefined && join.minVersion <= JOIN_MAX_VERSION) join.maxVersion = Math.min(join.maxVersion, JOIN_MAX_VERSION)
    if (!adapted.has(connectionPool)) {
      adapted.add(connectionPool)
      adaptConnections(connectionPool, pool, listener)
      adaptGroupRequests(connectionPool, member)
    }
    if (!adapted.has(broker)) {
      adapted.add(broker)
      adaptMembership(broker, member)
      const fetch = fetchInTurns(fetchOf(broker, ids, decodeWith(pool, listener)))
      broker.fetch = fetchAhead(pacedFetch(fetch, performance.now.bind(performance)))
    }
    return found
  }
  return {
    get generation() {
      return member.generation
    },
    get id() {
      return member.id
    },
    get joining() {
      return member.joining
    },
    async takeBackJoin(groupId) {
      const { joining } = member
      member.left = true
      if (joining !== undefined) await leaveByName(joining, groupId, member)
    },
  }
}

/** From now on the cluster decodes Fetch responses by fetch-response.ts, for one that reads without a group. Frames are the caller's. */
export function adaptReader(cluster: Cluster, pool: FramePool, listener: ClusterListener): void {
  const adapted = new WeakSet<object>()
  const findBroker = cluster.findBroker.bind(cluster)
  cluster.findBroker = async (node) => {
    const found = await findBroker(node)
    const { connectionPool } = found as unknown as AdaptedBroker
    if (!adapted.has(connectionPool)) {
      adapted.add(connectionPool)
      adaptConnections(connectionPool, pool, listener)
    }
    return found
  }
}

/** Breaks every connection of the cluster, and with it whatever waits for an answer; kafkajs makes new ones when it needs them. */
export function dropConnections(cluster: Cluster): void {
  const { brokers, seedBroker } = (cluster as unknown as { readonly brokerPool: BrokerPool }).brokerPool
  for (const broker of new Set([...Object.values(brokers), seedBroker])) {
    for (const connection of broker?.connectionPool.pool ?? []) drop(connection, 'nothing comes any more')
  }
}

/** With an error, since kafkajs takes no notice of a socket that merely closes. */
function drop(connection: Connection | undefined, why: string): void {
  connection?.socket?.destroy(new Error(`dropped by this client: ${why}`))
}

/** The member may have an id that it has not been told yet. */
async function leaveByName(coordinator: GroupCoordinator, groupId: string, { id, name }: Member): Promise<void> {
  const { groups } = await coordinator.describeGroups({ groupIds: [groupId] })
  const own = groups.flatMap(({ members }) => members).filter(({ memberId, clientId }) => memberId === id || clientId === name())
  for (const { memberId } of own) await coordinator.leaveGroup({ groupId, memberId })
}

function adaptMembership(broker: AdaptedBroker, member: Member): void {
  const joinGroup = broker.joinGroup.bind(broker)
  broker.joinGroup = async (request) => {
    if (member.left) throw new CtrError('CTR_KAFKA_CRASHED', 'the consumer has left its group and is being closed')
    const memberId = request.memberId || member.id
    if (memberId === '' && member.unanswered) await leaveByName(broker, request.groupId, member)
    member.joining = broker
    member.unanswered = memberId === ''
    try {
      const joined = await joinGroup({ ...request, memberId })
      member.id = joined.memberId
      member.generation = joined.generationId
      member.unanswered = false
      return joined
    } catch (error) {
      const { type } = error as { type?: unknown }
      if (type === 'UNKNOWN_MEMBER_ID') member.id = ''
      if (type !== undefined) member.unanswered = false
      member.joining = undefined
      throw error
    }
  }
  const syncGroup = broker.syncGroup.bind(broker)
  broker.syncGroup = (request) =>
    syncGroup(request).finally(() => {
      member.joining = undefined
    })
}

/**
 * A join goes out under the consumer's own name. While it is waited for, the group is looked at, and members leave it, on the other
 * connection: on its own the coordinator answers nothing before the join.
 */
function adaptGroupRequests(connections: ConnectionPool, member: Member): void {
  const send = connections.send.bind(connections)
  connections.send = async (protocol) => {
    const { apiKey } = protocol.request
    const aside = member.joining !== undefined && (apiKey === LEAVE_API_KEY || apiKey === DESCRIBE_API_KEY)
    if (aside) return (await connections.getConnection(FETCH_CONNECTION)).send(protocol)
    return send(apiKey === JOIN_API_KEY ? { ...protocol, clientId: member.name() } : protocol)
  }
}

function adaptConnections(connections: ConnectionPool, pool: FramePool, listener: ClusterListener): void {
  const bare = connections.send.bind(connections)
  // kafkajs would go on to use a connection that has let a request time out, until TCP gives it up a quarter of an hour later.
  const send = (protocol: Protocol) =>
    bare(protocol).catch((error: unknown) => {
      if ((error as { name?: unknown }).name === 'KafkaJSRequestTimeoutError') {
        drop(connections.pool[protocol.request.apiKey === FETCH_API_KEY ? 1 : 0], 'a request has timed out')
      }
      throw error
    })
  connections.send = (protocol) => {
    const { apiKey, apiVersion } = protocol.request
    if (apiKey !== FETCH_API_KEY || apiVersion === FETCH_BY_ID_VERSION) return send(protocol)
    if (apiVersion < FETCH_MIN_VERSION || apiVersion > FETCH_MAX_VERSION) {
      const message = `the broker and kafkajs agree on Fetch version ${apiVersion}: Kafka 0.11 or newer is needed`
      return Promise.reject(new CtrError('CTR_KAFKA_VERSION', message))
    }
    return send({ ...protocol, response: decodeWith(pool, listener)(apiVersion) })
  }
}

function decodeWith(pool: FramePool, listener: ClusterListener): FetchDecoding {
  const { createErrorFromCode } = internals()
  const answered = () => listener.answered()
  return (version, names) => {
    return fetchResponse((body) => decodeFetch(version, body, pool.frameOf(body), listener, names), createErrorFromCode, answered)
  }
}

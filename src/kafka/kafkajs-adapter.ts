/**
 * The only file that knows kafkajs from within. Pinned to one version, which no longer changes; anything else is refused at start.
 *
 * Two things are mended for every client of the process:
 * - `Connection.processData` keeps an empty remainder after each response, so that the next one is concatenated (copied) with nothing;
 * - `RequestQueue.scheduleCheckPendingRequests` arms a timer with a negative time (TimeoutNegativeWarning) though nothing waits, and that
 *   timer arms the next: every connection that has ever had a response wakes the process up each millisecond.
 *
 * And for a consumer's cluster, which kafkajs hands to its partition assigners, the decoding of Fetch responses is replaced
 * (fetch-response.ts). Groups, authentication, metadata, retries and the requests themselves stay kafkajs' own; one fetch is kept ahead
 * (fetch-ahead.ts), and how much it waits for follows the stream (fetch-pace.ts).
 *
 * A connection on which a request has timed out is dropped, as the Java client does.
 *
 * Of a consumer's place in its group kafkajs tells too little, so its joins are listened to. A consumer that is run anew after a crash
 * joins under the id it had, also if the coordinator had only just given it out: as a stranger it would wait until its old self's session
 * ends. A consumer that is closed while it joins takes the join back.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Broker, Cluster } from 'kafkajs'
import { CtrError } from '../errors.ts'
import { type FetchRequest, fetchAhead } from './fetch-ahead.ts'
import { pacedFetch } from './fetch-pace.ts'
import { type DecodedFetch, decodeFetch, FETCH_MAX_VERSION, FETCH_MIN_VERSION, type FetchListener } from './fetch-response.ts'
import type { FramePool } from './frame-pool.ts'

/** The version whose internals this file fits. */
export const KAFKAJS_VERSION = '2.2.4'
const FETCH_API_KEY = 1
const JOIN_API_KEY = 11
const LEAVE_API_KEY = 13
/** Which of a broker's two connections kafkajs fetches on; the other is for the rest. */
const FETCH_CONNECTION = 1
/** kafkajs' own: how soon a request that waits for a free slot is looked at again. */
const PENDING_CHECK_MS = 10

interface Connection {
  chunks: Buffer[]
  readonly socket?: Socket | undefined
  processData(data: Buffer): void
}

interface RequestQueue {
  pending: unknown[]
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

interface Protocol {
  readonly request: { readonly apiKey: number; readonly apiVersion: number }
  readonly response: { decode(body: Buffer): Promise<DecodedFetch>; parse(decoded: DecodedFetch): Promise<DecodedFetch> }
}

interface ConnectionPool {
  /** Fetch requests have the second one for themselves. */
  readonly pool: readonly Connection[]
  send(protocol: Protocol): Promise<unknown>
  getConnection(index: number): Promise<{ send(protocol: Protocol): Promise<unknown> }>
}

interface BrokerPool {
  readonly brokers: Readonly<Record<string, { readonly connectionPool: ConnectionPool }>>
  readonly seedBroker: { readonly connectionPool: ConnectionPool } | undefined
}

interface JoinRequest {
  readonly memberId: string
}

interface AdaptedBroker extends Omit<Broker, 'fetch' | 'describeGroups'>, GroupCoordinator {
  fetch(request: FetchRequest): Promise<DecodedFetch>
  readonly connectionPool: ConnectionPool
  joinGroup(request: JoinRequest): Promise<{ readonly memberId: string; readonly generationId: number }>
  syncGroup(request: object): Promise<unknown>
}

/** A consumer's place in its group. */
export interface Membership {
  /** Of its last join that was answered; -1 before that. */
  readonly generation: number
  /**
   * Takes back a join that still waits for the other members, so that they don't wait for one that will never come, or leave it its
   * share. The consumer joins no more.
   */
  takeBackJoin(groupId: string): Promise<void>
}

interface Member {
  /** What the coordinator knows it as; '' before the first join. */
  id: string
  generation: number
  /** The coordinator, from the request to join until the assignment has come. */
  joining: GroupCoordinator | undefined
  /** It joins no more. */
  left: boolean
}

/** The coordinator of a group, as far as members are looked at and made to leave. */
export interface GroupCoordinator {
  describeGroups(request: { readonly groupIds: readonly string[] }): Promise<{ readonly groups: readonly DescribedGroup[] }>
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>
}

/** A group as its coordinator describes it; `memberMetadata` is empty while the group rebalances. */
export interface DescribedGroup {
  readonly members: readonly { readonly memberId: string; readonly clientId: string; readonly memberMetadata: Buffer }[]
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
    typeof requestQueue.prototype?.scheduleCheckPendingRequests === 'function' &&
    typeof createErrorFromCode === 'function'
  if (!whole) throw new CtrError('CTR_KAFKA_VERSION', `kafkajs ${version} is not the published one inside: ${remedy}`)
  return { version, connection, requestQueue, createErrorFromCode }
}

let mended: Internals | undefined

/** Applies the two repairs, once per process. Throws CTR_KAFKA_VERSION. */
export function mendKafkajs(): void {
  internals()
}

function internals(): Internals {
  if (mended !== undefined) return mended
  mended = readInternals()
  const connection = mended.connection.prototype
  const { processData } = connection
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

/** Waits until the group has a coordinator that answers, as long as kafkajs tries. */
export async function findCoordinator(cluster: Cluster, groupId: string): Promise<GroupCoordinator> {
  return (await cluster.findGroupCoordinator({ groupId })) as unknown as GroupCoordinator
}

/**
 * From now on the cluster decodes Fetch responses by fetch-response.ts, out of frames of `pool`, and its consumer keeps its member id.
 * What is returned follows the consumer's place in its group.
 */
export function adaptCluster(cluster: Cluster, pool: FramePool, listener: FetchListener): Membership {
  const { createErrorFromCode } = internals()
  const adapted = new WeakSet<object>()
  const member: Member = { id: '', generation: -1, joining: undefined, left: false }
  const findBroker = cluster.findBroker.bind(cluster)
  cluster.findBroker = async (node) => {
    const found = await findBroker(node)
    const broker = found as unknown as AdaptedBroker
    const { connectionPool } = broker
    if (!adapted.has(connectionPool)) {
      adapted.add(connectionPool)
      adaptConnections(connectionPool, pool, listener, createErrorFromCode)
      adaptGroupRequests(connectionPool, member)
    }
    if (!adapted.has(broker)) {
      adapted.add(broker)
      adaptMembership(broker, member)
      broker.fetch = fetchAhead(pacedFetch(broker.fetch.bind(broker), performance.now.bind(performance)))
    }
    return found
  }
  return {
    get generation() {
      return member.generation
    },
    async takeBackJoin(groupId) {
      const { joining, id } = member
      if (joining === undefined || id === '') return
      member.left = true
      await joining.leaveGroup({ groupId, memberId: id })
    },
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

function adaptMembership(broker: AdaptedBroker, member: Member): void {
  const joinGroup = broker.joinGroup.bind(broker)
  broker.joinGroup = async (request) => {
    if (member.left) throw new CtrError('CTR_KAFKA_CRASHED', 'the consumer has left its group and is being closed')
    member.joining = broker
    try {
      const joined = await joinGroup({ ...request, memberId: request.memberId || member.id })
      member.id = joined.memberId
      member.generation = joined.generationId
      return joined
    } catch (error) {
      if ((error as { type?: unknown }).type === 'UNKNOWN_MEMBER_ID') member.id = ''
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
 * A first join is answered with an id to join with; kafkajs does so by itself, and loses the id when that fails. And a join is taken back
 * on the other connection: on its own the coordinator answers nothing before the join.
 */
function adaptGroupRequests(connections: ConnectionPool, member: Member): void {
  const send = connections.send.bind(connections)
  connections.send = async (protocol) => {
    const { apiKey } = protocol.request
    if (apiKey === LEAVE_API_KEY && member.left) return (await connections.getConnection(FETCH_CONNECTION)).send(protocol)
    try {
      return await send(protocol)
    } catch (error) {
      const { memberId } = error as { memberId?: unknown }
      if (apiKey === JOIN_API_KEY && typeof memberId === 'string') member.id = memberId
      throw error
    }
  }
}

function adaptConnections(
  connections: ConnectionPool,
  pool: FramePool,
  listener: FetchListener,
  createErrorFromCode: (code: number) => Error,
): void {
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
    if (apiKey !== FETCH_API_KEY) return send(protocol)
    if (apiVersion < FETCH_MIN_VERSION || apiVersion > FETCH_MAX_VERSION) {
      const message = `the broker and kafkajs agree on Fetch version ${apiVersion}: Kafka 0.11 or newer is needed`
      return Promise.reject(new CtrError('CTR_KAFKA_VERSION', message))
    }
    const response = {
      decode: async (body: Buffer) => decodeFetch(apiVersion, body, pool.frameOf(body), listener),
      parse: async (decoded: DecodedFetch) => {
        if (decoded.errorCode !== 0) throw createErrorFromCode(decoded.errorCode)
        for (const { partitions } of decoded.responses) {
          for (const { errorCode } of partitions) if (errorCode !== 0) throw createErrorFromCode(errorCode)
        }
        return decoded
      },
    }
    return send({ ...protocol, response })
  }
}

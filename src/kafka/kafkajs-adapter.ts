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
 * (fetch-ahead.ts).
 *
 * A consumer that kafkajs runs anew after a crash joins under the id it had: as a stranger it would wait until its old self's session ends.
 */
import { createRequire } from 'node:module'
import type { Broker, Cluster } from 'kafkajs'
import { CtrError } from '../errors.ts'
import { type FetchRequest, fetchAhead } from './fetch-ahead.ts'
import { type DecodedFetch, decodeFetch, FETCH_MAX_VERSION, FETCH_MIN_VERSION, type FetchListener } from './fetch-response.ts'
import type { FramePool } from './frame-pool.ts'

/** The version whose internals this file fits. */
export const KAFKAJS_VERSION = '2.2.4'
const FETCH_API_KEY = 1
/** kafkajs' own: how soon a request that waits for a free slot is looked at again. */
const PENDING_CHECK_MS = 10

interface Connection {
  chunks: Buffer[]
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
  send(protocol: Protocol): Promise<unknown>
}

interface JoinRequest {
  readonly memberId: string
}

interface AdaptedBroker extends Omit<Broker, 'fetch'> {
  fetch(request: FetchRequest): Promise<DecodedFetch>
  readonly connectionPool: ConnectionPool
  joinGroup(request: JoinRequest): Promise<{ readonly memberId: string }>
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

/** From now on the cluster decodes Fetch responses by fetch-response.ts, out of frames of `pool`, and its consumer keeps its member id. */
export function adaptCluster(cluster: Cluster, pool: FramePool, listener: FetchListener): void {
  const { createErrorFromCode } = internals()
  const adapted = new WeakSet<object>()
  const member = { id: '' }
  const findBroker = cluster.findBroker.bind(cluster)
  cluster.findBroker = async (node) => {
    const found = await findBroker(node)
    const broker = found as unknown as AdaptedBroker
    const { connectionPool } = broker
    if (!adapted.has(connectionPool)) {
      adapted.add(connectionPool)
      adaptConnections(connectionPool, pool, listener, createErrorFromCode)
    }
    if (!adapted.has(broker)) {
      adapted.add(broker)
      adaptMembership(broker, member)
      broker.fetch = fetchAhead(broker.fetch.bind(broker))
    }
    return found
  }
}

function adaptMembership(broker: AdaptedBroker, member: { id: string }): void {
  const joinGroup = broker.joinGroup.bind(broker)
  broker.joinGroup = async (request) => {
    try {
      const joined = await joinGroup({ ...request, memberId: request.memberId || member.id })
      member.id = joined.memberId
      return joined
    } catch (error) {
      if ((error as { type?: unknown }).type === 'UNKNOWN_MEMBER_ID') member.id = ''
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
  const send = connections.send.bind(connections)
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

/**
 * How a kafkajs client is made here: frame sockets, security, and kafkajs' logs on our logger.
 */

import type { Cluster, ISocketFactory, Kafka, KafkaConfig, LogEntry, RetryOptions, SASLOptions } from 'kafkajs'
import kafkajs from 'kafkajs'
import type { Logger } from 'pino'
import type { Backoff } from '../backoff.ts'
import { CtrError } from '../errors.ts'
import type { FramePool } from './frame-pool.ts'
import { frameSocketFactory } from './frame-socket.ts'
import { KAFKAJS_VERSION, mendKafkajs } from './kafkajs-adapter.ts'

/** As `kafka.security` of the configuration; certificates and keys are PEM text. */
export interface KafkaSecurity {
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  readonly sasl?:
    | { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly username: string; readonly password: string }
    | undefined
  readonly ssl?:
    | {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
        readonly rejectUnauthorized?: boolean | undefined
      }
    | undefined
}

/** What every client needs. Times are ms. */
export interface KafkaClientOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly connectionTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly security: KafkaSecurity
  /** How often a connection or request is tried anew; CLIENT_RETRY when not given. */
  readonly retry?: RetryOptions | undefined
  readonly logger: Logger
}

/** Short rounds: what they don't bridge is bridged by the caller, who also says what is going on. */
export const CLIENT_RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 4, multiplier: 2, factor: 0.2 }

/** Between the caller's own rounds: a quarter more or less than the bound. */
export const CLIENT_BACKOFF: Backoff = { firstMs: 200, maxMs: 10_000, shares: [0.75, 1.25] }

const SAME_AGAIN_MS = 10_000
const KINDS_MAX = 100

/**
 * A client whose responses come in frames of `pool`, over sockets of `sockets`. Throws CTR_KAFKA_VERSION when kafkajs is not the pinned
 * one.
 */
export function kafkaClient(options: KafkaClientOptions, pool: FramePool, sockets: ISocketFactory = frameSocketFactory(pool)): Kafka {
  mendKafkajs()
  const { brokers, socketFactory } = withIpv6(options.brokers, sockets)
  const config: KafkaConfig = {
    clientId: options.clientId,
    brokers,
    socketFactory,
    connectionTimeout: options.connectionTimeoutMs,
    authenticationTimeout: options.connectionTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    retry: options.retry ?? CLIENT_RETRY,
    logLevel: options.logger.isLevelEnabled('debug') ? kafkajs.logLevel.DEBUG : kafkajs.logLevel.WARN,
    logCreator: () => relay(options.logger),
    ...securityConfig(options.security),
  }
  return new kafkajs.Kafka(config)
}

/** A cluster of the client's own making: the only way to its connections. Throws CTR_KAFKA_VERSION when there is none. */
export function clusterOf(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === 'private:Kafka:createCluster')
  const create = symbol === undefined ? undefined : (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  if (create === undefined) {
    throw new CtrError('CTR_KAFKA_VERSION', `kafkajs has no cluster inside: install exactly kafkajs ${KAFKAJS_VERSION} (npm ci)`)
  }
  return create.call(kafka, { metadataMaxAge: 300_000, allowAutoTopicCreation: false })
}

function securityConfig({ protocol, sasl, ssl }: KafkaSecurity): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  const encrypted = protocol === 'SSL' || protocol === 'SASL_SSL'
  const authenticated = protocol === 'SASL_PLAINTEXT' || protocol === 'SASL_SSL'
  const given = Object.entries(ssl ?? {}).filter(([, value]) => value !== undefined)
  const config: Pick<KafkaConfig, 'ssl' | 'sasl'> = {}
  if (encrypted) config.ssl = Object.fromEntries(given)
  if (authenticated && sasl !== undefined) {
    const mechanism = sasl.mechanism.toLowerCase() as Lowercase<typeof sasl.mechanism>
    config.sasl = { mechanism, username: sasl.username, password: sasl.password } as SASLOptions
  }
  return config
}

/** kafkajs cuts `host:port` at the first colon; an address in brackets travels under an alias and is put back at the socket. */
function withIpv6(brokers: readonly string[], socketFactory: ISocketFactory): { brokers: string[]; socketFactory: ISocketFactory } {
  const addresses = new Map<string, string>()
  const aliased = brokers.map((broker) => {
    const [, address, port] = /^\[(.+)\]:(\d+)$/.exec(broker) ?? []
    if (address === undefined) return broker
    const alias = `ipv6-${address.replaceAll(':', '-')}`
    addresses.set(alias, address)
    return `${alias}:${port}`
  })
  return { brokers: aliased, socketFactory: (args) => socketFactory({ ...args, host: addresses.get(args.host) ?? args.host }) }
}

/**
 * What kafkajs calls an error is one step of a retry, and what comes of it is reported by us. Of interest before that are lost connections,
 * each kind once in a while: there may be many tries a second. A refused request is told twice.
 */
function relay(logger: Logger): (entry: LogEntry) => void {
  const toldAt = new Map<string, number>()
  return ({ namespace, level, log }) => {
    const { message, timestamp: _, logger: __, stack: ___, ...facts } = log
    const fields = { component: `kafkajs ${namespace}`, ...facts }
    const lost = level === kafkajs.logLevel.ERROR && namespace === 'Connection' && !message.startsWith('Response')
    const now = performance.now()
    if (!lost || now - (toldAt.get(message) ?? Number.NEGATIVE_INFINITY) < SAME_AGAIN_MS) return logger.debug(fields, message)
    // Messages name addresses, which are few; should they ever not be, some are told too often.
    if (toldAt.size >= KINDS_MAX) toldAt.clear()
    toldAt.set(message, now)
    logger.warn(fields, message)
  }
}

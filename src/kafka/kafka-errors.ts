/**
 * What a failure inside kafkajs means for an operator. Told apart by name, type and code along the chain of causes.
 */
import { CtrError } from '../errors.ts'

interface Facts {
  readonly names: ReadonlySet<string>
  readonly message: string
}

const TLS_CODES = [
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]
const DENIED = ['TOPIC_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED']
const MISCONFIGURED = ['INCONSISTENT_GROUP_PROTOCOL', 'INVALID_GROUP_ID', 'INVALID_SESSION_TIMEOUT', 'INVALID_TOPIC_EXCEPTION']
const UNSUPPORTED = ['KafkaJSServerDoesNotSupportApiKey', 'UNSUPPORTED_VERSION']
const NETWORK = [
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
]
const COORDINATION = [
  'KafkaJSGroupCoordinatorNotFound',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]

/** The failure as a CtrError; `retriable` says whether trying again may help. `brokers` are named in the message. */
export function toCtrError(error: unknown, brokers: readonly string[]): CtrError {
  if (error instanceof CtrError) return error
  const { names, message } = factsOf(error)
  const has = (list: readonly string[]) => list.find((name) => names.has(name))
  const at = `kafka.brokers ${brokers.join(', ')}`
  if (names.has('KafkaJSSASLAuthenticationError') || names.has('SASL_AUTHENTICATION_FAILED')) {
    const remedy = 'check kafka.security.sasl.mechanism, username and password'
    return new CtrError('CTR_KAFKA_AUTH', `${at}: authentication refused: ${message}; ${remedy}`, { cause: error })
  }
  if (names.has('UNSUPPORTED_SASL_MECHANISM')) {
    const remedy = 'set kafka.security.sasl.mechanism to one that their listener has enabled'
    return new CtrError('CTR_KAFKA_AUTH', `${at}: ${message}; ${remedy}`, { cause: error })
  }
  if (names.has('ILLEGAL_SASL_STATE')) {
    const remedy = 'set kafka.security.protocol to PLAINTEXT or SSL, or name the listener that wants a password in kafka.brokers'
    return new CtrError('CTR_KAFKA_AUTH', `${at}: this listener takes no user and password (${message}); ${remedy}`, { cause: error })
  }
  const tls = has(TLS_CODES)
  if (tls !== undefined) {
    const remedy = "give the authority that signed the brokers' certificate as kafka.security.ssl.ca, and its host names in kafka.brokers"
    return new CtrError('CTR_KAFKA_AUTH', `${at}: the certificate is not trusted (${tls}): ${message}; ${remedy}`, { cause: error })
  }
  const denied = has(DENIED)
  if (denied !== undefined) {
    const remedy = 'grant the user READ on kafka.topics and on the group kafka.groupId'
    return new CtrError('CTR_KAFKA_AUTH', `${at}: access denied (${denied}); ${remedy}`, { cause: error })
  }
  const unsupported = has(UNSUPPORTED)
  if (unsupported !== undefined) {
    return new CtrError('CTR_KAFKA_VERSION', `${at}: ${message}; brokers from Kafka 0.11 on are supported`, { cause: error })
  }
  const misconfigured = has(MISCONFIGURED)
  if (misconfigured !== undefined) {
    const remedy = 'check kafka.groupId (all its members must be this engine), kafka.sessionTimeout and kafka.topics'
    return new CtrError('CTR_KAFKA_CRASHED', `${at}: ${misconfigured}: ${message}; ${remedy}`, { cause: error })
  }
  if (names.has('UNKNOWN_TOPIC_OR_PARTITION')) {
    return new CtrError('CTR_KAFKA_TOPIC_MISSING', `${at}: ${message}; check kafka.topics`, { retriable: true, cause: error })
  }
  if (has(NETWORK) !== undefined) {
    const remedy = 'check that the brokers run and that kafka.brokers and kafka.security.protocol fit their listener'
    return new CtrError('CTR_KAFKA_UNREACHABLE', `${at}: ${message}; ${remedy}`, { retriable: true, cause: error })
  }
  if (has(COORDINATION) !== undefined) {
    const remedy = 'new and restarted brokers take a moment for that; if it lasts, look at the topic __consumer_offsets and its replicas'
    const what = `${at}: there is no coordinator of the group at present: ${message}`
    return new CtrError('CTR_KAFKA_UNREACHABLE', `${what}; ${remedy}`, { retriable: true, cause: error })
  }
  return new CtrError('CTR_KAFKA_CRASHED', `${at}: the Kafka client failed: ${message}`, { retriable: true, cause: error })
}

/** Access was denied to a topic, the group or the cluster, which may pass; a refused password or certificate is something else. */
export function isDenied(error: unknown): boolean {
  const { names } = factsOf(error)
  return DENIED.some((name) => names.has(name))
}

/** A bug rather than the weather: trying again for ever would only hide it. */
export function looksLikeBug(error: unknown): boolean {
  const { names } = factsOf(error)
  return ['TypeError', 'RangeError', 'ReferenceError', 'BugError', 'KafkaJSInvariantViolation'].some((name) => names.has(name))
}

function factsOf(error: unknown): Facts {
  const names = new Set<string>()
  let message = ''
  let at = error
  for (let depth = 0; depth < 10 && at instanceof Error; depth++) {
    const { name, type, code, cause, errors } = at as Error & { type?: unknown; code?: unknown; errors?: unknown }
    for (const fact of [name, type, code]) if (typeof fact === 'string') names.add(fact)
    message = at.message
    // Of errors about several topics the first.
    at = cause ?? (Array.isArray(errors) ? errors[0] : undefined)
  }
  return { names, message: message || String(error) }
}

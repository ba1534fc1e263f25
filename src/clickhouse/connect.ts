/**
 * The one way to a ClickHouse, embedded or not: an HTTP client with keep-alive, TLS and basic authentication; and what its errors mean.
 */
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, type ClickHouseSettings, createClient } from '@clickhouse/client'
import { formatDuration } from '../config/units.ts'
import { CtrError, type CtrErrorCode, UNTRUSTED_CERTIFICATE } from '../errors.ts'
import { http, loadHttps } from '../node-http.ts'
import { DENIED, DISK_FULL, PASSING, SETTING_REFUSED } from './codes.ts'

/** PEM texts. */
export interface TlsOptions {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/** Where a ClickHouse is and how to be let in. Plain data: it travels between threads. */
export interface Endpoint {
  readonly url: string
  /** All its addresses when there are several, in the order in which they are tried; `url` is the one in use. */
  readonly urls?: readonly string[] | undefined
  /** Whose servers have the tables together. */
  readonly cluster?: string | undefined
  /** The Unix socket to speak HTTP over, of an embedded one; `url` is then what it is called. */
  readonly socketPath?: string | undefined
  readonly username: string
  readonly password: string
  readonly database: string
  readonly tls?: TlsOptions | undefined
  readonly requestTimeoutMs: number
  /** gzip what is sent. */
  readonly compression: boolean
}

/**
 * Whatever is inserted through a distributed table is written when that is said, and not in a queue of the server that was asked. What was
 * computed from a replica that lags far behind would be wrong, and rows just written are read from the replica that has taken them.
 */
const CLUSTER_SETTINGS: ClickHouseSettings = {
  distributed_foreground_insert: 1,
  fallback_to_stale_replicas_for_distributed_queries: 0,
  load_balancing: 'in_order',
}

/** A client of the endpoint; `database` undefined leaves the server's default, for when ours may not exist yet. */
export function connect(endpoint: Endpoint, database: string | undefined): ClickHouseClient {
  const { tls } = endpoint
  const agent = endpoint.url.startsWith('https:')
    ? new (loadHttps().Agent)({
        keepAlive: true,
        rejectUnauthorized: tls?.rejectUnauthorized ?? true,
        ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls?.key === undefined ? {} : { key: tls.key }),
      })
    : new http.Agent({ keepAlive: true, ...(endpoint.socketPath === undefined ? {} : { socketPath: endpoint.socketPath }) })
  return createClient({
    url: endpoint.url,
    username: endpoint.username,
    password: endpoint.password,
    ...(database === undefined ? {} : { database }),
    application: 'ctr',
    request_timeout: endpoint.requestTimeoutMs,
    compression: { request: endpoint.compression, response: false },
    // An agent of our own: the client's TLS options know no rejectUnauthorized, and with a client certificate they drop the password.
    http_agent: agent,
    ...(endpoint.cluster === undefined ? {} : { clickhouse_settings: CLUSTER_SETTINGS }),
    log: { level: ClickHouseLogLevel.OFF },
  })
}

/** The ClickHouse of the endpoint, in words. */
export function whereOf({ url, socketPath }: Endpoint): string {
  return socketPath === undefined ? `ClickHouse at ${url}` : `the embedded ClickHouse at ${socketPath}`
}

/** What an error of the client means to an operator: code, whether waiting helps, and a message that names the key to look at. */
export function explainClickHouse(error: unknown, endpoint: Endpoint): CtrError {
  if (error instanceof CtrError) return error
  const where = whereOf(endpoint)
  const fail = (code: CtrErrorCode, message: string, retriable = false) => new CtrError(code, message, { retriable, cause: error })
  const text = error instanceof Error ? error.message.trim() : String(error)
  if (error instanceof ClickHouseError) return explainRefusal(error, where, endpoint, fail)
  const code = errnoOf(error)
  if (UNTRUSTED_CERTIFICATE.has(code)) {
    return fail(
      'CTR_CONFIG',
      `clickhouse.tls.ca: the certificate of ${where} is not trusted (${code}); give the certificate of its authority`,
    )
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return fail(
      'CTR_CONFIG',
      `clickhouse.url: ${where} does not speak TLS as wanted (${code}); check http:// or https://, the port, and clickhouse.tls`,
    )
  }
  if (isTimeout(error)) return unanswered(endpoint, error)
  const short = text === '' ? code : text.split('\n', 1)[0]
  const key = endpoint.socketPath === undefined ? 'clickhouse.url' : 'clickhouse.embedded'
  return fail('CTR_CLICKHOUSE_UNREACHABLE', `${key}: ${where} does not answer (${short}); check that it runs and can be reached`, true)
}

/** Nothing has come within the time of a request. */
export function unanswered(endpoint: Endpoint, cause?: unknown): CtrError {
  const limit = formatDuration(endpoint.requestTimeoutMs)
  const what = `clickhouse.requestTimeout: ${whereOf(endpoint)} has not answered within ${limit}`
  const remedy = 'it is busy, or nothing comes through: look at it, or allow more time'
  return new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `${what}; ${remedy}`, { retriable: true, cause })
}

function explainRefusal(
  error: ClickHouseError,
  where: string,
  endpoint: Endpoint,
  fail: (code: CtrErrorCode, message: string, retriable?: boolean) => CtrError,
): CtrError {
  const code = Number(error.code)
  const kind = `${error.code} ${error.type ?? ''}`
  const said = `${kind}: ${error.message.trim()}`
  if (code === 497 && endpoint.socketPath !== undefined) {
    const remedy = 'it works on tables only, not on files, addresses, programs and users; give a server of your own with clickhouse.url'
    return fail('CTR_CLICKHOUSE_REFUSED', `clickhouse.embedded: ${where} refuses (${said}): ${remedy}`)
  }
  if (code === 497) {
    return fail(
      'CTR_CLICKHOUSE_AUTH',
      `clickhouse.username: ${where} does not give ${endpoint.username} the right (${said}); \`ctr schema grants\` prints what to grant`,
    )
  }
  if (DENIED.has(code)) {
    return fail(
      'CTR_CLICKHOUSE_AUTH',
      `clickhouse.username, clickhouse.password: ${where} refuses user ${endpoint.username} (${kind}); check both`,
    )
  }
  if (SETTING_REFUSED.has(code)) {
    const remedy = 'give it another profile, or use another user'
    return fail(
      'CTR_CLICKHOUSE_REFUSED',
      `clickhouse.username: the settings profile of ${endpoint.username} at ${where} forbids (${said}); ${remedy}`,
    )
  }
  if (code === 81) {
    return fail(
      'CTR_CLICKHOUSE_REFUSED',
      `clickhouse.database: ${where} has no database ${endpoint.database}; create it and its tables with \`ctr schema apply\``,
    )
  }
  if (code === 60) {
    return fail(
      'CTR_CLICKHOUSE_REFUSED',
      `clickhouse.database: ${where} misses a table (${said}); create what is missing with \`ctr schema apply\``,
    )
  }
  const remedy = code === DISK_FULL ? '; its disk is full: make room there' : ''
  return fail('CTR_CLICKHOUSE_REFUSED', `${where} refuses (${said})${remedy}`, PASSING.has(code))
}

/** A success without what ClickHouse says of every statement: whoever answers may not be ClickHouse, and then nothing is written. */
export function unacknowledged(what: string): CtrError {
  const seen = `something answers ${what} without X-ClickHouse-Summary, by which it is known what ClickHouse has done`
  const remedy = 'let what stands before ClickHouse pass that header on, or connect without it'
  return new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `clickhouse.url: ${seen}; ${remedy}`, { retriable: true })
}

// ENOENT is that of a Unix socket.
const AWAY = new Set(['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])

/** The client has waited for the answer for as long as it may. It has no code for that. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Timeout error.'
}

/** Nobody was there to send anything to. */
export function isAway(error: unknown): boolean {
  return AWAY.has(errnoOf(error))
}

const REASON_MAX_LENGTH = 500

/** What ClickHouse said, on one line: "469 VIOLATED_CONSTRAINT: …". */
export function clickHouseReason(error: unknown): string {
  if (error instanceof CtrError) return clickHouseReason(error.cause)
  const said = error instanceof Error ? error.message.trim().replaceAll(/\s+/g, ' ') : String(error)
  const kind = error instanceof ClickHouseError ? `${error.code} ${error.type ?? ''}: ` : ''
  return (kind + said).slice(0, REASON_MAX_LENGTH)
}

/** ClickHouse's own code of an error, 0 when it has none. */
export function clickHouseCode(error: unknown): number {
  if (error instanceof CtrError) return clickHouseCode(error.cause)
  return error instanceof ClickHouseError ? Number(error.code) : 0
}

function errnoOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/**
 * The one way to a ClickHouse, embedded or not: an HTTP client with keep-alive, TLS and basic authentication; and what its errors mean.
 */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { CtrError, type CtrErrorCode, UNTRUSTED_CERTIFICATE } from '../errors.ts'
import { DENIED, PASSING } from './codes.ts'

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
  readonly username: string
  readonly password: string
  readonly database: string
  readonly tls?: TlsOptions | undefined
  readonly requestTimeoutMs: number
  /** gzip what is sent. */
  readonly compression: boolean
}

/** A client of the endpoint; `database` undefined leaves the server's default, for when ours may not exist yet. */
export function connect(endpoint: Endpoint, database: string | undefined): ClickHouseClient {
  const { tls } = endpoint
  const agent = endpoint.url.startsWith('https:')
    ? new HttpsAgent({
        keepAlive: true,
        rejectUnauthorized: tls?.rejectUnauthorized ?? true,
        ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls?.key === undefined ? {} : { key: tls.key }),
      })
    : new HttpAgent({ keepAlive: true })
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
    log: { level: ClickHouseLogLevel.OFF },
  })
}

/** What an error of the client means to an operator: code, whether waiting helps, and a message that names the key to look at. */
export function explainClickHouse(error: unknown, endpoint: Endpoint): CtrError {
  if (error instanceof CtrError) return error
  const where = `ClickHouse at ${endpoint.url}`
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
  const short = text === '' ? code : text.split('\n', 1)[0]
  return fail(
    'CTR_CLICKHOUSE_UNREACHABLE',
    `clickhouse.url: ${where} does not answer (${short}); check that it runs and can be reached`,
    true,
  )
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
  if (code === 497) {
    return fail(
      'CTR_CLICKHOUSE_AUTH',
      `clickhouse.username: ${where} does not give ${endpoint.username} the right (${said}); grant it, or use another user`,
    )
  }
  if (DENIED.has(code)) {
    return fail(
      'CTR_CLICKHOUSE_AUTH',
      `clickhouse.username, clickhouse.password: ${where} refuses user ${endpoint.username} (${kind}); check both`,
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
  return fail('CTR_CLICKHOUSE_REFUSED', `${where} refuses (${said})`, PASSING.has(code))
}

const AWAY = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])

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

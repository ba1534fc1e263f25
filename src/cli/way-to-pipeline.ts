/** The way to a pipeline that runs: over its own socket for who runs it on the same machine, else over HTTP. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Config } from '../config/schema.ts'
import { CtrError, UNTRUSTED_CERTIFICATE } from '../errors.ts'
import { http } from '../node-http.ts'
import { controlPath, isOwnControl } from '../server/control.ts'

const GREETING_MAX_MS = 3_000

/** What is asked. */
export interface Question {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body: object | undefined
  readonly maxMs: number
}

/** What is answered. */
export interface Reply {
  readonly status: number
  readonly facts: Record<string, unknown>
}

/** How to ask. */
export type Way = (question: Question) => Promise<Reply>

/**
 * How to ask the pipeline at `url`, whose checkpoints are in `directory`; undefined when none answers there. Throws CtrError CTR_USAGE for
 * what is no address, and CTR_CONFIG when something answers whose certificate is not trusted: it may well be the pipeline.
 */
export async function wayTo(url: string, directory: string | undefined): Promise<Way | undefined> {
  const { hostname, port, protocol } = URL.canParse(url) ? new URL(url) : NO_ADDRESS
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new CtrError('CTR_USAGE', `--url ${url}: it is no address; write http://HOST:PORT, or https:// for a pipeline with http.tls`)
  }
  const here = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  const socketPath = directory === undefined || !here ? undefined : controlPath(directory, Number(port))
  const own: Way[] = socketPath !== undefined && isOwnControl(socketPath) ? [(question) => askSocket(socketPath, question)] : []
  for (const way of [...own, (question: Question) => askUrl(url, question)]) {
    const greeting = way({ method: 'GET', path: '/', headers: {}, body: undefined, maxMs: GREETING_MAX_MS })
    if (await greeting.then(({ facts }) => facts.name === 'ctr').catch((error: unknown) => isNobody(error, url))) return way
  }
  return undefined
}

const NO_ADDRESS = { hostname: '', port: '', protocol: '' }

/** False: what failed does not tell that anybody is there. Throws CtrError when it does. */
function isNobody(error: unknown, url: string): false {
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown }
  if (typeof code !== 'string' || !UNTRUSTED_CERTIFICATE.has(code)) return false
  const remedy =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? 'give --url with a name that the certificate is for'
      : 'give the certificate of its authority in a file that NODE_EXTRA_CA_CERTS names'
  throw new CtrError('CTR_CONFIG', `http.tls: the certificate of ${url} is not trusted (${code}); ${remedy}`, { cause: error })
}

const JSON_BODY = { 'content-type': 'application/json' }

async function askUrl(url: string, { method, path, headers, body, maxMs }: Question): Promise<Reply> {
  const init = body === undefined ? { headers } : { headers: { ...headers, ...JSON_BODY }, body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, { ...init, method, signal: AbortSignal.timeout(maxMs) })
  return { status: response.status, facts: (await response.json()) as Record<string, unknown> }
}

async function askSocket(socketPath: string, { method, path, headers, body, maxMs }: Question): Promise<Reply> {
  const asked = http.request({
    socketPath,
    path,
    method,
    headers: body === undefined ? headers : { ...headers, ...JSON_BODY },
    signal: AbortSignal.timeout(maxMs),
  })
  asked.end(body === undefined ? undefined : JSON.stringify(body))
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, facts: (await json(response)) as Record<string, unknown> }
}

/** Where the server of a configuration can be asked from here; undefined when its port is any free one. */
export function addressOf({ host, port, tls }: Config['http']): string | undefined {
  return port === 0 ? undefined : `${tls === undefined ? 'http' : 'https'}://${reachable(host)}:${port}`
}

/** Where a server that listens on `host` can be spoken to from here. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

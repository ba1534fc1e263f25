/**
 * A client of a schema registry's Confluent API, over HTTP with keep-alive, TLS, basic and bearer authentication. Of several addresses,
 * which are of one registry, the one that served last is asked first, then the others in turn.
 *
 *   200            what was asked for
 *   404, 404xx     the registry does not know it: CTR_SCHEMA_UNKNOWN
 *   404 otherwise  no registry, or the wrong path of one: CTR_REGISTRY_REFUSED
 *   401, 403       CTR_REGISTRY_AUTH
 *   429            CTR_REGISTRY_UNREACHABLE; the address is not asked before Retry-After has passed
 *   else, or none  CTR_REGISTRY_UNREACHABLE: 5xx, silent, slow, down
 *
 * When all addresses fail the most telling failure is thrown: who says that a schema is unknown has at least looked.
 */
import type { Agent as HttpAgent, IncomingMessage, RequestOptions } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { z } from 'zod'
import { type Clock, monotonicClock } from '../clock.ts'
import { LIMITS } from '../config/limits.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { CtrError, type CtrErrorCode, UNTRUSTED_CERTIFICATE } from '../errors.ts'
import { http, loadHttps } from '../node-http.ts'
import { clip, visible } from '../text.ts'
import type { RequestOutcome } from './outcomes.ts'

/** Where a registry is and how to be let in; PEM texts. */
export interface RegistryPlace {
  readonly url: readonly string[]
  readonly auth?:
    | { readonly username?: string | undefined; readonly password?: string | undefined; readonly token?: string | undefined }
    | undefined
  readonly tls?:
    | {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
        readonly rejectUnauthorized?: boolean | undefined
      }
    | undefined
  /** ms. */
  readonly requestTimeout: number
}

/** Failures from the least telling to the most. */
const TELLING: readonly CtrErrorCode[] = ['CTR_REGISTRY_UNREACHABLE', 'CTR_REGISTRY_REFUSED', 'CTR_REGISTRY_AUTH', 'CTR_SCHEMA_UNKNOWN']

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'
/** So many requests at a time; a start may want hundreds of schemas. */
const SOCKETS_MAX = 8
/** A registry that wants to be left alone for longer is asked again all the same. */
const PAUSE_MAX_MS = 300_000
const PAUSE_DEFAULT_MS = 1_000
const SAID_MAX_LENGTH = 300

const CODE_NOT_FOUND = 404
const CODE_LIMITED = 429

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly text: string
}

const refusalSchema = z.object({ error_code: z.int(), message: z.string().optional() })

export class RegistryClient {
  /** How many requests had which outcome. */
  readonly requests: Record<RequestOutcome, number> = { found: 0, unknown: 0, denied: 0, limited: 0, refused: 0, failed: 0 }
  readonly #place: RegistryPlace
  readonly #clock: Clock
  readonly #monotonic: Clock
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent }
  readonly #closing = new AbortController()
  /** By the monotonic clock. */
  readonly #pausedUntil = new Map<string, number>()
  /** The index of the address that served last. */
  #first = 0

  constructor(place: RegistryPlace, clock: Clock, monotonic: Clock = monotonicClock) {
    this.#place = place
    this.#clock = clock
    this.#monotonic = monotonic
    const { tls } = place
    const pool = { keepAlive: true, maxSockets: SOCKETS_MAX }
    this.#agents = {
      http: new http.Agent(pool),
      https: new (loadHttps().Agent)({
        ...pool,
        rejectUnauthorized: tls?.rejectUnauthorized ?? true,
        ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls?.key === undefined ? {} : { key: tls.key }),
      }),
    }
  }

  /**
   * What the registry answers to GET `path`, which begins with a slash: parsed JSON. `baseOf` makes of an address what the path is put to;
   * the address itself when not given. Throws CtrError, see the file's comment.
   */
  async get(path: string, baseOf?: (url: string) => string): Promise<unknown> {
    const { url } = this.#place
    let failure: CtrError | undefined
    for (let i = 0; i < url.length; i++) {
      const index = (this.#first + i) % url.length
      try {
        const answer = await this.getFrom(url[index] ?? '', path, baseOf)
        this.#first = index
        return answer
      } catch (error) {
        if (!(error instanceof CtrError)) throw error
        if (failure === undefined || TELLING.indexOf(error.code) > TELLING.indexOf(failure.code)) failure = error
      }
    }
    throw failure ?? new CtrError('CTR_CONFIG', 'schemaRegistry.url is missing')
  }

  /** What it answers to JSON that is posted, to the first address alone: what writes is not tried twice. */
  async post(path: string, body: object): Promise<unknown> {
    return this.getFrom(this.#place.url[0] ?? '', path, undefined, JSON.stringify(body))
  }

  /** The same from one address; with a body it is posted. */
  async getFrom(url: string, path: string, baseOf = (address: string) => address, body?: string): Promise<unknown> {
    const waitMs = (this.#pausedUntil.get(url) ?? 0) - this.#monotonic()
    if (waitMs > 0) throw unreachable(`${url} has asked to be left alone for ${formatDuration(waitMs)} more`, 'raise its limit of requests')
    const target = baseOf(url).replace(/\/+$/, '') + path
    const answer = await this.#ask(target, body).catch((error: unknown) => {
      this.requests.failed++
      throw explainFailure(error, url, this.#place.requestTimeout)
    })
    if (answer.status === 200) return this.#parse(answer, url)
    throw this.#explainStatus(answer, url)
  }

  close(): void {
    this.#closing.abort()
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }

  /** Async, so that what a request throws at once, of a header that can't be sent for example, is a failure like others. */
  async #ask(target: string, body?: string): Promise<Answer> {
    const secure = target.startsWith('https:')
    const late = AbortSignal.timeout(this.#place.requestTimeout)
    const signal = AbortSignal.any([late, this.#closing.signal])
    const type = body === undefined ? {} : { 'content-type': MEDIA_TYPE }
    const headers = { accept: `${MEDIA_TYPE}, application/json`, 'user-agent': 'ctr', ...type, ...this.#authorization() }
    const options: RequestOptions = { method: body === undefined ? 'GET' : 'POST', headers, signal }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const request = secure
      ? loadHttps().request(target, { ...options, agent: this.#agents.https }, resolve)
      : http.request(target, { ...options, agent: this.#agents.http }, resolve)
    request.on('error', reject)
    request.end(body)
    return promise.then(readAnswer).catch((error: unknown) => {
      // An answer that was begun only says that it is broken off.
      throw late.aborted ? late.reason : error
    })
  }

  #authorization(): { authorization?: string } {
    const { username, password, token } = this.#place.auth ?? {}
    if (token !== undefined) return { authorization: `Bearer ${token}` }
    if (username === undefined) return {}
    return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` }
  }

  #parse({ text }: Answer, url: string): unknown {
    try {
      const parsed: unknown = JSON.parse(text)
      this.requests.found++
      return parsed
    } catch {
      this.requests.refused++
      throw refused(url, `what answers there is no JSON (${shortly(text)})`)
    }
  }

  #explainStatus(answer: Answer, url: string): CtrError {
    const { status, text } = answer
    const said = saidIn(text)
    if (status === CODE_NOT_FOUND && Math.floor((said?.error_code ?? 0) / 100) === CODE_NOT_FOUND) {
      this.requests.unknown++
      return new CtrError('CTR_SCHEMA_UNKNOWN', `${url} does not know it (${said?.message ?? said?.error_code})`, { retriable: true })
    }
    const what = `${status}${text === '' ? '' : `: ${shortly(said?.message ?? text)}`}`
    if (status === 401 || status === 403) {
      this.requests.denied++
      const remedy = 'check its username, password or token, and what they may read'
      return new CtrError('CTR_REGISTRY_AUTH', `schemaRegistry.auth: ${url} refuses (${what}); ${remedy}`, { retriable: true })
    }
    if (status === CODE_LIMITED || (status === 503 && answer.retryAfter !== undefined)) {
      this.requests.limited++
      const pauseMs = retryAfterMs(answer.retryAfter, this.#clock())
      this.#pausedUntil.set(url, this.#monotonic() + pauseMs)
      return unreachable(`${url} wants to be left alone for ${formatDuration(pauseMs)} (${what})`, 'raise its limit of requests')
    }
    if (status >= 500) {
      this.requests.failed++
      return unreachable(`${url} fails (${what})`, 'look at the log of the registry')
    }
    this.requests.refused++
    return refused(url, `what answers there is no schema registry (${what})`)
  }
}

/** Whole, or not at all when it is too large. */
async function readAnswer(message: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > 2 * LIMITS.schemaMaxBytes) throw new Error(`its answer has more than ${formatSize(2 * LIMITS.schemaMaxBytes)}`)
    chunks.push(chunk)
  }
  const retryAfter = message.headers['retry-after']
  return { status: message.statusCode ?? 0, retryAfter, text: Buffer.concat(chunks).toString() }
}

/** Seconds or a date; a second when it is neither. */
function retryAfterMs(header: string | undefined, now: number): number {
  const seconds = Number(header)
  const ms = header === undefined ? PAUSE_DEFAULT_MS : Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.min(PAUSE_MAX_MS, Math.max(PAUSE_DEFAULT_MS, Math.ceil(ms))) : PAUSE_DEFAULT_MS
}

function saidIn(text: string): z.infer<typeof refusalSchema> | undefined {
  try {
    return refusalSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** The first words of what a server says. */
function shortly(text: string): string {
  return clip(visible(text.trim().replaceAll(/\s+/g, ' ')), SAID_MAX_LENGTH)
}

function explainFailure(error: unknown, url: string, timeoutMs: number): CtrError {
  const code = String((error as { code?: unknown }).code ?? '')
  const text = error instanceof Error ? error.message : String(error)
  if (UNTRUSTED_CERTIFICATE.has(code)) {
    const remedy = 'give the certificate of its authority'
    const message = `schemaRegistry.tls.ca: the certificate of ${url} is not trusted (${code}); ${remedy}`
    return new CtrError('CTR_REGISTRY_REFUSED', message, { retriable: true, cause: error })
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return refused(url, `it does not speak TLS as wanted (${code}); check http:// or https://, the port, and schemaRegistry.tls`, error)
  }
  if ((error as { name?: unknown }).name === 'TimeoutError') {
    const what = `${url} has not answered within schemaRegistry.requestTimeout (${formatDuration(timeoutMs)})`
    return unreachable(what, 'look whether it is busy or nothing comes through', error)
  }
  if (code === 'ERR_INVALID_CHAR') {
    const remedy = 'it must have no line end nor other control character'
    const message = `schemaRegistry.auth.token: can't be sent to ${url} (${shortly(text)}); ${remedy}`
    return new CtrError('CTR_REGISTRY_REFUSED', message, { retriable: true, cause: error })
  }
  return unreachable(`${url} does not answer (${shortly(text || code)})`, 'check that it runs and can be reached', error)
}

function unreachable(what: string, remedy: string, cause?: unknown): CtrError {
  return new CtrError('CTR_REGISTRY_UNREACHABLE', `schemaRegistry.url: ${what}; ${remedy}`, { retriable: true, cause })
}

function refused(url: string, what: string, cause?: unknown): CtrError {
  const remedy = what.includes('; ') ? '' : '; the address ends where the Confluent API begins, such as /apis/ccompat/v7 with Apicurio'
  return new CtrError('CTR_REGISTRY_REFUSED', `schemaRegistry.url: ${url}: ${what}${remedy}`, { retriable: true, cause })
}

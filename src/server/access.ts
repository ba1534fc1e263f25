/**
 * Who may ask for what. There are two roles: a viewer reads, an operator changes something too. The engine's own user is an operator over
 * the control socket. Over the network a role is what a bearer token gives, in a header and nowhere else: there are no cookies, so a web
 * page can't spend what somebody else's browser has. Without any token this machine may read, and no web page that one of its browsers
 * shows but the engine's own; with `http.localSavepoints` it may change something too. Nothing tells a proxy on this machine that adds no
 * header from a program of this machine.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** What one may do. */
export type AccessRole = 'viewer' | 'operator'

/** What is known of a request before it is read. */
export interface Asker {
  /** Of the other end of the connection. */
  readonly ip: string
  readonly headers: IncomingHttpHeaders
}

/** Of the section `http`. */
export interface AccessRules {
  /** By `http.token` and `http.tokens`; `hash` as tokenHash gives it. */
  readonly tokens: readonly { readonly role: AccessRole; readonly hash: string }[]
  readonly localSavepoints: boolean
}

/** What is answered to who may not ask. */
export interface AccessRefusal {
  readonly status: 400 | 401 | 403
  readonly error: string
}

const HASH_PREFIX = 'sha256:'

/** What is written in `http.tokens` in place of the token. One hash is enough for a token that is long and random. */
export function tokenHash(token: string): string {
  return HASH_PREFIX + createHash('sha256').update(token).digest('hex')
}

/** The rules that the configuration says; `http.token` is an operator's. */
export function accessRules(http: {
  readonly token?: string | undefined
  readonly tokens?: AccessRules['tokens'] | undefined
  readonly localSavepoints?: boolean | undefined
}): AccessRules {
  const own = http.token === undefined ? [] : [{ role: 'operator' as const, hash: tokenHash(http.token) }]
  return { tokens: [...own, ...(http.tokens ?? [])], localSavepoints: http.localSavepoints ?? false }
}

/** A hook that refuses whoever has not the role; the socket's owner has each. */
export function guard(
  rules: AccessRules,
  role: AccessRole,
  isOwner: (socket: Socket) => boolean,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    if (isOwner(request.raw.socket)) return
    const refusal = refusalOf(request, role, rules)
    if (refusal === undefined) return
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer')
    await reply.code(refusal.status).send({ error: refusal.error })
  }
}

const TOKEN_PARAMETER = /[?&](?:access_?token|token|bearer|authorization)=/i

/** Why a request is refused whatever it asks for: a token in an address ends up in histories and in the logs of proxies. */
export function addressRefusal(url: string): AccessRefusal | undefined {
  if (!TOKEN_PARAMETER.test(url)) return undefined
  const error = 'a token does not belong into an address, where logs and histories keep it: make a new one, and send Authorization: Bearer'
  return { status: 400, error }
}

/** Why a request over the network is refused to the role; undefined when it is not. */
export function refusalOf(asker: Asker, role: AccessRole, { tokens, localSavepoints }: AccessRules): AccessRefusal | undefined {
  if (!isOwnPage(asker)) return { status: 403, error: 'pages of other sites may not ask' }
  if (tokens.length > 0) {
    const roles = rolesOf(asker.headers.authorization, tokens)
    if (roles.includes('operator') || roles.includes(role)) return undefined
    if (roles.length > 0) return { status: 403, error: 'this token is a viewer: an operator may do this' }
    return { status: 401, error: 'send the header Authorization: Bearer, with a token of http.tokens or http.token' }
  }
  if (role === 'operator' && !localSavepoints) return { status: 403, error: NO_WAY_IN }
  return isLocal(asker) ? undefined : { status: 403, error: NOT_FROM_HERE }
}

/** Each token is compared, so that the time tells nothing of which one it was. */
function rolesOf(header: string | undefined, tokens: AccessRules['tokens']): AccessRole[] {
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1]
  const digest = Buffer.from(tokenHash(given ?? ''))
  const matching = tokens.filter(({ hash }) => {
    const wanted = Buffer.from(hash)
    return wanted.length === digest.length && timingSafeEqual(wanted, digest)
  })
  return given === undefined ? [] : matching.map(({ role }) => role)
}

const NO_WAY_IN =
  'savepoints over HTTP are off: give http.tokens an operator and send its token as a bearer, or set http.localSavepoints to true for ' +
  'the loopback; ctr savepoint, run by the same user on the same machine, needs neither when checkpoint.storage is a directory'

const NOT_FROM_HERE = 'without http.tokens this is for the loopback only, by its own name; `ctr token` makes a token and what to configure'

/** A browser says which page asks: none, as for an address that somebody types, or one that this server has sent. */
function isOwnPage({ headers }: Asker): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return false
  return headers.origin === undefined || headers.origin.replace(/^https?:\/\//, '') === headers.host
}

/** From this machine, and for this machine: not by another name for it (DNS rebinding), and not through a proxy that says so. */
function isLocal({ ip, headers }: Asker): boolean {
  const relayed = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined)
  const host = (headers.host ?? '').replace(/:\d+$/, '')
  const here = host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
  return here && !relayed && (ip === '::1' || /^(?:::ffff:)?127\./.test(ip))
}

/**
 * Who may ask for what changes or shows the engine's state. With `http.token`, whoever bears it; without, only this machine itself, and no
 * web page that one of its browsers shows.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** What is known of a request before it is read. */
export interface Asker {
  /** Of the other end of the connection. */
  readonly ip: string
  readonly headers: IncomingHttpHeaders
}

/** What is answered to who may not ask. */
export interface AccessRefusal {
  readonly status: 401 | 403
  readonly error: string
}

/** A hook that refuses whoever may not ask (401, 403), and requests that mean the pipeline of another group than `group` (421). */
export function guard(token: string | undefined, group: string): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    const refusal = refusalOf(request, token)
    const { group: meant } = request.query as { group?: unknown }
    if (refusal !== undefined) {
      if (refusal.status === 401) reply.header('www-authenticate', 'Bearer')
      await reply.code(refusal.status).send({ error: refusal.error })
    } else if (meant !== undefined && meant !== group) await reply.code(421).send({ error: `this pipeline is of group ${group}` })
  }
}

/** Why the request is refused; undefined when it is not. */
export function refusalOf(asker: Asker, token: string | undefined): AccessRefusal | undefined {
  if (token !== undefined) {
    const error = 'send the header Authorization: Bearer, with http.token'
    return bears(asker.headers.authorization, token) ? undefined : { status: 401, error }
  }
  return isLocal(asker) ? undefined : { status: 403, error: 'without http.token, savepoints are for the loopback only' }
}

function bears(header: string | undefined, token: string): boolean {
  const given = Buffer.from(/^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? '')
  const wanted = Buffer.from(token)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/**
 * From this machine, and for this machine: a page in a browser says where it is from or asks for another host (DNS rebinding), and a
 * reverse proxy says whom it speaks for.
 */
function isLocal({ ip, headers }: Asker): boolean {
  const relayed = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined)
  const host = (headers.host ?? '').replace(/:\d+$/, '')
  const here = host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
  return here && !relayed && headers.origin === undefined && (ip === '::1' || /^(?:::ffff:)?127\./.test(ip))
}

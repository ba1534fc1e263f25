/** Savepoints over HTTP; http.ts has the routes and who may use them. */
import { timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CtrError } from '../errors.ts'

/** What the routes do. All reject with CtrError. */
export interface SavepointActions {
  /** The consumer group they are of; requests may name the one they mean, and are refused with 421 when it is another. */
  readonly group: string
  /** Takes one of what this process has; resolves with its facts when it is complete. */
  create(name: string): Promise<object>
  list(): Promise<readonly object[]>
  remove(name: string): Promise<unknown>
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Adds the routes. Without a `token` only the loopback may use them, and no web page. */
export function addSavepoints(app: FastifyInstance, actions: SavepointActions, token: string | undefined): void {
  const guarded = {
    onRequest: async (request: FastifyRequest, reply: FastifyReply) => refuse(request, reply, token, actions.group),
  }
  app.get('/savepoints', guarded, async (_, reply) => answer(reply, async () => ({ savepoints: await actions.list() })))
  app.post('/savepoints', guarded, async (request, reply) => {
    const name = (request.body as { name?: unknown } | null | undefined)?.name
    if (typeof name !== 'string' || !NAME.test(name)) return badName(reply)
    return answer(reply, () => actions.create(name))
  })
  app.delete<{ Params: { name: string } }>('/savepoints/:name', guarded, async ({ params }, reply) => {
    if (!NAME.test(params.name)) return badName(reply)
    return answer(reply, async () => {
      await actions.remove(params.name)
      return { removed: params.name }
    })
  })
}

async function refuse(request: FastifyRequest, reply: FastifyReply, token: string | undefined, own: string): Promise<void> {
  if (token !== undefined) {
    if (bears(request.headers.authorization, token)) return misdirected(request, reply, own)
    await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'send the header Authorization: Bearer, with http.token' })
    return
  }
  if (isLocal(request)) return misdirected(request, reply, own)
  await reply.code(403).send({ error: 'without http.token, savepoints are for the loopback only' })
}

async function misdirected(request: FastifyRequest, reply: FastifyReply, own: string): Promise<void> {
  const { group } = request.query as { group?: unknown }
  if (group !== undefined && group !== own) await reply.code(421).send({ error: `this pipeline is of group ${own}` })
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
function isLocal({ ip, headers }: FastifyRequest): boolean {
  const relayed = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined)
  const host = (headers.host ?? '').replace(/:\d+$/, '')
  const here = host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
  return here && !relayed && headers.origin === undefined && (ip === '::1' || /^(?:::ffff:)?127\./.test(ip))
}

function badName(reply: FastifyReply): FastifyReply {
  return reply.code(400).send({ error: 'a savepoint is named by up to 100 letters, digits, dots, dashes and underscores' })
}

async function answer(reply: FastifyReply, act: () => Promise<object>): Promise<object> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof CtrError)) throw error
    const status = error.code === 'CTR_USAGE' ? 404 : error.retriable ? 503 : 409
    return reply.code(status).send({ error: error.message, code: error.code })
  }
}

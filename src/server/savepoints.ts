/** Savepoints over HTTP: routes.ts has what can be asked, access.ts who may ask. */
import type { FastifyInstance, FastifyReply, onRequestAsyncHookHandler, RouteHandlerMethod } from 'fastify'
import { CtrError } from '../errors.ts'
import { ROUTES, type Route } from './routes.ts'

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

/** Adds the routes, each behind `guard`. */
export function addSavepoints(app: FastifyInstance, actions: SavepointActions, guard: onRequestAsyncHookHandler): void {
  const add = ({ method, path }: Route & { readonly who: 'operator' }, handler: RouteHandlerMethod) =>
    app.route({ method, url: path, onRequest: [guard, meansGroup(actions.group)], handler })
  add(ROUTES.savepointList, async (_, reply) => answer(reply, async () => ({ savepoints: await actions.list() })))
  add(ROUTES.savepointTake, async (request, reply) => {
    const name = (request.body as { name?: unknown } | null | undefined)?.name
    if (typeof name !== 'string' || !NAME.test(name)) return badName(reply)
    return answer(reply, () => actions.create(name))
  })
  add(ROUTES.savepointRemove, async (request, reply) => {
    const { name } = request.params as { name: string }
    if (!NAME.test(name)) return badName(reply)
    return answer(reply, async () => {
      await actions.remove(name)
      return { removed: name }
    })
  })
}

/** Refuses requests that mean the pipeline of another group. */
function meansGroup(group: string): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { group: meant } = request.query as { group?: unknown }
    if (meant !== undefined && meant !== group) await reply.code(421).send({ error: `this pipeline is of group ${group}` })
  }
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

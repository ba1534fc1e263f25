/**
 * What is asked beside the probes: savepoints, the API, the page, the index at `/` and the answer to an unknown path. http.ts loads it with
 * the first request that is none of the probes.
 */
import type { Server as HttpServer, RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { PipelineStats } from '../metrics/stats.ts'
import { type AccessRules, accessRules, addressRefusal, guard } from './access.ts'
import { type Api, addApi } from './api.ts'
import { HEADERS } from './headers.ts'
import { API_ROUTES, pathsOf, ROUTES } from './routes.ts'
import { addSavepoints, type SavepointActions } from './savepoints.ts'
import { addStatic, type StaticFile } from './static.ts'

export interface AppOptions {
  /** Undefined: the engine does not answer. */
  readonly read: () => PipelineStats | Promise<PipelineStats | undefined>
  /** Without it there are no routes for savepoints. */
  readonly savepoints?: SavepointActions | undefined
  /** Without it there are no routes below /api/v1. */
  readonly api?: Api | undefined
  /** Files below /ui by their path; see static.ts. */
  readonly ui?: (() => ReadonlyMap<string, StaticFile>) | undefined
  /** As the section `http` has them; see access.ts. */
  readonly token?: string | undefined
  readonly tokens?: AccessRules['tokens'] | undefined
  readonly localSavepoints?: boolean | undefined
}

/** Answers a request to a server. */
export interface ServerApp {
  readonly answer: RequestListener
  close(): Promise<void>
}

const BODY_MAX_BYTES = 4096

/** What answers the requests to `server`, which goes on belonging to the caller; `isOwner` knows the connections of this user. */
export async function createApp(options: AppOptions, server: HttpServer, isOwner: (socket: Socket) => boolean): Promise<ServerApp> {
  const app = fastify({ bodyLimit: BODY_MAX_BYTES, serverFactory: () => server })
  addRoutes(app, options, isOwner)
  await app.ready()
  return { answer: (request, response) => app.routing(request, response), close: () => app.close() }
}

function addRoutes(app: FastifyInstance, options: AppOptions, isOwner: (socket: Socket) => boolean): void {
  const { read, savepoints, api, ui } = options
  // A form of another site can send text, and nothing that asks for more.
  app.removeContentTypeParser('text/plain')
  const served = [
    ...Object.values(ROUTES).filter(({ who }) => who === 'everybody' || savepoints !== undefined),
    ...(api === undefined ? [] : Object.values(API_ROUTES)),
  ]
  const see = [...pathsOf(served), ...(ui === undefined ? [] : ['/ui'])]
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS)
    const refusal = addressRefusal(request.url)
    if (refusal !== undefined) await reply.code(refusal.status).send({ error: refusal.error })
  })
  app.get(ROUTES.index.path, async () => ({ name: 'ctr', state: (await read())?.state ?? 'stuck', see }))
  const rules = accessRules(options)
  if (savepoints !== undefined) addSavepoints(app, savepoints, guard(rules, 'operator', isOwner))
  if (api !== undefined) addApi(app, api, guard(rules, 'viewer', isOwner))
  if (ui !== undefined) addStatic(app, ui)
  app.setNotFoundHandler((_, reply) => reply.code(404).send({ error: 'not found', see }))
}

/** The routes of `/api/v1`: routes.ts has which there are, api-queries.ts what may be asked, api-schemas.ts what is answered. */
import type { FastifyInstance, onRequestAsyncHookHandler } from 'fastify'
import { CtrError } from '../errors.ts'
import { API_QUERIES, type ApiQuery } from './api-queries.ts'
import type { ApiAnswer, ApiName } from './api-schemas.ts'
import { API_ROUTES } from './routes.ts'

/** Where the answers come from. All may reject with CtrError; undefined: there is no such thing. */
export type Api = {
  readonly [Name in ApiName]: (query: ApiQuery<Name>) => Promise<ApiAnswer<Name> | undefined> | ApiAnswer<Name> | undefined
}

/** Whoever asks the same within so long gets the same bytes, however many they are: ten viewers cost what one does. */
const SAME_MS: Partial<Readonly<Record<ApiName, number>>> & { readonly other: number } = { state: 500, other: 1_000 }
const ANSWERS_MAX = 256

/** What was answered lately, by what was asked. */
class Answers {
  readonly #made = new Map<string, { readonly at: number; readonly answer: Promise<string | undefined> }>()

  get(name: ApiName, query: unknown, make: () => unknown): Promise<string | undefined> {
    const key = `${name} ${JSON.stringify(query)}`
    const now = performance.now()
    const known = this.#made.get(key)
    if (known !== undefined && now - known.at < (SAME_MS[name] ?? SAME_MS.other)) return known.answer
    const answer = (async () => {
      const value = await make()
      return value === undefined ? undefined : JSON.stringify(value)
    })()
    this.#made.delete(key)
    this.#made.set(key, { at: now, answer })
    answer.catch(() => this.#made.delete(key))
    for (const [oldest, { at }] of this.#made) {
      if (now - at < SAME_MS.other && this.#made.size <= ANSWERS_MAX) break
      this.#made.delete(oldest)
    }
    return answer
  }
}

/** Adds the routes, each behind `guard`. */
export function addApi(app: FastifyInstance, api: Api, guard: onRequestAsyncHookHandler): void {
  const answers = new Answers()
  for (const name of Object.keys(API_ROUTES) as ApiName[]) {
    const { method, path } = API_ROUTES[name]
    app.route({
      method,
      url: path,
      onRequest: guard,
      handler: async (request, reply) => {
        reply.header('cache-control', 'no-store')
        const asked = API_QUERIES[name].safeParse({ ...(request.query as object), ...(request.params as object) })
        if (!asked.success) {
          const [issue] = asked.error.issues
          const where = issue?.path.join('.') ?? ''
          return reply
            .code(400)
            .send({ error: `${where === '' ? path : where}: ${issue?.message}`, remedy: `see docs/http-api.md, ${path}` })
        }
        try {
          const answer = await answers.get(name, asked.data, () => (api[name] as (query: unknown) => unknown)(asked.data))
          if (answer === undefined) return reply.code(404).send({ error: 'there is no such thing' })
          return reply.type('application/json; charset=utf-8').send(answer)
        } catch (error) {
          if (!(error instanceof CtrError)) throw error
          return reply.code(503).send({ error: error.message, remedy: 'the rest of the API does not depend on it' })
        }
      },
    })
  }
}
